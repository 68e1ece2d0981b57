"""Ageing: when a session's present is over, and how people are told that it goes on. What is remembered does not age.

One pure function decides, for whoever asks: the process that accepts a message, and the chore.
"""

from dataclasses import dataclass
from enum import Enum
from functools import partial

from core.policy import Policy
from core.store.remembered import MOST
from core.store.timeouts import Present, Waking

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0

IDLE_IN_THREADS, IDLE_ELSEWHERE = 7 * _DAY, _DAY
"""Seconds of silence after which a session is timed out, where nothing else is set."""


class Ending(Enum):
    """Why a session is timed out."""

    SILENCE = "nobody has talked with it for long"
    AGE = "its present has gone on for long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A session's present is over: since when (seconds since 1970), and why."""

    since: float
    ending: Ending


def timed_out(policy: Policy, *, in_thread: bool, spoken_at: float, present_since: float, now: float) -> Ended | None:
    """Whether the present of a session is over that began then, and in which people last talked with us then.

    None while it goes on. All in seconds since 1970 by one clock; so neither zones nor the changes of their clocks
    matter.
    """
    usual = IDLE_IN_THREADS if in_thread else IDLE_ELSEWHERE
    silence = Ended(since=spoken_at + (usual if policy.idle is None else policy.idle), ending=Ending.SILENCE)
    age = Ended(since=present_since + policy.max_age, ending=Ending.AGE)
    first = min(silence, age, key=lambda one: one.since)
    return first if first.since <= now else None


def is_over(deployed: Policy, present: Present) -> bool:
    """Whether a session's present is over, under the deployment's policy and what is set for the session."""
    ended = timed_out(
        deployed.under(present.overrides),
        in_thread=present.key.address.thread is not None,
        spoken_at=present.spoken_at / 1000,
        present_since=present.since / 1000,
        now=present.now / 1000,
    )
    return ended is not None


def waking(deployed: Policy, *, burst: float) -> Waking:
    """How sessions are woken under the deployment's policy, where people are told behind a burst of so many seconds."""
    return Waking(is_over=partial(is_over, deployed), line=picked_up, burst=burst)


def picked_up(silence: float, turns: int) -> str:
    """The line that people are told when they go on after so many seconds, with so many turns in memory."""
    beginning = f"Picked up after {_span(silence)}" if silence >= _HOUR else "Picked up where we were"
    return f"_{beginning}: I remember {how_many(turns)} of before. Say `!reset` to start clean._"


def how_many(turns: int) -> str:
    """So many turns, in words, as the store counts them: of very many, that there are more than that."""
    if turns > MOST:
        return f"more than {MOST:,} turns"
    return f"{turns:,} turn" if turns == 1 else f"{turns:,} turns"


def _span(seconds: float) -> str:
    """In the largest unit of which there are two, rounded down."""
    if seconds >= 2 * _DAY:
        return f"{seconds // _DAY:,.0f} days"
    return f"{seconds // _HOUR:.0f} hours" if seconds >= 2 * _HOUR else f"{seconds // _MINUTE:.0f} minutes"
