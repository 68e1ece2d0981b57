"""Chores' leases: which process is at a chore that one does at a time, and when it is due for anybody again.

A chore is known by its name and its place: the platform or session that it is for, empty for the whole deployment.
"""

from sqlalchemy import BigInteger, Connection, and_, cast, delete, exists, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import chores
from core.store.engine.sql import insert, now


def take(connection: Connection, name: str, place: str, *, owner: str, lease: float) -> float:
    """Takes the chore on, for `lease` seconds, and returns 0; or in how many seconds it is worth asking again.

    It is free when it is due: never done, done long enough ago, or begun by a process that has not said for the length
    of its lease that it lives. What the owner was at itself is its own at any time.
    """
    due_at = now(connection)
    born = insert(connection.dialect.name, chores).values(name=name, place=place, due_at=due_at)
    connection.execute(born.on_conflict_do_nothing())
    free = or_(chores.c.due_at <= due_at, chores.c.owner == owner)
    taken = update(chores).where(_this(name, place), free).values(owner=owner, due_at=_in(connection, lease))
    if connection.execute(taken).rowcount:
        return 0.0
    left = connection.execute(select(chores.c.due_at - due_at).where(_this(name, place))).scalar_one_or_none()
    return max(left or 0, 1) / 1000  # nothing is left of what somebody has just left


def extend(connection: Connection, name: str, place: str, *, owner: str, lease: float) -> bool:
    """From now on for `lease` seconds; False where another process has taken it over."""
    mine = update(chores).where(_this(name, place), chores.c.owner == owner)
    return connection.execute(mine.values(due_at=_in(connection, lease))).rowcount > 0


def leave(connection: Connection, name: str, place: str, *, owner: str, after: float) -> None:
    """It is over, done or not: in so many seconds it is due for anybody. Changes nothing where it was taken over.

    What is due at once is forgotten: a session's chores leave nothing behind that would outlast it.
    """
    mine = and_(_this(name, place), chores.c.owner == owner)
    if after > 0:
        connection.execute(update(chores).where(mine).values(owner=None, due_at=_in(connection, after)))
    else:
        connection.execute(delete(chores).where(mine))


def is_at(name: str, place: str, owner: str) -> ColumnElement[bool]:
    """Whether this process is the one that is at it: for the statement that stores what came of it."""
    return exists().where(_this(name, place), chores.c.owner == owner)


def _this(name: str, place: str) -> ColumnElement[bool]:
    return and_(chores.c.name == name, chores.c.place == place)


def _in(connection: Connection, seconds: float) -> ColumnElement[int]:
    return cast(now(connection) + int(seconds * 1000), BigInteger)
