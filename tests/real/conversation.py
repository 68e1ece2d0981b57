"""One conversation: the program as a process of its own, people on a stage, and the model's server behind a tap."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from sqlalchemy import Connection, select

from core.schema import sessions, turns
from core.store import Database, connect
from tests.process import ROOT, process
from tests.real.questions import Question
from tests.real.tap import Tap
from tests.real.verdict import Told
from tests.stage import Stage

_DRAINED = 60.0
"""Seconds within which the program ends when it is told to."""

_LAST_WORDS = 1000
"""Characters of a log that are told where a process ends by itself."""

Counting = Callable[[str], Awaitable[int]]
"""How many tokens a text is to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where a conversation is held: people, the model's server and how it counts, and a folder for what is kept.

    `patience` is how many seconds the program may take over one question. It gives up by itself after ten minutes.
    """

    stage: Stage
    tap: Tap
    count: Counting
    folder: Path
    environment: Mapping[str, str]
    patience: float = 900.0


async def converse(room: Room, questions: Iterable[Question]) -> AsyncGenerator[Told, None]:
    """Asks one after the other, each when the program has done with the one before; ends early where it never has."""
    url = f"sqlite:///{room.folder}/backscroll.db"
    async with process(room.folder, "migrate", DATABASE_URL=url) as migrating:
        await migrating.communicate()
    database = connect(url)
    try:
        async with _program(room, url) as running:
            for number, question in enumerate(questions, 1):
                told = await _ask(room, database, running, number, question)
                yield told
                if not told.over:
                    return
    finally:
        await database.close()


@asynccontextmanager
async def _program(room: Room, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program, which writes its log into the folder; it is told to end when all is said."""
    path = room.folder / "backscroll.log"
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(room.folder)}
    with path.open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bots",
            "run",
            room.stage.platform,
            cwd=room.folder,
            env={**surroundings, "DATABASE_URL": url, **room.stage.environment(), **room.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield running
        if running.returncode is None:
            running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_DRAINED):
            await running.wait()
        if running.returncode:
            raise RuntimeError(f"the program ended with {running.returncode}: {last_words(path)}")
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


def last_words(log: Path) -> str:
    """The end of what a process has written there."""
    return log.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:]


async def _ask(
    room: Room, database: Database, running: asyncio.subprocess.Process, number: int, question: Question
) -> Told:
    before, asked, began = {one.id for one in room.stage.shown()}, len(room.tap.requests), monotonic()
    message = await room.stage.say(question.text, author=question.author)
    over = await _over(room, database, running, message)
    shown = [one for one in room.stage.shown() if one.id not in before]
    texts = tuple(one.text for one in shown)
    return Told(
        number=number,
        author=question.author,
        seconds=monotonic() - began,
        texts=texts,
        tokens=await room.count("\n".join(texts)),
        why=await database.read(_why, message),
        over=over and all(one.done for one in shown),
        requests=tuple(room.tap.requests[asked:]),
    )


async def _over(room: Room, database: Database, running: asyncio.subprocess.Process, message: str) -> bool:
    """Waits until the program has done with this message; False where it ends or our patience does."""
    ends = monotonic() + room.patience
    while running.returncode is None and monotonic() < ends:
        if await database.read(is_over, message):
            return True
        await asyncio.sleep(0.1)  # a database tells nobody
    return False


def is_over(connection: Connection, message: str) -> bool:
    """Whether the program has heard this message, and has done with it."""
    if connection.execute(select(turns.c.seq).where(turns.c.message == message)).first() is None:
        return False
    rows = connection.execute(select(sessions.c.waiting, sessions.c.due_at)).all()
    return all(waiting == 0 and due_at is None for waiting, due_at in rows)


def _why(connection: Connection, message: str) -> str | None:
    """The error's name, as the program recorded it, where it told the asker why there is no answer."""
    error = connection.execute(select(turns.c.error).where(turns.c.message == message)).scalar()
    return None if error is None else str(error).partition(":")[0]
