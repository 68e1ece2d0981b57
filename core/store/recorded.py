"""On the record or off it: what of that which reaches us may be kept, by the time at which it was said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, and_, func, select

from core.schema import deliveries, parts, sessions, turns, unrecorded
from core.seam.address import Address
from core.seam.messages import Edited, Inbound, Quote
from core.session import Kind, Role, SessionKey, Validity
from core.store.engine.sql import micro

UNREAD = "it was said off the record"
NOTHING: Mapping[str, object] = {
    "validity": Validity.ERASED,
    "body": b"",
    "tokens": 0,
    "author": None,
    "name": None,
    "error": None,
    "quotes": None,
}
"""What is left of talk that was stored for its answer alone; its slip is kept until that is on screen."""

_STRETCH = (unrecorded.c.since, unrecorded.c.until)


def until(connection: Connection, key: SessionKey, *, at: int) -> int | None:
    """Up to when what is said at that moment is off the record; None where it is not."""
    mine = and_(unrecorded.c.workspace == key.workspace, unrecorded.c.session == key.session)
    then = and_(mine, unrecorded.c.since < at, unrecorded.c.until > at)
    found: int | None = connection.execute(select(func.max(unrecorded.c.until)).where(then)).scalar_one()
    return found


Stretches = Sequence[tuple[int, int]]
"""From when to when something was off the record, both in microseconds."""


def around(connection: Connection, key: SessionKey, beside: Address | None = None) -> Stretches:
    """When something was off the record in this session, or on its channel's top level, which its history may show.

    Or at another address `beside` it.
    """
    return _at(connection, key, (key.address, key.address.channel_address, beside or key.address))


def _at(connection: Connection, key: SessionKey, addresses: Collection[Address]) -> Stretches:
    here = and_(sessions.c.workspace == unrecorded.c.workspace, sessions.c.session == unrecorded.c.session)
    there = and_(sessions.c.workspace == key.workspace, sessions.c.address.in_({one.id for one in addresses}))
    rows = connection.execute(select(*_STRETCH).join(sessions, here).where(there)).all()
    return [(row.since, row.until) for row in rows]


def cover(stretches: Stretches, *moments: float | None) -> bool:
    """Whether one of them has one of these moments (seconds since 1970) in it."""
    return any(since < micro(at) < until for since, until in stretches for at in moments if at is not None)


def is_off(connection: Connection, key: SessionKey, edited: Edited) -> bool:
    """Whether these words were said off the record, at first or by this edit.

    What opens a thread was said on its channel's top level; what is said in one is not.
    """
    said = edited.message
    opens = said.id == said.address.thread
    places = (key.address, said.address, said.address.channel_address if opens else said.address)
    return cover(_at(connection, key, places), said.at, edited.at)


def off(connection: Connection, key: SessionKey, history: Sequence[Inbound]) -> set[str]:
    """Those messages of a history that were said off the record, each where it was said, or that answer such."""
    stretches = {place: around(connection, key, place) for place in {one.address for one in history}}
    said = {one.id for one in history if cover(stretches[one.address], one.at, one.edited_at)}
    return said | answers(connection, key, [one.id for one in history if one.author.is_self])


def without(connection: Connection, key: SessionKey, pointed: Sequence[Quote]) -> tuple[Quote, ...]:
    """What a message here points at, without words that were said off the record, and so that these never come to it.

    So are those of ours that answer such, whenever they were said.
    """
    if not pointed:
        return ()
    stretches = around(connection, key)
    ours = answers(connection, key, [one.message for one in pointed if one.message is not None])
    return tuple(
        replace(one, text="", message=None, source=None, unread=UNREAD)
        if cover(stretches, one.at, one.edited_at) or one.message in ours or _is_from_off(connection, key, one)
        else one
        for one in pointed
    )


def _is_from_off(connection: Connection, key: SessionKey, quote: Quote) -> bool:
    """Whether it was off the record where it was said, which is another place of this workspace, perhaps."""
    if quote.said_in is None or quote.at is None:
        return False
    here = and_(sessions.c.workspace == unrecorded.c.workspace, sessions.c.session == unrecorded.c.session)
    then = and_(unrecorded.c.since < micro(quote.at), unrecorded.c.until > micro(quote.at))
    rows = select(sessions.c.address).join(unrecorded, here).where(unrecorded.c.workspace == key.workspace, then)
    places = map(Address.parse, connection.execute(rows).scalars())
    return any(quote.said_in in (place.channel, place.thread) for place in places)


def answers(connection: Connection, key: SessionKey, messages: Collection[str]) -> set[str]:
    """Those of these messages, of this session's channel, by which we have answered what was said off the record."""
    stretches = and_(sessions.c.workspace == unrecorded.c.workspace, sessions.c.session == unrecorded.c.session)
    known = select(unrecorded.c.session, sessions.c.channel).join(sessions, stretches).distinct()
    stretched = connection.execute(known.where(unrecorded.c.workspace == key.workspace)).all()
    places = [row.session for row in stretched if row.channel == key.address.channel_address.id]
    if not places:  # mostly
        return set()
    when = [turns.c[name] == unrecorded.c[name] for name in ("workspace", "session")]
    then = and_(*when, unrecorded.c.since < turns.c.at, unrecorded.c.until > turns.c.at)
    talk = and_(turns.c.role == Role.PERSON, turns.c.kind == Kind.SAID)
    found = set[str]()
    for table in (deliveries, parts):
        asked = and_(*(turns.c[name] == table.c[name] for name in ("workspace", "session", "seq")))
        there = and_(table.c.workspace == key.workspace, table.c.session.in_(places), table.c.message.in_(messages))
        rows = select(table.c.message).join_from(table, turns, asked).join(unrecorded, then).where(there, talk)
        found |= set(connection.execute(rows).scalars())
    return found


def changed(
    connection: Connection, key: SessionKey, edited: Edited, become: Mapping[str, object], *, talks: bool, waits: bool
) -> tuple[dict[str, object], tuple[Quote, ...]]:
    """What a turn is to become by this edit, and what it points at then, as far as that may be kept.

    Of talk that was changed off the record, what waits is answered so, and of all else no word is kept.
    """
    pointed = without(connection, key, edited.message.quotes)
    if not talks or not is_off(connection, key, edited):
        return dict(become), pointed
    return {**become, **({"validity": Validity.UNRECORDED} if waits else NOTHING)}, pointed if waits else ()
