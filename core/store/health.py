"""Health: whether the database takes what is written, and what waits in it, in numbers alone."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, delete, func, not_, select, text

from core.errors import DatabaseReadOnly
from core.schema import chores, metadata, sessions, turns
from core.session import Role
from core.store import bodies, dead, slips
from core.store.engine.complaints import GRANT
from core.store.engine.rows import each
from core.store.engine.sql import insert, now, seconds, this_moment
from core.store.turns import WAITS

_TRIAL = "trial"
"""A chore that nobody has, whose row is written and taken back within one transaction."""

_OLDEST = 100
"""So many messages are looked at for the one that waits longest: those that were said first."""

_LACKING = text(
    """SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = ANY(:tables) AND nspname = ANY(current_schemas(false)) AND NOT (
      has_table_privilege(pg_class.oid, 'SELECT') AND has_table_privilege(pg_class.oid, 'INSERT')
      AND has_table_privilege(pg_class.oid, 'UPDATE') AND has_table_privilege(pg_class.oid, 'DELETE')
    ) ORDER BY relname"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many messages wait, being answered or not, and for how many seconds the oldest that nobody answers has.

    Nobody answers what no process holds, or what has failed once already. A message waits from when it reached us, by
    our own clock: the platform's may differ. `dead` is how many were given up.
    """

    waiting: int
    oldest: float | None
    dead: int


def try_writing(connection: Connection) -> None:
    """Writes, and leaves nothing behind. Raises DatabaseReadOnly, or what writing raises."""
    if connection.dialect.name == "postgresql":
        given = {"tables": [table.name for table in metadata.sorted_tables]}
        lacking = connection.execute(_LACKING, given).scalars().all()
        if lacking:
            raise DatabaseReadOnly(f"its role may not write {', '.join(lacking)}", remedy=GRANT)
    row = {"name": _TRIAL, "place": "", "due_at": now(connection)}
    connection.execute(insert(connection.dialect.name, chores).values(row).on_conflict_do_nothing())
    connection.execute(delete(chores).where(chores.c.name == _TRIAL))


def moment(connection: Connection) -> float:
    """What time it is by the database's clock, in seconds since 1970."""
    return float(connection.execute(select(this_moment(connection))).scalar_one()) / 1000


def queue(connection: Connection) -> Queue:
    """What waits at this moment."""
    found = [_waiting(connection) for _ in each(connection)]
    oldest = [age for _, age in found if age is not None]
    return Queue(
        waiting=sum(number for number, _ in found),
        oldest=max(oldest, default=None),
        dead=dead.number(connection),
    )


def _waiting(connection: Connection) -> tuple[int, float | None]:
    """How many messages wait, and for how many seconds the oldest that nobody answers has."""
    waits = and_(WAITS, turns.c.role == Role.PERSON)
    waiting: int = connection.execute(select(func.count()).select_from(turns).where(waits)).scalar_one()
    now_ = now(connection)
    mine = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
    held = and_(sessions.c.owner.is_not(None), sessions.c.due_at > now_, sessions.c.attempts <= 1)
    left = and_(sessions.c.due_at.is_not(None), not_(held))
    columns = turns.c.workspace, turns.c.session, turns.c.seq, turns.c.at, turns.c.slip, now_.label("now")
    first_said = (
        select(*columns).join_from(turns, sessions, mine).where(waits, left).order_by(turns.c.at).limit(_OLDEST)
    )
    ages = [row.now / 1000 - _reached_us(row) for row in connection.execute(first_said)]
    return waiting, max(0.0, *ages) if ages else None


def _reached_us(row: Row[tuple[int, int, int, int, str | None, int]]) -> float:
    """When a message that waits did, in seconds since 1970; what an early release has stored does not say."""
    slip = slips.read(bodies.SLIP.open(bodies.Mine(row.workspace, row.session), (row.seq, Role.PERSON), row.slip))
    return seconds(row.at) if slip.heard is None else slip.heard
