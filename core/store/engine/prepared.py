"""The quick way to the database: a statement that is built and compiled once, then handed straight to the driver.

SQLAlchemy's own way from a built statement to the driver and back takes longer than SQLite takes for the statement, so
the statements on the way to every answer go this one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from operator import itemgetter
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, Executable, LargeBinary
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

R = TypeVar("R")

Rows = Iterable[Iterable[object]]


class Driver(Protocol):
    """What a connection's driver can do with a statement in its own spelling. Raises the driver's own errors."""

    def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        """Runs it; all of its rows, which the caller takes to the last."""

    def change(self, text: str, arguments: Sequence[object]) -> int:
        """Runs it; how many rows it has changed."""


DRIVER = "driver"
"""The option of a `Connection` by which a `Database` says what its driver is."""


class Prepared(Generic[R]):
    """A statement that is built and compiled once for each database.

    `build` gets the dialect's name. Its bind parameters are the arguments that a run takes; it may hold no IN over a
    parameter. `row` makes one result of the columns of one row, with what their types say done to them: a NamedTuple,
    say, whose attributes are several times faster than SQLAlchemy's. `columns` are those that an INSERT without values
    is given.
    """

    def __init__(  # type: ignore[explicit-any]  # a row has the statement's columns
        self,
        build: Callable[[str], Executable],
        row: Callable[..., R],
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._build = build
        self._row = row
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: object) -> list[R]:
        """Runs the statement; its rows. Raises the driver's own errors, which `Database` gives our names."""
        return self.each(connection, self._row, **values)

    def each(  # type: ignore[explicit-any]  # a row has the statement's columns
        self, connection: Connection, row: Callable[..., R], **values: object
    ) -> list[R]:
        """Runs the statement; its rows, made by this `row`, which knows what the statement was run for."""
        compiled = self._for(connection.dialect)
        rows = _driver(connection).fetch(compiled.text, compiled.arguments(values))
        return list(starmap(row, compiled.read(rows)))

    def first(self, connection: Connection, **values: object) -> R | None:
        """Runs the statement; its first row, if there is one."""
        rows = self.all(connection, **values)
        return rows[0] if rows else None

    def run(self, connection: Connection, **values: object) -> int:
        """Runs the statement; the number of rows that it changed."""
        compiled = self._for(connection.dialect)
        return _driver(connection).change(compiled.text, compiled.arguments(values))

    def _for(self, dialect: Dialect) -> "_Compiled":
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = _compile(self._build(dialect.name), dialect, self._columns)
        return known


def _driver(connection: Connection) -> Driver:
    driver: Driver = connection.get_execution_options()[DRIVER]
    return driver


_Processor = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    names: frozenset[str]
    constants: dict[str, object]
    pick: Callable[[Mapping[str, object]], Sequence[object]]  # the values in the order in which the statement has them
    incoming: Sequence[tuple[str, _Processor]]  # what the parameters' types do to what we give; mostly nothing
    outgoing: Sequence[tuple[int, _Processor]]  # by the number of a column, what its type does to what the driver gives

    def arguments(self, values: dict[str, object]) -> Sequence[object]:
        if values.keys() != self.names:
            raise TypeError(f"the statement takes {sorted(self.names)}, not {sorted(values)}")
        for name, process in self.incoming:
            values[name] = process(values[name])
        return self.pick(values | self.constants if self.constants else values)

    def read(self, rows: Rows) -> Rows:
        return map(self._read, rows) if self.outgoing else rows

    def _read(self, row: Iterable[object]) -> Iterable[object]:
        values = list(row)
        for place, process in self.outgoing:
            values[place] = process(values[place])
        return values


def _compile(statement: Executable, dialect: Dialect, columns: Sequence[str] | None) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=columns)  # type: ignore[attr-defined]  # all of ours have it
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError("a prepared statement can't have an IN over a parameter")
    binds = {name: compiled.binds[name] for name in compiled.positiontup or ()}
    given = {name: bind for name, bind in binds.items() if bind.required}
    exported = statement.exported_columns if isinstance(statement, ReturnsRows) else ()
    outgoing = [_processor(column.type, dialect, bound=False) for column in exported]
    into = {name: _processor(bind.type, dialect, bound=True) for name, bind in binds.items()}
    own = {name: bind.effective_value for name, bind in binds.items() if not bind.required}
    return _Compiled(
        compiled.string,
        frozenset(given),
        {name: value if (do := into[name]) is None else do(value) for name, value in own.items()},
        _picking(tuple(compiled.positiontup or ())),
        [(name, do) for name in given if (do := into[name]) is not None],
        [(place, do) for place, do in enumerate(outgoing) if do is not None],
    )


def _picking(names: Sequence[str]) -> Callable[[Mapping[str, object]], Sequence[object]]:
    """These values in this order. An itemgetter of one name would give the bare value."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]


def _processor(type_: TypeEngine[object], dialect: Dialect, *, bound: bool) -> _Processor | None:
    """What SQLAlchemy does to a value of this type on its way in or out. Bytes are bytes to both drivers."""
    if isinstance(type_, LargeBinary):
        return None
    own = type_.dialect_impl(dialect)
    return own.bind_processor(dialect) if bound else own.result_processor(dialect, None)
