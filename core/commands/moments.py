"""Moments of the past, as people say them: a date, a weekday, a duration, their last visit.

A day begins at its midnight in the zone of the clock that is handed in, or where that hour is left out, at the end of
the gap. A duration is as long as a stopwatch would have it, whatever clocks did meanwhile.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from re import Match, Pattern
from re import compile as pattern

VISIT = "my last visit"
"""What is no moment by itself: when whoever says it was last heard."""

RIGHT = f"a date (`2026-11-20`, `20 Nov`), `today`, `yesterday`, a weekday, a duration (`2h`, `3d`), or `{VISIT}`"
"""What can be said, in words."""


def is_visit(said: str) -> bool:
    """Whether this is the speaker's last visit."""
    return _plain(said) == VISIT


def is_known(said: str) -> bool:
    """Whether this is a moment, whatever the time is."""
    return is_visit(said) or moment(said, _WHENEVER) is not None


def moment(said: str, now: datetime) -> datetime | None:
    """The latest moment of the past that this can mean, in the zone of `now`; None where it means none.

    A date with its year is that date, also where it is yet to come.
    """
    words = _plain(said)
    for form, read in _FORMS:
        if (found := form.fullmatch(words)) is not None:
            return read(found, now)
    return None


def while_(said: str) -> timedelta | None:
    """How long this is, at most a day; None where it is no such while."""
    found = _WHILE.fullmatch(_plain(said))
    length = timedelta() if found is None else int(found["number"]) * _UNITS[found["unit"]]
    return length if timedelta() < length <= _LONGEST else None


_WHENEVER = datetime(2026, 1, 1, tzinfo=UTC)  # what is a moment at one time is one at all times


def _plain(said: str) -> str:
    return " ".join(said.lower().split())


_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_LONGEST = timedelta(days=1)
_WHILE = pattern(r"(?P<number>[0-9]{1,4})(?P<unit>[mhd])")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_SHORTEST = 3  # letters of a month or weekday
_LEAP = 8  # years, in which there is a 29th of February at least once


def _ago(found: Match[str], now: datetime) -> datetime:
    passed = int(found["number"]) * _UNITS[found["unit"]]
    return (now.astimezone(UTC) - passed).astimezone(now.tzinfo)


def _today(_found: Match[str], now: datetime) -> datetime:
    return _midnight(now.date(), now)


def _yesterday(_found: Match[str], now: datetime) -> datetime:
    return _midnight(now.date() - timedelta(days=1), now)


def _weekday(found: Match[str], now: datetime) -> datetime | None:
    """The last such day before today, which has a word of its own."""
    day = _place(found["name"], _DAYS)
    if day is None:
        return None
    return _midnight(now.date() - timedelta(days=(now.weekday() - day - 1) % 7 + 1), now)


def _numbers(found: Match[str], now: datetime) -> datetime | None:
    return _on(int(found["year"]), int(found["month"]), int(found["day"]), now)


def _named(found: Match[str], now: datetime) -> datetime | None:
    """A day and the name of its month; without a year, the latest one that has begun."""
    month = _place(found["name"], _MONTHS)
    if month is None:
        return None
    if found["year"] is not None:
        return _on(int(found["year"]), month + 1, int(found["day"]), now)
    years = range(now.year, now.year - _LEAP - 1, -1)
    begun = (_on(year, month + 1, int(found["day"]), now) for year in years)
    return next((day for day in begun if day is not None and day <= now), None)


def _place(word: str, names: tuple[str, ...]) -> int | None:
    """The place of the name that this is, or is short for."""
    fitting = (place for place, name in enumerate(names) if len(word) >= _SHORTEST and name.startswith(word))
    return next(fitting, None)


def _on(year: int, month: int, day: int, now: datetime) -> datetime | None:
    try:
        return _midnight(date(year, month, day), now)
    except ValueError:
        return None


def _midnight(day: date, now: datetime) -> datetime:
    """The beginning of a day. An hour that a clock left out counts as if it had not, which is the end of the gap."""
    return datetime.combine(day, time(), now.tzinfo)


_Read = Callable[[Match[str], datetime], datetime | None]
_YEAR = r"(?P<year>[12][0-9]{3})"
_DAY = r"(?P<day>[0-9]{1,2})"
_FORMS: tuple[tuple[Pattern[str], _Read], ...] = (
    (pattern(r"today"), _today),
    (pattern(r"yesterday"), _yesterday),
    (pattern(r"(last )?(?P<name>[a-z]+)"), _weekday),
    (pattern(r"(?P<number>[0-9]{1,4}) ?(?P<unit>[mhdw])(in|inutes?|ours?|ays?|eeks?)?( ago)?"), _ago),
    (pattern(rf"{_YEAR}-(?P<month>[0-9]{{1,2}})-{_DAY}"), _numbers),
    (pattern(rf"{_DAY}\.? (?P<name>[a-z]+)\.?( {_YEAR})?"), _named),
    (pattern(rf"(?P<name>[a-z]+)\.? {_DAY}(,? {_YEAR})?"), _named),
)


def told(at: datetime) -> str:
    """A moment as people are told it, with its zone: `2026-03-03 14:05 Europe/Berlin`."""
    return f"{at:%Y-%m-%d %H:%M} {at.tzinfo}"
