"""Row-level security on PostgreSQL, as an option: the database itself keeps a function to its workspace.

Each transaction says for which workspace it is, for itself alone, as a proxy may lend its connection to somebody else
the next moment. A function that is given a key, or an address, is for that workspace; one that is given none looks for
what is due, long over or asked for by the operator, and is for all. Then it sees when and where, and no words: what it
finds it goes into, one workspace after the other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, TextClause, text

from core.errors import ConfigurationError
from core.schema import (
    checkpoints,
    deliveries,
    metadata,
    policies,
    preferences,
    quotes,
    rejections,
    turns,
)
from core.seam.address import Address
from core.store.engine.sql import storable

T = TypeVar("T")

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

APART = "apart"
"""The option of a `Connection` by which a `Database` says that its transactions say for which workspace they are."""

WORDY = tuple(table.name for table in (turns, quotes, checkpoints, deliveries, policies, preferences, rejections))
"""The tables in which there are words. No transaction sees those of several workspaces."""

_LOOKS = "backscroll.looks"
_DOUBTFUL = f"""
CREATE OR REPLACE FUNCTION backscroll_doubtful() RETURNS SETOF integer LANGUAGE plpgsql AS $$ BEGIN
  PERFORM set_config('{_LOOKS}', 'on', true);
  RETURN QUERY SELECT DISTINCT workspace FROM deliveries WHERE due_at <= (extract(epoch FROM now()) * 1000)::bigint;
  PERFORM set_config('{_LOOKS}', 'off', true);
END $$"""  # noqa: S608 – of our own words; it sets this by itself: as the function's own, only a superuser may name it
_LOOKING = f"current_setting('{_LOOKS}', true) = 'on'"

DOUBTFUL = text("SELECT backscroll_doubtful() ORDER BY 1")
"""The workspaces in which a delivery is to be looked at once more: asked for each second, and so not one by one."""

TABLES = tuple(table.name for table in metadata.sorted_tables if "workspace" in table.c and table.name != "workspaces")
"""Those that are kept apart: all but the list of workspaces, by which a name becomes a number."""


def beginning(arguments: Iterable[object]) -> str:
    """How the transaction of a function that is given these begins."""
    scope = _scope(list(arguments)).replace("'", "''")
    return f"BEGIN; SET LOCAL {_WORKSPACE} = '{scope}'"


def _scope(arguments: list[object]) -> str:
    found = {_said(one) for one in _led(arguments)}
    numbers = {one for one in found if one.isdigit()}
    found = numbers or found
    return found.pop() if len(found) == 1 else _ALL


def _said(place: int | Address) -> str:
    return str(place) if isinstance(place, int) else f"{place.platform}:{storable(place.workspace)}"


def _led(arguments: Iterable[object]) -> Iterable[int | Address]:
    for one in arguments:
        if isinstance(one, Address):
            yield one
        elif isinstance(number := getattr(one, "workspace", None), int):
            yield number
        elif not isinstance(one, str | int | float | None):
            yield from _led(getattr(one, name) for name in _LEADS if hasattr(one, name))


@contextmanager
def within(connection: Connection, workspace: int) -> Iterator[bool]:
    """In here, a transaction is for this workspace, whatever it is for outside; whether they are kept apart at all."""
    if not _is_apart(connection):
        yield False
        return
    before = _say(connection, str(workspace))
    yield True
    _say(connection, before)


def each(connection: Connection) -> Iterator[None]:
    """Once for all workspaces, or once within each where the database keeps them apart. Not to be left before."""
    if not _is_apart(connection):
        yield
        return
    for workspace in _numbers(connection, _KNOWN):
        with within(connection, workspace):
            yield


def gathered(
    connection: Connection,
    read: Callable[[int], Sequence[T]],
    *,
    most: int,
    since: int = 0,
    among: TextClause | None = None,
) -> list[T]:
    """What is read of all workspaces from one on, at most so much; one after the other where they are kept apart.

    `read` is told how much it may read, `among` says in which there is something.
    """
    if not _is_apart(connection):
        return list(read(most))
    found = list[T]()
    for workspace in _numbers(connection, _KNOWN if among is None else among):
        if workspace >= since and len(found) < most:
            with within(connection, workspace):
                found += read(most - len(found))
    return found


_KNOWN = text("SELECT workspace FROM workspaces ORDER BY 1")


def _numbers(connection: Connection, query: TextClause) -> Sequence[int]:
    return connection.execute(query).scalars().all()


def _is_apart(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(APART))


def _say(connection: Connection, scope: str) -> str:
    """From now on the transaction is for this; what it was for before."""
    before: str = connection.execute(_SAYING, {"name": _WORKSPACE, "scope": scope}).scalar_one()
    return before


_SAYING = text(
    "WITH before AS MATERIALIZED (SELECT current_setting(:name) AS said) "
    "SELECT said, set_config(:name, :scope, true) FROM before"
)


def keep_apart(connection: Connection, *, on: bool) -> None:
    """Has the database keep workspaces apart from now on, or no longer. To be run by the owner of the tables."""
    if on:
        connection.execute(text(_HERE))
        connection.execute(text(_DOUBTFUL))
    for table in TABLES:
        for policy in ("own_workspace", "every_workspace", "looks"):
            connection.execute(text(f"DROP POLICY IF EXISTS {policy} ON {table}"))
        for policy, rule in _rules(table) if on else ():
            connection.execute(text(f"CREATE POLICY {policy} ON {table} {rule}"))
        for order in ("ENABLE", "FORCE") if on else ("NO FORCE", "DISABLE"):
            connection.execute(text(f"ALTER TABLE {table} {order} ROW LEVEL SECURITY"))


def let_owner_see(connection: Connection) -> None:
    """Until `keep_apart` is run again, the owner of the tables sees and changes the rows of all workspaces."""
    for table in connection.execute(text(f"SELECT relname {_KEPT_APART}"), {"tables": list(TABLES)}).scalars().all():
        connection.execute(text(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"))


def _rules(table: str) -> Iterator[tuple[str, str]]:
    """The policies of a table, each with what it lets through."""
    yield "own_workspace", f"USING ({_OWN}) WITH CHECK ({_OWN})"
    if table not in WORDY:
        yield "every_workspace", f"USING ({_EVERY}) WITH CHECK ({_EVERY})"
    if table == deliveries.name:
        yield "looks", f"FOR SELECT USING ({_LOOKING})"


def require(connection: Connection, *, on: bool) -> None:
    """Raises ConfigurationError where the database does otherwise, or our role may pass over it."""
    kept = select_one(connection, f"SELECT count(*) {_KEPT_APART}")
    if kept != (len(TABLES) if on else 0):
        raise ConfigurationError(f"{SETTING}: the tables do otherwise; run `backscroll migrate` with the same settings")
    passes = "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
    if on and select_one(connection, passes):
        raise ConfigurationError(f"{SETTING}: the role of DATABASE_URL passes over it: use one that is no superuser")


_KEPT_APART = "FROM pg_class WHERE relname = ANY(:tables) AND relforcerowsecurity"


def select_one(connection: Connection, query: str) -> int:
    """The number that a query gives."""
    given = {"tables": list(TABLES)} if ":tables" in query else {}
    number: int = connection.execute(text(query), given).scalar_one()
    return number
