"""What the two databases spell differently (the upsert and the clock), how times are stored, and the quick way in.

A statement on the way to every answer is `Prepared`: built and compiled once, then handed straight to the driver.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Executable,
    Integer,
    LargeBinary,
    Table,
    extract,
    func,
    literal_column,
    select,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

CHANNEL = "backscroll"
"""The name under which PostgreSQL passes hints from process to process."""

F = TypeVar("F")
R = TypeVar("R")


def insert(dialect: str, table: Table) -> postgresql.Insert:  # type: ignore[explicit-any]  # SQLAlchemy's
    """An INSERT that knows ON CONFLICT; both dialects' have the same methods."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)  # type: ignore[return-value]  # SQLAlchemy gives the twins no common type


def clock(dialect: str) -> ColumnElement[int]:
    """Milliseconds since 1970 by the database's own clock: leases must not depend on any replica's."""
    if dialect == "postgresql":
        return as_type(extract("epoch", func.now()) * 1000, BigInteger)
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


def notify(connection: Connection) -> None:
    """With this transaction's commit, every process that listens looks for work at once. A hint; SQLite has none."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def fixed(number: int) -> ColumnElement[int]:
    """A number that is part of the statement and no parameter: cheaper, and an index over some rows only is found."""
    return literal_column(str(int(number)), Integer)


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


class Prepared(Generic[R]):
    """A statement that is built and compiled once for each database, and then handed straight to the driver.

    SQLAlchemy's own way from a built statement to the driver and back takes longer than SQLite takes for the statement.
    `build` gets the dialect's name. Its bind parameters are the arguments that a run takes; it may hold no IN over a
    parameter. `row` makes one result of one row of the driver's, with what the columns' types say done to it:
    `Columns._make` of a NamedTuple, say, whose attributes are several times faster than SQLAlchemy's.
    `columns` are those that an INSERT without values is given.
    """

    def __init__(
        self,
        build: Callable[[str], Executable],
        row: Callable[[Iterable[object]], R],
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._build = build
        self._row = row
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: object) -> list[R]:
        """Runs the statement; its rows. Raises the driver's own errors, which `Database` gives our names."""
        compiled = self._for(connection.dialect)
        return list(map(self._row, compiled.read(_fetch(connection, compiled, values))))

    def first(self, connection: Connection, **values: object) -> R | None:
        """Runs the statement; its first row, if there is one."""
        rows = self.all(connection, **values)
        return rows[0] if rows else None

    def run(self, connection: Connection, **values: object) -> int:
        """Runs the statement; the number of rows that it changed."""
        return _change(connection, self._for(connection.dialect), values)

    def _for(self, dialect: Dialect) -> "_Compiled":
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = _compile(self._build(dialect.name), dialect, self._columns)
        return known


_Processor = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    names: frozenset[str]
    places: Sequence[tuple[str | None, object, _Processor | None]]  # a parameter's name, or None and its value
    processors: Sequence[_Processor | None]  # what the columns' types do to what the driver gives; empty for nothing

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        if values.keys() != self.names:
            raise TypeError(f"the statement takes {sorted(self.names)}, not {sorted(values)}")
        return [
            value if name is None else values[name] if processor is None else processor(values[name])
            for name, value, processor in self.places
        ]

    def read(self, rows: Iterable[Iterable[object]]) -> Iterable[Iterable[object]]:
        if not self.processors:
            return rows
        return (
            [value if do is None else do(value) for do, value in zip(self.processors, row, strict=True)] for row in rows
        )


def _compile(statement: Executable, dialect: Dialect, columns: Sequence[str] | None) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=columns)  # type: ignore[attr-defined]  # all of ours have it
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError("a prepared statement can't have an IN over a parameter")
    places: list[tuple[str | None, object, _Processor | None]] = []
    for bind in (compiled.binds[name] for name in compiled.positiontup or ()):
        processor = _processor(bind.type, dialect, bound=True)
        if bind.required:
            places.append((bind.key, None, processor))
        else:
            value = bind.effective_value
            places.append((None, value if processor is None else processor(value), None))
    names = frozenset(name for name, _, _ in places if name is not None)
    exported = statement.exported_columns if isinstance(statement, ReturnsRows) else ()
    processors = [_processor(column.type, dialect, bound=False) for column in exported]
    return _Compiled(compiled.string, names, places, processors if any(processors) else ())


def _processor(type_: TypeEngine[object], dialect: Dialect, *, bound: bool) -> _Processor | None:
    """What SQLAlchemy does to a value of this type on its way in or out. Bytes are bytes to both drivers."""
    if isinstance(type_, LargeBinary):
        return None
    own = type_.dialect_impl(dialect)
    return own.bind_processor(dialect) if bound else own.result_processor(dialect, None)


def _fetch(connection: Connection, compiled: _Compiled, values: Mapping[str, object]) -> Iterable[Iterable[object]]:
    text, arguments, proxied = compiled.text, compiled.arguments(values), connection.connection
    if connection.dialect.name == "sqlite":
        rows: list[tuple[object, ...]] = proxied.driver_connection.execute(text, arguments).fetchall()  # type: ignore[union-attr]  # it is connected
        return rows
    records: list[Iterable[object]] = proxied.dbapi_connection.run_async(lambda driver: driver.fetch(text, *arguments))  # type: ignore[union-attr]  # it is connected
    return records


def _change(connection: Connection, compiled: _Compiled, values: Mapping[str, object]) -> int:
    text, arguments, proxied = compiled.text, compiled.arguments(values), connection.connection
    if connection.dialect.name == "sqlite":
        changed: int = proxied.driver_connection.execute(text, arguments).rowcount  # type: ignore[union-attr]  # it is connected
        return changed
    status: str = proxied.dbapi_connection.run_async(lambda driver: driver.execute(text, *arguments))  # type: ignore[union-attr]  # it is connected
    return int(status.rpartition(" ")[2])  # "UPDATE 3", "INSERT 0 1"
