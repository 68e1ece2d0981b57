"""Connections to a PostgreSQL that outlive what they were made for: a failover, a firewall's patience, a migration."""

import asyncio
import socket
import time
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, Float, bindparam, func, select, text

from core.errors import DatabaseError, DatabaseReadOnly, DatabaseUnreachable
from core.store import Database, connect
from core.store.engine.prepared import Prepared
from core.store.engine.sql import alone
from tests.core.store.test_roads import NUMBERS, add, add_alone, connected, double, work
from tests.wire.postgresql import road

SLEEP = Prepared(lambda _: select(func.pg_sleep(bindparam("seconds", type_=Float))), tuple)


@pytest.fixture
def dialect() -> str:
    """SQLite has no server."""
    return "postgresql"


@pytest.fixture
async def numbers(database: Database) -> Database:
    await database.write(NUMBERS.create)
    return database


@alone
def order(connection: Connection, words: str) -> None:
    connection.execute(text(words))


def line(connection: Connection) -> socket.socket:
    """The socket beneath, which nothing else shows."""
    driver = connection.connection.driver_connection
    assert driver is not None
    found: socket.socket = driver._transport.get_extra_info("socket")
    return found


def named(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def test_what_connected_to_a_server_that_took_no_writes_then_writes_once_it_does(
    numbers: Database, url: str
) -> None:
    """Of a failover some connections are left to a server that is no primary any more, or was none yet."""
    await numbers.write(order, f"ALTER DATABASE {named(url)} SET default_transaction_read_only = on")
    async with connected(url) as database:
        assert await database.read(double, 1) == 2
        with pytest.raises(DatabaseReadOnly):
            await database.write(add, 1)
        await numbers.write(order, f"ALTER DATABASE {named(url)} RESET default_transaction_read_only")

        assert await database.write(add, 1) == 1


async def test_of_many_connections_that_are_dead_and_do_not_say_so_one_alone_is_waited_for(
    numbers: Database, url: str
) -> None:
    """The others would each cost the same again, and there are more of them than tries."""

    def nap(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(0.3)"))

    async with road(url) as way:
        database = connect(way.url, statement_seconds=1.0)
        await asyncio.gather(*(database.write(nap) for _ in range(16)))
        way.forget()
        began = time.monotonic()

        assert await database.write(add, 1) == 1

        assert time.monotonic() - began < 3.0, "more than one was waited for"
        await database.close()


async def test_a_connection_that_says_nothing_is_kept_alive(url: str) -> None:
    """Before the firewalls forget it, of which the least patient wait for four minutes."""

    def looked_at(connection: Connection) -> tuple[int, int]:
        found = line(connection)
        idle = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        return found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), idle

    async with road(url) as way, connected(way.url) as database:
        is_kept, quiet = await database.read(looked_at)

    assert is_kept
    assert quiet <= 120


async def test_a_column_that_is_changed_under_a_running_program_fails_nobody(numbers: Database) -> None:
    """Its prepared statements are none any more, which SQLAlchemy tells by an error without the driver's."""
    await work(numbers)
    await numbers.write(order, "ALTER TABLE numbers ALTER COLUMN number TYPE bigint")

    await asyncio.gather(*(numbers.write(one, number) for number in range(1, 40) for one in (add, add_alone)))


@pytest.mark.parametrize(
    ("limit", "asleep", "stopped"),
    [
        ("idle_in_transaction_session_timeout", 0.0, 0.4),
        ("transaction_timeout", 0.1, 0.4),
        ("transaction_timeout", 1, 0),
    ],
)
async def test_who_was_too_slow_for_the_server_once_is_not_given_up(
    numbers: Database, url: str, limit: str, asleep: float, stopped: float
) -> None:
    """A server that was busy for a moment, or a machine that was stopped, in the midst of a transaction."""
    await numbers.write(order, f"ALTER DATABASE {named(url)} SET {limit} = '200ms'")
    tries: list[int] = []

    def slow(connection: Connection) -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            SLEEP.run(connection, seconds=asleep)
            time.sleep(stopped)
        return add_alone(connection, 5)

    async with connected(url) as database:
        assert await database.write(slow) == 1


async def test_a_server_that_is_full_says_what_it_lacks(numbers: Database, url: str) -> None:
    """And is not said to be wrong, or to be elsewhere."""
    await numbers.write(order, f"ALTER DATABASE {named(url)} CONNECTION LIMIT 0")
    guest = "backscroll_guest"
    if not await numbers.read(lambda one: one.execute(text(f"SELECT 1 FROM pg_roles WHERE rolname = '{guest}'")).all()):
        await numbers.write(order, f"CREATE ROLE {guest} LOGIN")
    async with connected(url.replace(f"//{urlsplit(url).username}:", f"//{guest}:", 1)) as database:
        with pytest.raises(DatabaseUnreachable) as raised:
            await database.read(double, 1)

    assert "too many connections" in str(raised.value)
    assert "max_connections" in raised.value.remedy
    assert "host" not in raised.value.remedy


async def test_a_server_that_gives_us_too_little_time_says_so(numbers: Database, url: str) -> None:
    """Nothing is wrong with its address."""
    await numbers.write(order, f"ALTER DATABASE {named(url)} SET statement_timeout = '20ms'")
    async with connected(url) as database:
        with pytest.raises(DatabaseUnreachable) as raised:
            await database.write(lambda connection: SLEEP.run(connection, seconds=10.0))

    assert "statement_timeout" in raised.value.remedy
    assert "host" not in raised.value.remedy


async def test_a_database_that_lets_nobody_in_any_more_says_what_to_check(numbers: Database, url: str) -> None:
    guest = "backscroll_locked_out"
    if not await numbers.read(lambda one: one.execute(text(f"SELECT 1 FROM pg_roles WHERE rolname = '{guest}'")).all()):
        await numbers.write(order, f"CREATE ROLE {guest} NOLOGIN")
    locked_out = url.replace(f"//{urlsplit(url).username}:", f"//{guest}:", 1)
    for wrong in (locked_out, url.replace(named(url), "nowhere")):
        async with connected(wrong) as database:
            with pytest.raises(DatabaseError) as raised:
                await database.read(double, 1)

        assert "DATABASE_URL" in raised.value.remedy
