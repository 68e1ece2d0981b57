"""Ageing: whether a session's present is over follows from its policy and from durations alone."""

from datetime import datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.memory.ageing import Ended, Ending, picked_up, timed_out
from core.policy import Policy

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
THEN = 1_700_000_000.0


def judged(policy: Policy, *, silent: float, present: float | None = None, in_thread: bool = True) -> Ended | None:
    now = THEN + silent
    since = THEN if present is None else now - present
    return timed_out(policy, in_thread=in_thread, spoken_at=THEN, present_since=since, now=now)


@pytest.mark.parametrize(
    ("policy", "in_thread", "idle"),
    [
        (Policy(), True, 7 * DAY),
        (Policy(), False, DAY),
        (Policy(idle=30 * MINUTE), True, 30 * MINUTE),
        (Policy(idle=30 * MINUTE), False, 30 * MINUTE),
        (Policy(idle=30 * DAY, max_age=inf), False, 30 * DAY),
    ],
)
def test_it_ends_with_the_last_moment_of_its_silence_and_not_before(
    policy: Policy, in_thread: bool, idle: float
) -> None:
    assert judged(policy, silent=idle - 0.001, in_thread=in_thread) is None
    ended = Ended(since=THEN + idle, ending=Ending.SILENCE)
    assert judged(policy, silent=idle, in_thread=in_thread) == ended
    assert judged(policy, silent=400 * DAY, in_thread=in_thread) == ended, "since then, whenever somebody looks"


def test_what_never_ends_never_ends() -> None:
    assert judged(Policy(idle=inf), silent=10_000 * DAY) is None


def test_an_age_ends_it_also_while_people_talk() -> None:
    policy = Policy(idle=inf, max_age=30 * DAY)

    assert judged(policy, silent=0, present=30 * DAY - 1) is None
    assert judged(policy, silent=0, present=30 * DAY) == Ended(since=THEN, ending=Ending.AGE)


def test_whatever_comes_first_ends_it() -> None:
    policy = Policy(idle=DAY, max_age=3 * DAY)

    silent, old = judged(policy, silent=9 * DAY), judged(policy, silent=DAY, present=4 * DAY)
    assert silent is not None
    assert old is not None
    assert (silent.ending, old.ending) == (Ending.SILENCE, Ending.AGE)


def test_a_clock_that_was_set_back_ends_nothing() -> None:
    assert judged(Policy(idle=MINUTE, max_age=DAY), silent=-5 * DAY) is None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia", "UTC"])
@pytest.mark.parametrize("day", [(2026, 3, 28), (2026, 10, 24), (2026, 3, 7), (2026, 10, 31), (2011, 12, 29)])
def test_a_day_has_24_hours_also_where_clocks_are_changed(zone: str, day: tuple[int, int, int]) -> None:
    """By the clock on the wall it would be 23, 25, or in Samoa none."""
    spoken = datetime(*day, 12, tzinfo=ZoneInfo(zone)).timestamp()

    for beside, is_over in ((-1, False), (0, True)):
        now = (datetime.fromtimestamp(spoken, ZoneInfo("UTC")) + timedelta(hours=24, seconds=beside)).astimezone(
            ZoneInfo(zone)
        )
        found = timed_out(Policy(), in_thread=False, spoken_at=spoken, present_since=spoken, now=now.timestamp())
        assert (found is not None) is is_over


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(60, 1e9), st.floats(60, 1e9))
def test_once_over_it_stays_over(silent: float, later: float, idle: float, age: float) -> None:
    policy = Policy(idle=idle, max_age=age)
    before = judged(policy, silent=silent)

    assert before is None or judged(policy, silent=silent + later) == before


@pytest.mark.parametrize(
    ("silence", "turns", "line"),
    [
        (9.9 * DAY, 12, "_Picked up after 9 days: I remember 12 turns of before. Say `!reset` to start clean._"),
        (30 * HOUR, 1, "_Picked up after 30 hours: I remember 1 turn of before. Say `!reset` to start clean._"),
        (90 * MINUTE, 2, "_Picked up after 90 minutes: I remember 2 turns of before. Say `!reset` to start clean._"),
        (5, 1_234, "_Picked up where we were: I remember 1,234 turns of before. Say `!reset` to start clean._"),
    ],
)
def test_people_are_told_in_one_line_for_how_long_and_of_how_much(silence: float, turns: int, line: str) -> None:
    assert picked_up(silence, turns) == line
