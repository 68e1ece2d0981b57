"""Retention: how long words are kept, and which have been kept for so long by now. Pure."""

from collections.abc import Iterable
from math import ceil, inf
from typing import NamedTuple

from core.policy import Policy
from core.session import Kind, Turn

_STEPS = 30
"""A time moves on in so many steps while something is kept, so that what the model is shown, and what is told of it in
records, changes no more often; words go up to one step early, and never late.
"""


class Ends(NamedTuple):
    """What was said before these instants (seconds since 1970) has been kept long enough; None where it is for ever.

    `said` is for what was said to us and by us, `overheard` for the rest; `words` is for the words of that, of which
    none are to be stored where the memory is lean.
    """

    said: float | None
    overheard: float | None
    words: float | None = None

    def has(self, turn: Turn) -> bool:
        """Whether this turn is not to be shown any more."""
        is_overheard = turn.kind is Kind.OVERHEARD
        end = self.overheard if is_overheard else self.said
        return (end is not None and turn.at < end) or (is_overheard and self.words is not None)


def ends(policy: Policy, now: float, *, ahead: float = 0.0) -> Ends:
    """What is over at this time, or will be within so many seconds, until which nobody looks again."""
    words = now if policy.memory == "lean" else None
    return Ends(_end(policy.retention, now + ahead), _end(policy.retention_overheard, now + ahead), words)


def _end(kept: float, now: float) -> float | None:
    if kept == inf:
        return None
    step = kept / _STEPS
    return ceil((now - kept) / step) * step


def kept(turns: Iterable[Turn], over: Ends) -> list[Turn]:
    """Those that are still to be shown."""
    return [one for one in turns if not over.has(one)]
