"""How functions are run as transactions."""

import asyncio

import pytest
from sqlalchemy import Connection, text

from core.errors import ConfigurationError, DatabaseUnreachable
from core.store import Database, connect


def add(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
    return number


def total(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()


def fail_after(connection: Connection, number: int) -> None:
    add(connection, number)
    raise LookupError(number)


@pytest.fixture
async def numbers(database: Database) -> Database:
    await database.write(lambda connection: connection.execute(text("CREATE TABLE numbers (number INTEGER)")) and None)
    return database


async def test_what_a_write_has_returned_every_read_sees(numbers: Database) -> None:
    for number in range(20):
        assert await numbers.write(add, number) == number

        assert await numbers.read(total) == number + 1


async def test_one_failing_function_takes_nobody_elses_work_back(numbers: Database) -> None:
    """Many functions share a commit on SQLite; each stands or falls alone."""
    jobs = [numbers.write(fail_after if number % 7 == 0 else add, number) for number in range(100)]

    results = await asyncio.gather(*jobs, return_exceptions=True)

    failed = [number for number, result in enumerate(results) if isinstance(result, LookupError)]
    assert failed == list(range(0, 100, 7))
    assert await numbers.read(total) == 100 - len(failed)


async def test_a_caller_that_gives_up_does_not_disturb_the_others(numbers: Database) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(numbers.write(add, number)) for number in range(50)]
        await asyncio.sleep(0)
        tasks[3].cancel()

    assert await numbers.read(total) >= 49


async def test_a_database_that_can_not_be_reached_is_said_so(tmp_path: object) -> None:
    database = connect(f"sqlite:///{tmp_path}/no/such/folder/file.db")

    with pytest.raises(DatabaseUnreachable, match="unable to open"):
        await database.write(total)

    await database.close()


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("nonsense", "sqlite:///FILE"),
        ("mysql://localhost/x", "postgresql://"),
        ("sqlite://", "sqlite:///FILE"),
        ("sqlite:///:memory:", "sqlite:///FILE"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        connect(url)
