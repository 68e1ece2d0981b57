"""The floor on SQLite: the standard library's driver with hand-written SQL, and one commit for all who wait.

One thread writes and one reads, as a program must that may not block its event loop; `synchronous=FULL`.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, TypeVar

import migrations
from benchmarks.contenders import TEXT, TOKENS, WINDOW, Contender
from core.store import connect

T = TypeVar("T")
_Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]


class Worker:
    """One thread with one connection. Whatever has queued up shares one transaction, and one wake-up of the loop."""

    def __init__(self, path: Path, begin: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._begin = begin
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, future))
        return await future

    async def close(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            jobs = [first]
            try:
                while len(jobs) < 256:
                    job = self._queue.get_nowait()
                    if job is None:
                        self._queue.put(None)
                        break
                    jobs.append(job)
            except Empty:
                pass
            self._connection.execute(self._begin)
            done = [(future, work(self._connection)) for work, future in jobs]
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_settle, done)


def _settle(done: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, result in done:
        future.set_result(result)


class _Raw(Contender):
    kind: ClassVar[str] = "raw"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = count(1)

    async def open(self) -> None:
        self._writer, self._reader = Worker(self._path, "BEGIN IMMEDIATE"), Worker(self._path, "BEGIN")

    async def size(self) -> int:
        def pages(connection: sqlite3.Connection) -> int:
            return int(
                connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[
                    0
                ]
            )

        return int(await self._writer.run(pages))

    async def close(self) -> None:
        await self._writer.close()
        await self._reader.close()


class Bare(_Raw):
    """Three statements on the tables of openai-agents: load, append, append."""

    name: ClassVar[str] = "raw: peers' work"

    async def open(self) -> None:
        await super().open()
        await self._writer.run(_make_bare)

    async def fill(self, histories: Mapping[int, int]) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            for session, length in histories.items():
                connection.executemany(_APPEND, ((str(session), _packed("user", TEXT)) for _ in range(length)))

        await self._writer.run(insert)

    async def cycle(self, session: int) -> int:
        loaded = await self._reader.run(
            lambda connection: [json.loads(row[0]) for row in connection.execute(_LOAD, (str(session), WINDOW))]
        )
        for role in ("user", "assistant"):
            row = (str(session), _packed(role, TEXT))
            await self._writer.run(partial(_append, row))
        return len(loaded)


def _append(row: tuple[str, str], connection: sqlite3.Connection) -> int:
    return connection.execute(_APPEND, row).rowcount


def _packed(role: str, words: str) -> str:
    return json.dumps({"role": role, "content": words})


def _make_bare(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, "
        "message_data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
    )
    connection.execute("CREATE INDEX of_session ON messages (session_id, id)")


_APPEND = "INSERT INTO messages (session_id, message_data) VALUES (?, ?)"
_LOAD = "SELECT message_data FROM messages WHERE session_id = ? ORDER BY id DESC LIMIT ?"


class Same(_Raw):
    """What Backscroll stores and guards for one turn, on its own tables, in as few statements as SQLite needs."""

    name: ClassVar[str] = "raw: our work"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._owed: list[tuple[int, int, int]] = []

    async def open(self) -> None:
        database = connect(f"sqlite:///{self._path}")
        await database.write(migrations.upgrade)
        await database.close()
        await super().open()

    async def fill(self, histories: Mapping[int, int]) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO workspaces (workspace, platform, name, sessions) "
                "VALUES (1, 'console', 'local', 0)"
            )
            for session, length in histories.items():
                connection.execute(_BEAR, (session, _place(session), length // 2))
                connection.executemany(_SAID, _history(session, length))

        await self._writer.run(insert)

    async def cycle(self, session: int) -> int:
        number, at = next(self._numbers), int(time.time() * 1000)
        seq, fence = await self._writer.run(lambda connection: _accept(connection, session, number, at))
        loaded = await self._reader.run(lambda connection: _window(connection, session))
        await self._writer.run(lambda connection: _answer(connection, session, seq, fence, at))
        await self._after(session, seq, fence)
        return len(loaded)

    async def _after(self, session: int, seq: int, fence: int) -> None:
        self._owed.append((session, seq, fence))

    async def _receive(self, session: int, seq: int, fence: int) -> None:
        await self._writer.run(lambda connection: _receive(connection, session, seq, fence))

    async def settle(self) -> None:
        await asyncio.gather(*(self._receive(*owed) for owed in self._owed))
        self._owed.clear()


class SameWithReceipt(Same):
    """The same, with the receipt and the end of the turn inside the clock."""

    name: ClassVar[str] = "raw: our work, receipt"
    receipt: ClassVar[bool] = True

    async def _after(self, session: int, seq: int, fence: int) -> None:
        await self._receive(session, seq, fence)


def _place(session: int) -> str:
    return f"console:local:main:{session}"


def _history(session: int, length: int) -> list[tuple[object, ...]]:
    return [
        (
            session,
            place // 2 + 1,
            place % 2,
            place * 1_000_000,
            TOKENS,
            None if place % 2 else f"{1_600_000_000 + place}.000100",
            None if place % 2 else f"U{session:08}",
            None if place % 2 else "Ada",
            "m" if place % 2 else None,
            TEXT.encode(),
        )
        for place in range(length)
    ]


_BEAR = """
INSERT INTO sessions (workspace, session, address, platform, channel, tail, waiting, live_since,
    backscroll_read, segment, start, fence, attempts, touched_at)
VALUES (1, ?, ?, 'console', 'console:local:main', ?, 0, 0, 1, 0, -2147483648, 1, 0, 0)
"""
_SAID = """
INSERT INTO turns (workspace, session, seq, role, kind, progress, at, tokens, message, author, name, model, body)
VALUES (1, ?1, ?2, ?3, ?3 * 3, 2, ?4, ?5, ?, ?, ?, ?, ?)
"""
_EXTEND = """
UPDATE sessions SET tail = tail + 1, waiting = waiting + 1, touched_at = :at, live_since = coalesce(live_since, :at),
    owner = CASE WHEN due_at IS NULL THEN :owner ELSE owner END, fence = fence + (due_at IS NULL),
    attempts = attempts + (due_at IS NULL), due_at = coalesce(due_at, :at + 30000)
WHERE workspace = 1 AND address = :place RETURNING session, tail, fence
"""
_ASK = """
INSERT INTO turns (workspace, session, seq, role, kind, progress, at, tokens, message, author, name, slip, body)
VALUES (1, ?, ?, 0, 0, 0, ?, ?, ?, ?, 'Ada', '{"direct": true}', ?) ON CONFLICT DO NOTHING
"""
_NEWEST = """
SELECT seq, role, kind, progress, validity, body, tokens, at, author, name FROM turns
WHERE workspace = 1 AND session = ?1 AND kind <> 2 AND progress NOT IN (0, 5) AND validity IN (0, 2)
    AND seq > (SELECT start FROM sessions WHERE workspace = 1 AND session = ?1)
ORDER BY seq DESC, role DESC LIMIT ?2
"""
_ANSWERED = """
UPDATE turns SET progress = 1 WHERE workspace = 1 AND session = ?1 AND seq = ?2 AND role = 0 AND progress = 0
    AND EXISTS (SELECT 1 FROM sessions WHERE workspace = 1 AND session = ?1 AND fence = ?3)
"""
_ANSWER = """
INSERT INTO turns (workspace, session, seq, role, kind, progress, at, tokens, model, body)
VALUES (1, ?, ?, 1, 3, 2, ?, ?, 'm', ?)
"""
_INTEND = "INSERT INTO deliveries (workspace, session, seq, part, state, tries) VALUES (1, ?, ?, 0, 2, 1)"
_BILL = """
INSERT INTO usage (workspace, day, author, model, answers, shown, cached, written) VALUES (1, ?, ?, 'm', 1, ?, 0, ?)
ON CONFLICT (workspace, day, author, model) DO UPDATE SET answers = answers + 1, shown = shown + excluded.shown,
    written = written + excluded.written
"""
_SHOWN = """
UPDATE deliveries SET state = 3, message = ?, body = NULL, draft = NULL, due_at = NULL
WHERE workspace = 1 AND session = ? AND seq = ? AND part = 0 AND message IS NULL
"""
_OVER = """
UPDATE turns SET progress = 2, slip = NULL
WHERE workspace = 1 AND session = ? AND seq = ? AND role = 0 AND progress IN (0, 1)
"""
_FREE = """
UPDATE sessions SET waiting = waiting - 1, attempts = 0, owner = NULL, due_at = CASE WHEN waiting > 1 THEN due_at END
WHERE workspace = 1 AND session = ? AND fence = ? RETURNING waiting
"""


def _accept(connection: sqlite3.Connection, session: int, number: int, at: int) -> tuple[int, int]:
    owner = f"a-host:6e1f4a52-87a4-4d0c-93c7-5a1e8a1f3c55:12345:{number}"
    _, seq, fence = connection.execute(_EXTEND, {"at": at, "place": _place(session), "owner": owner}).fetchone()
    message = f"{1_700_000_000 + number}.000100"
    connection.execute(_ASK, (session, seq, at * 1000, TOKENS, message, f"U{session:08}", TEXT.encode()))
    return seq, fence


def _window(connection: sqlite3.Connection, session: int) -> list[tuple[object, ...]]:
    return [(*row[:5], row[5].decode(), *row[6:]) for row in connection.execute(_NEWEST, (session, WINDOW))]


def _answer(connection: sqlite3.Connection, session: int, seq: int, fence: int, at: int) -> None:
    if connection.execute(_ANSWERED, (session, seq, fence)).rowcount != 1:
        raise RuntimeError("the lease is lost, or the turn has been answered")
    body = TEXT.encode()
    connection.execute(_ANSWER, (session, seq, at * 1000, TOKENS, body))
    connection.execute(_INTEND, (session, seq))
    connection.execute(_BILL, (at // 86_400_000, f"U{session:08}", WINDOW * TOKENS, TOKENS))


def _receive(connection: sqlite3.Connection, session: int, seq: int, fence: int) -> int:
    connection.execute(_SHOWN, (f"{1_700_000_000 + seq}.000200", session, seq))
    connection.execute(_OVER, (session, seq))
    return int(connection.execute(_FREE, (session, fence)).fetchone()[0])
