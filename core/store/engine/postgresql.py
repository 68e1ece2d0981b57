"""PostgreSQL: a pool of asyncpg's connections, also behind a proxy that lends a connection for one transaction only.

The connections are SQLAlchemy's; the pool and the transactions are ours, since SQLAlchemy's own cost more than the
statements. PostgreSQL batches the commits by itself.

Behind a transaction-pooling proxy (PgBouncer) a prepared statement may be gone with the next transaction. Where
`DATABASE_LISTEN_URL` says that there is such a proxy, none is kept; where nothing says so, the first one that is
missed does. Until then no harm is done: the names of our prepared statements are nobody else's, so that one can be
missing, but never be another one.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import random
from secrets import token_hex
from typing import Concatenate, ParamSpec, TypeVar

import asyncpg
import structlog
from sqlalchemy import URL, AdaptedConnection, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from core.errors import DatabaseError
from core.store.engine import hints, rows
from core.store.engine.addresses import understood
from core.store.engine.complaints import of_asyncpg, of_postgresql
from core.store.engine.prepared import DRIVER, Rows
from core.store.engine.sql import is_alone

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

_CONNECTIONS = 16
_TRIES = 6  # with the back-off below, about 3 seconds: a database that restarts at once is not noticed
_CONNECTS_WITHIN = 10  # seconds; a connection that leads nowhere must not hang
_RETRIED = ("08", "23505", "25006", "40001", "40P01", "53", "55P03", "57")
"""SQLSTATEs after which a whole transaction is run again: lost connection, two births at once, a server that is being
replaced, one that thinks us too slow, serialization, deadlock, no resources, lock not available, cancelled or shutting
down."""
_MISSING = ("26000", "42P05")
"""SQLSTATEs of a prepared statement that is not there, or is there already: somebody swaps our connections."""
_SILENT = (OSError, TimeoutError)
_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, *_SILENT)
"""After which nobody knows what the connection is in; the second is what asyncpg says of one that was ended unseen."""
_ENDED = ("08", "25006", "57P")
"""SQLSTATEs with which a server ends a connection, whose end may be seen only a moment later; or does not take what is
written, as one that is the primary no more, or took it to be read-only when it was made."""
_QUIET, _ASKED_AGAIN, _UNANSWERED = 60, 15, 3
"""Seconds after which a silent connection is asked whether it still stands, seconds to the next time, and how often: a
firewall on the way forgets what says nothing for some minutes, and tells nobody."""


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that is kept alive, and whose prepared statements have names that no other of any process has."""

    __slots__ = ("_own",)

    def __init__(self, protocol: object, transport: asyncio.Transport, *args: object) -> None:
        super().__init__(protocol, transport, *args)
        self._own = token_hex(8)
        _keep_alive(transport.get_extra_info("socket"))

    def _get_unique_id(self, prefix: str) -> str:
        return f"{super()._get_unique_id(prefix)}{self._own}"


def _keep_alive(line: socket.socket) -> None:
    if line.family != socket.AF_UNIX and hasattr(socket, "TCP_KEEPIDLE"):  # macOS has its own ways
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _QUIET)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _ASKED_AGAIN)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _UNANSWERED)


class _Pool:
    """Connections that are between transactions. SQLAlchemy's pool would set each one up anew for every transaction."""

    def __init__(
        self, address: tuple[URL, Mapping[str, object]], *, pooled: bool, seconds: float | None, apart: bool
    ) -> None:
        self._apart = apart
        self.engine = _engine(*address, pooled=pooled, seconds=seconds)
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(_CONNECTIONS)  # first come, first served
        self._is_open = True

    async def run(self, function: Callable[[Connection], T]) -> T:
        async with self._room:
            return await greenlet_spawn(self._run, function)

    async def close(self) -> None:
        """Closes what is idle now; what is under way is closed when it ends."""
        self._is_open = False
        while self._idle:
            await greenlet_spawn(self._idle.pop().close)

    def _run(self, function: Callable[[Connection], T]) -> T:
        connection = self._take()
        try:
            result = function(connection)
        except BaseException as error:
            closed = connection.invalidated or _driver(connection).is_closed()
            lost = closed or isinstance(error, _SILENT) or (_state(error) or "").startswith(_ENDED)
            whole = not lost and not isinstance(error, _LOST) and isinstance(error, Exception)
            self._give_back(connection, whole=whole and not _driver(connection).is_in_transaction())
            if lost:
                self._give_up_idle()
            if closed and isinstance(error, asyncpg.InterfaceError):  # it says so in words alone
                raise ConnectionResetError(str(error)) from error
            raise
        self._give_back(connection, whole=True)
        return result

    def _take(self) -> Connection:
        """The connection that was used last, if it still stands."""
        while self._idle:
            connection = self._idle.pop()
            if not _driver(connection).is_closed():
                return connection
            self._give_back(connection, whole=False)
        return _connected(self.engine, apart=self._apart)

    def _give_up_idle(self) -> None:
        """What has befallen one connection has mostly befallen all: each would be tried for as long as the first."""
        while self._idle:
            connection = self._idle.pop()
            _driver(connection).terminate()  # to say goodbye would take as long again
            self._give_back(connection, whole=False)

    def _give_back(self, connection: Connection, *, whole: bool) -> None:
        if whole and connection.in_transaction():  # SQLAlchemy thinks so since it has run a statement
            connection.rollback()
        if whole and self._is_open:
            self._idle.append(connection)
            return
        if not whole:
            connection.invalidate()
        connection.close()


class PostgreSQL:
    """A `Database` on a server. `listen_url` leads past a transaction-pooling proxy, and says that there is one.

    `seconds` is how long a statement may take; None is for ever. With `apart`, every function is run in a transaction
    that says for which workspace it is.
    """

    def __init__(self, url: URL, listen_url: URL | None = None, *, seconds: float | None, apart: bool = False) -> None:
        self._apart = apart
        self._address = understood(url, "DATABASE_URL")
        self._direct = understood(listen_url, "DATABASE_LISTEN_URL") if listen_url is not None else None
        self._pooled = listen_url is not None
        self._seconds = seconds
        self._pool = _Pool(self._address, pooled=self._pooled, seconds=seconds, apart=apart)

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Between BEGIN and COMMIT, unless the function runs a statement alone; again, if that may help."""
        if is_alone(function) and not self._apart:
            return await self._run(lambda connection: function(connection, *args, **kwargs))
        begin = rows.beginning([*args, *kwargs.values()]) if self._apart else "BEGIN"
        return await self._run(
            lambda connection: _transact(connection, lambda: function(connection, *args, **kwargs), begin)
        )

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Each statement by itself: READ COMMITTED gives it its own snapshot in any case."""
        if self._apart:
            return await self.write(function, *args, **kwargs)
        return await self._run(lambda connection: function(connection, *args, **kwargs))

    async def listen(self, wake: Callable[[], None]) -> None:
        """On a connection of its own, past the proxy; behind one that can't be passed, nothing is heard."""
        if self._pooled and self._direct is None:
            log.info("hints from other processes are not heard", why="DATABASE_LISTEN_URL is not set", instead="a poll")
            await asyncio.Event().wait()
        url, given = self._direct or self._address
        options = {"timeout": _CONNECTS_WITHIN, **self._pool.engine.dialect.create_connect_args(url)[1], **given}
        await hints.listen(lambda: asyncpg.connect(**options, statement_cache_size=0), wake)

    async def close(self) -> None:
        """Closes the pool."""
        await self._pool.close()

    async def _run(self, function: Callable[[Connection], T]) -> T:
        attempt = 0
        while True:
            pool = self._pool
            try:
                return await pool.run(function)
            except (SQLAlchemyError, asyncpg.PostgresError, *_LOST) as error:
                if _state(error) in _MISSING and await self._distrust(pool):
                    continue
                attempt += 1
                if not _passes(error) or attempt == _TRIES:
                    raise of_postgresql(error, _state(error), passes=_passes(error)) from None
            await asyncio.sleep(0.05 * 2**attempt * (0.5 + random()))  # noqa: S311 – jitter, not a secret

    async def _distrust(self, pool: _Pool) -> bool:
        """Keeps no prepared statements from now on. Returns whether there is now a pool to try that keeps none."""
        if pool is self._pool and not self._pooled:
            log.warning(
                "a proxy lends the database's connections: prepared statements are given up, which is slower",
                remedy="set DATABASE_LISTEN_URL to the database's own address, past the proxy",
            )
            self._pooled = True
            self._pool = _Pool(self._address, pooled=True, seconds=self._seconds, apart=self._apart)
            await pool.close()
        return pool is not self._pool


class _Driver:
    """asyncpg, as `Prepared` statements want it, from within a greenlet."""

    def __init__(self, connection: AdaptedConnection) -> None:
        self._run = connection.run_async

    def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        records: list[Iterable[object]] = self._run(lambda driver: driver.fetch(text, *arguments))
        return records

    def change(self, text: str, arguments: Sequence[object]) -> int:
        status: str = self._run(lambda driver: driver.execute(text, *arguments))
        return int(status.rpartition(" ")[2])  # "UPDATE 3", "INSERT 0 1"


def _connected(engine: Engine, *, apart: bool) -> Connection:
    connection = engine.connect()
    driver = _Driver(connection.connection.dbapi_connection)  # type: ignore[arg-type]  # an async engine's
    return connection.execution_options(**{DRIVER: driver, rows.APART: apart})


def _driver(connection: Connection) -> asyncpg.Connection:
    return connection.connection.driver_connection


def _transact(connection: Connection, function: Callable[[], T], begin: str) -> T:
    """Runs this between BEGIN and COMMIT."""
    _order(connection, begin)
    try:
        result = function()
        ended = _order(connection, "COMMIT")
    except Exception as error:
        if not connection.invalidated and not isinstance(error, _LOST):
            _order(connection, "ROLLBACK")
        raise
    if ended != "COMMIT":  # PostgreSQL's whole answer to the COMMIT of a transaction in which a statement has failed
        raise DatabaseError("a statement failed, and the function that ran it went on")
    return result


def _order(connection: Connection, words: str) -> str:
    status: str = connection.connection.dbapi_connection.run_async(lambda driver: driver.execute(words))  # type: ignore[union-attr]  # it is connected
    return status


def _engine(url: URL, given: Mapping[str, object], *, pooled: bool, seconds: float | None) -> Engine:
    """Makes connections, from within a greenlet: SQLAlchemy's asynchronous engine would bring its ORM along.

    Behind a proxy that lends its own, no statement has a name, and none outlives its use.
    """
    nameless = {"statement_cache_size": 0, "prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    return create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # to SQLAlchemy: BEGIN and COMMIT are ours
        hide_parameters=True,
        connect_args={
            "timeout": _CONNECTS_WITHIN,
            "command_timeout": seconds,
            "connection_class": _Connection,
            **(nameless if pooled else {}),
            **given,
        },
    )


def _state(error: BaseException) -> str | None:
    state = getattr(of_asyncpg(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def _passes(error: Exception) -> bool:
    """Whether the same transaction may succeed a moment later."""
    own = of_asyncpg(error)
    if isinstance(own, OSError | TimeoutError | asyncpg.InternalClientError | asyncpg.InvalidCachedStatementError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return (_state(error) or "").startswith(_RETRIED)
