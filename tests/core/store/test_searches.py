"""What is done for certain sessions looks through no others, however many there are, as SQLite tells."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, event

from core.schema import sessions
from core.session import Lease, SessionKey
from core.store import Database, queue, timeouts
from core.store.engine.sql import among
from tests.script import house
from tests.values import HERE, message

NOBODY = SessionKey(workspace=1, session=99, address=HERE)


@pytest.fixture
def dialect() -> str:
    """PostgreSQL decides by how much there is."""
    return "sqlite"


def searches(connection: Connection, do: Callable[[Connection], object]) -> list[str]:
    """How the database looks for what each statement of this is about."""
    done = list[tuple[str, tuple[object, ...]]]()

    def note(_connection, _cursor, statement, parameters, _context, many) -> None:
        done.append((statement, parameters[0] if many else parameters))

    event.listen(connection, "before_cursor_execute", note)
    do(connection)
    event.remove(connection, "before_cursor_execute", note)
    return [
        row.detail
        for statement, parameters in done
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]


def through_all(found: list[str]) -> list[str]:
    return [one for one in found if one.startswith(("SCAN sessions", "SCAN segments"))]


async def test_sessions_are_timed_out_by_looking_at_them_alone(database: Database) -> None:
    async with house(database) as running:
        for thread in ("one", "two", "three"):
            await running.say(message("hello", address=replace(HERE, thread=thread)))
        await running.over()
    over = await database.read(timeouts.present, HERE.platform, after=timeouts.FIRST, most=99)

    found = await database.write(searches, lambda connection: timeouts.time_out(connection, over))

    assert len(over) == 3
    assert any(one.startswith("SEARCH sessions") for one in found)
    assert through_all(found) == []


async def test_leases_are_renewed_by_looking_at_them_alone(database: Database) -> None:
    leases = [Lease(key=NOBODY, fence=number, attempts=1, backscroll_read=True) for number in (1, 2)]

    found = await database.write(searches, lambda connection: queue.renew(connection, leases, lease=9.0))

    assert any(one.startswith("SEARCH sessions") for one in found)
    assert through_all(found) == []


async def test_none_of_no_sessions_is_found(database: Database) -> None:
    def number(connection: Connection) -> int:
        return len(
            connection.execute(sessions.select().where(among(sessions.c.workspace, sessions.c.session, []))).all()
        )

    async with house(database) as running:
        await running.say(message("hello"))
        await running.over()

    assert await database.read(number) == 0
