"""SQLite: one writer thread and one reader thread, each with a connection of its own.

The writer takes whatever has queued up, runs each function in a savepoint and commits them together, so that many
sessions share one fsync (`synchronous=FULL`); the reader reads beside it (WAL). Measured at over twenty times
SQLAlchemy over aiosqlite.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from core.store.engine.complaints import Moved, of_sqlite
from core.store.engine.copying import in_place
from core.store.engine.sql import is_erasing
from core.store.engine.threads import Job, Thread, driver_of

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = 30  # seconds that a transaction waits for those of other processes
_CHECKPOINT = 4000  # pages, 16 MB: what is written again and again is copied home, with two fsyncs, less often
_CLEAN_AGAIN = 2.0  # seconds between two attempts to clean up
_CLEAN_FOR_OTHERS = 3  # times as long as what we have erased ourselves waits
_BRIEFLY = 0.05  # seconds that writers wait at most while somebody reads
_LOOK_AGAIN = 0.0005  # seconds between two attempts of that; a transaction takes about as long


class SQLite:
    """A `Database` in a file. What is erased has left its last trace `clean_after` seconds later."""

    def __init__(self, url: URL, *, clean_after: float) -> None:
        self._path = url.database or ""
        self._clean_after = clean_after
        self._cleaning: asyncio.Task[None] | None = None
        self._cleaning_for_others: asyncio.Task[None] | None = None
        self._erasures = 0
        file = _File(self._path)
        writing, reading = _engine(url, file, _begin_to_write, "busy_timeout=0"), _engine(url, file, _begin_to_read)
        named = partial(of_sqlite, path=str(Path(self._path).absolute()))
        self._writer = Thread("sqlite-writer", _write_batch, writing, named)
        self._reader = Thread("sqlite-reader", _read_batch, reading, named)

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """In the writer's next commit. What it erases is soon in no file any more, nor what an earlier process has."""
        result = await self._writer.submit(lambda connection: function(connection, *args, **kwargs))
        self._erasures += is_erasing(function)
        if self._cleaning is None or (is_erasing(function) and self._cleaning.done()):
            self._cleaning = asyncio.create_task(self._clean())
        if self._cleaning_for_others is None:
            self._cleaning_for_others = asyncio.create_task(self._clean_for_others())
        return result

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """On the reader's thread, all functions that wait there at one moment of the database."""
        return await self._reader.submit(lambda connection: function(connection, *args, **kwargs))

    async def listen(self, wake: Callable[[], None]) -> None:
        """Hears nothing, ever."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Ends both threads, when they have done what they were given, and cleans up what is left to be."""
        pending = self._cleaning is not None and not self._cleaning.done()
        tasks = [one for one in (self._cleaning, self._cleaning_for_others) if one is not None]
        for one in tasks:
            one.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._writer.close()
        await self._reader.close()
        if pending:
            await asyncio.to_thread(_emptied, self._path)  # others may have the file open, and know nothing of it

    async def _clean(self) -> None:
        """Erased words stand in `-wal` until it is copied home and cut off; the pages at home have zeros there.

        What is erased while that is being done may come too late for it.
        """
        before = -1
        while before != self._erasures:
            await asyncio.sleep(self._clean_after)
            before = self._erasures
            while not await asyncio.to_thread(_emptied, self._path):  # noqa: ASYNC110 – a file tells nobody
                await asyncio.sleep(_CLEAN_AGAIN)

    async def _clean_for_others(self) -> None:
        """What another process has erased may be left to us: it was killed, or ended while somebody was reading.

        Nobody tells, so it is done now and then.
        """
        while True:
            await asyncio.sleep(max(_CLEAN_AGAIN, _CLEAN_FOR_OTHERS * self._clean_after))
            await asyncio.to_thread(_emptied, self._path, patience=_BRIEFLY)


def _emptied(path: str, *, patience: float = 1.0) -> bool:
    """Whether the file's `-wal` is empty now: readers and writers of this moment may stand in the way.

    They are waited for so many seconds, in which nobody can write. Where there is no file any more, none is made.
    """
    try:
        connection = sqlite3.connect(in_place(Path(path)), timeout=patience, uri=True)
    except sqlite3.Error:
        return False
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    else:
        return not busy
    finally:
        connection.close()


def _write_batch(connection: Connection, jobs: list[Job[object]]) -> None:
    """All in one transaction; where one fails, which is rare, all are run once more, each in a savepoint of its own.

    A savepoint costs as much as a statement, and has SQLite keep the pages as they were.
    """
    driver = driver_of(connection)
    if len(jobs) == 1 or not _write_together(driver, connection, jobs):
        with connection.begin():
            for job in jobs:
                _run_apart(driver, connection, job)
                _require_transaction(driver)


def _write_together(driver: sqlite3.Connection, connection: Connection, jobs: Sequence[Job[object]]) -> bool:
    """False if a job has failed; then nothing is done."""
    with connection.begin() as transaction:
        try:
            for job in jobs:
                job.run(connection)
                _require_transaction(driver)
        except Exception:  # noqa: BLE001 – it will show again, and then it is known whose it is
            transaction.rollback()
            return False
    return True


def _run_apart(driver: sqlite3.Connection, connection: Connection, job: Job[object]) -> None:
    """Runs a job in a savepoint of its own. The driver makes it: SQLAlchemy's own takes longer than most jobs."""
    driver.execute("SAVEPOINT job")
    try:
        job.run(connection)
        driver.execute("RELEASE job")
    except Exception as error:  # noqa: BLE001 – it belongs to the caller of this one function
        if driver.in_transaction:
            driver.execute("ROLLBACK TO job")
            driver.execute("RELEASE job")
        if _reads_on(driver, error):
            _run_apart(driver, connection, job)
        else:
            job.error = error


def _require_transaction(driver: sqlite3.Connection) -> None:
    if not driver.in_transaction:
        raise OperationalError("COMMIT", None, OSError("SQLite gave the transaction up, as on a full disk"))


def _read_batch(connection: Connection, jobs: list[Job[object]]) -> None:
    with connection.begin():
        for job in jobs:
            _read(driver_of(connection), connection, job)


def _read(driver: sqlite3.Connection, connection: Connection, job: Job[object]) -> None:
    try:
        job.run(connection)
    except Exception as error:  # noqa: BLE001 – it belongs to the caller of this one function
        if _reads_on(driver, error):
            _read(driver, connection, job)
        else:
            job.error = error


def _reads_on(driver: sqlite3.Connection, error: Exception) -> bool:
    """Whether text was damaged, and is from now on read as far as it can be, which takes longer.

    The driver refuses every row of an answer with such text in it, and quotes it.
    """
    own = getattr(error, "orig", error)
    if driver.text_factory is not str or not str(own).startswith("Could not decode to UTF-8"):
        return False
    driver.text_factory = _readable
    return True


def _begin_to_read(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Connection) -> None:
    """Waits until no other process writes.

    SQLite's own way is to look less and less often, in the end ten times a second, so that beside a busy process it
    hardly ever finds the moment between two transactions: measured, a single write then waits for up to 0.8 seconds.
    """
    driver = driver_of(connection)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            return


def _engine(url: URL, file: "_File", begin: Callable[[Connection], None], *pragmas: str) -> Engine:
    """One connection, whose transactions start with our own BEGIN: the driver would start them late and weakly."""
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=StaticPool,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": _PATIENCE},
    )

    @event.listens_for(engine, "do_connect")
    def keep_private(*_: object) -> None:
        file.require()
        _make_private(url.database)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={_CHECKPOINT}",
            "temp_store=MEMORY",
            "secure_delete=ON",
            *pragmas,
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        file.remember()

    @event.listens_for(engine, "begin")
    def begin_here(connection: Connection) -> None:
        file.require()
        begin(connection)

    return engine


def _readable(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


class _File:
    """The file that was opened first: what is called by its name later may be another one."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._number: int | None = None

    def remember(self) -> None:
        """It is open."""
        self._number = self._number or self._found()

    def require(self) -> None:
        """Raises Moved where it has not its name any more."""
        if self._number is not None and self._found() != self._number:
            raise Moved("another file was put in its place, or it was taken away, while it was open")

    def _found(self) -> int | None:
        """By which the system knows a file, as long as anybody has it open."""
        try:
            return self._path.stat().st_ino
        except OSError:
            return None


def _make_private(path: str | None) -> None:
    """A file that is not there yet is made for its owner alone; SQLite gives `-wal` and `-shm` the same mode."""
    if path and path != ":memory:":
        with suppress(OSError):  # it is there already, or it can't be made, which SQLite will say
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
