"""What an answer was shown: the turns before its question, as runs of seqs, and the parts that its window was made of.

They are no body: a turn that was erased since is a number that leads to nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, not_, select
from sqlalchemy.sql.elements import ColumnElement

from core.schema import turns
from core.session import Kind, Progress, Role, Seqs, SessionKey, ShownPart, Validity
from core.store import parts, segments
from core.store.engine.sql import seconds
from core.store.queue import turn
from core.store.remembered import HAS_WORDS, MOST

STATE = "state"
"""The part that tells of all that was ever said, beside the checkpoints."""


def written(seqs: Seqs | None) -> str | None:
    """As they are stored: `-3..20,25`, and nothing where the question was shown alone. None stays None."""
    if seqs is None:
        return None
    return ",".join(str(first) if first == last else f"{first}..{last}" for first, last in seqs)


def listed(parts: Sequence[ShownPart] | None) -> str | None:
    """As they are stored: `instructions=350,checkpoints:1..40=300,turns=950`. None stays None."""
    if parts is None:
        return None
    return ",".join(f"{one.name}{_told(one)}={one.tokens}" for one in parts)


def _told(part: ShownPart) -> str:
    return "" if part.seqs is None else f":{part.seqs[0]}..{part.seqs[1]}"


def _parts(stored: str | None) -> tuple[ShownPart, ...]:
    return tuple(map(_part, filter(None, (stored or "").split(","))))


def _part(stored: str) -> ShownPart:
    words, _, tokens = stored.rpartition("=")
    name, _, run = words.partition(":")
    return ShownPart(name, int(tokens), _read(run)[0] if run else None)


def of(connection: Connection, key: SessionKey, seq: int) -> Seqs | None:
    """What the answer with this seq was shown beside its question; None where that is not known.

    That is so of answers of before this was stored, and of those that no model has written.
    """
    answer = select(turns.c.shown_seqs).where(turn(key, seq), turns.c.role == Role.ASSISTANT)
    stored: str | None = connection.execute(answer).scalar_one_or_none()
    return None if stored is None else _read(stored)


def _read(stored: str) -> Seqs:
    runs = (run.partition("..") for run in stored.split(",") if run)
    return tuple((int(first), int(last or first)) for first, _, last in runs)


def answer(connection: Connection, key: SessionKey, message: str) -> int | None:
    """The seq of the answer that this message is, or is a part of; None where the session knows of none."""
    known = parts.find(connection, key, message)
    one = turns.c.message == message if known is None else turns.c.seq == known[0]
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.role == Role.ASSISTANT)
    found: int | None = connection.execute(select(turns.c.seq).where(mine, one)).scalars().first()
    return found


class Unshown(NamedTuple):
    """Turns that were not shown: how many, and their tokens by our count as it is now.

    Where there are more than `MOST`, it is the newest that are counted, and one of the others.
    """

    turns: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """What is known now of the turns that an answer was shown.

    How many they were, those that were overheard apart, when the oldest was said (since 1970), and how many of all
    were edited since the question was said, or erased. `model` has written the answer. `parts` are what the window was
    made of, `records` when what its checkpoints tell of was said, from then until then. What was not shown was set
    `aside` by then, or `left` out for what had room, or where it `is_of_part`, since it was not asked for.
    """

    own: int
    overheard: int
    since: float | None
    edited: int
    erased: int
    model: str | None
    parts: tuple[ShownPart, ...]
    records: tuple[tuple[float, float], ...]
    aside: Unshown
    left: Unshown
    is_of_part: bool


def hindsight(connection: Connection, key: SessionKey, seq: int) -> Hindsight | None:
    """The same of the answer with this seq; None where it is not known what that was shown."""
    seqs = of(connection, key, seq)
    if seqs is None:
        return None
    this = and_(turn(key, seq), turns.c.role == Role.ASSISTANT)
    columns = turns.c.at, turns.c.model, turns.c.shown_parts, turns.c.kind
    asked_at, model, stored, kind = connection.execute(select(*columns).where(this)).one()
    parts = _parts(stored)
    told = [one.seqs for one in parts if one.seqs is not None and one.name != STATE]
    aside = segments.start(connection, key, seq)
    found = [one for one in _between(connection, key, seqs) if any(run[0] <= one.seq <= run[1] for run in seqs)]
    standing = [one for one in found if one.validity != Validity.ERASED]
    overheard = sum(one.kind == Kind.OVERHEARD for one in found)
    return Hindsight(
        own=len(found) - overheard,
        overheard=overheard,
        since=min((seconds(one.at) for one in found), default=None),
        edited=sum(one.edited_at is not None and one.edited_at > asked_at for one in standing),
        erased=len(found) - len(standing),
        model=model,
        parts=parts,
        records=tuple(when for run in told if (when := _when(connection, key, run)) is not None),
        aside=_unshown(connection, key, (*seqs, *told), turns.c.seq <= min(aside, seq - 1)),
        left=_unshown(connection, key, (*seqs, *told), turns.c.seq > aside, turns.c.seq < seq),
        is_of_part=kind == Kind.SUMMARY and _has_arguments(connection, key, seq),
    )


def _has_arguments(connection: Connection, key: SessionKey, seq: int) -> bool:
    """Whether the command with this seq was given some: its words are those alone."""
    this = and_(turn(key, seq), turns.c.role == Role.PERSON)
    return bool(connection.execute(select(turns.c.body).where(this)).scalar_one_or_none())


def _when(connection: Connection, key: SessionKey, run: tuple[int, int]) -> tuple[float, float] | None:
    """When the first and the last of these turns were said; None where none of them is known."""
    said = and_(_talk(key), turns.c.seq.between(*run))
    since, until = connection.execute(select(func.min(turns.c.at), func.max(turns.c.at)).where(said)).one()
    return None if since is None else (seconds(since), seconds(until))


def _unshown(connection: Connection, key: SessionKey, seqs: Seqs, *which: ColumnElement[bool]) -> Unshown:
    """Those of these turns that stand and are in none of the runs; what the provider refuses, or is stored without its
    words, is never shown.
    """
    stand = and_(turns.c.validity != Validity.ERASED, turns.c.progress != Progress.REFUSED, HAS_WORDS)
    beside = [not_(turns.c.seq.between(first, last)) for first, last in seqs]
    there = select(turns.c.tokens).where(_talk(key), stand, *which, *beside)
    newest = there.order_by(turns.c.seq.desc(), turns.c.role.desc()).limit(MOST + 1).subquery()
    counted = select(func.count(), func.coalesce(func.sum(newest.c.tokens), 0)).select_from(newest)
    return Unshown(*connection.execute(counted).one())


def _talk(key: SessionKey) -> ColumnElement[bool]:
    """What a window may show."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    return and_(mine, turns.c.kind.not_in((Kind.COMMAND, Kind.NOTICE)))


class _Shown(NamedTuple):
    seq: int
    kind: int
    validity: int
    at: int
    edited_at: int | None


def _between(connection: Connection, key: SessionKey, seqs: Seqs) -> list[_Shown]:
    """The turns from the first to the last of these, without what no window shows."""
    if not seqs:
        return []
    there = and_(_talk(key), turns.c.seq.between(seqs[0][0], seqs[-1][1]))
    found = connection.execute(select(*(turns.c[name] for name in _Shown._fields)).where(there))
    return [_Shown(*row) for row in found]
