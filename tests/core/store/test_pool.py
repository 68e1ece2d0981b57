"""Connections to a PostgreSQL that outlive what they were made for: a failover, a firewall's patience, a migration."""

import asyncio

import pytest
from sqlalchemy import Connection, text

from core.store import Database
from core.store.engine.sql import alone
from tests.core.store.test_roads import NUMBERS, add, add_alone, work


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


async def test_a_column_that_is_changed_under_a_running_program_fails_nobody(numbers: Database) -> None:
    """Its prepared statements are none any more, which SQLAlchemy tells by an error without the driver's."""
    await work(numbers)
    await numbers.write(order, "ALTER TABLE numbers ALTER COLUMN number TYPE bigint")

    await asyncio.gather(*(numbers.write(one, number) for number in range(1, 40) for one in (add, add_alone)))
