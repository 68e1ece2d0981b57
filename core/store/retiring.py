"""Retiring: a person's data key gets a successor before it is destroyed, so that what they say meanwhile stays.

Other processes go on sealing by the old one until they have heard of the new one. What that has sealed and is to be
kept is sealed anew.
"""

from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, func, select, update

from core.schema import data_keys, erasures, preferences, quotes, turns
from core.session import Role, SessionKey, Validity
from core.store import bodies, keys
from core.store.bodies import Body, Note, NotOpened
from core.store.engine.sql import now
from core.store.erasures import Erasure, Scope
from core.store.keys import DataKey, Make
from core.vault.packet import NoPacket, number_of


class Successor(NamedTuple):
    """The key that seals from now on, and for how many seconds others have been able to hear of it."""

    key: DataKey
    age: float


def succeed(connection: Connection, erasure: Erasure, make: Make) -> Successor | None:
    """Makes the key that comes after the one that is to be destroyed; None where the person has none."""
    this = and_(erasures.c.workspace == erasure.workspace, erasures.c.scope == erasure.scope)
    mine = and_(this, erasures.c.subject == erasure.subject)
    last: int | None = connection.execute(
        select(erasures.c.last_key).where(mine).with_for_update()
    ).scalar_one_or_none()
    if last is None:
        newest = keys.newest(connection, erasure.workspace, erasure.subject)
        if newest is None:
            return None
        last = newest.number
        connection.execute(update(erasures).where(mine).values(last_key=last))
    key = keys.ensure(connection, erasure.workspace, erasure.subject, make, after=last)
    row = and_(data_keys.c.workspace == key.workspace, data_keys.c.number == key.number)
    age: int = connection.execute(select(now(connection) - data_keys.c.made_at).where(row)).scalar_one()
    return Successor(key, age / 1000)


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
    if erasure.scope is Scope.WORKSPACE:
        return keys.destroy(connection, erasure.workspace, None)
    if erasure.last_key is None:
        return 0
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
