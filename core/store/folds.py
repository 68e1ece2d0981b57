"""Folds: which sessions are due to be looked at, as turns of theirs may have to be folded; and how often that failed.

A session has a row from the moment when something is due, until that is done.
"""

from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, and_, bindparam, cast, delete, literal, or_, select, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.roles import FromClauseRole

from core.schema import folds, sessions
from core.seam.address import Address
from core.session import SessionKey
from core.store.engine.prepared import Prepared
from core.store.engine.sql import clock, filled, fixed, given, insert, now
from core.store.turns import place


class Due(NamedTuple):
    """A session that is due, since when by the database's clock, and how often a fold of it has failed in a row."""

    key: SessionKey
    due_at: int
    failures: int


def due(connection: Connection, most: int) -> list[Due]:
    """The sessions that are due, longest first; at most so many."""
    here = and_(sessions.c.workspace == folds.c.workspace, sessions.c.session == folds.c.session)
    rows = select(folds, sessions.c.address).join(sessions, here).where(folds.c.due_at <= now(connection))
    return [
        Due(
            key=SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address)),
            due_at=row.due_at,
            failures=row.failures,
        )
        for row in connection.execute(rows.order_by(folds.c.due_at).limit(most)).all()
    ]


def marking(dialect: str, *sources: FromClauseRole) -> Insert:
    """Marks a session as due in `look_in` milliseconds, None for not at all; once, or once for each row of the sources.

    It is due earlier if it is so already. What is being looked at now is looked at again. After a failure only time
    makes it due.
    """
    look_in: ColumnElement[int] = bindparam("look_in", type_=BigInteger)
    row = given(folds, "workspace", "session") | {"due_at": clock(dialect) + look_in, "failures": fixed(0)}
    return _sooner(filled(insert(dialect, folds), row, look_in.is_not(None), *sources), dialect)


def _sooner(new: Insert, dialect: str) -> Insert:
    sooner = or_(folds.c.due_at > new.excluded.due_at, folds.c.due_at <= clock(dialect))
    return new.on_conflict_do_update(
        index_elements=list(folds.primary_key),
        set_={"due_at": new.excluded.due_at},
        where=and_(folds.c.failures == fixed(0), sooner),
    )


def mark(connection: Connection, key: SessionKey, *, after: float = 0.0) -> None:
    """The session is due in so many seconds."""
    MARKED.run(connection, **place(key), look_in=int(after * 1000))


MARKED = Prepared(marking, tuple)

_MOST = 1_000  # sessions that one setting has looked at


def mark_around(connection: Connection, key: SessionKey, *, everywhere: bool) -> None:
    """All sessions of this one's channel, or `everywhere` in its workspace, are due in which people talk these days.

    Of very many, those in which they did last.
    """
    here = [sessions.c.workspace == key.workspace, sessions.c.present_since.is_not(None)]
    if not everywhere:
        here.append(sessions.c.channel == key.address.channel_address.id)
    row = {
        "workspace": sessions.c.workspace,
        "session": sessions.c.session,
        "due_at": cast(now(connection), BigInteger),
        "failures": literal(0),
    }
    talked_in = select(*row.values()).where(*here).order_by(sessions.c.touched_at.desc()).limit(_MOST)
    dialect = connection.dialect.name
    connection.execute(_sooner(insert(dialect, folds).from_select(list(row), talked_in), dialect))


def settle(connection: Connection, done: Due) -> None:
    """Nothing is left to be done; unless it was marked again meanwhile."""
    connection.execute(delete(folds).where(_same(done)))


def put_off(connection: Connection, looked_at: Due, *, seconds: float) -> None:
    """It is due again in so many seconds; at once if it was marked again meanwhile."""
    _again(connection, _same(looked_at), seconds, failures=0)


def failed(connection: Connection, looked_at: Due, *, seconds: float) -> None:
    """It has failed once more, and rests for so many seconds, also if it was marked again meanwhile.

    Each answer marks it, so where people talk while a fold is written no failure would count otherwise.
    """
    once = and_(_of(looked_at.key), folds.c.failures == looked_at.failures)
    _again(connection, once, seconds, failures=looked_at.failures + 1)


def _again(connection: Connection, which: ColumnElement[bool], seconds: float, *, failures: int) -> None:
    due_at = cast(now(connection) + int(seconds * 1000), BigInteger)
    connection.execute(update(folds).where(which).values(due_at=due_at, failures=failures))


def _same(due: Due) -> ColumnElement[bool]:
    return and_(_of(due.key), folds.c.due_at == due.due_at)


def _of(key: SessionKey) -> ColumnElement[bool]:
    return and_(folds.c.workspace == key.workspace, folds.c.session == key.session)
