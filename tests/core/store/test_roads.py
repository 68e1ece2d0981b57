"""A PostgreSQL behind a proxy that lends its connections for one transaction, and at the end of a bad road."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from structlog.testing import capture_logs

from core.errors import DatabaseUnreachable
from core.store import Connection, Database, connect
from core.store.engine.prepared import Prepared
from core.store.engine.sql import alone, notify
from tests.wire.postgresql import Road, road

LANES = 3

NUMBERS = Table("numbers", MetaData(), Column("number", Integer, primary_key=True))
ADD = Prepared(lambda _: insert(NUMBERS).on_conflict_do_nothing(), tuple, columns=["number"])
DOUBLE = Prepared(lambda _: select((bindparam("number", type_=Integer) * 2).label("double")), int)


def add(connection: Connection, number: int) -> int:
    """Prepared statements and SQLAlchemy's own in one transaction. Repeatable."""
    ADD.run(connection, number=number)
    connection.execute(insert(NUMBERS).on_conflict_do_nothing(), [{"number": -number}, {"number": -number - 1}])
    return connection.execute(select(NUMBERS.c.number).where(NUMBERS.c.number == number)).scalar_one()


@alone
def add_alone(connection: Connection, number: int) -> int:
    return ADD.run(connection, number=number)


def double(connection: Connection, number: int) -> object:
    return next(iter(DOUBLE.all(connection, number=number)))


def numbers(connection: Connection) -> set[int]:
    return set(connection.execute(select(NUMBERS.c.number).where(NUMBERS.c.number > 0)).scalars())


@pytest.fixture
def dialect() -> str:
    """SQLite is reached by no road."""
    return "postgresql"


@pytest.fixture(params=["open", "lending"])
async def way(request: pytest.FixtureRequest, url: str, database: Database) -> AsyncIterator[Road]:
    """Each client has a connection to the server, or borrows one for each transaction."""
    await database.write(NUMBERS.create)
    async with road(url, lanes=LANES if request.param == "lending" else None) as one:
        yield one


@pytest.fixture
async def lending(url: str, database: Database) -> AsyncIterator[Road]:
    await database.write(NUMBERS.create)
    async with road(url, lanes=LANES) as one:
        yield one


@asynccontextmanager
async def connected(url: str, listen_url: str | None = None) -> AsyncIterator[Database]:
    database = connect(url, listen_url)
    try:
        yield database
    finally:
        await database.close()


async def work(database: Database, most: int = 60) -> None:
    """Everybody writes and reads at once; every result is the right one."""
    jobs = [
        job(number)
        for number in range(1, most + 1)
        for job in (
            lambda number: database.write(add, number),
            lambda number: database.write(add_alone, number),
            lambda number: database.read(double, number),
        )
    ]
    results = await asyncio.gather(*jobs)

    assert [result for place, result in enumerate(results) if place % 3 == 0] == list(range(1, most + 1))
    assert [result for place, result in enumerate(results) if place % 3 == 2] == list(range(2, 2 * most + 1, 2))
    assert await database.read(numbers) >= set(range(1, most + 1))


async def test_the_proxy_bites(lending: Road) -> None:
    """The negative control: who relies on prepared statements fails behind it."""
    naive = await asyncpg.connect(lending.url)

    assert await naive.fetchval("SELECT $1::int", 1) == 1
    with pytest.raises(asyncpg.InvalidSQLStatementNameError):
        await naive.fetchval("SELECT $1::int", 2)

    naive.terminate()


async def test_behind_a_proxy_that_is_known_nothing_fails(lending: Road, url: str) -> None:
    async with connected(lending.url, listen_url=url) as database:
        with capture_logs() as logs:
            await work(database)

    assert not logs


async def test_behind_a_proxy_that_nobody_spoke_of_nothing_fails_either(lending: Road) -> None:
    async with connected(lending.url) as database:
        with capture_logs() as logs:
            await work(database)
            await work(database, most=100)

    [line] = logs
    assert line["log_level"] == "warning"
    assert "DATABASE_LISTEN_URL" in line["remedy"]


def statement_names(url: str) -> set[str]:
    """What a process that has just begun calls its prepared statements."""

    def names(connection: Connection) -> set[str]:
        double(connection, 1)
        return set(connection.execute(text("SELECT name FROM pg_prepared_statements")).scalars())

    async def ask() -> set[str]:
        async with connected(url) as database:
            return await database.write(names)

    return asyncio.run(ask())


async def test_a_prepared_statement_is_never_taken_for_another_one(url: str) -> None:
    """Behind a proxy a name may stand for what another process has prepared: so no two processes share one."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        ours, theirs = await asyncio.gather(*(loop.run_in_executor(processes, statement_names, url) for _ in range(2)))

    assert len(ours) == len(theirs) >= 2
    assert not ours & theirs


async def test_what_was_under_way_when_the_road_was_cut_is_done_once_it_is_mended(way: Road, url: str) -> None:
    async with connected(way.url, listen_url=url) as database:
        await work(database, most=20)
        working = asyncio.create_task(work(database, most=200))
        await asyncio.sleep(0.01)
        way.cut()
        await asyncio.sleep(0.05)
        way.heal()

        await working


async def test_a_road_that_stays_cut_is_said_so(way: Road, url: str) -> None:
    async with connected(way.url, listen_url=url) as database:
        await work(database, most=5)
        way.cut()

        with pytest.raises(DatabaseUnreachable):
            await database.read(numbers)


async def test_a_road_that_hangs_only_makes_people_wait(way: Road, url: str) -> None:
    async with connected(way.url, listen_url=url) as database:
        await work(database, most=5)
        way.hang()
        working = asyncio.create_task(work(database, most=50))
        await asyncio.sleep(0.05)
        assert not working.done()
        way.heal()

        await working


async def test_a_cancelled_transaction_leaves_a_good_connection_behind(way: Road, url: str) -> None:
    async with connected(way.url, listen_url=url) as database:
        way.hang()
        given_up = [asyncio.create_task(database.write(add, number)) for number in range(1, 30)]
        await asyncio.sleep(0.05)
        for task in given_up:
            task.cancel()
        way.heal()
        await asyncio.wait(given_up)

        await work(database)


async def test_a_hint_wakes_the_others(url: str) -> None:
    woken = asyncio.Event()
    async with connected(url) as one, connected(url) as other, asyncio.TaskGroup() as group:
        listening = group.create_task(other.listen(woken.set))
        await asyncio.wait_for(woken.wait(), 10)  # once it listens, as it may have missed some
        woken.clear()

        await one.write(notify)

        await asyncio.wait_for(woken.wait(), 10)
        listening.cancel()


async def test_hints_pass_by_the_proxy(lending: Road, url: str) -> None:
    woken = asyncio.Event()
    async with connected(lending.url, listen_url=url) as database, asyncio.TaskGroup() as group:
        listening = group.create_task(database.listen(woken.set))
        await asyncio.wait_for(woken.wait(), 10)
        woken.clear()

        await database.write(notify)

        await asyncio.wait_for(woken.wait(), 10)
        listening.cancel()


async def test_who_listens_on_a_road_that_was_cut_listens_again(url: str) -> None:
    woken = asyncio.Event()
    async with road(url) as way, connected(way.url) as database, asyncio.TaskGroup() as group:
        listening = group.create_task(database.listen(woken.set))
        await asyncio.wait_for(woken.wait(), 10)
        woken.clear()

        way.cut()
        await asyncio.sleep(0.05)
        way.heal()

        await asyncio.wait_for(woken.wait(), 10)
        listening.cancel()


async def test_a_hint_of_a_transaction_that_failed_is_none(url: str) -> None:
    heard: asyncio.Queue[None] = asyncio.Queue()

    def fail(connection: Connection) -> None:
        notify(connection)
        raise LookupError

    async with connected(url) as database, asyncio.TaskGroup() as group:
        listening = group.create_task(database.listen(lambda: heard.put_nowait(None)))
        await asyncio.wait_for(heard.get(), 10)
        with pytest.raises(LookupError):
            await database.write(fail)
        await database.write(notify)
        await asyncio.wait_for(heard.get(), 10)
        listening.cancel()

    assert heard.empty()
