"""Changes to what was said: edits and deletions by people, and places that are closed. Memory follows the screen.

A turn that waits is answered as it now is, or not at all; whoever answers it at that moment is told by `news`. A turn
that is over is superseded in place. A summary of what has changed is stale: it is made again before it is shown.
"""

from sqlalchemy import Connection, Row, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.address import Address
from core.messages import Edited
from core.schema import deliveries, sessions, turns
from core.session import Lease, Role, SessionKey, State
from core.store import epochs
from core.store.inbound import WORKSPACE, backs_off, find, names, storable
from core.store.queue import require, turn
from core.store.sql import micro, now

_ERASED = {
    "state": State.DELETED,
    "body": b"",
    "tokens": 0,
    "author": None,
    "name": None,
    "verb": None,
    "error": None,
    "envelope": None,
    "covers": None,
}


class Unknown(Exception):
    """No such message has been stored."""


def edit(connection: Connection, edited: Edited, *, verb: str | None, tokens: int) -> SessionKey | None:
    """Puts what a message has become in place of what it was; returns the session if the message waits there.

    Its author's name becomes what it is now, as `tokens` counts the message with that. An edit that was overtaken by a
    newer one changes nothing. What the model's provider would not read is shown to it again. Raises Unknown.
    """
    key, row = _stored(connection, edited.message.address, edited.message.id)
    body, at = edited.message.text.encode("utf-8", "replace"), micro(edited.at)
    if row.state == State.DELETED or (row.edited_at is not None and row.edited_at >= at) or row.body == body:
        return None
    waits = row.state == State.WAITING
    author = edited.message.author
    changed = {"body": body, "tokens": tokens, "edited_at": at, "author": author.id, "name": storable(author.name)}
    if waits:
        changed["verb"] = verb and storable(verb)
    if row.state == State.REFUSED:
        changed["state"] = State.DONE
    connection.execute(update(turns).where(turn(key, row.seq), turns.c.role == Role.PERSON).values(changed))
    _outdate(connection, key, row.seq)
    return _told(connection, key) if waits else None


def erase(connection: Connection, address: Address, message: str) -> SessionKey | None:
    """Takes a deleted message's words out of the database; returns the session if it waited there. Raises Unknown."""
    key, row = _stored(connection, address, message)
    if row.state == State.DELETED:
        return None
    connection.execute(update(turns).where(turn(key, row.seq), turns.c.role == Role.PERSON).values(_ERASED))
    _outdate(connection, key, row.seq)
    if row.state not in (State.WAITING, State.ANSWERED):
        return None
    connection.execute(update(sessions).where(_session(key)).values(waiting=sessions.c.waiting - 1))
    _withdraw(connection, key, deliveries.c.seq == row.seq)
    return _told(connection, key)


def close(connection: Connection, address: Address, *, gone: bool) -> list[SessionKey]:
    """Ends the sessions of a place: nothing that waits there is answered, and talk begins anew if it ever does.

    Returns those in which something waited. With `gone`, every word that was said there is erased.
    """
    closed = []
    for key in _sessions_at(connection, address):
        row = connection.execute(
            select(sessions.c.tail, sessions.c.waiting).where(_session(key)).with_for_update()
        ).one()
        mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
        _withdraw(connection, key, deliveries.c.seq <= row.tail)
        over = {"state": State.DONE, "envelope": None, "error": None}
        connection.execute(
            update(turns)
            .where(mine, *(() if gone else (turns.c.state < State.DONE,)))
            .values(_ERASED if gone else over)
        )
        epochs.reset(connection, key, row.tail)
        connection.execute(update(sessions).where(_session(key)).values(waiting=0, live_since=None))
        if row.waiting:
            closed.append(_told(connection, key))
    return closed


def remade(connection: Connection, lease: Lease, seq: int, *, text: str, tokens: int) -> None:
    """Puts a summary that was made again in place of the stale one. Raises LeaseLost."""
    require(connection, lease)
    stale = and_(turn(lease.key, seq), turns.c.state == State.STALE)
    fresh = {"state": State.DONE, "body": text.encode("utf-8", "replace"), "tokens": tokens}
    connection.execute(update(turns).where(stale).values(fresh))


def _stored(connection: Connection, address: Address, message: str) -> tuple[SessionKey, Row[*tuple[object, ...]]]:
    """The turn of this message. Its session's row is locked first, as everybody does who changes both."""
    found = find(connection, address)
    if found is None:
        raise Unknown(message)
    key = found[0]
    connection.execute(select(sessions.c.fence).where(_session(key)).with_for_update())
    this = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.message == message)
    row = connection.execute(
        select(turns.c.seq, turns.c.state, turns.c.edited_at, turns.c.body).where(this, turns.c.role == Role.PERSON)
    ).one_or_none()
    if row is None:
        raise Unknown(message)
    return key, row


def _told(connection: Connection, key: SessionKey) -> SessionKey:
    """Whoever holds the session looks again; where nobody does, it is due if it backs off, idle if nothing is left."""
    mine, now_ = update(sessions).where(_session(key)), now(connection)
    idle = {"due_at": None, "attempts": 0, "deaths": 0}
    connection.execute(mine.where(sessions.c.owner.is_not(None)).values(news=True))
    connection.execute(mine.where(sessions.c.owner.is_(None), sessions.c.waiting == 0).values(idle))
    connection.execute(mine.where(backs_off(now_)).values(due_at=now_))
    return key


def _outdate(connection: Connection, key: SessionKey, seq: int) -> None:
    """Marks the summaries that tell of this turn."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    tells = and_(turns.c.seq > seq, turns.c.covers <= seq, turns.c.role == Role.ASSISTANT)
    connection.execute(update(turns).where(mine, tells, turns.c.state != State.DELETED).values(state=State.STALE))


def _withdraw(connection: Connection, key: SessionKey, which: ColumnElement[bool]) -> None:
    """What has begun to be said, and will not be, is taken off the screen by the next audit."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, which)
    connection.execute(update(deliveries).where(mine, deliveries.c.message.is_(None)).values(due_at=now(connection)))
    connection.execute(delete(deliveries).where(mine, deliveries.c.message.is_(None), deliveries.c.tries == 0))


def _sessions_at(connection: Connection, address: Address) -> list[SessionKey]:
    """The session at this address; at a channel's, all that live in that channel."""
    if address.thread is not None:
        found = find(connection, address)
        return [] if found is None else [found[0]]
    here = select(sessions.c.workspace, sessions.c.session, sessions.c.address).where(
        sessions.c.workspace == WORKSPACE, sessions.c.channel == address.id
    )
    return [
        SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
        for row in connection.execute(here, names(address))
    ]


def _session(key: SessionKey) -> ColumnElement[bool]:
    return and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
