"""How a plain function of a `Connection` is run as one transaction, on SQLite and on PostgreSQL.

SQLite: one writer thread takes whatever has queued up, runs each function in a savepoint and commits them together, so
that many sessions share one fsync (`synchronous=FULL`); one reader thread reads beside it (WAL). Measured at over
twenty times SQLAlchemy over aiosqlite. PostgreSQL: the async engine with asyncpg, which batches commits by itself.

A function may be run again when the outcome of its commit is unknown, so every one of them is repeatable.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from inspect import signature
from queue import Empty, SimpleQueue
from random import random
from typing import Concatenate, Generic, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from core.errors import ConfigurationError, DatabaseError, DatabaseUnreachable

P = ParamSpec("P")
T = TypeVar("T")

_BATCH = 256  # functions in one commit; bounds how long the first of them waits
_TRIES = 6  # with the back-off below, about 3 seconds: a database that restarts at once is not noticed
_OPTIONS = frozenset(signature(asyncpg.connect).parameters)  # what may stand behind the question mark of a URL
_RETRIED = ("08", "23505", "25006", "40001", "40P01", "53", "55P03", "57")
"""SQLSTATEs after which a whole transaction is run again: lost connection, two births at once, a server that is being
replaced, serialization, deadlock, no resources, lock not available, cancelled or shutting down."""


class Database(ABC):
    """Runs functions of a `Connection` as transactions, without blocking the event loop."""

    @abstractmethod
    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the function in a transaction, and returns its result once that is committed durably.

        What the function raises rolls its transaction back and is raised here. The driver's own errors become
        DatabaseError, DatabaseUnreachable where the same may succeed later; they never hold what people wrote.
        """

    @abstractmethod
    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a function that only reads; it sees all that `write` has returned. Raises DatabaseUnreachable."""

    @abstractmethod
    async def close(self) -> None:
        """Lets go of all connections, after what is queued has been run."""


def connect(url: str) -> Database:
    """The database behind `DATABASE_URL`; nothing is contacted yet. Raises ConfigurationError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # whose words may hold the password
        raise ConfigurationError(
            "DATABASE_URL is not a database URL; use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return _SQLite(parsed)
        case "sqlite":
            raise ConfigurationError("DATABASE_URL names no file; use sqlite:///FILE, since a session must survive us")
        case "postgresql" | "postgres":
            return _PostgreSQL(parsed)
        case other:
            raise ConfigurationError(f"DATABASE_URL asks for {other}; use sqlite:///FILE or postgresql://…")


class _Job(Generic[T]):
    """One function on its way through a thread, and the future that its caller awaits."""

    def __init__(self, function: Callable[[Connection], T]) -> None:
        self.function = function
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        self.result = self.function(connection)

    def settle(self) -> None:
        with suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # run() has set it, or error is set


class _Thread:
    """One thread with one connection; `serve` works off what has queued up, until None comes."""

    def __init__(self, name: str, serve: Callable[[Connection, list[_Job[object]]], None], engine: Engine) -> None:
        self._serve = serve
        self._engine = engine
        self._queue: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = self._closed = False

    async def submit(self, function: Callable[[Connection], T]) -> T:
        if self._closed:
            raise DatabaseUnreachable("it has been closed")
        if not self._started:
            self._started = True
            self._thread.start()
        job = _Job(function)
        self._queue.put(job)  # type: ignore[arg-type]  # the queue holds jobs of every kind
        return await job.future

    async def close(self) -> None:
        self._closed = True
        if self._started:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
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

    def _run_batch(self, jobs: list[_Job[object]]) -> None:
        try:
            with self._engine.connect() as connection:
                self._serve(connection, jobs)
        except Exception as error:  # noqa: BLE001 – the commit failed: everyone whose work was in it must know
            for job in jobs:
                job.error = job.error or _named(error)
        for job in jobs:
            job.settle()


class _SQLite(Database):
    def __init__(self, url: URL) -> None:
        self._writer = _Thread("sqlite-writer", _write_batch, _sqlite_engine(url, "BEGIN IMMEDIATE"))
        self._reader = _Thread("sqlite-reader", _read_batch, _sqlite_engine(url, "BEGIN"))

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._writer.submit(lambda connection: function(connection, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._reader.submit(lambda connection: function(connection, *args, **kwargs))

    async def close(self) -> None:
        await self._writer.close()
        await self._reader.close()


def _write_batch(connection: Connection, jobs: list[_Job[object]]) -> None:
    with connection.begin():
        for job in jobs:
            try:
                with connection.begin_nested():
                    job.run(connection)
            except Exception as error:  # noqa: BLE001 – it belongs to the caller of this one function
                job.error = _named(error)
        if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]  # it is connected
            raise OperationalError("COMMIT", None, OSError("SQLite gave the transaction up, as on a full disk"))


def _read_batch(connection: Connection, jobs: list[_Job[object]]) -> None:
    with connection.begin():
        for job in jobs:
            try:
                job.run(connection)
            except Exception as error:  # noqa: BLE001 – it belongs to the caller of this one function
                job.error = _named(error)


def _sqlite_engine(url: URL, begin: str) -> Engine:
    """One connection, whose transactions start with our own BEGIN: the driver would start them late and weakly."""
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=StaticPool,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": 30},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's connection, which the event leaves untyped
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


class _PostgreSQL(Database):
    def __init__(self, url: URL) -> None:
        query = dict(url.query)
        if "sslmode" in query:  # libpq's word for it, as hosting providers write it; asyncpg's is `ssl`
            query["ssl"] = query.pop("sslmode")
        for option in query:
            if option not in _OPTIONS:
                raise ConfigurationError(f"DATABASE_URL: asyncpg does not know the option {option}: remove it")
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg", query=query),
            pool_size=16,
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,
            connect_args={
                "timeout": 10,
                "command_timeout": 60,
            },  # seconds; a connection that leads nowhere must not hang
        )

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._transact(lambda connection: function(connection, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._transact(lambda connection: function(connection, *args, **kwargs))

    async def close(self) -> None:
        await self._engine.dispose()

    async def _transact(self, function: Callable[[Connection], T]) -> T:
        for attempt in range(_TRIES):
            try:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(function)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if not _passes(error) or attempt == _TRIES - 1:
                    raise _named(error) from None
            await asyncio.sleep(0.1 * 2**attempt * (0.5 + random()))  # noqa: S311 – jitter, not a secret
        raise AssertionError("unreachable")


def _passes(error: Exception) -> bool:
    """Whether the same transaction may succeed a moment later."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, NoConnection | OSError | TimeoutError)
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or (isinstance(state, str) and state.startswith(_RETRIED))


def _named(error: Exception) -> Exception:
    """Our error for the driver's: the first line of its own words, without a statement or its parameters."""
    if not isinstance(error, SQLAlchemyError | OSError | TimeoutError):
        return error
    own = error.orig if isinstance(error, DBAPIError) else error
    words = str(own).strip().partition("\n")[0].rpartition("'>: ")[2] or type(own).__name__
    away = _passes(error) or isinstance(error, OperationalError | InterfaceError)
    return DatabaseUnreachable(words) if away else DatabaseError(words)
