"""Hearers: which process hears which platform now, said every few seconds for whoever asks from outside.

`presence` is something else: up to when all that was said has reached us, which stands still while that is mended.
"""

from collections.abc import Callable

from sqlalchemy import Connection, delete, func, select

from core.schema import hearers, workspaces
from core.store.engine.sql import insert, now
from core.store.workspaces import workspace_of

_KEPT = 86_400_000  # milliseconds: a process that has said nothing for a day will say nothing more


def hear(connection: Connection, platform: str, *, owner: str) -> None:
    """This process hears the platform at this moment."""
    row = {"workspace": workspace_of(connection, platform, ""), "owner": owner, "heard_at": now(connection)}
    said = insert(connection.dialect.name, hearers).values(row)
    again = said.on_conflict_do_update(index_elements=["workspace", "owner"], set_={"heard_at": row["heard_at"]})
    connection.execute(again)


def is_there(connection: Connection, *, owner: str, within: float) -> bool:
    """Whether this process has heard any platform within so many seconds, and has not ended since."""
    lately = hearers.c.heard_at >= now(connection) - int(within * 1000)
    found = select(hearers.c.owner).where(hearers.c.owner == owner, lately)
    return connection.execute(found.limit(1)).first() is not None


def bury(connection: Connection, *, host: str, alive: Callable[[str], bool]) -> None:
    """Those processes of this host are gone that are no longer alive. `host` and `alive` are as in `claims`."""
    mine = hearers.c.owner.startswith(host, autoescape=True)
    owners = connection.execute(select(hearers.c.owner).where(mine).distinct()).scalars()
    dead = [owner for owner in owners if not alive(owner)]
    connection.execute(delete(hearers).where(hearers.c.owner.in_(dead)))


def leave(connection: Connection, *, owner: str) -> None:
    """This process ends. What is left of those that were killed goes as well, a day later."""
    connection.execute(delete(hearers).where(hearers.c.owner == owner))
    connection.execute(delete(hearers).where(hearers.c.heard_at < now(connection) - _KEPT))


def heard(connection: Connection) -> dict[str, float]:
    """How many seconds ago each platform was last heard by any process."""
    ago = now(connection) - func.max(hearers.c.heard_at)
    places = select(workspaces.c.platform, ago).join(hearers, hearers.c.workspace == workspaces.c.workspace)
    rows = connection.execute(places.group_by(workspaces.c.platform)).all()
    return {platform: max(0, milliseconds) / 1000 for platform, milliseconds in rows}
