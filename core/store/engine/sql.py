"""What the two databases spell differently (the upsert and the clock), and how times are stored."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Table,
    and_,
    bindparam,
    extract,
    false,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.roles import FromClauseRole

from core.vault.packet import MARK_OF_TEXT

CHANNEL = "backscroll"
"""The name under which PostgreSQL passes hints from process to process."""

F = TypeVar("F")


def insert(dialect: str, table: Table) -> postgresql.Insert:  # type: ignore[explicit-any]  # SQLAlchemy's
    """An INSERT that knows ON CONFLICT; both dialects' have the same methods."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)  # type: ignore[return-value]  # SQLAlchemy gives the twins no common type


def given(table: Table, *names: str) -> dict[str, object]:  # type: ignore[explicit-any]  # SQLAlchemy's
    """These columns of a row, each as the parameter of its name."""
    return {name: bindparam(name, type_=table.c[name].type) for name in names}


def filled(
    new: postgresql.Insert, row: dict[str, object], when: ColumnElement[bool], *sources: FromClauseRole
) -> postgresql.Insert:
    """An INSERT of this row where the condition holds: once, or once for each row of the sources."""
    values = select(*row.values()).where(when)  # type: ignore[call-overload]  # they are column elements
    return new.from_select(list(row), values.select_from(*sources))


def clock(dialect: str) -> ColumnElement[int]:
    """Milliseconds since 1970 by the database's own clock: leases must not depend on any replica's."""
    if dialect == "postgresql":
        return as_type(extract("epoch", func.now()) * 1000, BigInteger)
    return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", BigInteger)


def now(connection: Connection) -> ColumnElement[int]:
    """The clock of the database behind this connection."""
    return clock(connection.dialect.name)


def this_moment(connection: Connection) -> ColumnElement[int]:
    """The same clock at this very moment, where `now` is that of the transaction's beginning."""
    if connection.dialect.name == "postgresql":
        return as_type(extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
    return now(connection)


def micro(at: float) -> int:
    """A platform's time as it is stored: whole microseconds."""
    return round(at * 1_000_000)


def seconds(at: int) -> float:
    """A stored time as the rest of the core has it."""
    return at / 1_000_000


def notify(connection: Connection) -> None:
    """With this transaction's commit, every process that listens looks for work at once. A hint; SQLite has none."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def fixed(number: int) -> ColumnElement[int]:
    """A number that is part of the statement and no parameter: cheaper, and an index over some rows only is found."""
    return literal_column(str(int(number)), Integer)


def among(
    workspace: ColumnElement[int], session: ColumnElement[int], places: Iterable[tuple[int, int]]
) -> ColumnElement[bool]:
    """Whether a row is of one of these sessions, each a workspace and a number in it, found by an index.

    SQLite looks through all rows for a list of pairs. The list is split by workspaces instead, of which most have one.
    """
    numbers = defaultdict[int, list[int]](list)
    for place, number in places:
        numbers[place].append(number)
    return or_(false(), *(and_(workspace == place, session.in_(numbers[place])) for place in numbers))


def storable(words: str) -> str:
    """The words as a column of text takes them: nothing that is not UTF-8, no NUL, and not what marks sealed text."""
    return words.replace("\x00", "").replace(MARK_OF_TEXT, "").encode("utf-8", "replace").decode()


_alone: set[object] = set()


def alone(function: F) -> F:
    """Marks a function that changes things by one statement on PostgreSQL, ever; it may read why nothing was changed.

    A statement is a transaction by itself, so PostgreSQL is not told of its beginning and its end: one round trip in
    place of three. What the function raises takes nothing back, since the statement stands by then.
    """
    _alone.add(function)
    return function


def is_alone(function: object) -> bool:
    """Whether this function changes something by one statement only."""
    return function in _alone


_erasing: set[object] = set()


def erases(function: F) -> F:
    """Marks a function that takes words out of the database: soon after, they are in none of its files either."""
    _erasing.add(function)
    return function


def is_erasing(function: object) -> bool:
    """Whether this function takes words out of the database."""
    return function in _erasing
