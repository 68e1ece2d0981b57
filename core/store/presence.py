"""Presence: up to when everything that people said on a platform has reached us, whichever process heard it.

Whoever hears says so every few seconds. When nobody has for longer than the platform bridges by itself, one process,
whose shift it is (`chores`), looks up what was missed.
"""

from sqlalchemy import Connection, and_, select, update

from core.schema import presence, sessions
from core.seam.address import Address
from core.store import chores
from core.store.engine.sql import insert, now
from core.store.workspaces import workspace_of

SHIFT = "catching up"
"""The chore's name under which one process looks up what was missed on a platform."""


def beat(connection: Connection, platform: str, *, within: float) -> bool:
    """Says that the platform is heard; False when nobody has said so `within` so many seconds: something was missed."""
    place = workspace_of(connection, platform, "")
    now_ = now(connection)
    born = insert(connection.dialect.name, presence).values(workspace=place, heard_at=now_)
    if connection.execute(born.on_conflict_do_nothing()).rowcount:
        return True  # nobody has ever heard this platform: nothing is missed of what was said before
    unbroken = and_(presence.c.workspace == place, presence.c.heard_at >= now_ - int(within * 1000))
    return connection.execute(update(presence).where(unbroken).values(heard_at=now_)).rowcount > 0


def lose(connection: Connection, platform: str, *, seconds: float) -> None:
    """Says that what was said since then, so many seconds ago, may have reached nobody."""
    then = now(connection) - int(seconds * 1000)
    later = and_(presence.c.workspace == workspace_of(connection, platform, ""), presence.c.heard_at > then)
    connection.execute(update(presence).where(later).values(heard_at=then))


def missed(connection: Connection, platform: str, *, within: float) -> tuple[float, float] | None:
    """What nobody has heard: from when to now, in seconds since 1970 by the database's clock.

    None when somebody has heard the platform `within` so many seconds, or mended the gap meanwhile.
    """
    now_ = now(connection)
    here = presence.c.workspace == workspace_of(connection, platform, "")
    gap = select(presence.c.heard_at, now_.label("now")).where(here, presence.c.heard_at < now_ - int(within * 1000))
    row = connection.execute(gap).one_or_none()
    return None if row is None else (row.heard_at / 1000, row.now / 1000)


def caught_up(connection: Connection, platform: str, *, owner: str, at: float) -> None:
    """Everything that was said until this instant has reached us after all, if it is still this owner's shift."""
    mine = and_(presence.c.workspace == workspace_of(connection, platform, ""), chores.is_at(SHIFT, platform, owner))
    connection.execute(update(presence).where(mine).values(heard_at=int(at * 1000)))


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
