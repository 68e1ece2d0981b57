"""Workspaces and their small numbers, which lead every key."""

from sqlalchemy import Connection, bindparam, select

from core.schema import workspaces
from core.seam.address import Address
from core.store.engine.sql import insert, storable

WORKSPACE = (
    select(workspaces.c.workspace)
    .where(workspaces.c.platform == bindparam("on_platform"), workspaces.c.name == bindparam("in_workspace"))
    .scalar_subquery()
)
"""The workspace of the address whose `names` a statement is given."""


def names(address: Address) -> dict[str, str]:
    """What `WORKSPACE` is looked up by."""
    return {"on_platform": address.platform, "in_workspace": storable(address.workspace)}


def workspace_of(connection: Connection, platform: str, name: str) -> int:
    """The number of a workspace, which is made known if need be."""
    row = {"platform": platform, "name": storable(name), "sessions": 0}
    here = select(workspaces.c.workspace).where(workspaces.c.platform == platform, workspaces.c.name == row["name"])
    number: int | None = connection.execute(here).scalar_one_or_none()
    if number is None:
        connection.execute(insert(connection.dialect.name, workspaces).values(row).on_conflict_do_nothing())
        number = connection.execute(here).scalar_one()
    return number
