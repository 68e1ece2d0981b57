"""Summaries of what has changed: their words go at once, and they are made again before they are next shown."""

from sqlalchemy import Connection, and_, func, select, update

from core.schema import deliveries, turns
from core.session import Lease, Role, SessionKey, State
from core.store.deliveries import Stage
from core.store.queue import require, turn


def outdate(connection: Connection, key: SessionKey, seq: int) -> None:
    """Takes the words of the summaries that tell of this turn out of memory, in view or not.

    One that is not on screen yet is posted as it was: its delivery keeps the words until it has arrived.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    tells = and_(mine, turns.c.seq > seq, turns.c.covers <= seq, turns.c.role == Role.ASSISTANT)
    stand = and_(tells, turns.c.state.not_in((State.DELETED, State.STALE)))
    for row in connection.execute(select(turns.c.seq, turns.c.body).where(stand)).all():
        said = and_(
            deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == row.seq
        )
        unsent = and_(said, deliveries.c.state.in_((Stage.READY, Stage.SENDING)))
        connection.execute(update(deliveries).where(unsent).values(body=func.coalesce(deliveries.c.body, row.body)))
    connection.execute(update(turns).where(stand).values(state=State.STALE, body=b""))


def remade(connection: Connection, lease: Lease, seq: int, *, text: str, tokens: int, covers: int | None) -> None:
    """Puts a summary that was made again in place of the stale one; it `covers` what it was made of.

    Raises LeaseLost.
    """
    require(connection, lease)
    stale = and_(turn(lease.key, seq), turns.c.state == State.STALE)
    fresh = {"state": State.DONE, "body": text.encode("utf-8", "replace"), "tokens": tokens}
    if covers is not None:
        fresh["covers"] = covers
    connection.execute(update(turns).where(stale).values(fresh))
