"""Presence: up to when everything that people said on a platform has reached us, whichever process heard it.

Whoever hears says so every few seconds. When nobody has for longer than the platform bridges by itself, one process,
under a lease, looks up what was missed.
"""

from sqlalchemy import BigInteger, Connection, and_, cast, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import presence, sessions
from core.seam.address import Address
from core.store.engine.sql import insert, now
from core.store.workspaces import workspace_of


def beat(connection: Connection, platform: str, *, within: float) -> bool:
    """Says that the platform is heard; False when nobody has said so `within` so many seconds: something was missed."""
    place = workspace_of(connection, platform, "")
    now_ = now(connection)
    born = insert(connection.dialect.name, presence).values(workspace=place, heard_at=now_)
    if connection.execute(born.on_conflict_do_nothing()).rowcount:
        return True  # nobody has ever heard this platform: nothing is missed of what was said before
    unbroken = and_(presence.c.workspace == place, presence.c.heard_at >= now_ - int(within * 1000))
    return connection.execute(update(presence).where(unbroken).values(heard_at=now_)).rowcount > 0


def miss(
    connection: Connection, platform: str, *, owner: str, lease: float, within: float
) -> tuple[float, float] | None:
    """Takes the catching up on, for `lease` seconds; None when another process is at it, or has done it.

    Returns until when everything was heard, and what time it is now: seconds since 1970, by the database's clock.
    """
    free = or_(presence.c.due_at.is_(None), presence.c.due_at <= now(connection), presence.c.owner == owner)
    row = connection.execute(
        update(presence)
        .where(presence.c.workspace == workspace_of(connection, platform, ""), free)
        .where(presence.c.heard_at < now(connection) - int(within * 1000))
        .values(owner=owner, due_at=_in(connection, lease))
        .returning(presence.c.heard_at, presence.c.due_at)
    ).one_or_none()
    return None if row is None else (row.heard_at / 1000, row.due_at / 1000 - lease)


def caught_up(connection: Connection, platform: str, *, owner: str, at: float) -> None:
    """Everything that was said until this instant has reached us after all."""
    mine = and_(presence.c.workspace == workspace_of(connection, platform, ""), presence.c.owner == owner)
    done = {"heard_at": int(at * 1000), "owner": None, "due_at": None}
    connection.execute(update(presence).where(mine).values(done))


def conversations(connection: Connection, platform: str, *, since: float, limit: int) -> list[Address]:
    """Where somebody has talked with us after this instant, the most recent first: each session, and its channel."""
    lately = and_(sessions.c.platform == platform, sessions.c.touched_at >= int(since * 1000))
    rows = connection.execute(
        select(sessions.c.address, sessions.c.channel).where(lately).order_by(sessions.c.touched_at.desc()).limit(limit)
    )
    found: dict[str, None] = {}
    for row in rows:
        found |= {row.channel: None, row.address: None}
    return [Address.parse(place) for place in found]


def _in(connection: Connection, seconds: float) -> ColumnElement[int]:
    return cast(now(connection) + int(seconds * 1000), BigInteger)
