"""What one process has erased of a SQLite file and could not clean up: another one that goes on does."""

import asyncio
from contextlib import closing
from sqlite3 import connect as opened

import pytest
from sqlalchemy import update

from core.schema import turns
from core.store import Connection, connect, sqlite_files
from tests.script import house
from tests.values import message

pytestmark = pytest.mark.in_the_clear


def _take_out(connection: Connection) -> None:
    connection.execute(update(turns).values(body=b""))


def _found(url: str) -> list[str]:
    return [file.name for file in sqlite_files(url) if file.exists() and b"zebra" in file.read_bytes()]


@pytest.fixture
def dialect() -> str:
    """PostgreSQL's server has its files for itself."""
    return "sqlite"


@pytest.mark.parametrize("end", ["killed", "somebody reads"])
async def test_what_a_process_has_erased_before_it_ended_is_in_no_file_soon(url: str, end: str) -> None:
    """Also where it could not see to that itself."""
    staying, leaving = connect(url, clean_after=0.05), connect(url, clean_after=600.0)
    async with house(staying) as running:
        await running.say(message("zebra"))
        await running.over()
    async with asyncio.timeout(20):
        while sqlite_files(url)[1].stat().st_size:  # noqa: ASYNC110 – what it cleans up at its start
            await asyncio.sleep(0.05)
    with closing(opened(sqlite_files(url)[0])) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turns").fetchone()
        await leaving.write(_take_out)
        if end == "somebody reads":
            await leaving.close()
        assert _found(url)

    async with asyncio.timeout(20):
        while _found(url):  # noqa: ASYNC110 – a file tells nobody
            await asyncio.sleep(0.05)
    await leaving.close()
    await staying.close()
