"""The judgement of what ages: folds, time-outs, resets and undos, each whole, each once, and nothing forgotten.

What people have said and what is in view stands in later requests, as it was said or told by a record; what is set
aside does not come back.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from core.session import Fold, Validity
from core.store.segments import EVERYTHING, Move
from tests.chaos.ages import Aged, Told
from tests.chaos.platforms import Seen
from tests.chaos.verdict import Asked, Kind, Offence, Ordered, Prompt
from tests.chaos.words import is_waking, short

_CHANGING = 5.0
"""Seconds in which a request may still be on its way that was made before the view has moved."""


def judge_ageing(
    asked: Sequence[Asked],
    prompts: Sequence[Prompt],
    orders: Sequence[Ordered],
    silences: Mapping[str, int],
    aged: Mapping[str, Aged],
    seen: Sequence[Seen],
    closing: Collection[str],
) -> Iterator[Offence]:
    """Everything that is wrong in the end; the `closing` questions are said when nothing happens any more."""
    for prompt in prompts:
        yield from _once(prompt)
    for session, known in aged.items():
        said = [one for one in asked if one.session == session and one.seq is not None and one.marker[0] == "K"]
        if not said:
            continue
        given = [one for one in orders if one.session == session]
        lines = sum(one.session == session and is_waking(one.text) for one in seen)
        spoken = {_seq(one) for one in said if one.standing is not None}
        yield from _moved(session, known, given, spoken)
        yield from _folded(session, known, said, asked)
        yield from _woken(session, known.wakings, lines, silences.get(session, 0))
        mine = {marker: one for one in said for marker in one.versions}
        about = [one for one in prompts if one.about in mine]
        for prompt in about:
            yield from _returned(session, known, mine, prompt)
        for prompt in [one for one in about if one.about in closing][-1:]:
            yield from _forgotten(session, known, said, prompt)


def _seq(one: Asked) -> int:
    assert one.seq is not None
    return one.seq


def _offence(kind: Kind, session: str, why: str, marker: str = "") -> Offence:
    return Offence(kind=kind, marker=marker, session=session, why=why)


def _once(prompt: Prompt) -> Iterator[Offence]:
    for marker, number in Counter(prompt.told).items():
        if number > 1:
            why = f"{number} times in a request about {prompt.about or 'turns to be folded'}"
            yield _offence("twice", "", why, marker)


def _moved(session: str, known: Aged, orders: Iterable[Ordered], spoken: Collection[int]) -> Iterator[Offence]:
    """Every command has moved the view once, to where it says, and the row says the same as the newest move.

    A reset before which nothing was said in its view may have moved none. Which view that was is not known: what was
    said first is not always heard, and so done, first; and of what waits, what was said first is done first.
    """
    if [one.number for one in known.segments] != list(range(1, known.segment + 1)):
        yield _offence("torn", session, f"the row has {known.segment} moves, and there are {known.segments}")
    heard = {one.seq: one for one in orders if one.seq is not None}
    done = Counter(one.seq for one in known.segments if one.seq is not None)
    resets = [one for seq, one in heard.items() if one.verb == "reset" and done[seq]]
    begins = max((one.start for one in known.segments), default=EVERYTHING)
    for seq, order in heard.items():
        talked = order.verb == "reset" and any(begins < one < seq for one in spoken)
        was_reset = order.verb == "undo" and any(_comes_before(one, order) for one in resets)
        if done[seq] > 1 or ((talked or was_reset) and not done[seq]):
            moves = f"of {list(heard.values())} came {known.segments}"
            yield _offence("torn", session, f"the {order.verb} at {seq} has moved the view {done[seq]} times: {moves}")
    views: list[tuple[int, ...]] = [(EVERYTHING,)]
    for one in known.segments:
        if one.kind == Move.RESET and one.seq is not None:
            views.append((*views[-1], one.seq))
        elif one.kind == Move.UNDO:
            views.append(views[-1][:-1] if len(views[-1]) > 1 else views[-2])
        if one.start != views[-1][-1]:
            yield _offence("torn", session, f"move {one} leads to {one.start} in place of {views[-1][-1]}")
    if known.start != views[-1][-1]:
        yield _offence("torn", session, f"the view begins at {known.start} in place of {views[-1][-1]}")
    if not known.is_present and all(one.kind != Move.TIMED_OUT for one in known.segments):
        yield _offence("torn", session, "its present is over, and no move says so")


def _comes_before(one: Ordered, other: Ordered) -> bool:
    """Whether it was both said and heard before the other one."""
    assert one.seq is not None
    assert other.seq is not None
    return one.seq < other.seq and float(one.id) < float(other.id)


def _folded(session: str, known: Aged, said: Sequence[Asked], asked: Iterable[Asked]) -> Iterator[Offence]:
    """Records tell of each turn once, of all that stand, and of nothing else."""
    standing = {one.standing for one in asked if one.standing is not None}
    own = {one.standing: _seq(one) for one in said if one.standing is not None}
    parts = [one for one in known.told if one.kind == Fold.CHECKPOINT]
    for before, after in pairwise(sorted(parts, key=lambda one: one.first)):
        parted = any(before.first <= one.start <= before.last for one in known.segments)  # made in two views
        if after.first <= before.last and not parted:
            yield _offence("twice", session, f"records of {before[2:4]} and {after[2:4]}")
    for part in known.told:
        if part.validity == Validity.STANDS:
            yield from _exactly(session, part, own, standing)
        elif part.text or part.first > known.start:
            yield _offence("torn", session, f"a record of {part[2:4]} that is out of date was not made again")


def _exactly(session: str, part: Told, own: Mapping[str, int], standing: Iterable[str]) -> Iterator[Offence]:
    told = set(short(part.text))
    within = {marker for marker, seq in own.items() if part.first <= seq <= part.last}
    lost = within - told if part.kind == Fold.CHECKPOINT else set()
    wrong = {marker for marker in told - within if marker in own or marker not in standing}
    if lost or wrong:
        why = f"the record of {part[2:4]} does not tell of {sorted(lost)}, and tells of {sorted(wrong)}"
        yield _offence("torn", session, why)


def _woken(session: str, wakings: int, lines: int, silences: int) -> Iterator[Offence]:
    if lines < wakings:
        yield _offence("missing", session, f"woken {wakings} times, and said {lines} times")
    if lines > min(wakings, silences):
        why = f"woken {wakings} times after {silences} silences, and said {lines} times"
        yield _offence("doubled", session, why)


def _returned(session: str, known: Aged, mine: Mapping[str, Asked], prompt: Prompt) -> Iterator[Offence]:
    """What no view of that moment began before is not shown; but for the question itself."""
    floor = min(known.starts(prompt.at - _CHANGING, prompt.at))
    about = mine[prompt.about]
    for marker in prompt.told:
        one = mine.get(marker)
        if one is not None and one is not about and _seq(one) <= floor:
            yield _offence("returned", session, f"{_seq(one)} was set aside, and is shown for {prompt.about}", marker)


def _forgotten(session: str, known: Aged, said: Iterable[Asked], last: Prompt) -> Iterator[Offence]:
    for one in said:
        is_in_view = one.standing is not None and _seq(one) > known.start
        if is_in_view and one.standing not in last.told:
            yield _offence("forgotten", session, f"{_seq(one)} is in view, and not shown in the end", one.marker)
