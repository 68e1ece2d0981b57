"""Identities: what is known of a person beside their words, and of a workspace beside its sessions, and how it goes."""

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import calls, denials, gone, policies, preferences, quotes, rejections, turns, warned, workspaces
from core.seam.address import Address
from core.session import Role
from core.store import bodies, pseudonyms
from core.store.engine.rows import within
from core.store.engine.sql import erases
from core.store.erasures import Counts, Erasure, Scope, add

_STEP = 500  # rows


def ascribe(connection: Connection, erasure: Erasure) -> None:
    """Copies of what the person has said, which we heard later than them, are known for theirs from now on.

    Only an ID is compared, as copies come without an author on platforms where that is unique.
    """
    mine = and_(turns.c.workspace == erasure.workspace, turns.c.author == erasure.subject)
    theirs = select(turns.c.message).where(mine, turns.c.role == Role.PERSON, turns.c.message == quotes.c.copied)
    here = and_(quotes.c.workspace == erasure.workspace, quotes.c.copied.is_not(None))
    connection.execute(update(quotes).where(here, theirs.exists()).values(author=erasure.subject, copied=None))


@erases
def forget(connection: Connection, erasure: Erasure, *, since: int) -> None:
    """What is set for a place that is forgotten, and what somebody prefers; sums lose whose they are.

    What a person has spent from this day on still counts, under a pseudonym.
    """
    mine = preferences.c.workspace == erasure.workspace
    number = 0
    match erasure.scope:
        case Scope.PERSON:
            _undeny(connection, erasure)
            _unwarn(connection, erasure)
            pseudonyms.rename(connection, erasure.workspace, erasure.subject, since=since)
        case Scope.WORKSPACE:
            number = connection.execute(delete(preferences).where(mine)).rowcount
            connection.execute(delete(policies).where(policies.c.workspace == erasure.workspace))
            connection.execute(delete(gone).where(gone.c.workspace == erasure.workspace))
            _undeny(connection, erasure)
            _unwarn(connection, erasure)
            pseudonyms.unname(connection, erasure.workspace)
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
    for workspace in connection.execute(nameless).scalars().all():
        with within(connection, workspace):
            _drop_rejected(connection, workspace, name)


def _drop_rejected(connection: Connection, workspace: int, name: str) -> None:
    for row in connection.execute(select(rejections).where(rejections.c.workspace == workspace)).all():
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
        return erasure.subject or None
    if erasure.scope in (Scope.SESSION, Scope.CHANNEL):
        place = Address.parse(erasure.subject)
        return place.thread or place.channel or None
    name = select(workspaces.c.name).where(workspaces.c.workspace == erasure.workspace)
    return connection.execute(name).scalar_one() or None


def _undeny(connection: Connection, erasure: Erasure) -> None:
    """Who was told that they are not talked with is told again."""
    mine = and_(denials.c.workspace == erasure.workspace, _whose(denials.c.author, erasure))
    connection.execute(delete(denials).where(mine))


def _unwarn(connection: Connection, erasure: Erasure) -> None:
    """Who was told that a budget is nearly used up is told again."""
    told = and_(warned.c.workspace == erasure.workspace, _whose(warned.c.author, erasure), warned.c.author != "")
    connection.execute(delete(warned).where(told))


def _whose(author: ColumnElement[str], erasure: Erasure) -> ColumnElement[bool]:
    return author == erasure.subject if erasure.is_of_person else author.is_not(None)
