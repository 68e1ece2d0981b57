"""A thread with a connection of its own, which works off what has queued up: SQLite's driver blocks its caller."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from core.errors import DatabaseUnreachable
from core.store.engine.prepared import DRIVER, Rows

T = TypeVar("T")

_BATCH = 256  # functions in one commit; bounds how long the first of them waits


class Job(Generic[T]):
    """One function on its way through a thread, and the future that its caller awaits."""

    def __init__(self, function: Callable[[Connection], T]) -> None:
        self.function = function
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T | None = None
        self.error: Exception | None = None

    def run(self, connection: Connection) -> None:
        """In the thread. Raises whatever the function does."""
        self.result = self.function(connection)

    def settle(self) -> None:
        """In the caller's loop, once the outcome is certain."""
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # run() has set it, or error is set


class Thread:
    """One thread with one connection; `serve` works off what has queued up, until None comes. `named` names errors."""

    def __init__(
        self,
        name: str,
        serve: Callable[[Connection, list[Job[object]]], None],
        engine: Engine,
        named: Callable[[Exception], Exception],
    ) -> None:
        self._serve = serve
        self._named = named
        self._engine = engine
        self._connection: Connection | None = None
        self._queue: SimpleQueue[Job[object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = self._closed = False

    async def submit(self, function: Callable[[Connection], T]) -> T:
        """What the function returns. Raises what it raises, or a DatabaseError."""
        if self._closed:
            raise DatabaseUnreachable("it has been closed")
        if not self._started:
            self._started = True
            self._thread.start()
        job = Job(function)
        self._queue.put(job)  # type: ignore[arg-type]  # the queue holds jobs of every kind
        return await job.future

    async def close(self) -> None:
        """What has queued up is still done."""
        self._closed = True
        if self._started:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
        self._let_go()
        self._engine.dispose()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch = [self._queue.get()]
            with suppress(Empty):
                while len(batch) < _BATCH:
                    batch.append(self._queue.get_nowait())
            jobs = [job for job in batch if job is not None]
            open_ = len(jobs) == len(batch)
            if jobs:
                self._run_batch(jobs)

    def _run_batch(self, jobs: list[Job[object]]) -> None:
        try:
            if self._connection is None:
                self._connection = _connected(self._engine)
            self._serve(self._connection, jobs)
        except Exception as error:  # noqa: BLE001 – the commit failed: everyone whose work was in it must know
            for job in jobs:
                job.error = job.error or error
            self._let_go()
        for job in jobs:
            job.error = job.error and self._named(job.error)
        for loop in {job.loop for job in jobs}:
            with suppress(RuntimeError):  # the loop is gone, and with it whoever waited
                loop.call_soon_threadsafe(_settle, [job for job in jobs if job.loop is loop])

    def _let_go(self) -> None:
        """Gives the connection back, which is kept from batch to batch: taking it takes longer than most jobs."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, sqlite3.Error):  # it is given up because it failed
                connection.close()


class _Driver:
    """The standard library's, as `Prepared` statements want it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        """All at once: a statement that is left in the middle by an error would hold on to its moment."""
        return self._execute(text, arguments).fetchall()

    def change(self, text: str, arguments: Sequence[object]) -> int:
        return self._execute(text, arguments).rowcount


def _connected(engine: Engine) -> Connection:
    connection = engine.connect()
    return connection.execution_options(**{DRIVER: _Driver(driver_of(connection))})


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The standard library's connection beneath SQLAlchemy's."""
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is connected
    return driver


def _settle(jobs: Sequence[Job[object]]) -> None:
    """Wakes all whose work was in one commit at once: waking a loop costs more than most statements."""
    for job in jobs:
        job.settle()
