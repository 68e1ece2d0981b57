"""Complaints: the drivers' errors become ours, with what their operator can do about them.

Each keeps the first line of the driver's own words, without a statement or its parameters.
"""

import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from core.errors import DatabaseError, DatabaseGone, DatabaseReadOnly, DatabaseUnreachable

SERVER = "Check DATABASE_URL: host, port, name, user and password (@ in it is %40, / is %2F), and that it runs."
GRANT = (
    "Give the role of DATABASE_URL the rights SELECT, INSERT, UPDATE and DELETE on all tables. "
    "Whoever migrates is the role that owns them."
)
PRIMARY = "DATABASE_URL leads to a replica, or to a server that is set to take no writes: name the primary."

_MAY_WRITE = "This user must be able to write the file, the -wal and -shm beside it, and their folder."
_OTHER_FILE = "It is damaged, or no database of SQLite's: put a backup back, or name another file."
_REMEDIES = {
    sqlite3.SQLITE_CANTOPEN: "Its folder must be there, and this user must be able to write in it.",
    sqlite3.SQLITE_READONLY: _MAY_WRITE,
    sqlite3.SQLITE_PERM: _MAY_WRITE,
    sqlite3.SQLITE_BUSY: "Another program holds it: end that, or wait for it.",
    sqlite3.SQLITE_FULL: "Make room on its disk.",
    sqlite3.SQLITE_IOERR: "Its disk fails, or is not this machine's own, as SQLite needs it.",
    sqlite3.SQLITE_PROTOCOL: "Its disk is not this machine's own, as SQLite needs it.",
    sqlite3.SQLITE_NOTADB: _OTHER_FILE,
    sqlite3.SQLITE_CORRUPT: _OTHER_FILE,
}
_OF_THE_SERVER = {
    asyncpg.DiskFullError.sqlstate: "Make room on the database server's disk.",
    asyncpg.OutOfMemoryError.sqlstate: "The database server needs more memory, or fewer connections.",
    asyncpg.LockNotAvailableError.sqlstate: "Something else uses a table for long, a backup perhaps: try again"
    " when it is done.",
    asyncpg.TooManyConnectionsError.sqlstate: "The database server allows too few connections, each process takes up to"
    " 17: raise max_connections, or its role's or database's own limit, or run fewer processes.",
    asyncpg.QueryCanceledError.sqlstate: "The database server stops what takes our role too long: raise the"
    " statement_timeout of the role, the database or the server, or leave it out.",
}
"""SQLSTATEs with which a server says what it lacks, or what stands in the way there."""
_NOT_LET_IN = (
    *(asyncpg.PostgresConnectionError, asyncpg.InvalidAuthorizationSpecificationError),
    *(asyncpg.InvalidCatalogNameError, asyncpg.ObjectNotInPrerequisiteStateError),
)
_NOT_WRITTEN = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


class Moved(sqlite3.OperationalError):
    """The file that a connection has open is not the one that has its name now; SQLite itself does not look, with WAL.

    To open the other one would mix the two: SQLite finds what is not copied home yet by the file's name.
    """


def of_sqlite(error: Exception, path: str) -> Exception:
    """Our error for what SQLite's driver raised over this file; what is none of its own stays as it is."""
    if not isinstance(error, SQLAlchemyError | sqlite3.Error | OSError):
        return error
    own = error.orig if isinstance(error, DBAPIError) else error
    words = f"{path}: {str(own).strip().partition(chr(10))[0] or type(own).__name__}"
    if isinstance(own, Moved):
        return DatabaseGone(words, remedy="End every process before it is moved or put back, and start again.")
    code = getattr(own, "sqlite_errorcode", 0) & 0xFF  # without what extends it
    remedy = _REMEDIES.get(code, "")
    if code in _NOT_WRITTEN:
        return DatabaseReadOnly(words, remedy=remedy)
    away = isinstance(
        error, OperationalError | InterfaceError | sqlite3.OperationalError | sqlite3.InterfaceError | OSError
    )
    return (DatabaseUnreachable if away else DatabaseError)(words, remedy=remedy)


def of_asyncpg(error: BaseException) -> BaseException:
    """The driver's error behind SQLAlchemy's, which keeps some of them only as their cause."""
    if not isinstance(error, DBAPIError):
        return error
    return getattr(error.orig, "orig", None) or getattr(error.orig, "__cause__", None) or error


def of_postgresql(error: Exception, state: str | None, *, passes: bool) -> DatabaseError:
    """Our error for what asyncpg raised, by its SQLSTATE; with `passes`, the same may succeed a moment later."""
    own = of_asyncpg(error)
    words = str(own).strip().partition("\n")[0]
    if isinstance(own, asyncpg.ClientConfigurationError):
        return DatabaseError(words, remedy="Check the options behind the question mark of DATABASE_URL.")
    if isinstance(own, asyncpg.InterfaceError):
        words = words.partition(":")[0]  # it may go on with a parameter
    words = words or type(own).__name__
    if state == asyncpg.InsufficientPrivilegeError.sqlstate:
        return DatabaseReadOnly(words, remedy=GRANT)
    if state == asyncpg.ReadOnlySQLTransactionError.sqlstate:
        return DatabaseReadOnly(words, remedy=PRIMARY)
    if state in _OF_THE_SERVER:
        return DatabaseUnreachable(words, remedy=_OF_THE_SERVER[state])
    if passes or isinstance(error, OperationalError | InterfaceError):
        return DatabaseUnreachable(f"the server does not answer: {words}", remedy=SERVER)
    return DatabaseError(words, remedy=SERVER if isinstance(own, _NOT_LET_IN) else "")
