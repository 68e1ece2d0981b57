"""Summaries of what has changed: their words go at once, and they are made again before they are next shown."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select, update

from core.schema import sessions, turns
from core.session import Kind, Lease, Progress, Role, Seqs, SessionKey, ShownPart, Turn, Validity
from core.store import bodies, checkpoints, deliveries, parts, quotes, shown
from core.store.engine.sql import now, seconds
from core.store.queue import require, turn
from core.store.turns import WAITS


def outdate(connection: Connection, key: SessionKey, seq: int, *, but: int | None = None) -> None:
    """Takes the words of the summaries that tell of this turn, or of such a summary, out of memory, in view or not.

    One that is not on screen yet is posted as it was: its delivery keeps the words until it has arrived. As that stays
    on screen, it counts as edited, and what is quoted of it goes as well (`gone.unknown`). One that is being written is
    another question from now on, `but` for the command by which this is done, and one that is being made again does
    not count.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    tells = and_(mine, turns.c.role == Role.ASSISTANT, turns.c.seq.in_(_telling(connection, key, seq)))
    stand = and_(tells, turns.c.validity == Validity.STANDS)
    for row in connection.execute(select(turns.c.seq).where(stand)).all():
        deliveries.keep_words(connection, key, row.seq)
        checkpoints.outdate(connection, key, row.seq)
        _unquote(connection, key, row.seq)
    made = and_(tells, turns.c.validity != Validity.ERASED)
    stale = {"progress": Progress.DONE, "validity": Validity.STALE, "body": b"", "tokens": turns.c.tokens + 1}
    connection.execute(update(turns).where(made).values(stale | {"edited_at": now(connection) * 1000}))
    asked = and_(mine, WAITS, turns.c.kind == Kind.COMMAND, turns.c.progress == Progress.WAITING)
    written = [one for one in connection.execute(select(turns.c.seq).where(asked)).scalars() if one > seq]
    newer = {"edited_at": func.coalesce(turns.c.edited_at, turns.c.at) + 1}
    others = [one for one in written if one != but]
    if others and connection.execute(update(turns).where(asked, turns.c.seq.in_(others)).values(newer)).rowcount:
        _tell(connection, key)


def _unquote(connection: Connection, key: SessionKey, seq: int) -> None:
    """What others have quoted of this summary is not known any more either, nor what tells of that."""
    for message in parts.messages(connection, key, seq):
        for other, row in quotes.quoting(connection, key.address, message):
            quotes.take_out(connection, other, row.seq, row.place)
            outdate(connection, other, row.seq)
            checkpoints.outdate(connection, other, row.seq)
            _tell(connection, other)


def _tell(connection: Connection, key: SessionKey) -> None:
    """Whoever holds this session looks again."""
    this = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    connection.execute(update(sessions).where(this, sessions.c.owner.is_not(None)).values(news=True))


def _telling(connection: Connection, key: SessionKey, seq: int) -> Sequence[int]:
    """The summaries that tell of a turn, and those that tell of these: they are made from what these said."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    later = and_(mine, turns.c.role == Role.ASSISTANT, turns.c.covers.is_not(None), turns.c.seq > seq)
    told = [seq]
    for row in connection.execute(select(turns.c.seq, turns.c.covers).where(later).order_by(turns.c.seq)).all():
        if row.covers <= told[-1]:
            told.append(row.seq)
    return told[1:]


def remade(
    connection: Connection,
    lease: Lease,
    old: Turn,
    *,
    text: str,
    tokens: int,
    shown_seqs: Seqs,
    shown_parts: Sequence[ShownPart],
    covers: int | None,
) -> bool:
    """Puts a summary that was made again in place of the stale one; it covers the turns from that seq on, if any.

    False where something that it tells of has changed again meanwhile. Raises LeaseLost.
    """
    require(connection, lease)
    same = and_(turn(lease.key, old.seq), turns.c.role == Role.ASSISTANT, turns.c.tokens == old.tokens)
    stale = and_(same, turns.c.validity == Validity.STALE)
    body = bodies.TURN.seal(lease.key, (old.seq, Role.ASSISTANT), text)
    fresh = {"progress": Progress.DONE, "validity": Validity.STANDS, "body": body, "tokens": tokens}
    fresh |= {"shown_seqs": shown.written(shown_seqs), "shown_parts": shown.listed(shown_parts)}
    if covers is not None:
        fresh["covers"] = covers
    stands = connection.execute(update(turns).where(stale).values(fresh)).rowcount > 0
    if stands:
        checkpoints.outdate(connection, lease.key, old.seq)
    return stands


class Spoken(NamedTuple):
    """When a turn was said, and the platform's ID of its message, where it is known by one."""

    at: float
    message: str | None


def sources(connection: Connection, key: SessionKey, seqs: Collection[int]) -> dict[int, Spoken]:
    """The turns with these seqs that still stand, in order: what lines of a summary come from.

    Of a question and its answer, the question.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq.in_(seqs))
    stand = and_(turns.c.kind.not_in((Kind.COMMAND, Kind.NOTICE)), turns.c.validity != Validity.ERASED)
    rows = select(turns.c.seq, turns.c.at, turns.c.message).where(mine, stand).order_by(turns.c.seq, turns.c.role)
    found = dict[int, Spoken]()
    for seq, at, message in connection.execute(rows).all():
        found.setdefault(seq, Spoken(at=seconds(at), message=message))
    return found
