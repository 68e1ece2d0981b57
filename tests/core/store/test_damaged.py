"""What somebody has put into a column by hand, or a disk has changed in it: one thing is lost, and nothing else.

SQLite keeps whatever it is given, of whatever type the column is said to be.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from core.schema import turns
from core.store import Database, audit, bodies, connect
from core.store.sealing import Vault
from core.vault import ring
from tests.core.store.test_audit import NAME, chain
from tests.script import house, memory, rows
from tests.sealed import seal_if_told
from tests.values import message

pytestmark = pytest.mark.in_the_clear

OURS = ring.read(ring.generate())
TEXT, NUMBER, NO_UTF8, BYTES = "'zebra'", "12", "CAST(x'7A65627261FF80' AS TEXT)", "x'7A65627261FF80'"


@pytest.fixture
def dialect() -> str:
    """PostgreSQL takes nothing of another type, and no text that is not UTF-8."""
    return "sqlite"


@pytest.fixture(params=["plain", "sealed"])
def codec(request: pytest.FixtureRequest) -> Iterator[None]:
    """Without a key ring, and with one. What can't be opened is read as it is by operators."""
    bodies.use(Vault(OURS) if request.param == "sealed" else None)
    yield
    seal_if_told()


@pytest.fixture
def harm(url: str) -> Callable[[str], None]:
    """Has the statement done behind everybody's back."""

    def do(statement: str) -> None:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            assert file.execute(statement).rowcount

    return do


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("value", [TEXT, NUMBER, NO_UTF8, BYTES])
@pytest.mark.parametrize("column", ["turns.body", "turns.name", "policies.settings", "preferences.body"])
async def test_a_session_goes_on_without_what_is_not_of_its_type(
    url: str, harm: Callable[[str], None], column: str, value: str
) -> None:
    database = connect(url)
    async with house(database) as running:
        for text in ("the first", "!set zone Europe/Berlin", "!prefer tone dry", "the second"):
            await running.say(message(text))
            await running.over()
        await running.say(message("!unset zone"))
        await running.over()
    await database.close()
    table, name = column.split(".")
    harm(f"UPDATE {table} SET {name} = {value} WHERE rowid = (SELECT min(rowid) FROM {table} WHERE {name} IS NOT NULL)")

    database = connect(url)
    async with house(database, "Third.") as running:
        for text in ("!set zone UTC", "!unset zone", "!prefer tone calm", "the third"):
            await running.say(message(text))
            await running.over()
        assert running.adapter.texts[-1] == "Third."
        assert "the second" in running.model.asked()
    assert len(await memory(database)) == 6
    await database.close()


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("value", [TEXT, NUMBER, NO_UTF8, BYTES])
@pytest.mark.parametrize("column", ["actor", "deed", "hash", "at"])
async def test_a_row_of_the_audit_that_is_not_of_its_type_is_named(
    url: str, harm: Callable[[str], None], column: str, value: str
) -> None:
    database: Database = connect(url)
    workspace = await chain(database, *"abcd")
    harm(f"UPDATE audit SET {column} = {value} WHERE number = 2")

    _, broken = await database.write(audit.verify, workspace, NAME)
    assert broken is not None
    assert (broken.number, broken.why) == (2, "it was changed")
    await database.write(audit.prune, workspace, NAME, before=2**60)
    assert (await database.write(audit.verify, workspace, NAME))[1] == broken
    assert await database.write(audit.mend, workspace, NAME) == broken
    assert (await database.write(audit.verify, workspace, NAME))[1] is None
    await database.close()


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("value", [TEXT, NUMBER, NO_UTF8, BYTES, f"x'{b'9'.hex() * 30}20'", "''"])
@pytest.mark.parametrize("column", ["first", "last"])
async def test_an_end_of_the_audit_that_is_not_of_its_type_is_a_chain_that_is_lost(
    url: str, harm: Callable[[str], None], column: str, value: str
) -> None:
    database: Database = connect(url)
    workspace = await chain(database, *"abcd")
    harm(f"UPDATE audit_chains SET {column} = {value}")

    with pytest.raises(audit.ChainLost):
        await database.write(audit.record, workspace, "e", actor=None)
    assert await database.write(audit.mend, workspace, NAME) is not None
    assert (await database.write(audit.verify, workspace, NAME)) == (1, None)
    await database.close()


async def test_what_a_driver_can_not_read_is_not_quoted_in_an_error(url: str, harm: Callable[[str], None]) -> None:
    """It would be logged with it."""
    database = connect(url)
    async with house(database) as running:
        await running.say(message("the first"))
        await running.over()
    harm(f"UPDATE turns SET name = {NO_UTF8}")

    (first, _) = (await rows(database, turns))[:2]
    assert first.name == "zebra\ufffd\ufffd"
    await database.close()
