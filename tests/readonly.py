"""Databases that can be read and not written, also by tests that run as one who may do everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, text

from core.store import connect
from tests.apart import whole

READER = "backscroll_reader"
STANDBY = "backscroll_standby"


async def only_read(url: str, *, role: str = READER) -> str:
    """The same database's address, by which it can't be written.

    A SQLite file gets a format for writing that no release knows; on PostgreSQL it is a role that may only read, or
    that finds every transaction to be read-only, as on a replica.
    """
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        whole = bytearray(await asyncio.to_thread(file.read_bytes))
        whole[18] = 3
        await asyncio.to_thread(file.write_bytes, whole)
        return url
    database = connect(url)
    await database.write(_make_role, role)
    await database.close()
    return url.replace(f"//{urlsplit(url).username}:", f"//{role}:", 1)


def _make_role(connection: Connection, role: str) -> None:
    """Roles are the server's, whose databases tests have for themselves."""
    if not connection.execute(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar_one():
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        if role == STANDBY:
            connection.execute(text(f"ALTER ROLE {role} SET default_transaction_read_only = on"))
    rights = "SELECT" if role == READER else "ALL"
    connection.execute(text(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role}"))


_REFUSE = """CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'could not extend file' USING ERRCODE = '58030'; END $$"""


@asynccontextmanager
async def full(url: str, table: str = "turns") -> AsyncIterator[None]:
    """All is written but for new rows of a table, in here: on a full disk there is still room in old pages."""
    owner = connect(whole(url))
    if url.startswith("sqlite"):
        made = [f"CREATE TRIGGER no_room BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END"]
        gone = "DROP TRIGGER no_room"
    else:
        made = [_REFUSE, f"CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()"]
        gone = f"DROP TRIGGER no_room ON {table}"
    try:
        for order in made:
            await owner.write(_order, order)
        yield
        await owner.write(_order, gone)
    finally:
        await owner.close()


def _order(connection: Connection, words: str) -> None:
    connection.execute(text(words))
