"""Retiring: data keys get successors before they are destroyed, so that what is said meanwhile stays.

Other processes go on sealing by the old one until they have heard of the new one. What that has sealed and is to be
kept is sealed anew.
"""

from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import data_keys, erasures, preferences, quotes, turns
from core.session import Role, SessionKey, Validity
from core.store import audit, bodies, keys
from core.store.bodies import Body, Note, NotOpened
from core.store.engine.sql import now
from core.store.erasures import Erasure, Scope
from core.store.keys import DataKey, Make
from core.vault.packet import NoPacket, number_of

_STEP = 50  # keys at once


class Successors(NamedTuple):
    """The keys that seal from now on, and for how many seconds others have been able to hear of the newest."""

    keys: list[DataKey]
    age: float


def succeed(connection: Connection, erasure: Erasure, make: Make) -> int:
    """Makes the keys that come after those that are to be destroyed, a few at once: the person's, or a workspace's own
    and everybody's in it. How many it has found to make; where nobody has any, there are none.
    """
    this = and_(erasures.c.workspace == erasure.workspace, erasures.c.scope == erasure.scope)
    mine = and_(this, erasures.c.subject == erasure.subject)
    last: int | None = connection.execute(
        select(erasures.c.last_key).where(mine).with_for_update()
    ).scalar_one_or_none()
    live = and_(_whose(erasure), data_keys.c.wrapped != b"")
    if last is None:
        last = connection.execute(select(func.max(data_keys.c.number)).where(live)).scalar_one()
        connection.execute(update(erasures).where(mine).values(last_key=last))
    if last is None:
        return 0
    old = select(data_keys.c.author).where(live).group_by(data_keys.c.author)
    heirless = connection.execute(old.having(func.max(data_keys.c.number) <= last).limit(_STEP)).scalars().all()
    for author in heirless:
        keys.ensure(connection, erasure.workspace, author, make, after=last)
    return len(heirless)


def successors(connection: Connection, erasure: Erasure) -> Successors | None:
    """Those that were made, once all are; None where there is nothing to be destroyed."""
    if erasure.last_key is None:
        return None
    fresh = and_(_whose(erasure), data_keys.c.number > erasure.last_key, data_keys.c.wrapped != b"")
    columns = [data_keys.c[name] for name in DataKey._fields]
    rows = connection.execute(select(now(connection) - data_keys.c.made_at, *columns).where(fresh)).all()
    return Successors([DataKey(*row[1:]) for row in rows], min(row[0] for row in rows) / 1000) if rows else None


def _whose(erasure: Erasure) -> ColumnElement[bool]:
    mine = data_keys.c.workspace == erasure.workspace
    return and_(mine, data_keys.c.author == erasure.subject) if erasure.is_of_person else mine


def keep(connection: Connection, key: SessionKey, erasure: Erasure) -> None:
    """What the person has said since, and what is quoted of that, is sealed by the new key."""
    if erasure.last_key is None:
        return
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    theirs = and_(turns.c.author == erasure.subject, turns.c.role == Role.PERSON, turns.c.validity != Validity.ERASED)
    for row in connection.execute(select(turns).where(mine, theirs)).all():
        here = and_(mine, turns.c.seq == row.seq, turns.c.role == row.role)
        become = _renewed(key, (row.seq, row.role), row, (bodies.TURN, bodies.NAME), erasure)
        if become:
            connection.execute(update(turns).where(here).values(become))
    _keep_quotes(connection, key, erasure)


def _keep_quotes(connection: Connection, key: SessionKey, erasure: Erasure) -> None:
    mine = and_(quotes.c.workspace == key.workspace, quotes.c.session == key.session)
    asker = and_(turns.c.workspace == quotes.c.workspace, turns.c.session == quotes.c.session)
    said = select(turns.c.author).where(asker, turns.c.seq == quotes.c.seq, turns.c.role == Role.PERSON)
    theirs = func.coalesce(quotes.c.author, said.scalar_subquery()) == erasure.subject
    for row in connection.execute(select(quotes).where(mine, theirs)).all():
        here = and_(mine, quotes.c.seq == row.seq, quotes.c.place == row.place)
        columns = (bodies.QUOTE, bodies.QUOTED_NAME, bodies.TITLE)
        become = _renewed(key, (row.seq, row.place), row, columns, erasure)
        if become:
            connection.execute(update(quotes).where(here).values(become))


def destroy(connection: Connection, erasure: Erasure) -> int:
    """Destroys the keys of what is forgotten; how many there were. What the person has come to prefer since is kept."""
    if erasure.last_key is None:
        return 0
    if erasure.scope is Scope.WORKSPACE:
        audit.begin_anew(connection, erasure.workspace)
        return keys.destroy(connection, erasure.workspace, None, last=erasure.last_key)
    mine = and_(preferences.c.workspace == erasure.workspace, preferences.c.author == erasure.subject)
    for row in connection.execute(select(preferences).where(mine)).all():
        owner = bodies.Mine(row.workspace)
        become = _renewed(owner, (row.author,), row, (bodies.PREFERENCES,), erasure)
        if become:
            connection.execute(update(preferences).where(mine).values(become))
    return keys.destroy(connection, erasure.workspace, erasure.subject, last=erasure.last_key)


def _renewed(
    owner: bodies.Owner,
    place: bodies.Row,
    row: Row[*tuple[object, ...]],
    columns: tuple[Body | Note, ...],
    erasure: Erasure,
) -> dict[str, object]:
    """What of this row was sealed by a key that is to be destroyed, sealed anew. What can't be opened stays."""
    become = dict[str, object]()
    for one in columns:
        stored = getattr(row, one.column.name)
        try:
            packet = one.packet(stored) if stored else None
            if packet is not None and number_of(packet)[0] <= (erasure.last_key or 0):
                become[one.column.name] = one.again(owner, place, stored, by=erasure.subject)
        except (NotOpened, NoPacket, UnicodeDecodeError):
            continue
    return become
