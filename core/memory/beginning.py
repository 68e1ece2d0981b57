"""The beginning: from which turn on a window shows what was said. It drops what is old in big steps, and never slides.

The beginning lies between two bounds: from the lower one on, everything fits the room; from the upper one on, half of
it. Both only rise as turns are added. Of all numbers between them, the one that most powers of two divide stays the
same for longest: so every process finds the same beginning by itself, and it stands until about half of the room is
full of new turns.

Where turns are folded, the first question that has no room beside them all is followed by a fold, which begins anew in
any case: so that one leaves out no more than it has to.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from core.memory.shares import LEAST_EXCHANGES, Shares
from core.session import OVERHEARD_BEFORE_QUESTION, Kind, Turn

_BITS = 32  # no seq has more


def cost(turn: Turn, shares: Shares) -> int:
    """What a turn takes of a window: one that is too long is cut."""
    return min(turn.tokens, most(turn, shares))


def most(turn: Turn, shares: Shares) -> int:
    """What it may take at most."""
    return shares.gap if turn.kind is Kind.OVERHEARD else shares.message


def limited(newest_first: Iterable[Turn], shares: Shares) -> Iterator[Turn]:
    """Leaves out what was overheard too long before the question that it led to, or is more than its share.

    What was heard between two questions may have reached us in any order, and is put into that in which it was said.
    """
    for heard, turns in groupby(newest_first, key=lambda turn: turn.kind is Kind.OVERHEARD):
        if not heard:
            yield from turns
            continue
        left = shares.gap
        for turn in sorted(turns, key=lambda turn: turn.at, reverse=True)[:OVERHEARD_BEFORE_QUESTION]:
            left -= cost(turn, shares)
            if left < 0:
                break
            yield turn


def chosen(newest_first: Sequence[Turn], room: int, shares: Shares, *, asked: int = 0) -> list[Turn]:
    """Those of the turns, limited before, that a window shows which has so much room for them; newest first.

    The question is not among them, and takes the `asked` tokens beside that room. A question is never parted from its
    answer. What was overheard takes no more than its share of the room.
    """
    by_seq = sorted(newest_first, key=lambda turn: turn.seq, reverse=True)
    own = [turn for turn in by_seq if turn.kind is not Kind.OVERHEARD]
    heard = [turn for turn in by_seq if turn.kind is Kind.OVERHEARD]
    totals = _totals(by_seq, shares, shares.overheard)
    is_folded_next = shares.folding is not None and _had_room(by_seq, own, room + asked, shares)
    begins = _oldest(totals, room) if is_folded_next else _step(totals, room, own)
    hears = max(begins, _step(_totals(heard, shares, _NO_BOUND), shares.overheard, []))
    return [turn for turn in newest_first if turn.seq >= (hears if turn.kind is Kind.OVERHEARD else begins)]


def roundest(low: int, high: int) -> int:
    """Of the numbers from `low` to `high`, that which the greatest power of two divides; the last of them."""
    return next(number for bits in range(_BITS, -1, -1) if (number := high >> bits << bits) >= low)


def _had_room(by_seq: Sequence[Turn], own: Sequence[Turn], room: int, shares: Shares) -> bool:
    """Whether all up to the newest of the session's own turns had room together."""
    if not own:
        return False
    before = [turn for turn in by_seq if turn.seq <= own[0].seq]
    _, total = _totals(before, shares, shares.overheard)[-1]
    return total <= room


def _step(totals: Sequence[tuple[int, int]], room: int, own: Sequence[Turn]) -> int:
    """The seq of the beginning; the last exchanges of the session's own are behind it wherever they have room."""
    low = _oldest(totals, room)
    if low == _EVERYTHING:
        return low
    last = list(dict.fromkeys(turn.seq for turn in own))[:LEAST_EXCHANGES]
    high = min([_oldest(totals, room // 2), *last])
    return roundest(low, max(low, high))


_EVERYTHING = -(2**_BITS)
_NO_BOUND = 2**_BITS


def _oldest(totals: Sequence[tuple[int, int]], room: int) -> int:
    """The lowest number from which all turns have room together."""
    return next((seq + 1 for seq, total in totals if total > room), _EVERYTHING)


def _totals(by_seq: Iterable[Turn], shares: Shares, overheard: int) -> list[tuple[int, int]]:
    """What all from each turn on take, newest first: of what was overheard, so much at most."""
    own = heard = 0
    found = []
    for turn in by_seq:
        if turn.kind is Kind.OVERHEARD:
            heard = min(heard + cost(turn, shares), overheard)
        else:
            own += cost(turn, shares)
        found.append((turn.seq, own + heard))
    return found
