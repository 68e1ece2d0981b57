"""Stretches: turns in the pieces of which checkpoints are made, and which of them stay as they were said."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.memory import beginning
from core.memory.checkpoints.form import Run
from core.memory.shares import LEAST_EXCHANGES, LEAST_FOLD, Shares
from core.session import Kind, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """An exchange with what was overheard before it: never parted by a fold.

    What was overheard before a checkpoint is none, and stands for itself. `told` is what it costs whoever folds it.
    """

    first: int
    last: int
    tokens: int
    told: int
    is_exchange: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """How much of what is said whoever folds it has room to read at once, and what a turn costs there beside its words.

    Short turns are mostly that.
    """

    room: int
    beside: Callable[[Turn], int]


ANY = Readable(room=2**31, beside=lambda _: 0)
"""As much as there is."""


def units(turns: Iterable[Turn], ends: Sequence[int], shares: Shares, readable: Readable) -> Iterator[Unit]:
    """The exchanges, oldest first, each with what was overheard before it; what was overheard since is none.

    No unit reaches over a checkpoint, of which these are the `ends`.
    """
    unit: list[Turn] = []
    for key, said in groupby(turns, key=lambda turn: None if turn.kind is Kind.OVERHEARD else turn.seq):
        for turn in said:
            if unit and bisect_right(ends, unit[-1].seq) < bisect_left(ends, turn.seq):
                yield _unit(unit, shares, readable)
                unit = []
            unit.append(turn)
        if key is not None:
            yield _unit(unit, shares, readable)
            unit = []


def _unit(turns: Sequence[Turn], shares: Shares, readable: Readable) -> Unit:
    tokens = sum(beginning.cost(turn, shares) for turn in turns)
    return Unit(
        first=min(turn.seq for turn in turns),
        last=turns[-1].seq,
        tokens=tokens,
        told=tokens + sum(map(readable.beside, turns)),
        is_exchange=turns[-1].kind is not Kind.OVERHEARD,
    )


def kept(units: Sequence[Unit], tokens: int) -> int:
    """How many of the newest stay as they were said: so many tokens of them, and two exchanges at least."""
    number = exchanges = 0
    for unit in reversed(units):
        if exchanges >= LEAST_EXCHANGES and tokens <= 0:
            break
        number, exchanges, tokens = number + 1, exchanges + unit.is_exchange, tokens - unit.tokens
    return number


def stretches(
    told: Iterable[Unit], ends: Sequence[int], start: int, longest: int, room: int, unread: int | None = None
) -> Iterator[tuple[Run, int]]:
    """What becomes one checkpoint each, and its tokens: neighbours without a checkpoint between them.

    Each begins where the one before it ends, so that nothing is left between them but what is up to `unread`, which is
    told by none of them. Too little stays as it was said.
    """
    for before, between in groupby(told, key=lambda unit: bisect_left(ends, unit.first)):
        after, tokens = ends[before - 1] if before else start, 0
        after = after if unread is None else max(after, unread)
        for part in _even(list(between), longest, room):
            tokens += sum(unit.tokens for unit in part)
            if tokens >= LEAST_FOLD:
                yield (after + 1, part[-1].last), tokens
                after, tokens = part[-1].last, 0


def _even(units: Sequence[Unit], longest: int, room: int) -> Iterator[list[Unit]]:
    """These, in parts of about the same size, none of more than a stretch, nor of more than can be read at once."""
    full, sizes = longest * room, [max(unit.tokens * room, unit.told * longest) for unit in units]
    total = sum(sizes)
    most = total / -(-total // full) if total else 0
    part: list[Unit] = []
    done = 0
    for unit, size in zip(units, sizes, strict=True):
        if part and (done + size > full or done + size / 2 > most):
            yield part
            part, done = [], 0
        part.append(unit)
        done += size
    if part:
        yield part
