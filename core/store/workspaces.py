"""Workspaces and their small numbers, which lead every key."""

from functools import partial

from sqlalchemy import Connection, and_, bindparam, select

from core.schema import workspaces
from core.seam.address import Address
from core.store import bodies
from core.store.engine.again import NotYet
from core.store.engine.database import Database
from core.store.engine.prepared import Prepared
from core.store.engine.sql import insert, storable

_NAMED = and_(workspaces.c.platform == bindparam("on_platform"), workspaces.c.name == bindparam("in_workspace"))

WORKSPACE = select(workspaces.c.workspace).where(_NAMED).scalar_subquery()
"""The workspace of the address whose `names` a statement is given."""


def names(address: Address) -> dict[str, str]:
    """What `WORKSPACE` is looked up by."""
    return {"on_platform": address.platform, "in_workspace": storable(address.workspace)}


def workspace_of(connection: Connection, platform: str, name: str) -> int:
    """The number of a workspace, which is made known if need be.

    Where bodies are sealed that happens in a transaction of its own: keys are made for the number, which would be
    another one's if this transaction were taken back.
    """
    number = _known(connection, platform, name)
    if number is not None:
        return number
    if bodies.are_plain():
        return _born(connection, platform, name)
    raise NotYet(partial(_bear, platform, name))


async def _bear(platform: str, name: str, database: Database) -> None:
    await database.write(_born, platform, name)


def _born(connection: Connection, platform: str, name: str) -> int:
    """Somebody else may make it known at the same moment."""
    row = {"platform": platform, "name": storable(name), "sessions": 0}
    connection.execute(insert(connection.dialect.name, workspaces).values(row).on_conflict_do_nothing())
    number = _known(connection, platform, name)
    assert number is not None  # noqa: S101 – it is there by now
    return number


def _known(connection: Connection, platform: str, name: str) -> int | None:
    return _KNOWN.first(connection, on_platform=platform, in_workspace=storable(name))


_KNOWN = Prepared(lambda _: select(workspaces.c.workspace).where(_NAMED), int)
