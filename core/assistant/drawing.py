"""Drawing: what a fold is to write, and what from, as it is in the database at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from zoneinfo import ZoneInfo

from core.memory import beginning, retention
from core.memory.checkpoints import asked, material
from core.memory.checkpoints.asked import Assignment
from core.memory.checkpoints.shown import Record, record
from core.memory.folding import IDLE, Part, Plan, Text, part_of, plan, remade
from core.memory.mind import Mind
from core.memory.retention import Ends
from core.memory.stretches import Readable
from core.memory.window import REPLY_TOKENS
from core.session import Checkpoint, Fold, Kind, SessionKey, Turn, Validity
from core.store import Connection, checkpoints, recalling, remembered, turns
from core.store.checkpoints import Boundary

WINDOWS = 3
"""So many windows of turns are read for one fold: more are there only where nothing could be folded for long, or the
window was larger. What is older is folded next.
"""

_WAITING = 1_000  # turns

_AGAIN = 100  # tokens: what is said beside the order where it is given once more, and the marks around what was said


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is to be written, and what from: turns, oldest first, and texts that stand; and what holds meanwhile.

    With `more`, there are older turns that nothing tells of, which were not read.
    """

    plan: Plan
    more: bool
    boundary: Boundary
    turns: Sequence[Turn]
    records: Mapping[Part, Record]


def draw(connection: Connection, key: SessionKey, mind: Mind, now: float) -> Drawn | float | None:
    """What is to be folded; in how many seconds there may be something, or None for nothing."""
    before = checkpoints.boundary(connection, key, 0, 0).newest
    shown, newest = recalling.recall(connection, key, budget=WINDOWS * mind.room)
    waiting = waits(connection, key)
    over = retention.ends(mind.policy, now)
    young = retention.kept(newest, over)
    foldable = [turn for turn in young if turn.validity is not Validity.STALE and turn.seq < waiting]
    if not foldable:
        return None if waiting == inf else 0.0
    told = [(one.first, one.last) for one in shown if one.kind is not Fold.STATE]
    older = remembered.last_own(connection, key, before=newest[-1].seq, covered=told)
    tree = checkpoints.tree(connection, key)
    planned = partial(
        plan,
        mind.shares,
        shown,
        foldable,
        tree=tree,
        start=checkpoints.start(connection, key),
        unread=older,
        budget=mind.room,
        fixed=mind.fixed + REPLY_TOKENS,
        readable=Readable(room=_room(mind), beside=material.beside(mind.count)),
    )
    left = IDLE - (now - foldable[0].at)
    found = planned(idle=left <= 0)
    if found is None and waiting < inf:
        return 0.0  # what waits may soon be over, and comes before turns that have no room
    if found is None:
        return left if left > 0 and planned(idle=True) is not None else None
    held = checkpoints.boundary(connection, key, *found.folded)
    parts = [text.part for text in found.texts if text.part.kind is Fold.CHECKPOINT]
    said = _said(connection, key, mind, parts, over)
    records = _records(connection, key, found.texts, (*tree, *shown))
    if held.newest != before or said is None or records is None:
        return 0.0  # something came between
    return Drawn(plan=found, more=older is not None, boundary=held, turns=said, records=records)


def _room(mind: Mind, kind: Fold = Fold.CHECKPOINT, most: int = 0) -> int:
    """How much whoever writes such a text of at most so many tokens has room to read, beside the order to do so."""
    return max(1, mind.room - sum(map(mind.count, asked.order(kind, most))) - _AGAIN - REPLY_TOKENS)


def waits(connection: Connection, key: SessionKey) -> float:
    """The seq of the first turn that waits: nothing from there on is told of before it is over; infinity for none.

    A notice is no part of what is told.
    """
    waiting = turns.first_waiting(connection, key, _WAITING)
    return min((turn.seq for turn in waiting if turn.kind is not Kind.NOTICE), default=inf)


def _said(
    connection: Connection, key: SessionKey, mind: Mind, parts: Sequence[Part], over: Ends
) -> Sequence[Turn] | None:
    """The turns of these parts that may still be told of, oldest first; None where nothing is left of one."""
    ranges = [(part.first, part.last) for part in parts]
    newest = checkpoints.read(connection, key, ranges, budget=WINDOWS * mind.room)
    stand = [turn for turn in retention.kept(newest, over) if turn.validity is not Validity.STALE]
    said = list(beginning.limited(stand, mind.shares))[::-1]
    return said if all(within(said, part) for part in parts) else None


def _records(
    connection: Connection, key: SessionKey, texts: Sequence[Text], standing: Iterable[Checkpoint]
) -> dict[Part, Record] | None:
    """The texts that stand and of which these are made, with their words; None where one does not stand any more."""
    made = {text.part for text in texts}
    needed = {source for text in texts for source in text.sources} - made
    found = {part_of(one): one for one in standing if part_of(one) in needed}
    words = checkpoints.words(connection, key, [one.number for one in found.values()])
    if len(words) < len(needed):
        return None
    return {part: record(replace(one, text=words[one.number])) for part, one in found.items()}


def sources(
    connection: Connection, key: SessionKey, mind: Mind, old: Checkpoint, now: float
) -> tuple[Text, Sequence[Turn], dict[Part, Record]] | None:
    """What a stale text is made of again; None where something of that does not stand any more."""
    shown, tree = recalling.shown(connection, key), checkpoints.tree(connection, key)
    text = remade(old, shown, tree, mind.shares.folding)
    over = retention.ends(mind.policy, now)
    said = (_said(connection, key, mind, [text.part], over) or ()) if text.part.kind is Fold.CHECKPOINT else ()
    records = _records(connection, key, [text], (*tree, *shown))
    if records is None:
        return None
    told = {part: one for part, one in records.items() if one.text}
    return replace(text, sources=tuple(source for source in text.sources if source in told)), said, told


def assigned(mind: Mind, text: Text, said: Sequence[Turn], records: Mapping[Part, Record]) -> Assignment:
    """What the model is to write; times are told in the session's zone, so that a day is what it is to its people.

    Of what it has no room to read, as of one exchange that is too long, the middle is left out.
    """
    given = _assigned(mind, text, said, records)
    room = _room(mind, given.kind, given.most)
    return given if mind.count(given.material) <= room else asked.shortened(given, mind.cut(given.material, room))


def is_too_much(mind: Mind, text: Text, said: Sequence[Turn]) -> bool:
    """Whether these turns are more than is read at once for a checkpoint, as where the window was larger once."""
    if text.part.kind is not Fold.CHECKPOINT or not said:
        return False
    given = _assigned(mind, text, said, {})
    return mind.count(given.material) > _room(mind, given.kind, given.most)


def _assigned(mind: Mind, text: Text, said: Sequence[Turn], records: Mapping[Part, Record]) -> Assignment:
    part, parts = text.part, [records[source] for source in text.sources]
    covers = part.first, part.last
    if part.kind is Fold.NODE:
        return asked.node(parts, most=text.tokens)
    if part.kind is Fold.OLD:
        return asked.old(parts, most=text.tokens)
    longest, zone = mind.shares.message, ZoneInfo(mind.policy.zone)
    if part.kind is Fold.STATE:
        return asked.state(parts, (), covers=covers, zone=zone, cut=mind.cut, longest=longest, most=text.tokens)
    told = within(said, part)
    return asked.checkpoint(told, covers=covers, zone=zone, cut=mind.cut, longest=longest, most=text.tokens)


def within(said: Sequence[Turn], part: Part) -> Sequence[Turn]:
    """Those of these turns of which a checkpoint of this part is made; nothing else is made of turns."""
    return [turn for turn in said if part.kind is Fold.CHECKPOINT and part.first <= turn.seq <= part.last]
