"""What an answer was shown: the turns before its question, as runs of seqs, so that it can be shown again.

They are no body: a turn that was erased since is a number that leads to nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from core.schema import deliveries, turns
from core.session import Kind, Role, Seqs, SessionKey, Validity
from core.store.engine.sql import seconds
from core.store.queue import turn


def written(seqs: Seqs | None) -> str | None:
    """As they are stored: `-3..20,25`, and nothing where the question was shown alone. None stays None."""
    if seqs is None:
        return None
    return ",".join(str(first) if first == last else f"{first}..{last}" for first, last in seqs)


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
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.role == Role.ASSISTANT)
    same = and_(*(deliveries.c[name] == turns.c[name] for name in ("workspace", "session", "seq")))
    noted = select(turns.c.seq).where(mine, turns.c.message == message)
    posted = select(turns.c.seq).join(deliveries, same).where(mine, deliveries.c.message == message)
    return connection.execute(noted.union(posted)).scalars().first()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """What is known now of the turns that an answer was shown.

    How many they were, those that were overheard apart, when the oldest was said (since 1970), and how many of all
    were edited since the question was said, or erased. `model` has written the answer.
    """

    own: int
    overheard: int
    since: float | None
    edited: int
    erased: int
    model: str | None


def hindsight(connection: Connection, key: SessionKey, seq: int) -> Hindsight | None:
    """The same of the answer with this seq; None where it is not known what that was shown."""
    seqs = of(connection, key, seq)
    if seqs is None:
        return None
    this = and_(turn(key, seq), turns.c.role == Role.ASSISTANT)
    asked_at, model = connection.execute(select(turns.c.at, turns.c.model).where(this)).one()
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
    )


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
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    there = and_(turns.c.seq.between(seqs[0][0], seqs[-1][1]), turns.c.kind.not_in((Kind.COMMAND, Kind.NOTICE)))
    found = connection.execute(select(*(turns.c[name] for name in _Shown._fields)).where(mine, there))
    return [_Shown(*row) for row in found]
