"""Changes to what was said: edits and deletions by people, and places that are closed. Memory follows the screen.

A turn that waits is answered as it now is, or not at all; whoever answers it at that moment is told by `news`. A turn
that is over is superseded in place. A summary of what has changed is stale: it is made again before it is shown.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Row, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.address import Address
from core.messages import Edited, Quote
from core.schema import deliveries, sessions, turns
from core.session import Lease, Role, SessionKey, State
from core.store import epochs, quotes
from core.store.inbound import backs_off, find
from core.store.queue import require, turn
from core.store.sql import micro, now, storable
from core.store.workspaces import WORKSPACE, names

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
    "quotes": None,
}


class Unknown(Exception):
    """No such message has been stored."""


def edit(
    connection: Connection, edited: Edited, *, verb: str | None, tokens: int, fit: Callable[[str, str], str]
) -> SessionKey | None:
    """Puts what a message has become in place of what it was, wherever it is remembered: where it was said, where it
    was overheard, and where it is quoted. Returns its session if it waits there.

    Its author's name becomes what it is now, as `tokens` counts the message with that. `fit` cuts the new words of a
    quote so that they are no longer than the old ones. An edit that was overtaken by a newer one changes nothing. What
    the model's provider would not read is shown to it again. Raises Unknown.
    """
    message = edited.message
    told, copies = None, _copies(connection, message.address, message.id)
    quoted = quotes.quoting(connection, message.address, message.id)
    if not copies and not quoted:
        raise Unknown(message.id)
    for key, row in copies:
        if not _is_news(connection, key, row, edited):
            continue
        connection.execute(update(turns).where(_this(key, row)).values(_edited(row, edited, verb=verb, tokens=tokens)))
        quotes.keep(connection, key, row.seq, message.quotes)
        _outdate(connection, key, row.seq)
        if row.state == State.WAITING:
            told = _told(connection, key)
    for key, seq, place, words in quoted:
        quotes.replace(connection, key, seq, place, fit(message.text, words))
        _outdate(connection, key, seq)
    return told


def _is_news(connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], edited: Edited) -> bool:
    if row.state == State.DELETED or (row.edited_at is not None and row.edited_at >= micro(edited.at)):
        return False
    if row.body != edited.message.text.encode("utf-8", "replace"):
        return True
    return not quotes.are(connection, key, row.seq, edited.message.quotes)


def _edited(row: Row[*tuple[object, ...]], edited: Edited, *, verb: str | None, tokens: int) -> dict[str, object]:
    message = edited.message
    changed: dict[str, object] = {
        "body": message.text.encode("utf-8", "replace"),
        "tokens": tokens,
        "edited_at": micro(edited.at),
        "author": message.author.id,
        "name": storable(message.author.name),
        "quotes": len(message.quotes) or None,
    }
    if row.state == State.WAITING:
        changed["verb"] = verb and storable(verb)
    if row.state == State.REFUSED:
        changed["state"] = State.DONE
    return changed


def erase(connection: Connection, address: Address, message: str) -> SessionKey | None:
    """Takes a deleted message's words out of the database, wherever it is remembered; returns its session if it waited.

    Raises Unknown.
    """
    told, copies = None, _copies(connection, address, message)
    quoted = quotes.quoting(connection, address, message)
    if not copies and not quoted:
        raise Unknown(message)
    for key, row in copies:
        if row.state == State.DELETED:
            continue
        connection.execute(update(turns).where(_this(key, row)).values(_ERASED))
        quotes.forget(connection, key, [row.seq])
        _outdate(connection, key, row.seq)
        if row.state in (State.WAITING, State.ANSWERED):
            connection.execute(update(sessions).where(_session(key)).values(waiting=sessions.c.waiting - 1))
            _withdraw(connection, key, deliveries.c.seq == row.seq)
            told = _told(connection, key)
    for key, seq, place, _ in quoted:
        quotes.take_out(connection, key, seq, place)
        _outdate(connection, key, seq)
    return told


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


def fetched(connection: Connection, lease: Lease, seq: int, pointed: Sequence[Quote], *, tokens: int) -> None:
    """What was fetched of a turn's quotes, or why nothing was, and the turn's tokens; nothing where an edit came first.

    Raises LeaseLost.
    """
    require(connection, lease)
    if quotes.fill(connection, lease.key, seq, pointed):
        connection.execute(update(turns).where(turn(lease.key, seq), turns.c.role == Role.PERSON).values(tokens=tokens))


def _copies(
    connection: Connection, address: Address, message: str
) -> list[tuple[SessionKey, Row[*tuple[object, ...]]]]:
    """The turns of this message: in the session that it was said to, and in those of its channel that overheard it.

    Their sessions' rows are locked first, as everybody does who changes both.
    """
    here = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
    which = and_(
        turns.c.workspace == WORKSPACE, turns.c.message == message, sessions.c.channel == address.channel_address.id
    )
    known = select(sessions.c.session).join(turns, here).where(which)
    locked = select(sessions.c.fence).where(sessions.c.workspace == WORKSPACE, sessions.c.session.in_(known))
    connection.execute(locked.order_by(sessions.c.session).with_for_update(), names(address))
    columns = (sessions.c.address, *(turns.c[name] for name in _COPIED))
    rows = connection.execute(select(*columns).join(sessions, here).where(which), names(address)).all()
    return [
        (SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address)), row)
        for row in rows
    ]


_COPIED = ("workspace", "session", "seq", "role", "state", "edited_at", "body")


def _this(key: SessionKey, row: Row[*tuple[object, ...]]) -> ColumnElement[bool]:
    return and_(turn(key, row.seq), turns.c.role == row.role)


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
