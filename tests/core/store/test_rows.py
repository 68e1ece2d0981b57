"""Row-level security: PostgreSQL itself keeps a function to its workspace, also one that forgets to name it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice

import pytest
from sqlalchemy import Connection, Table, TextClause, delete, func, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

import migrations
from core.errors import ConfigurationError, DatabaseError
from core.schema import deliveries, metadata, preferences, rejections, sessions, turns, workspaces
from core.seam.messages import Rejected
from core.session import Lease, Progress, Role, SessionKey
from core.store import Database, bodies, claims, closings, connect, expiring, health, places, timeouts
from core.store.engine import rows
from tests.bots.program.test_cli import backscroll
from tests.core.store.test_isolation import BY_ROW, FUNCTIONS, NEXT_DOOR, Worlds, _compared, _pools, calls, furnished
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
            _BORN,
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}",
        ):
            connection.execute(text(order))
        rows.keep_apart(connection, on=True)

    await database.write(role)
    return url.replace("://postgres:", f"://{ROLE}:")


_BORN = f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"


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


NO_WORDS = {"audit", "audit_chains", "pseudonyms"}
"""What is sealed there is ours, and nobody's words."""


def everything(connection: Connection, table: Table) -> list[object]:
    return list(connection.execute(select(table)).all())


async def test_who_looks_through_all_workspaces_sees_nobodys_words(
    database: Database, apart: Database, worlds: Worlds
) -> None:
    """When something is due it may see, and where."""
    sealed = {one.column.table for one in bodies.ALL}
    assert {table.name for table in sealed} - NO_WORDS == set(rows.WORDY)

    assert {row.workspace for row in await apart.read(everything, sessions)} == {worlds.here, worlds.there}
    for table in sealed:
        if table.name in rows.WORDY:
            assert await apart.read(everything, table) == [], table.name
            assert await apart.write(lambda connection, t=table: connection.execute(delete(t)).rowcount) == 0
    await database.write(make_due)
    assert await apart.read(lambda connection: connection.execute(rows.DOUBTFUL).scalars().all()) == [1, 2]
    assert await apart.read(everything, deliveries) == []


def make_due(connection: Connection) -> None:
    """All that may be is to be looked at, to be answered, or given up."""
    connection.execute(update(deliveries).values(due_at=5, draft=None))
    connection.execute(update(turns).where(turns.c.slip.is_not(None)).values(slip="{}"))
    connection.execute(update(preferences).values(body=b"{}"))
    connection.execute(update(sessions).values(due_at=5, owner=None, deaths=0))
    over = (turns.c.role == Role.PERSON, turns.c.progress == Progress.DONE)
    connection.execute(update(turns).where(*over).values(error="why"))
    facts = {
        "workspace": select(func.max(workspaces.c.workspace)).scalar_subquery(),
        "id": "odd",
        "reason": "r",
        "rejected_at": 5,
        "body": b"x",
    }
    connection.execute(insert(rejections).values(facts))


CALLS: dict[str, dict[str, object]] = {
    "claims.claim": {"owner": "h:b:1:x.", "lease": 9.0, "platforms": ["console"], "limit": 9},
    "timeouts.present": {"platform": "console", "after": (0, 0), "most": 9},
    "doubts.due": {"platforms": ["console"], "limit": 50},
    "doubts.suspect": {"platform": "console"},
    "doubts.forget": {},
    "expiring.page": {"after": expiring.FIRST, "most": 500},
    "expiring.drop_rejected": {"seconds": 1.0},
    "pseudonyms.forget": {"since": 2**30},
    "dead.listed": {"limit": 9},
    "dead.number": {},
    "keys.are_gone": {},
    "resealing.is_empty": {},
    "resealing.size": {},
    "resealing.numbers": {"table": "turns", "after": None},
}
"""What looks for words in all workspaces, or takes some away."""


WITHIN = {"parts.put_away", *BY_ROW}
"""What is done within a transaction that is for a workspace already: a number, or a row, is enough to it."""

WORDLESS = {
    *("chores.take", "chores.extend", "chores.leave", "claims.free_dead", "presence.caught_up"),
    *("hearers.hear", "hearers.is_there", "hearers.bury", "hearers.leave"),
    *("servers.recall", "servers.keep", "servers.told", "servers.tell", "rotating.to_be_wrapped"),
}
"""What has no words before it, nor a workspace."""

BY_THEIR_OWN = {"inbound.reject", "resealing.look", "resealing.put", "health.queue", "health.moment", "policies.found"}
"""What is tried by tests of its own, here or where `pytest --apart` keeps workspaces apart."""

_TRIED = 5  # times that a function is called


class _Over(Exception):
    """Takes everything back."""


def tried(connection: Connection, name: str, /, **arguments: object) -> None:
    """What is found, and which words are left."""
    try:
        found = FUNCTIONS[name](connection, **arguments)
    except Exception as error:
        if isinstance(error, DBAPIError):
            raise
        found = (type(error), str(error))
    left = {
        table: sorted(row for _ in rows.each(connection) for row in connection.execute(_kept_in(table)).scalars())
        for table in rows.WORDY
    }
    raise _Over(_comparable(found), left)


def _kept_in(table: str) -> TextClause:
    """The rows of a table, without the time."""
    return text(f"SELECT regexp_replace(one::text, '[0-9]{{13,}}', '', 'g') FROM {table} AS one")


def _comparable(found: object) -> object:
    """In one order, and without the time."""
    match found:
        case claims.Claimed():
            return _comparable(list(found.sessions))
        case expiring.Turns():
            return _comparable(found.sessions)
        case list():
            return sorted((_comparable(one) for one in found), key=repr)
        case timeouts.Present():
            return replace(found, now=0)
        case expiring.Oldest():
            return found._replace(now=0.0)
        case _ if found is not None:
            return _compared(found)
    return found


async def outcome(database: Database, name: str, /, **arguments: object) -> tuple[object, ...]:
    with pytest.raises(_Over) as over:
        await database.write(tried, name, **arguments)
    return over.value.args


@pytest.mark.in_the_clear  # the same words are sealed otherwise each time
async def test_every_function_finds_and_changes_what_it_does_where_all_is_seen(
    database: Database, apart: Database, worlds: Worlds
) -> None:
    pools = _pools(worlds)
    for name in sorted(FUNCTIONS.keys() - CALLS.keys() - WITHIN - WORDLESS - BY_THEIR_OWN):
        for arguments in islice(calls(name, pools), _TRIED):
            kept_apart, seen = [await outcome(one, name, **arguments) for one in (apart, database)]
            assert kept_apart == seen, (name, arguments)


@pytest.mark.usefixtures("worlds")
async def test_what_is_looked_for_in_all_workspaces_is_found_in_each(database: Database, apart: Database) -> None:
    await database.write(make_due)

    for name in CALLS:
        assert await outcome(apart, name, **CALLS[name]) == await outcome(database, name, **CALLS[name]), name
    both = [await one.read(health.queue) for one in (database, apart)]

    assert both[0].waiting == both[1].waiting > 0
    assert both[0].dead == both[1].dead > 0
    assert both[0].oldest == pytest.approx(both[1].oldest, abs=600)


async def test_an_event_that_can_not_be_read_is_kept_and_what_is_set_comes_with_a_claim(apart: Database) -> None:
    def due(connection: Connection) -> None:
        connection.execute(update(sessions).values(due_at=5, waiting=1))

    async with house(apart) as running:
        await running.say(message("!set persona a pirate"))
        await running.over()
        await running.say(Rejected(platform="console", id="odd", reason="odd", payload="salmon"))
    await apart.write(due)
    ((lease, _),) = (
        await apart.write(claims.claim, owner="a:b:1:c.", lease=9.0, platforms=["console"], limit=9)
    ).sessions

    assert lease.overrides.channel == '{"persona": "a pirate"}'
    assert await apart.read(_kept) == 1


def _kept(connection: Connection) -> int:
    counted = select(func.count()).select_from(rejections)
    return sum(connection.execute(counted).scalar_one() for _ in rows.each(connection))


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

    for address in (HERE, THERE):
        assert await apart.read(everybodys, address) == {await _number(apart, address)}
    assert await apart.read(everybodys) == set()
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


@pytest.mark.usefixtures("outside")
async def test_an_owner_that_is_no_superuser_keeps_apart_and_migrates_what_all_have_said(
    database: Database, url: str
) -> None:
    owner = {"DATABASE_URL": url.replace("://postgres:", f"://{ROLE}:"), "BACKSCROLL_ROW_SECURITY": "on"}
    await database.write(_give_away)
    kept = await asyncio.to_thread(backscroll, "migrate", **owner)
    assert kept.exit_code == 0, kept.output
    async with connected(owner["DATABASE_URL"]) as apart:
        await apart.read(rows.require, on=True)
        async with house(apart) as running:
            await running.say(message("hello"), message("hello", address=THERE))
            await running.over()
        assert await apart.read(everybodys) == set()
    before = await database.read(_states)
    await database.write(migrations.downgrade, _OF_ONE_NUMBER)

    migrated = await asyncio.to_thread(backscroll, "migrate", **owner)

    assert migrated.exit_code == 0, migrated.output
    assert await database.read(_states) == before != []
    async with connected(owner["DATABASE_URL"]) as apart:
        await apart.read(rows.require, on=True)
        assert await apart.read(everybodys) == set()


_OF_ONE_NUMBER = "0011"
"""The revision in which one number said what a turn's kind, progress and validity are."""


def _states(connection: Connection) -> list[tuple[object, ...]]:
    told = select(turns.c.workspace, turns.c.seq, turns.c.role, turns.c.kind, turns.c.progress, turns.c.validity)
    return [tuple(row) for row in connection.execute(told.order_by(*turns.primary_key))]


def _give_away(connection: Connection) -> None:
    """To a role that passes over nothing."""
    connection.execute(text(_BORN))
    connection.execute(text(f"ALTER SCHEMA public OWNER TO {ROLE}"))
    for table in inspect(connection).get_table_names():
        connection.execute(text(f"ALTER TABLE {table} OWNER TO {ROLE}"))


async def test_a_workspace_that_is_left_answers_nothing_that_waited(apart: Database) -> None:
    async with house(apart) as running:
        await running.stop()
        await running.say(message("hello"), message("hello", address=THERE))

        left, waited = await apart.write(closings.leave, HERE.platform, HERE.workspace, seconds=9.0)

    assert (left, [one.address for one in waited]) == (1, [HERE])
    assert (await apart.read(health.queue)).waiting == 1


async def test_within_a_workspace_a_transaction_is_for_another_one_only_for_a_while(
    apart: Database, worlds: Worlds
) -> None:
    def seen(connection: Connection, _key: SessionKey) -> list[set[int]]:
        found = [everybodys(connection)]
        with rows.within(connection, worlds.there):
            found.append(everybodys(connection))
        return [*found, everybodys(connection)]

    assert await apart.read(seen, worlds.keys[0]) == [{worlds.here}, {worlds.there}, {worlds.here}]
