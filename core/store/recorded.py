"""On the record or off it: what of that which reaches us may be kept, by the time at which it was said."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, and_, func, select

from core.schema import sessions, unrecorded
from core.seam.messages import Quote
from core.session import SessionKey
from core.store.engine.sql import micro

UNREAD = "it was said off the record"
_STRETCH = (unrecorded.c.since, unrecorded.c.until)


def until(connection: Connection, key: SessionKey, *, at: int) -> int | None:
    """Up to when what is said at that moment is off the record; None where it is not."""
    mine = and_(unrecorded.c.workspace == key.workspace, unrecorded.c.session == key.session)
    then = and_(mine, unrecorded.c.since < at, unrecorded.c.until > at)
    found: int | None = connection.execute(select(func.max(unrecorded.c.until)).where(then)).scalar_one()
    return found


Stretches = Sequence[tuple[int, int]]
"""From when to when something was off the record, both in microseconds."""


def around(connection: Connection, key: SessionKey) -> Stretches:
    """When something was off the record in this session, or on its channel's top level, which its history may show."""
    here = and_(sessions.c.workspace == unrecorded.c.workspace, sessions.c.session == unrecorded.c.session)
    places = (key.address.id, key.address.channel_address.id)
    there = and_(sessions.c.workspace == key.workspace, sessions.c.address.in_(places))
    rows = connection.execute(select(*_STRETCH).join(sessions, here).where(there)).all()
    return [(row.since, row.until) for row in rows]


def cover(stretches: Stretches, at: float | None) -> bool:
    """Whether one of them has this moment (seconds since 1970) in it."""
    return at is not None and any(since < micro(at) < until for since, until in stretches)


def without(stretches: Stretches, pointed: Iterable[Quote]) -> tuple[Quote, ...]:
    """What a message points at, without words that were said in one of them, and so that these never come to it."""
    return tuple(
        replace(one, text="", message=None, source=None, unread=UNREAD) if cover(stretches, one.at) else one
        for one in pointed
    )
