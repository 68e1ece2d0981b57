"""Moments of the past, as people say them: in every form, by every zone's clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands.moments import is_known, is_visit, moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 16, 30, tzinfo=BERLIN)  # a Wednesday

ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu")])
TIMES = st.builds(datetime.fromtimestamp, st.integers(631_152_000, 3_786_912_000), ZONES)  # from 1990 to 2090


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-11-20", "2026-11-20T00:00+01:00"),
        ("2026-7-4", "2026-07-04T00:00+02:00"),
        ("20 Nov", "2026-11-20T00:00+01:00"),
        ("20. November", "2026-11-20T00:00+01:00"),
        ("nov 20", "2026-11-20T00:00+01:00"),
        ("November 20, 2024", "2024-11-20T00:00+01:00"),
        ("20 nov 2024", "2024-11-20T00:00+01:00"),
        ("26 Nov", "2025-11-26T00:00+01:00"),
        ("29 Feb", "2024-02-29T00:00+01:00"),
        ("today", "2026-11-25T00:00+01:00"),
        (" Yesterday ", "2026-11-24T00:00+01:00"),
        ("monday", "2026-11-23T00:00+01:00"),
        ("last Thu", "2026-11-19T00:00+01:00"),
        ("wednesday", "2026-11-18T00:00+01:00"),
        ("30m", "2026-11-25T16:00+01:00"),
        ("2h", "2026-11-25T14:30+01:00"),
        ("3 days ago", "2026-11-22T16:30+01:00"),
        ("2w", "2026-11-11T16:30+01:00"),
        ("2027-01-01", "2027-01-01T00:00+01:00"),
    ],
)
def test_a_moment_is_the_latest_of_the_past_that_is_meant(said: str, expected: str) -> None:
    assert is_known(said)
    assert moment(said, NOW) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "said",
    ["", "noon", "30 Feb", "2026-02-29", "2026-13-01", "0 Nov", "3", "d", "3 dogs", "mo", "ju 3", "yesterday noon"],
)
def test_nonsense_is_none(said: str) -> None:
    assert not is_known(said)
    assert moment(said, NOW) is None


@pytest.mark.parametrize(
    "said", ["99999d", "three days", "last", "last today", "0001-01-01", "\u00b2d", "2026-11-20T00:00"]
)
def test_nothing_is_guessed(said: str) -> None:
    assert not is_known(said)


def test_a_visit_is_known_and_no_moment_by_itself() -> None:
    assert is_visit("My  last visit")
    assert is_known("my last visit")
    assert moment("my last visit", NOW) is None


@pytest.mark.parametrize(
    ("zone", "now", "said", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "today", "2026-03-28T23:00"),
        ("Europe/Berlin", "2026-03-30T12:00", "yesterday", "2026-03-28T23:00"),
        ("Europe/Berlin", "2026-03-29T12:00", "1d", "2026-03-28T10:00"),
        ("Europe/Berlin", "2026-10-25T12:00", "1d", "2026-10-24T11:00"),
        ("America/Havana", "2026-03-08T12:00", "today", "2026-03-08T05:00"),
        ("America/Havana", "2026-11-01T12:00", "today", "2026-11-01T04:00"),
    ],
    ids=["forward", "forward, from the day after", "23 hours", "25 hours", "no midnight", "two midnights"],
)
def test_days_on_which_clocks_change_begin_when_they_begin(zone: str, now: str, said: str, expected: str) -> None:
    found = moment(said, datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone)))

    assert found is not None
    assert found.astimezone(UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(TIMES, st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_a_written_date_is_its_beginning(now: datetime, day: date) -> None:
    assert moment(day.isoformat(), now) == datetime.combine(day, time(), now.tzinfo)


@given(TIMES, st.integers(0, 9999), st.sampled_from("mhdw"))
def test_a_duration_has_passed_since(now: datetime, number: int, unit: str) -> None:
    found = moment(f"{number}{unit}", now)

    seconds = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}[unit] * number
    assert found is not None
    assert now.astimezone(UTC) - found.astimezone(UTC) == timedelta(seconds=seconds)


@given(TIMES, st.sampled_from(["today", "yesterday", "monday", "sunday", "20 Nov", "Feb 29", "1 jan"]))
def test_what_has_no_year_is_never_to_come(now: datetime, said: str) -> None:
    found = moment(said, now)

    assert found is not None
    assert found.utcoffset() is not None
    assert found.date() <= now.date()


@given(TIMES, st.text(max_size=20))
def test_what_is_known_is_known_at_all_times(now: datetime, said: str) -> None:
    assert is_known(said) == (is_visit(said) or moment(said, now) is not None)
