"""Folding: which turns become checkpoints, which nodes and which old summary are made, by one pure function.

Nothing is made of its predecessor. A checkpoint is made of turns, a node of what stands below it, the old summary of
the highest nodes that together tell of its turns, the state of all that is shown then. So words pass through few
hands, and an edit makes few texts stale.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.memory import beginning
from core.memory.checkpoints.form import Run
from core.memory.shares import LEAST_FOLD, Folding, Shares
from core.memory.stretches import ANY, Readable, Unit, kept, stretches, units
from core.memory.window import RECORDS, Window
from core.session import Checkpoint, Fold, Turn

FAN = 8
"""So many checkpoints or nodes have a node over them."""

_SHRINKS = 8  # a text has one part in so many of what it tells of, where that is less than its share
_SHORTEST = 170  # tokens that a text may have in any case: two lines, between its marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A text in the tree: what it is, and from which seq to which it tells."""

    kind: Fold
    level: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that is to be written, of at most so many tokens: of the turns of its part, or of these `sources`.

    Sources are stored, or made by the same plan before it.
    """

    part: Part
    tokens: int
    sources: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a fold makes, in this order, and how many tokens of turns it takes in."""

    texts: tuple[Text, ...]
    takes: int

    @property
    def folded(self) -> tuple[int, int]:
        """The first and the last seq of all that it tells of: what must not have changed when it is stored."""
        parts = [text.part for text in self.texts]
        return min(part.first for part in parts), max(part.last for part in parts)


def plan(
    shares: Shares,
    shown: Sequence[Checkpoint],
    newest_first: Iterable[Turn],
    *,
    tree: Sequence[Checkpoint],
    start: int,
    budget: int,
    fixed: int,
    idle: bool,
    readable: Readable = ANY,
    unread: int | None = None,
) -> Plan | None:
    """What is to be folded now; None for nothing.

    The turns are all in view with a seq above `start` that nothing `shown` tells of, those that have dropped out of the
    window among them, and none that waits or comes after one that does; up to `unread` there are more of them. What was
    overheard between them and is not given becomes part of a stretch by its seqs, and of no text. `tree` are the
    checkpoints and nodes that stand; what is stale has been made again before. `fixed` is what the instructions and the
    frame of a request take. `idle` says that the pause has outlived the provider's cache, so that a fold costs none.
    Any other waits until it takes in enough, but only while one more exchange of the usual length has room.
    Where there are more records than a window shows, as after an undo or in a smaller one, the oldest of them become an
    old summary, however little there is to be folded.
    """
    folding = shares.folding
    if folding is None:
        return None
    turns = list(beginning.limited(newest_first, shares))[::-1]
    ends = sorted(one.last for one in shown if one.kind is not Fold.STATE)
    said = list(units(turns, ends, shares, readable))
    told = sum(one.tokens for one in shown)
    request = fixed + told + sum(beginning.cost(turn, shares) for turn in turns)
    crowded = told > (budget - fixed) // RECORDS
    if request < (folding.begins if not idle or folding.idle is None else folding.idle) and not crowded:
        return None
    stays = kept(said, max(folding.verbatim, folding.after - fixed - told))
    runs = list(stretches(said[: len(said) - stays], ends, start, folding.stretch, readable.room, unread))
    takes = sum(tokens for _, tokens in runs)
    is_full = request + sum(unit.tokens for unit in said) // max(len(said), 1) >= budget
    if takes < (LEAST_FOLD if idle or is_full else folding.takes):
        if not crowded:
            return None
        runs, takes = [], 0
    folded = [
        Text(part=_checkpoint(first, last), tokens=_length(tokens, folding.checkpoint))
        for (first, last), tokens in runs
    ]
    left = [(unit.first, unit.last) for unit in said if not _is_in(unit, runs)]
    untold = left if unread is None else [(start, unread), *left]
    texts = (*folded, *_above(folded, shown, tree, folding, untold))
    return Plan(texts=texts, takes=takes) if folded or any(text.part.kind is Fold.OLD for text in texts) else None


def _is_in(unit: Unit, runs: Iterable[tuple[Run, int]]) -> bool:
    """Whether one of these stretches is of this unit, too."""
    return any(first <= unit.first and unit.last <= last for (first, last), _ in runs)


IDLE = 1_500.0
"""Seconds of silence after which a fold costs no cached prefix: providers keep one for half an hour, mostly."""


def look_in(shares: Shares, window: Window, more: int) -> float | None:
    """In how many seconds a session is worth a look whether it is to be folded, after an answer of `more` tokens.

    The window is what that answer was shown. None is not at all.
    """
    folding, request = shares.folding, window.tokens + more
    if folding is None:
        return None
    if request >= folding.begins or window.since is not None:
        return 0.0
    return None if folding.idle is None or request < folding.idle else IDLE


def remade(old: Checkpoint, shown: Iterable[Checkpoint], tree: Iterable[Checkpoint], folding: Folding | None) -> Text:
    """The text that is to stand in place of this stale one, whose share it may have; what it is made of stands by now.

    Without folding, it may be as long as the stale one was.
    """
    part, sources = part_of(old), list[Part]()
    if part.kind is Fold.STATE:
        sources = [part_of(one) for one in shown if one.kind is not Fold.STATE and one.last <= part.last]
    elif part.kind is not Fold.CHECKPOINT:
        sources = list(cover(map(part_of, tree), part))
    share = 0
    if folding is not None:
        share = {Fold.OLD: folding.old, Fold.STATE: folding.state}.get(part.kind, folding.checkpoint)
    return Text(part=part, tokens=max(old.tokens, share, _SHORTEST), sources=tuple(sources))


def _checkpoint(first: int, last: int) -> Part:
    return Part(kind=Fold.CHECKPOINT, level=0, first=first, last=last)


def _length(tokens: int, share: int) -> int:
    """How long a text of so much may be: much shorter than that, and no longer than its share."""
    return min(share, max(tokens // _SHRINKS, _SHORTEST))


def _above(
    folded: Sequence[Text],
    shown: Sequence[Checkpoint],
    tree: Sequence[Checkpoint],
    folding: Folding,
    untold: Sequence[Run],
) -> Iterator[Text]:
    """What is made over the new checkpoints: nodes, the old summary where there is too much, the state.

    Of turns that are `untold` by then nothing is said to be told: neither a node nor an old summary reaches over them.
    """
    sizes = {part_of(one): one.tokens for one in (*tree, *shown)} | {text.part: text.tokens for text in folded}
    standing = [part for part in sizes if part.kind in (Fold.CHECKPOINT, Fold.NODE)]
    for node in _nodes(standing, untold):
        text = _text(node, standing, sizes, folding)
        sizes[node] = text.tokens
        standing.append(node)
        yield text
    told = [part for part in (*map(part_of, shown), *(text.part for text in folded)) if part.kind is not Fold.STATE]
    told.sort(key=lambda part: part.first)
    becomes = _becomes_old(told, sizes, folding)
    newest = told[len(becomes) :]
    told = []
    for run in _side_by_side(becomes, untold):
        is_short = sum(sizes[part] for part in run) < 2 * _SHORTEST
        if is_short or all(part.kind is not Fold.CHECKPOINT for part in run):
            told += run
            continue
        old = Part(kind=Fold.OLD, level=0, first=run[0].first, last=run[-1].last)
        told.append(old)
        yield _text(old, standing, sizes, folding)
    told += newest
    if folding.state:
        state = Part(kind=Fold.STATE, level=0, first=told[0].first, last=told[-1].last)
        yield Text(part=state, tokens=folding.state, sources=tuple(told))


def _becomes_old(told: Sequence[Part], sizes: Mapping[Part, int], folding: Folding) -> Sequence[Part]:
    """Where they take too much: all but the newest, of which a quarter of their share stays, and one at least."""
    if sum(sizes[part] for part in told) <= folding.summaries:
        return ()
    left, stays = folding.summaries // 4 - sizes[told[-1]], 1
    for part in told[-2::-1]:
        left -= sizes[part]
        if left < 0 or part.kind is not Fold.CHECKPOINT:
            break
        stays += 1
    becomes = told[: len(told) - stays]
    return becomes if any(part.kind is Fold.CHECKPOINT for part in becomes) else ()


def _text(part: Part, standing: Sequence[Part], sizes: Mapping[Part, int], folding: Folding) -> Text:
    """The text of a node or of the old summary: of the highest below it."""
    sources = tuple(cover(standing, part))
    tokens = sum(sizes[one] for one in sources)
    most = (
        min(folding.old, max(tokens // 2, _SHORTEST)) if part.kind is Fold.OLD else _length(tokens, folding.checkpoint)
    )
    return Text(part=part, tokens=most, sources=sources)


def _side_by_side(parts: Sequence[Part], untold: Sequence[Run]) -> Iterator[list[Part]]:
    """These, oldest first, in runs of such as have no untold turn between them."""
    run: list[Part] = []
    for part in parts:
        if run and any(first < part.first and last > run[-1].last for first, last in untold):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


def _nodes(standing: Sequence[Part], untold: Sequence[Run]) -> Iterator[Part]:
    """The nodes that are due: one over each eight of the same level that stand side by side with nothing over them."""
    tops = list(cover(standing))
    while True:
        for start in range(len(tops) - FAN + 1):
            eight = tops[start : start + FAN]
            if len({part.level for part in eight}) == 1 and len(list(_side_by_side(eight, untold))) == 1:
                break
        else:
            return
        node = Part(kind=Fold.NODE, level=eight[0].level + 1, first=eight[0].first, last=eight[-1].last)
        tops[start : start + FAN] = [node]
        yield node


def cover(standing: Iterable[Part], under: Part | None = None) -> Iterator[Part]:
    """The highest of these that lie side by side, oldest first: all there are, or those below this node or summary."""
    end: int | None = None
    for part in sorted(standing, key=lambda one: (one.first, -one.level)):
        inside = under is None or (under.first <= part.first and part.last <= under.last)
        below = under is None or under.kind is Fold.OLD or part.level < under.level
        if inside and below and (end is None or part.first > end):
            yield part
            end = part.last


def part_of(one: Checkpoint) -> Part:
    """Its part of the tree."""
    return Part(kind=one.kind, level=one.level, first=one.first, last=one.last)
