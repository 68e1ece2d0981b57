"""The audit: who read, changed or erased what, or was refused, without a word of it; rows are only added.

Each workspace has a chain of its own: a row's hash covers the row and the hash before it, so that whoever changes or
takes away a row breaks the chain there. The chain's own row says where it begins and ends. Hashes are bodies: with a
key ring they are sealed in their places, so that nobody without the ring can make new ones that fit; without a ring,
whoever may write in the database can.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, delete, func, select, update

from core.errors import BackscrollError
from core.schema import audit, audit_chains, sessions, workspaces
from core.store import bodies, keys
from core.store.engine.sql import insert, this_moment
from core.vault.packet import NoPacket, number_of

_READ = 1_000  # rows


class Outcome(StrEnum):
    """What came of a deed that is recorded."""

    DONE = "done"
    DENIED = "denied"


class Broken(NamedTuple):
    """The first row of a workspace's chain that is not as it was recorded, and what is wrong with it."""

    workspace: str
    number: int
    why: str


class ChainLost(BackscrollError):
    """The beginning or the end of a workspace's chain can't be read, so that nothing can be added to it."""

    def __init__(self) -> None:
        super().__init__("the beginning or end of its chain can't be read")


class Recorded(NamedTuple):
    """One row: when (milliseconds since 1970), who by the platform's ID, None for the operator; what, where, and what
    came of it. `workspace` is PLATFORM:WORKSPACE, `session` the ID of a session that is still known.
    """

    workspace: str
    number: int
    at: int
    actor: str | None
    deed: str
    session: str | None
    outcome: str


class _End(NamedTuple):
    """Where a chain begins or ends: behind this number, whose row has this hash."""

    number: int
    hash: str


class _Ends(NamedTuple):
    first: _End
    last: _End


def record(
    connection: Connection,
    workspace: int,
    deed: str,
    outcome: Outcome = Outcome.DONE,
    *,
    actor: str | None,
    session: int = 0,
) -> None:
    """Adds a row in the transaction of the deed itself. None is the operator, session 0 the workspace itself.

    To be called last in it: others of the workspace who record something wait for its end. Raises ChainLost.
    """
    first, last = _locked(connection, workspace) or _begun(connection, workspace)
    number, moment = last.number + 1, connection.execute(select(this_moment(connection))).scalar_one()
    facts = {"workspace": workspace, "number": number, "at": moment, "actor": actor, "deed": deed}
    facts |= {"session": session, "outcome": outcome.value}
    digest = _hash(last.hash, facts)
    sealed = bodies.AUDIT.seal(bodies.Mine(workspace), (number,), digest)
    connection.execute(insert(connection.dialect.name, audit).values(**facts, hash=sealed))
    _keep(connection, workspace, _Ends(first, _End(number, digest)))


def found(
    connection: Connection, *, since: int = 0, actor: str | None = None, workspace: str | None = None, most: int
) -> list[Recorded]:
    """The newest rows since that moment (milliseconds since 1970), of all or of this person; oldest first."""
    place = workspaces.c.platform + ":" + workspaces.c.name
    asked = [column == value for column, value in ((audit.c.actor, actor), (place, workspace)) if value is not None]
    of_session = and_(sessions.c.workspace == audit.c.workspace, sessions.c.session == audit.c.session)
    rows = (
        select(place.label("place"), sessions.c.address, audit)
        .join_from(audit, workspaces, workspaces.c.workspace == audit.c.workspace)
        .outerjoin(sessions, of_session)
        .where(audit.c.at >= since, *asked)
        .order_by(audit.c.at.desc(), audit.c.workspace, audit.c.number.desc())
        .limit(most)
    )
    return [
        Recorded(row.place, row.number, row.at, row.actor, row.deed, row.address, row.outcome)
        for row in reversed(connection.execute(rows).all())
    ]


def recorded(connection: Connection) -> Sequence[tuple[int, str]]:
    """The workspaces of which something is recorded, by number and name."""
    place = workspaces.c.platform + ":" + workspaces.c.name
    mine = select(audit.c.workspace).union(select(audit_chains.c.workspace)).subquery()
    named = select(mine.c.workspace, place).outerjoin(workspaces, workspaces.c.workspace == mine.c.workspace)
    rows = connection.execute(named.order_by(mine.c.workspace)).all()
    return [(number, name or f"workspace {number}") for number, name in rows]


def verify(connection: Connection, workspace: int, name: str) -> tuple[int, Broken | None]:
    """How many rows a chain has, and the first that is not as it was recorded.

    Nobody adds to it meanwhile: it is to be run in a transaction of its own.
    """
    try:
        ends = _locked(connection, workspace)
    except ChainLost as lost:
        return 0, Broken(name, _first(connection, workspace), str(lost))
    if ends is None:
        return 0, Broken(name, _first(connection, workspace), "the beginning and end of its chain are missing")
    broken = _walked(connection, workspace, ends.first, ends.last)
    if broken is None and (extra := _first(connection, workspace, after=ends.last.number)):
        broken = extra, "it stands behind the end"
    return ends.last.number - ends.first.number, None if broken is None else Broken(name, *broken)


def prune(connection: Connection, workspace: int, name: str, *, before: int) -> tuple[int, Broken | None]:
    """Takes away some of the oldest rows, recorded before this (milliseconds since 1970), and says how many.

    What is left can be verified as before, from a new beginning. What is broken is left as it is, and returned.
    """
    try:
        ends = _locked(connection, workspace)
    except ChainLost as lost:
        return 0, Broken(name, _first(connection, workspace), str(lost))
    if ends is None:
        return 0, None
    first, last = ends
    ours = audit.c.workspace == workspace
    connection.execute(delete(audit).where(ours, audit.c.number <= first.number, audit.c.at < before))  # of before
    mine = and_(ours, audit.c.number > first.number)
    young = select(func.min(audit.c.number)).where(mine, audit.c.at >= before)
    oldest: int | None = connection.execute(young).scalar_one()
    number = min(last.number if oldest is None else oldest - 1, first.number + _READ)
    if number <= first.number:
        return 0, None
    stored = connection.execute(select(audit).where(mine, audit.c.number == number)).one_or_none()
    end = _End(number, "" if stored is None else _opened(stored))
    broken = _walked(connection, workspace, first, end)
    if broken is not None:
        return 0, Broken(name, *broken)
    connection.execute(delete(audit).where(mine, audit.c.number <= number))
    _keep(connection, workspace, _Ends(end, last))
    return number - first.number, None


def _walked(connection: Connection, workspace: int, first: _End, last: _End) -> tuple[int, str] | None:
    """The first row between these that is not as it was recorded, and what is wrong."""
    known = first
    for row in _rows(connection, workspace, first.number, last.number):
        if row.number != known.number + 1:
            break
        digest = _hash(known.hash, {name: getattr(row, name) for name in _FACTS})
        if digest != _opened(row):
            return row.number, "it was changed"
        known = _End(row.number, digest)
    if known.number != last.number:
        return known.number + 1, "it is missing"
    return None if known.hash == last.hash else (known.number, "it is not what the end of its chain says")


def _rows(connection: Connection, workspace: int, after: int, last: int) -> Iterator[Row[*tuple[object, ...]]]:
    while after < last:
        page = select(audit).where(audit.c.workspace == workspace, audit.c.number > after, audit.c.number <= last)
        rows = connection.execute(page.order_by(audit.c.number).limit(_READ)).all()
        yield from rows
        after = rows[-1].number if rows else last


_FACTS = ("workspace", "number", "at", "actor", "deed", "session", "outcome")


def _hash(before: str, facts: Mapping[str, object]) -> str:
    told = [before, *(facts[name] for name in _FACTS)]
    return sha256(json.dumps(told, default=repr).encode()).hexdigest()  # SQLite may have bytes for a text


def _opened(row: Row[*tuple[object, ...]]) -> str:
    return bodies.AUDIT.open(bodies.Mine(row.workspace), (row.number,), row.hash)


def _first(connection: Connection, workspace: int, *, after: int = 0) -> int:
    """The first number behind that one; 0 where there is none."""
    mine = select(func.min(audit.c.number)).where(audit.c.workspace == workspace, audit.c.number > after)
    return connection.execute(mine).scalar_one() or 0


def _begun(connection: Connection, workspace: int) -> _Ends:
    """The ends of a new chain. Raises ChainLost where there are rows already, whose ends somebody has taken away."""
    is_new, ends = _is_new(connection, workspace), _locked(connection, workspace)
    if ends is None or (is_new and ends.last.number):
        connection.execute(delete(audit_chains).where(audit_chains.c.workspace == workspace))
        raise ChainLost
    return ends


def _is_new(connection: Connection, workspace: int) -> bool:
    """Whether there was no chain, of which there now is one of no rows, behind all that there are."""
    sealed = _sealed(workspace, _empty(connection, workspace))
    new = insert(connection.dialect.name, audit_chains).values(workspace=workspace, **sealed)
    return connection.execute(new.on_conflict_do_nothing()).rowcount > 0


def _locked(connection: Connection, workspace: int) -> _Ends | None:
    """Where a chain begins and ends; nobody else adds to it until the end of the transaction. Raises ChainLost.

    Once what has sealed it was destroyed on purpose, nobody can verify it: a new one begins behind it.
    """
    mine = select(audit_chains).where(audit_chains.c.workspace == workspace).with_for_update()
    row = connection.execute(mine).one_or_none()
    if row is None:
        return None
    owner = bodies.Mine(workspace)
    first, last = _end(bodies.BEGINNING.open(owner, (), row.first)), _end(bodies.END.open(owner, (), row.last))
    if first is not None and last is not None:
        return _Ends(first, last)
    if _is_erased(connection, workspace, row.last):
        return _empty(connection, workspace)
    raise ChainLost


def mend(connection: Connection, workspace: int, name: str) -> Broken | None:
    """Begins a new chain behind a broken one, and says what was wrong with it; None, and nothing, where it is whole.

    All that is recorded stays. The first row of the new chain records that it was begun, by the operator.
    """
    if (broken := verify(connection, workspace, name)[1]) is not None:
        if not _is_new(connection, workspace):
            begin_anew(connection, workspace)
        record(connection, workspace, "audit begin-anew", actor=None)
    return broken


def begin_anew(connection: Connection, workspace: int) -> None:
    """A new chain begins, behind all that is recorded, which can't be verified any more."""
    begun = select(audit_chains.c.workspace).where(audit_chains.c.workspace == workspace).with_for_update()
    if connection.execute(begun).first() is not None:
        _keep(connection, workspace, _empty(connection, workspace))


def _empty(connection: Connection, workspace: int) -> _Ends:
    """The ends of a chain of no rows, behind all that there are."""
    newest = select(func.coalesce(func.max(audit.c.number), 0)).where(audit.c.workspace == workspace)
    nothing = sha256(f"backscroll audit {workspace}".encode()).hexdigest()
    end = _End(connection.execute(newest).scalar_one(), nothing)
    return _Ends(end, end)


def _is_erased(connection: Connection, workspace: int, sealed: bytes) -> bool:
    """Whether the data key of this was destroyed."""
    try:
        number = 0 if bodies.END.packet(sealed) is None else number_of(sealed)[0]
    except (NoPacket, bodies.NotOpened):
        return False
    near = keys.around(connection, workspace, number)
    return any(one.number == number and not one.wrapped for one in near)


def _end(words: str) -> _End | None:
    """None for what can't be read."""
    number, _, digest = words.partition(" ")
    return _End(int(number), digest) if number.isascii() and number.isdigit() and len(number) < 10 else None


def _keep(connection: Connection, workspace: int, ends: _Ends) -> None:
    mine = audit_chains.c.workspace == workspace
    connection.execute(update(audit_chains).where(mine).values(**_sealed(workspace, ends)))


def _sealed(workspace: int, ends: _Ends) -> dict[str, bytes]:
    owner, both = bodies.Mine(workspace), zip((bodies.BEGINNING, bodies.END), ends, strict=True)
    return {one.column.name: one.seal(owner, (), f"{end.number} {end.hash}") for one, end in both}
