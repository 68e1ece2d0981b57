"""Row-level security on PostgreSQL, as an option: the database itself keeps a function to its workspace.

Each transaction says for which workspace it is, for itself alone, as a proxy may lend its connection to somebody else
the next moment. A function that is given a key, or an address, is for that workspace; one that is given none looks for
what is due, long over or asked for by the operator, and is for all.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from core.errors import ConfigurationError
from core.schema import metadata
from core.seam.address import Address
from core.session import SessionKey
from core.store.engine.sql import storable

SETTING = "BACKSCROLL_ROW_SECURITY"

_WORKSPACE = "backscroll.workspace"
_ALL = "*"
_LEADS = ("key", "lease", "address", "message")
"""Where a value says to which workspace it belongs."""

_HERE = f"""
CREATE OR REPLACE FUNCTION backscroll_workspace() RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN here ~ '^[0-9]+$' THEN here::integer
    ELSE (SELECT workspace FROM workspaces WHERE platform || ':' || name = here) END
  FROM (SELECT current_setting('{_WORKSPACE}', true) AS here) AS said
$$"""  # noqa: S608 – of our own words
_OWN = "workspace = (SELECT backscroll_workspace())"
_EVERY = f"current_setting('{_WORKSPACE}', true) = '{_ALL}'"

TABLES = tuple(table.name for table in metadata.sorted_tables if "workspace" in table.c and table.name != "workspaces")
"""Those that are kept apart: all but the list of workspaces, by which a name becomes a number."""


def beginning(arguments: Iterable[object]) -> str:
    """How the transaction of a function that is given these begins."""
    scope = _scope(list(arguments)).replace("'", "''")
    return f"BEGIN; SET LOCAL {_WORKSPACE} = '{scope}'"


def _scope(arguments: list[object]) -> str:
    keys = {str(one.workspace) for one in _led(arguments) if isinstance(one, SessionKey)}
    names = {f"{one.platform}:{storable(one.workspace)}" for one in _led(arguments) if isinstance(one, Address)}
    found = keys or names
    return found.pop() if len(found) == 1 else _ALL


def _led(arguments: Iterable[object]) -> Iterable[SessionKey | Address]:
    for one in arguments:
        if isinstance(one, SessionKey | Address):
            yield one
        elif not isinstance(one, str | int | float | None):
            yield from _led(getattr(one, name) for name in _LEADS if hasattr(one, name))


def keep_apart(connection: Connection, *, on: bool) -> None:
    """Has the database keep workspaces apart from now on, or no longer. To be run by the owner of the tables."""
    if on:
        connection.execute(text(_HERE))
    for table in TABLES:
        for policy in ("own_workspace", "every_workspace"):
            connection.execute(text(f"DROP POLICY IF EXISTS {policy} ON {table}"))
        if on:
            connection.execute(text(f"CREATE POLICY own_workspace ON {table} USING ({_OWN}) WITH CHECK ({_OWN})"))
            connection.execute(text(f"CREATE POLICY every_workspace ON {table} USING ({_EVERY}) WITH CHECK ({_EVERY})"))
        for order in ("ENABLE", "FORCE") if on else ("NO FORCE", "DISABLE"):
            connection.execute(text(f"ALTER TABLE {table} {order} ROW LEVEL SECURITY"))


def require(connection: Connection, *, on: bool) -> None:
    """Raises ConfigurationError where the database does otherwise, or our role may pass over it."""
    kept = select_one(connection, "SELECT count(*) FROM pg_class WHERE relname = ANY(:tables) AND relforcerowsecurity")
    if kept != (len(TABLES) if on else 0):
        raise ConfigurationError(f"{SETTING}: the tables do otherwise; run `backscroll migrate` with the same settings")
    passes = "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
    if on and select_one(connection, passes):
        raise ConfigurationError(f"{SETTING}: the role of DATABASE_URL passes over it: use one that is no superuser")


def select_one(connection: Connection, query: str) -> int:
    """The number that a query gives."""
    given = {"tables": list(TABLES)} if ":tables" in query else {}
    number: int = connection.execute(text(query), given).scalar_one()
    return number
