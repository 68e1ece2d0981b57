"""Identities: what is known of a person beside their words, and of a workspace beside its sessions, and how it goes."""

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import calls, denials, gone, holds, policies, preferences, rejections, spent, usage, warned, workspaces
from core.seam.address import Address
from core.store import bodies
from core.store.engine.sql import erases, insert
from core.store.erasures import Counts, Erasure, Scope, add

NOBODY = ""
"""Whose the sums are of those who were forgotten, as of what nobody has asked for."""

_STEP = 500  # rows
_TOKENS = ("shown", "cached", "cache_written", "written")
_PAID = {usage: ("answers", *_TOKENS), spent: ("calls", *_TOKENS)}
"""Where it is summed up what was paid for whom, and which columns are sums."""


@erases
def forget(connection: Connection, erasure: Erasure) -> None:
    """What is set for a place that is forgotten, and what somebody prefers; sums lose whose they are."""
    mine = preferences.c.workspace == erasure.workspace
    number = 0
    match erasure.scope:
        case Scope.PERSON:
            _undeny(connection, erasure)
            _merge(connection, erasure)
        case Scope.WORKSPACE:
            number = connection.execute(delete(preferences).where(mine)).rowcount
            connection.execute(delete(policies).where(policies.c.workspace == erasure.workspace))
            connection.execute(delete(gone).where(gone.c.workspace == erasure.workspace))
            _undeny(connection, erasure)
            _merge(connection, erasure)
        case Scope.CHANNEL:
            here = and_(policies.c.workspace == erasure.workspace, policies.c.scope == erasure.subject)
            connection.execute(delete(policies).where(here))
        case Scope.SESSION:
            pass
    add(connection, erasure, Counts(preferences=number))


@erases
def unname(connection: Connection, erasure: Erasure, after: int) -> int | None:
    """Of the next calls of the model behind this one nobody knows any more for whom they were; the last, None at the
    end.
    """
    if erasure.scope not in (Scope.PERSON, Scope.WORKSPACE):
        return None
    theirs = and_(calls.c.workspace == erasure.workspace, calls.c.call > after, _whose(calls.c.author, erasure))
    found = connection.execute(select(calls.c.call).where(theirs).order_by(calls.c.call).limit(_STEP)).scalars().all()
    if not found:
        return None
    last: int = found[-1]
    connection.execute(update(calls).where(theirs, calls.c.call <= last).values(author=None))
    add(connection, erasure, Counts(calls=len(found)))
    return last


@erases
def drop_rejected(connection: Connection, erasure: Erasure) -> None:
    """Events that could not be read go where they name the person, or the place: nobody knows whose words they are.

    They are few, and belong to the platform.
    """
    name = _named(connection, erasure)
    if name is None:
        return
    platform = select(workspaces.c.platform).where(workspaces.c.workspace == erasure.workspace).scalar_subquery()
    nameless = select(workspaces.c.workspace).where(workspaces.c.platform == platform, workspaces.c.name == "")
    for row in connection.execute(select(rejections).where(rejections.c.workspace.in_(nameless))).all():
        owner = bodies.Mine(row.workspace)
        told = bodies.PAYLOAD.open(owner, (row.id,), row.body) + (
            bodies.REASON.open(owner, (row.id,), row.reason) or ""
        )
        if name in told:
            this = and_(rejections.c.workspace == row.workspace, rejections.c.id == row.id)
            connection.execute(delete(rejections).where(this))


def _named(connection: Connection, erasure: Erasure) -> str | None:
    """By what an event names what is forgotten: the platform's ID."""
    if erasure.is_of_person:
        return erasure.subject
    if erasure.scope in (Scope.SESSION, Scope.CHANNEL):
        place = Address.parse(erasure.subject)
        return place.thread or place.channel
    name = select(workspaces.c.name).where(workspaces.c.workspace == erasure.workspace)
    return connection.execute(name).scalar_one() or None


def _undeny(connection: Connection, erasure: Erasure) -> None:
    """Who was told that they are not talked with is told again."""
    mine = and_(denials.c.workspace == erasure.workspace, _whose(denials.c.author, erasure))
    connection.execute(delete(denials).where(mine))


def _merge(connection: Connection, erasure: Erasure) -> None:
    """What was paid is added to what was paid for nobody, and a request that is over was nobody's."""
    for table, sums in _PAID.items():
        theirs = and_(table.c.workspace == erasure.workspace, _whose(table.c.author, erasure), table.c.author != NOBODY)
        for row in connection.execute(select(table).where(theirs)).mappings().all():
            new = insert(connection.dialect.name, table).values({**row, "author": NOBODY})
            more = {name: table.c[name] + new.excluded[name] for name in sums}
            connection.execute(new.on_conflict_do_update(index_elements=list(table.primary_key), set_=more))
        connection.execute(delete(table).where(theirs))
    told = and_(warned.c.workspace == erasure.workspace, _whose(warned.c.author, erasure), warned.c.author != NOBODY)
    connection.execute(delete(warned).where(told))
    over = and_(holds.c.workspace == erasure.workspace, _whose(holds.c.author, erasure), holds.c.settled)
    connection.execute(update(holds).where(over).values(author=NOBODY))


def _whose(author: ColumnElement[str], erasure: Erasure) -> ColumnElement[bool]:
    return author == erasure.subject if erasure.is_of_person else author.is_not(None)
