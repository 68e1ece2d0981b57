"""How a plain function of a `Connection` is run as one transaction, on SQLite and on PostgreSQL.

A function may be run again when the outcome of its commit is unknown, so every one of them is repeatable.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import ArgumentError

from core.errors import ConfigurationError
from core.store.engine.addresses import for_tools, parsed

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs functions of a `Connection` as transactions, without blocking the event loop."""

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the function in a transaction, and returns its result once that is committed durably.

        What the function raises rolls its transaction back and is raised here. The driver's own errors become
        DatabaseError, DatabaseUnreachable where the same may succeed later; they never hold what people wrote.
        One that raises NotYet is run again, when what it needs has been done.
        """

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a function that only reads; it sees all that `write` has returned. Raises DatabaseUnreachable.

        Its statements need not see the same moment: on PostgreSQL each is a transaction by itself.
        """

    async def listen(self, wake: Callable[[], None]) -> None:
        """Calls `wake` when another process gives a hint that there is work, until it is cancelled. Raises nothing."""

    async def close(self) -> None:
        """Lets go of all connections, after what is queued has been run."""


STATEMENT_SECONDS = 15.0
"""How long PostgreSQL may take for a statement of ours; they take milliseconds, so something stands in the way."""

CLEAN_AFTER = 10.0
"""Seconds after which SQLite's files are rid of what was erased: many erasures share one look."""


_DRIVERS = ("", "pysqlite", "asyncpg")


def sqlite_files(url: str) -> tuple[Path, ...]:
    """The file that this `DATABASE_URL` names, and those that SQLite keeps beside it; none for another database."""
    address = _parse(url, "DATABASE_URL")
    if address.get_backend_name() != "sqlite" or not address.database:
        return ()
    return tuple(Path(f"{address.database}{end}") for end in ("", "-wal", "-shm"))


def without_password(url: str) -> str:
    """This address of a PostgreSQL as its own tools take it, to be shown."""
    return for_tools(_parse(url, "DATABASE_URL")).render_as_string()


def connect(
    url: str,
    listen_url: str | None = None,
    *,
    statement_seconds: float | None = STATEMENT_SECONDS,
    clean_after: float = CLEAN_AFTER,
    apart: bool = False,
) -> Database:
    """The database behind `DATABASE_URL`, whose driver alone is loaded; nothing is contacted yet.

    Raises ConfigurationError.

    `listen_url` is `DATABASE_LISTEN_URL`: a direct way to a PostgreSQL that `DATABASE_URL` reaches through a proxy
    which lends its connections for one transaction, such as PgBouncer. A migration may take any time: it is given None
    for `statement_seconds`. `clean_after` is how many seconds SQLite's files may keep what was erased.
    With `apart`, PostgreSQL keeps every function to its workspace; see `rows`.
    """
    from core.store.engine.again import Again

    return Again(_connect(url, listen_url, statement_seconds=statement_seconds, clean_after=clean_after, apart=apart))


def _connect(
    url: str, listen_url: str | None, *, statement_seconds: float | None, clean_after: float, apart: bool
) -> Database:
    address = _parse(url, "DATABASE_URL")
    direct = None if listen_url is None else _parse(listen_url, "DATABASE_LISTEN_URL")
    for one, setting in ((address, "DATABASE_URL"), (direct, "DATABASE_LISTEN_URL")):
        if one is not None and one.drivername.partition("+")[2] not in _DRIVERS:
            plain, _, driver = one.drivername.partition("+")
            raise ConfigurationError(f"{setting} names the driver {driver}, which is ours to choose: write {plain}://…")
    match address.get_backend_name():
        case "sqlite" if address.query or (address.database or "").startswith("file:"):
            raise ConfigurationError("DATABASE_URL has options, and SQLite is given none: use sqlite:///FILE")
        case "sqlite" if address.database and address.database != ":memory:":
            from core.store.engine.sqlite import SQLite

            return SQLite(address, clean_after=clean_after)
        case "sqlite":
            raise ConfigurationError("DATABASE_URL names no file; use sqlite:///FILE, since a session must survive us")
        case "postgresql" | "postgres" if direct is None or direct.get_backend_name() in ("postgresql", "postgres"):
            from core.store.engine.postgresql import PostgreSQL

            return PostgreSQL(address, direct, seconds=statement_seconds, apart=apart)
        case "postgresql" | "postgres":
            raise ConfigurationError("DATABASE_LISTEN_URL is not the PostgreSQL of DATABASE_URL: use postgresql://…")
        case other:
            raise ConfigurationError(f"DATABASE_URL asks for {other}; use sqlite:///FILE or postgresql://…")


def _parse(url: str, setting: str) -> URL:
    try:
        return parsed(url)
    except (ArgumentError, ValueError):  # whose words may hold the password
        raise ConfigurationError(
            f"{setting} is not a database URL; use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME,"
            " in which an @ of the password is %40"
        ) from None
