"""Rotation: the ring's newest key takes the place of the older ones, and new data keys that of all there are.

Everything is done in small steps that may be taken again. A rotation of data keys is under way while there are two
proofs of the ring: it began when the newest was made, so that a process that goes on with it knows which keys are new.
Older data keys stay, as nobody knows what a process that stood still may yet seal by one.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, delete, func, select, update

from core.errors import DatabaseError
from core.schema import data_keys
from core.store import hearers, keys
from core.store.engine.database import Database
from core.store.engine.sql import now
from core.store.keys import DataKey
from core.store.sealing import Vault
from core.vault.cipher import NotAuthentic
from core.vault.ring import NoSuchKey, Ring

_STEP = 50  # keys at once

_COLUMNS = tuple(data_keys.c[name] for name in DataKey._fields)
_LIVE = data_keys.c.wrapped != b""
_PROOFS = and_(data_keys.c.workspace == keys.DEPLOYMENT, data_keys.c.author == keys.PROOF, _LIVE)

Tell = Callable[[int], None]


def wrapped_by(connection: Connection) -> dict[str, int]:
    """How many data keys each key of the ring wraps, by its fingerprint."""
    counted = select(data_keys.c.ring, func.count().label("many")).where(_LIVE).group_by(data_keys.c.ring)
    return {row.ring: row.many for row in connection.execute(counted).all()}


def to_be_wrapped(connection: Connection, newest: str) -> int:
    """How many data keys are not wrapped by this key of the ring."""
    return connection.execute(select(func.count()).where(_LIVE, data_keys.c.ring != newest)).scalar_one()


async def wrap_all(ring: Ring, database: Database, tell: Tell) -> None:
    """Wraps all data keys by the newest key of the ring. Raises DatabaseError where one is not what was stored.

    First of all the proofs: when other processes have heard of that, they wrap by it as well (`unheard`).
    """
    while found := await database.read(_by_others, ring.newest):
        await database.write(_wrap, [(row, _wrapped(ring, row)) for row in found], ring.newest)
        tell(len(found))


def _wrapped(ring: Ring, row: DataKey) -> bytes:
    try:
        return ring.wrap(ring.newest, ring.unwrap(row.ring, row.wrapped, row.about), row.about)
    except (NoSuchKey, NotAuthentic):
        raise DatabaseError(f"data key {row.number} of workspace {row.workspace} is not as we stored it") from None


def _by_others(connection: Connection, newest: str) -> list[DataKey]:
    others = select(*_COLUMNS).where(_LIVE, data_keys.c.ring != newest)
    rows = connection.execute(others.order_by(data_keys.c.workspace, data_keys.c.number).limit(_STEP))
    return [DataKey(*row) for row in rows.all()]


def _wrap(connection: Connection, wrapped: Sequence[tuple[DataKey, bytes]], newest: str) -> None:
    """A key that was destroyed meanwhile stays so. Of the deployment's all hear, who open others by what they have."""
    for row, become in wrapped:
        mine = and_(data_keys.c.workspace == row.workspace, data_keys.c.number == row.number)
        same = and_(mine, data_keys.c.wrapped == row.wrapped)
        told = {"changed_at": now(connection)} if row.workspace == keys.DEPLOYMENT else {}
        connection.execute(update(data_keys).where(same).values(ring=newest, wrapped=become, **told))


async def unheard(database: Database, *, within: float) -> float:
    """In how many seconds all processes have heard by what they are to wrap; `within` so many each hears of all."""
    age = await database.read(_age)
    return 0.0 if age is None else max(0.0, within - age)


def to_be_heard(connection: Connection, *, within: float) -> float:
    """In how many seconds all processes that hear a platform have heard that there is a ring at all."""
    if min(hearers.heard(connection).values(), default=within) >= within:
        return 0.0
    age: int | None = connection.execute(
        select(now(connection) - func.min(data_keys.c.made_at)).where(_PROOFS)
    ).scalar()
    return 0.0 if age is None else max(0.0, within - age / 1000)


def _age(connection: Connection) -> float | None:
    """How many seconds ago a proof was wrapped anew; None where none was."""
    anew = and_(_PROOFS, data_keys.c.changed_at > data_keys.c.made_at)
    last = select(now(connection) - func.max(data_keys.c.changed_at)).where(anew)
    milliseconds: int | None = connection.execute(last).scalar_one()
    return None if milliseconds is None else milliseconds / 1000


async def begin(vault: Vault, database: Database) -> int:
    """When the rotation of data keys began that is under way from now on: milliseconds, by the database's clock.

    One that was cut off goes on, unless the ring has had another key wrap all since: whoever has the older one, and a
    copy of before, may open what was made until then.
    """
    proofs = await database.read(_proofs)
    if len(proofs) == 1 or proofs[-1].is_wrapped_anew:
        await database.write(keys.ensure, keys.DEPLOYMENT, keys.PROOF, vault.wrap_new, after=proofs[-1].number)
        proofs = await database.read(_proofs)
    return proofs[-1].made_at


class _Proof(NamedTuple):
    number: int
    made_at: int
    is_wrapped_anew: bool


def _proofs(connection: Connection) -> list[_Proof]:
    anew = data_keys.c.changed_at > data_keys.c.made_at
    rows = select(data_keys.c.number, data_keys.c.made_at, anew).where(_PROOFS).order_by(data_keys.c.number)
    return [_Proof(number, made_at, bool(is_anew)) for number, made_at, is_anew in connection.execute(rows).all()]


def to_be_made(connection: Connection, since: int) -> int:
    """For how many authors there is no data key that was made since then."""
    return connection.execute(select(func.count()).select_from(_old(since).subquery())).scalar_one()


async def make_all(vault: Vault, database: Database, since: int, tell: Tell) -> None:
    """Makes a new data key for everybody who has one."""
    while found := await database.read(_without_new, since):
        vault.know(await database.write(_make, vault, found))
        tell(len(found))


def _old(since: int) -> Select[int, str, int]:
    people = and_(_LIVE, data_keys.c.workspace != keys.DEPLOYMENT)
    columns = (data_keys.c.workspace, data_keys.c.author, func.max(data_keys.c.number).label("newest"))
    grouped = select(*columns).where(people).group_by(data_keys.c.workspace, data_keys.c.author)
    return grouped.having(func.max(data_keys.c.made_at) < since)


def _without_new(connection: Connection, since: int) -> list[tuple[int, str, int]]:
    return [(row.workspace, row.author, row.newest) for row in connection.execute(_old(since).limit(_STEP)).all()]


def _make(connection: Connection, vault: Vault, found: Sequence[tuple[int, str, int]]) -> list[DataKey]:
    return [
        keys.ensure(connection, workspace, author, vault.wrap_new, after=newest) for workspace, author, newest in found
    ]


def end(connection: Connection) -> None:
    """The rotation of data keys is over."""
    newest = select(func.max(data_keys.c.number)).where(_PROOFS).scalar_subquery()
    connection.execute(delete(data_keys).where(_PROOFS, data_keys.c.number < newest))
