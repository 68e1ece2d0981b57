"""Shares: how a window of a given size is shared out, as data. What is cut is cut by these constants alone.

So a turn is shown alike as question and as history, and what stands before a question changes only where something
drops out, or is folded.
"""

from dataclasses import dataclass
from typing import NamedTuple

LEAST_EXCHANGES = 2
"""So many exchanges are shown as they were said, wherever they have room."""

LEAST_FOLD = 300
"""A fold of fewer tokens is not worth its call."""

STRETCH = 6_000
"""A checkpoint tells of so many tokens at most: what has to be read again when one of its turns changes.

Of fewer where the window is small, since the model has no more room to read them.
"""

_AROUND = 1_000  # tokens that a stretch leaves of the budget: the order to fold it, speakers, times, and the text

_MESSAGE = 500  # tokens that one message may take in any case, but for rooms of less than twice as many
_LEAST = 5  # tokens of a message's frame, and one of its words
_GAP = 15  # per cent of the room for what was overheard between two questions
_OVERHEARD = 25  # per cent of the room for all that was overheard: the session's own turns have the rest at least
_TAKES = 45  # per cent of the budget: what a fold that is not idle takes in


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """When turns are folded and what is left then, in tokens of the request.

    Folding begins at `begins`; in a pause that outlives the provider's cache at `idle`, where None is never. It takes
    in `takes` at least, unless it is idle or the window full. It goes down to `after`, but leaves `verbatim` as it was
    said. One checkpoint tells of `stretch` at most, and has `checkpoint`. Where old summary and checkpoints together
    pass `summaries`, most of them become an old summary of `old`. The state block has `state`; 0 is none.
    """

    begins: int
    idle: int | None
    takes: int
    after: int
    verbatim: int
    stretch: int
    checkpoint: int
    summaries: int
    old: int
    state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What may be how long in a window, in tokens: one message, what was overheard in one gap, and in all of them.

    Without `folding`, turns only drop out.
    """

    message: int
    gap: int
    overheard: int
    folding: Folding | None


class _Row(NamedTuple):
    """Per cent of the budget, but `message` of the room, and `state` in tokens; from this budget on."""

    budget: int
    message: int
    begins: int
    idle: int | None
    after: int
    verbatim: int
    checkpoint: int
    summaries: int
    old: int
    state: int


_SMALL = 30  # per cent of the room for one message where nothing is folded
_ROWS = (
    _Row(3_000, 20, begins=90, idle=None, after=0, verbatim=10, checkpoint=6, summaries=20, old=6, state=0),
    _Row(6_000, 20, begins=90, idle=None, after=0, verbatim=10, checkpoint=6, summaries=20, old=6, state=180),
    _Row(12_000, 20, begins=85, idle=60, after=35, verbatim=15, checkpoint=8, summaries=20, old=6, state=300),
    _Row(60_000, 20, begins=60, idle=40, after=35, verbatim=15, checkpoint=8, summaries=10, old=3, state=400),
)


def shares(budget: int, room: int) -> Shares:
    """How a window of this budget is shared out, of which turns and summaries have `room`."""
    row = next((row for row in reversed(_ROWS) if budget >= row.budget), None)
    message = max(room * (_SMALL if row is None else row.message) // 100, min(_MESSAGE, room // 2), _LEAST)
    return Shares(
        message=message,
        gap=min(message, max(room * _GAP // 100, _LEAST)),
        overheard=max(room * _OVERHEARD // 100, 0),
        folding=None if row is None else _folding(row, budget),
    )


def _folding(row: _Row, budget: int) -> Folding:
    return Folding(
        begins=budget * row.begins // 100,
        idle=None if row.idle is None else budget * row.idle // 100,
        takes=budget * _TAKES // 100,
        after=budget * row.after // 100,
        verbatim=budget * row.verbatim // 100,
        stretch=min(STRETCH, budget - _AROUND),
        checkpoint=budget * row.checkpoint // 100,
        summaries=budget * row.summaries // 100,
        old=budget * row.old // 100,
        state=row.state,
    )
