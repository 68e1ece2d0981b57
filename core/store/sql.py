"""What the two databases spell differently (the upsert and the clock), and how times are stored."""

from sqlalchemy import BigInteger, Connection, Table, cast, extract, func, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement


def insert(dialect: str, table: Table) -> postgresql.Insert:  # type: ignore[explicit-any]  # SQLAlchemy's
    """An INSERT that knows ON CONFLICT; both dialects' have the same methods."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)  # type: ignore[return-value]  # SQLAlchemy gives the twins no common type


def clock(dialect: str) -> ColumnElement[int]:
    """Milliseconds since 1970 by the database's own clock: leases must not depend on any replica's."""
    if dialect == "postgresql":
        return cast(extract("epoch", func.now()) * 1000, BigInteger)
    return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", BigInteger)


def now(connection: Connection) -> ColumnElement[int]:
    """The clock of the database behind this connection."""
    return clock(connection.dialect.name)


def micro(at: float) -> int:
    """A platform's time as it is stored: whole microseconds."""
    return round(at * 1_000_000)


def seconds(at: int) -> float:
    """A stored time as the rest of the core has it."""
    return at / 1_000_000
