"""Row-level security: PostgreSQL itself keeps a function to its workspace, also one that forgets to name it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from core.errors import ConfigurationError, DatabaseError
from core.schema import metadata, turns
from core.session import Lease, SessionKey
from core.store import Database, claims, connect, places
from core.store.engine import rows
from tests.bots.program.test_cli import backscroll
from tests.core.store.test_isolation import NEXT_DOOR, Worlds, furnished
from tests.script import house
from tests.values import HERE, message
from tests.wire.postgresql import road

THERE = replace(HERE, workspace=NEXT_DOOR)
ROLE = "plain"


@pytest.fixture
def dialect() -> str:
    return "postgresql"


@pytest.fixture
async def plain(url: str, database: Database) -> str:
    """A role that owns no table and passes over nothing; the URL by which it comes."""

    def role(connection: Connection) -> None:
        for order in (
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}",
        ):
            connection.execute(text(order))
        rows.keep_apart(connection, on=True)

    await database.write(role)
    return url.replace("://postgres:", f"://{ROLE}:")


@asynccontextmanager
async def connected(url: str, *, apart: bool = True) -> AsyncIterator[Database]:
    database = connect(url, apart=apart)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def apart(plain: str) -> AsyncIterator[Database]:
    """A database that keeps apart."""
    async with connected(plain) as database:
        yield database


@pytest.fixture
async def worlds(database: Database, apart: Database) -> Worlds:
    """Two workspaces, of which the one here came to be by that role's own talking."""
    worlds = await furnished(apart)
    await database.write(worlds.enter)
    return worlds


def everybodys(connection: Connection, _of: object = None) -> set[int]:
    """The workspaces of all turns that it sees: it forgets to name one."""
    return set(connection.execute(select(turns.c.workspace)).scalars())


def spoil(connection: Connection, _key: SessionKey) -> int:
    return connection.execute(update(turns).values(tokens=0)).rowcount


def wipe(connection: Connection, _key: SessionKey) -> int:
    return connection.execute(delete(turns)).rowcount


def plant(connection: Connection, _key: SessionKey, workspace: int) -> None:
    row = {"workspace": workspace, "session": 1, "seq": 777, "role": 0, "at": 0, "tokens": 0, "body": b""}
    connection.execute(insert(turns).values(row))


async def test_who_forgets_the_workspace_sees_and_changes_its_own_alone(
    database: Database, apart: Database, worlds: Worlds
) -> None:
    key = worlds.keys[0]
    before = await database.read(worlds.seen)

    for given in (key, Lease(key=key, fence=1, attempts=1, backscroll_read=True), HERE, message("x")):
        assert await apart.read(everybodys, given) == {worlds.here}
    assert await apart.read(everybodys, THERE) == {worlds.there}
    assert await apart.write(spoil, key) > 0
    assert await apart.write(wipe, key) > 0

    assert await database.read(worlds.seen) == before


async def test_nothing_is_written_into_another_workspace(apart: Database, worlds: Worlds) -> None:
    with pytest.raises(DatabaseError, match="row-level security"):
        await apart.write(plant, worlds.keys[0], worlds.there)

    await apart.write(plant, worlds.keys[0], worlds.here)


async def test_a_place_that_is_not_known_yet_is_nobodys(apart: Database, worlds: Worlds) -> None:
    assert await apart.read(everybodys, replace(HERE, workspace="o'clock; \\ *")) == set()
    assert await apart.read(everybodys, replace(HERE, workspace="*")) == set()
    assert await apart.read(everybodys, replace(HERE, workspace=str(worlds.there))) == set()


async def test_who_does_not_say_for_which_workspace_it_is_sees_nothing(plain: str, worlds: Worlds) -> None:
    async with connected(plain, apart=False) as database:
        for table in metadata.sorted_tables:
            if table.name in rows.TABLES:
                assert (await database.read(lambda connection, t=table: connection.execute(select(t)).all())) == []


async def test_a_connection_that_is_lent_on_takes_nothing_along(plain: str, url: str, worlds: Worlds) -> None:
    """Two clients on one connection of the server, one after the other, as behind PgBouncer."""
    async with road(plain, lanes=1) as one:
        first, second = (connect(one.url, plain, apart=True) for _ in range(2))
        bare = connect(one.url, plain)
        try:
            for _ in range(10):
                seen = await asyncio.gather(
                    first.read(everybodys, worlds.keys[0]), second.read(everybodys, THERE), bare.read(everybodys)
                )
                assert seen == [{worlds.here}, {worlds.there}, set()]
        finally:
            for database in (first, second, bare):
                await database.close()


async def test_what_is_for_all_workspaces_is_found_and_people_are_answered_in_each(apart: Database) -> None:
    async with house(apart) as running:
        for address in (HERE, THERE):
            for words in ("hello", "!reset", "!undo", "!set zone UTC", "!status", "!context"):
                await running.say(message(words, address=address))
                await running.over()
        await running.adapter.until(lambda: running.adapter.texts_in(None).count("You said: hello") == 2)

    assert await apart.read(everybodys) == {(await _number(apart, one)) for one in (HERE, THERE)}
    assert (await apart.write(claims.claim, owner="a:b:1:c.", lease=9.0, platforms=["console"], limit=9)).sessions == ()


async def _number(database: Database, address: object) -> int:
    found = await database.read(places.find, address)
    assert found is not None
    return found.key.workspace


@pytest.fixture
def outside(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("outside")
async def test_the_switch_and_the_tables_must_say_the_same(plain: str, url: str, apart: Database) -> None:
    async with connected(plain, apart=False) as without:
        await apart.read(rows.require, on=True)
        with pytest.raises(ConfigurationError, match="run `backscroll migrate`"):
            await without.read(rows.require, on=False)
    async with connected(url) as owner:
        with pytest.raises(ConfigurationError, match="no superuser"):
            await owner.read(rows.require, on=True)

    done = await asyncio.to_thread(backscroll, "migrate", DATABASE_URL=url, BACKSCROLL_ROW_SECURITY="off")

    assert done.exit_code == 0, done.output
    async with connected(plain, apart=False) as without:
        await without.read(rows.require, on=False)
    with pytest.raises(ConfigurationError, match="run `backscroll migrate`"):
        await apart.read(rows.require, on=True)
    done = await asyncio.to_thread(backscroll, "migrate", DATABASE_URL=url, BACKSCROLL_ROW_SECURITY="on")
    assert done.exit_code == 0, done.output
    await apart.read(rows.require, on=True)
