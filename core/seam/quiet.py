"""Quiet: for how long a server wants to be left alone, in whatever form it says so, and that it is."""

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from time import monotonic

FLOOR, CEILING = 1.0, 3_600.0
"""Seconds: a server that says nothing, or 0, is not hammered, and none can silence us for days."""

_CROWDED = 1_000


def asked_for(headers: Mapping[str, str], body: object = None) -> float | None:
    """For how many seconds an answer asks to be left alone, in its headers or its body; None where it does not.

    `Retry-After` is a number or a date, which is measured by the answer's own date: no clock of ours is asked.
    """
    said = headers.get("Retry-After", "")
    found = _number(said) if said else None
    if found is None and isinstance(body, Mapping):
        found = _number(body.get("retry_after"))
    return _between(headers.get("Date", ""), said) if found is None else found


def bounded(seconds: float) -> float:
    """A pause that is neither idle nor for ever."""
    return min(max(seconds, FLOOR), CEILING)


class Quiet:
    """Until when a server is not to be called: each kind of call by a key, and "" for all of them.

    `clock` counts seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def keep(self, seconds: float, key: str = "") -> None:
        """It was said that for so long there be no such call; a shorter wait does not end a longer one."""
        now = self._clock()
        if len(self._until) > _CROWDED:
            self._until = {one: until for one, until in self._until.items() if until > now}
        self._until[key] = max(self._until.get(key, 0.0), now + seconds)

    def left(self, key: str) -> float:
        """For how many seconds there is to be no such call; 0 where it may be made."""
        until = max(self._until.get(key, 0.0), self._until.get("", 0.0))
        return max(0.0, until - self._clock())


def _number(said: object) -> float | None:
    if not isinstance(said, str | int | float):
        return None
    try:
        seconds = float(said)
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if isfinite(seconds) else None


def _between(now: str, then: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
