"""Sealing what is stored already: what was stored in the clear, and what is sealed by a data key of before.

Rows are looked at page by page in the order of their keys, and put in place one by one where they are still as they
were seen: so it may be interrupted anywhere, beside processes that answer, and begun again from the start.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, func, literal, select, tuple_, update

from core.schema import erasures, preferences, quotes, turns
from core.session import Role
from core.store import bodies, keys
from core.store.bodies import NotOpened
from core.store.engine.database import Database
from core.store.engine.rows import each, gathered, within
from core.store.engine.sql import erases
from core.store.erasures import Scope
from core.store.sealing import Vault
from core.vault.packet import NoPacket, number_of

Key = tuple[object, ...]
"""A row's primary key."""

_TABLES = {one.column.table.name: one.column.table for one in bodies.ALL}

TABLES = tuple(_TABLES)
"""The names of the tables that hold bodies."""

_PAGE = 200  # rows


class Change(NamedTuple):
    """What is to stand in a row in place of what was seen there."""

    workspace: int
    row: Key
    seen: dict[str, object]
    become: dict[str, object]


class Page(NamedTuple):
    """Rows of a table that were looked at: how many, where the next page begins, and what is to be changed.

    `lost` counts the bodies that can't be opened, which stay as they are.
    """

    rows: int
    last: Key | None
    changes: Sequence[Change]
    lost: int


def look(connection: Connection, vault: Vault, table: str, after: Key | None, *, renew: bool) -> Page:
    """The next page of a table: what is in the clear is to be sealed, and with `renew` what an older key has sealed.

    What is just being forgotten is not: it goes with the key that it was sealed by.
    """
    rows, going = _page(connection, table, after), _being_forgotten(connection)
    for workspace in {row.workspace for row in rows}:
        vault.want(workspace, {"", *(_author(table, row) for row in rows if row.workspace == workspace)})
    found = [_looked_at(vault, table, row, renew=renew and not _goes(table, row, going)) for row in rows]
    last = _key(table, rows[-1]) if len(rows) == _PAGE else None
    changes = [change for change, _ in found if change.become]
    return Page(len(rows), last, changes, sum(lost for _, lost in found))


@erases
def put(connection: Connection, table: str, changes: Sequence[Change]) -> int:
    """Puts these in place where nobody has changed the row since; returns how many rows that were."""
    done, into = 0, _TABLES[table]
    for change in changes:
        same = [column == value for column, value in zip(into.primary_key, change.row, strict=True)]
        same += [into.c[name] == value for name, value in change.seen.items()]
        with within(connection, change.workspace):
            done += connection.execute(update(into).where(*same).values(change.become)).rowcount
    return done


def is_empty(connection: Connection) -> bool:
    """Whether no body was ever stored here."""
    asked = [select(literal(1)).select_from(one).limit(1) for one in _TABLES.values()]
    found = [connection.execute(one).first() for _ in each(connection) for one in asked]
    return not any(found)


def size(connection: Connection) -> int:
    """How many rows there are to be looked at."""
    counted = [select(func.count()).select_from(table) for table in _TABLES.values()]
    return sum(connection.execute(one).scalar_one() for _ in each(connection) for one in counted)


def numbers(connection: Connection, table: str, after: Key | None) -> tuple[int, Counter[tuple[int, int]], Key | None]:
    """How many rows the next page has, by which data keys its bodies are sealed, and where it ends.

    A data key is named by its workspace and its number, which is 0 for what is in the clear.
    """
    rows, found = _page(connection, table, after), Counter[tuple[int, int]]()
    for row in rows:
        for one in _of(table):
            stored = getattr(row, one.column.name)
            if stored:
                found[row.workspace, _number(one, stored)] += 1
    return len(rows), found, _key(table, rows[-1]) if len(rows) == _PAGE else None


async def mark(vault: Vault, database: Database) -> None:
    """From now on, what is stored in the clear is refused, here and by everybody who starts with the ring."""
    await database.write(keys.ensure, keys.DEPLOYMENT, keys.ALL_SEALED, vault.wrap_new)
    vault.all_sealed = True


_Row = Row[*tuple[object, ...]]


def _page(connection: Connection, table: str, after: Key | None) -> Sequence[_Row]:
    key = tuple(_TABLES[table].primary_key)
    asked = select(*key, *(one.column for one in _of(table)), *_AUTHORS.get(table, ()))
    if after is not None:
        asked = asked.where(tuple_(*key) > tuple_(*(literal(value) for value in after)))
    asked = asked.order_by(*key)
    since = 0 if after is None else int(str(after[0]))
    return gathered(connection, lambda most: connection.execute(asked.limit(most)).all(), most=_PAGE, since=since)


def _being_forgotten(connection: Connection) -> "_Going":
    """Whose words are, where their keys are destroyed with them, and those of before what moment."""
    keyed = erasures.c.scope.in_((Scope.PERSON, Scope.WORKSPACE))
    columns = [erasures.c[name] for name in ("workspace", "scope", "subject", "before")]
    rows = connection.execute(select(*columns).where(keyed, erasures.c.done_at.is_(None))).all()
    return {(row.workspace, row.scope, row.subject): row.before for row in rows}


_Going = Mapping[tuple[int, str, str], int | None]


def _goes(table: str, row: "_Row", going: _Going) -> bool:
    """Whether a row is among what is being forgotten."""
    author, at = _author(table, row), getattr(row, "at", None)
    theirs = row.workspace, Scope.PERSON, author
    if (row.workspace, Scope.WORKSPACE, "") in going:
        return True
    before = going.get(theirs)
    return bool(author) and theirs in going and (before is None or at is None or at < before)


_SAID = and_(
    turns.c.workspace == quotes.c.workspace,
    turns.c.session == quotes.c.session,
    turns.c.seq == quotes.c.seq,
    turns.c.role == Role.PERSON,
)
_ASKER = select(turns.c.author).where(_SAID).scalar_subquery()
_AUTHORS = {
    turns.name: (turns.c.author, turns.c.at),
    quotes.name: (func.coalesce(quotes.c.author, _ASKER).label("author"), quotes.c.at),
}
"""Whose words a row holds, where its key does not say so, and when they were said."""


def _author(table: str, row: _Row) -> str:
    """Who has written a row's own words, as far as a person has."""
    if table == turns.name and row.role != Role.PERSON:
        return ""
    return (row.author or "") if table in (turns.name, quotes.name, preferences.name) else ""


def _of(table: str) -> Sequence[bodies.Body | bodies.Note]:
    return [one for one in bodies.ALL if one.column.table is _TABLES[table]]


def _key(table: str, row: _Row) -> Key:
    return tuple(getattr(row, column.name) for column in _TABLES[table].primary_key)


def _looked_at(vault: Vault, table: str, row: _Row, *, renew: bool) -> tuple[Change, int]:
    change, lost = Change(row.workspace, _key(table, row), {}, {}), 0
    for one in _of(table):
        stored = getattr(row, one.column.name)
        if not stored:
            continue
        by = _author(table, row) if one in bodies.OWN else ""
        try:
            if _is_due(vault, one, row.workspace, stored, by, renew=renew):
                change.become[one.column.name] = one.again(_owner(row), _place(table, row), stored, by=by)
                change.seen[one.column.name] = stored
        except (NotOpened, UnicodeDecodeError):
            lost += 1
    return change, lost


def _is_due(
    vault: Vault, one: bodies.Body | bodies.Note, workspace: int, stored: object, by: str, *, renew: bool
) -> bool:
    number = _number(one, stored)
    return number == 0 or (renew and number != vault.newest(workspace, by))


def _number(one: bodies.Body | bodies.Note, stored: object) -> int:
    packet = one.packet(stored)
    try:
        return 0 if packet is None else number_of(packet)[0]
    except NoPacket:
        raise NotOpened from None


def _owner(row: _Row) -> bodies.Mine:
    return bodies.Mine(row.workspace, getattr(row, "session", 0))


def _place(table: str, row: _Row) -> bodies.Row:
    names = [column.name for column in _TABLES[table].primary_key if column.name not in ("workspace", "session")]
    return tuple(getattr(row, name) for name in names)
