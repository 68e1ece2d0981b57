"""Data keys: the rows that hold them, each wrapped by a key of the operator's ring.

A workspace has one for each person's own words and one for everything else; of several the newest seals. One that is
destroyed keeps its number, so that no other ever gets it. Workspace 0 is the deployment, whose keys seal nothing: one
proves that the ring is the right one, another says that everything is sealed.
"""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, and_, exists, func, inspect, select, update

from core.schema import data_keys, turns
from core.store.engine.rows import each
from core.store.engine.sql import erases, insert, now
from core.vault.packet import MARK, about

DEPLOYMENT = 0
PROOF, ALL_SEALED = "", "sealed"
"""What the deployment's keys have for an author."""

_GREATEST = 2**31 - 1
_AROUND = 64
"""So many numbers before and after the one that is asked for are read with it: people who speak came to speak at
about the same time."""


class DataKey(NamedTuple):
    """One row: `ring` is the fingerprint of what wraps it; nothing is `wrapped` where it was destroyed."""

    workspace: int
    number: int
    author: str
    ring: str
    wrapped: bytes

    @property
    def about(self) -> bytes:
        """What it is wrapped together with, so that no row can take the place of another."""
        return identity(self.workspace, self.number, self.author)


Make = Callable[[bytes], tuple[str, bytes]]
"""Makes a new key for what it is about: the fingerprint of what wraps it, and the wrapped key."""

_COLUMNS = tuple(data_keys.c[name] for name in DataKey._fields)


def identity(workspace: int, number: int, author: str) -> bytes:
    """What this data key is about."""
    return about("data_keys.wrapped", workspace, number, author)


def newest(connection: Connection, workspace: int, author: str) -> DataKey | None:
    """The key that seals what this author writes, if there is one."""
    mine = and_(data_keys.c.workspace == workspace, data_keys.c.author == author, data_keys.c.wrapped != b"")
    row = connection.execute(select(*_COLUMNS).where(mine).order_by(data_keys.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else DataKey(*row)


def ensure(connection: Connection, workspace: int, author: str, make: Make, *, after: int = 0) -> DataKey:
    """The key that seals what this author writes, with a number after that one; made where there is none.

    Another process may make one at the same moment: then it is theirs.
    """
    while True:
        found = newest(connection, workspace, author)
        if found is not None and found.number > after:
            return found
        last = select(func.coalesce(func.max(data_keys.c.number), 0)).where(data_keys.c.workspace == workspace)
        number: int = connection.execute(last).scalar_one() + 1
        made = DataKey(workspace, number, author, *make(identity(workspace, number, author)))
        moment = now(connection)
        row = {**made._asdict(), "made_at": moment, "changed_at": moment}
        new = insert(connection.dialect.name, data_keys).values(row).on_conflict_do_nothing()
        if connection.execute(new).rowcount:
            return made


def around(connection: Connection, workspace: int, number: int) -> list[DataKey]:
    """The key with this number, and those with numbers near it."""
    near = data_keys.c.number.between(number - _AROUND, min(number, _GREATEST - _AROUND) + _AROUND)
    rows = connection.execute(select(*_COLUMNS).where(data_keys.c.workspace == workspace, near))
    return [DataKey(*row) for row in rows.all()]


def changed(connection: Connection, since: int) -> tuple[int, list[DataKey]]:
    """What was made or destroyed since then, and what time it is now: milliseconds, by the database's clock."""
    moment: int = connection.execute(select(now(connection))).scalar_one()
    rows = connection.execute(select(*_COLUMNS).where(data_keys.c.changed_at >= since)).all()
    return moment, [DataKey(*row) for row in rows]


def older(connection: Connection) -> set[tuple[int, int]]:
    """Workspace and number of the keys that seal nothing any more, since their author has a newer one."""
    newer = data_keys.alias("newer")
    same = and_(newer.c.workspace == data_keys.c.workspace, newer.c.author == data_keys.c.author)
    there = exists().where(same, newer.c.number > data_keys.c.number, newer.c.wrapped != b"")
    rows = connection.execute(select(data_keys.c.workspace, data_keys.c.number).where(there))
    return {(workspace, number) for workspace, number in rows.all()}


@erases
def destroy(connection: Connection, workspace: int, author: str | None, *, last: int = _GREATEST) -> int:
    """Destroys the keys of this author's words, up to the last number, or all keys of a workspace; how many there were.

    Nobody can read from then on what they have sealed. Other processes know some seconds later.
    """
    mine = and_(data_keys.c.workspace == workspace, data_keys.c.number <= last, data_keys.c.wrapped != b"")
    if author is not None:
        mine = and_(mine, data_keys.c.author == author)
    gone = {"wrapped": b"", "changed_at": now(connection)}
    return connection.execute(update(data_keys).where(mine).values(gone)).rowcount


def rings(connection: Connection) -> set[str]:
    """The fingerprints of all that wraps something; none where nothing was ever sealed, or before there were keys."""
    if not inspect(connection).has_table(data_keys.name):
        return set()
    return set(connection.execute(select(data_keys.c.ring).where(data_keys.c.wrapped != b"").distinct()).scalars())


def are_gone(connection: Connection) -> bool:
    """Whether what is stored here is sealed, and not one data key is: new ones would take the numbers of the old."""
    any_ = select(data_keys.c.number).limit(1)
    if not inspect(connection).has_table(data_keys.name) or connection.execute(any_).first() is not None:
        return False
    words = select(turns.c.body).where(turns.c.body != b"").limit(1)
    found = [connection.execute(words).scalar_one_or_none() for _ in each(connection)]
    return any(one and one[0] == MARK for one in found)
