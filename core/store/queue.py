"""The queue: a stored turn is its entry, the session's row its scheduler.

`due_at` is the whole scheduler in one column: NULL is idle, the past is runnable, the future is leased (with an owner)
or backing off (without). Claiming is also the recovery: a lease that ran out is claimed like new work. `waiting` and
`due_at` stand in one row, so that an arrival and an ending at the same moment can't miss each other.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.elements import ColumnElement

from core.errors import LeaseLost
from core.schema import sessions, turns
from core.session import Fate, Lease, Progress, Role, SessionKey, Turn
from core.store import bodies
from core.store.engine.prepared import Prepared
from core.store.engine.sql import among, clock, fixed, notify, now, storable
from core.store.slips import written
from core.store.turns import MINE, OPEN, WAITS, first_waiting, place


class Changed(Exception):
    """The turn that is being answered has been edited, deleted or ended: look again."""


def news(connection: Connection) -> set[tuple[int, int, int]]:
    """Workspace, session and fence of the claimed sessions about whose waiting turns there is something new."""
    found = select(sessions.c.workspace, sessions.c.session, sessions.c.fence).where(
        _NEWS, sessions.c.owner.is_not(None)
    )
    return {(row.workspace, row.session, row.fence) for row in connection.execute(found)}


_NEWS = or_(sessions.c.news, sessions.c.stop.is_not(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a holder sees: the seq before which its answer is to stop, and the first two waiting turns."""

    stop: int | None
    waiting: Sequence[Turn]


def look(connection: Connection, lease: Lease) -> Look:
    """Takes notice of what is new. Raises LeaseLost."""
    row = _NOTICED.first(connection, **holder(lease))
    if row is None:
        raise LeaseLost(lease.key.address.id)
    return Look(stop=row.stop, waiting=first_waiting(connection, lease.key, 2))


def stop(connection: Connection, key: SessionKey, seq: int) -> None:
    """Asks whoever answers a turn of before this seq to end the answer where it is.

    A session that backs off is due at once, so that nobody waits for the end of that.
    """
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    at_once = case((sessions.c.owner.is_(None), now(connection)), else_=sessions.c.due_at)
    connection.execute(update(sessions).where(mine).values(stop=seq, due_at=at_once))


def renew(connection: Connection, leases: Iterable[Lease], *, lease: float) -> set[tuple[int, int, int]]:
    """Makes these leases last `lease` seconds from now; returns workspace, session and fence of those still held."""
    ours = [(one.key.workspace, one.key.session, one.fence) for one in leases]
    these = among(sessions.c.workspace, sessions.c.session, [(workspace, session) for workspace, session, _ in ours])
    statement = (
        update(sessions)
        .where(
            these,
            tuple_(sessions.c.workspace, sessions.c.session, sessions.c.fence).in_(ours),
            sessions.c.owner.is_not(None),
        )
        .values(due_at=now(connection) + int(lease * 1000))
        .returning(sessions.c.workspace, sessions.c.session, sessions.c.fence)
    )
    return {(row.workspace, row.session, row.fence) for row in connection.execute(statement)}


def held(lease: Lease) -> ColumnElement[bool]:
    """The condition under which the holder of this lease may still write to its session's row."""
    return and_(
        sessions.c.workspace == lease.key.workspace,
        sessions.c.session == lease.key.session,
        sessions.c.fence == lease.fence,
    )


def require(connection: Connection, lease: Lease) -> None:
    """Locks the session's row until the end of the transaction. Raises LeaseLost."""
    if _REQUIRED.first(connection, **holder(lease)) is None:
        raise LeaseLost(lease.key.address.id)


def holder(lease: Lease) -> dict[str, int]:
    """What `under_lease` looks the session up by."""
    return {**place(lease.key), "fence": lease.fence}


_MINE = and_(sessions.c.workspace == bindparam("workspace"), sessions.c.session == bindparam("session"))
_HELD = and_(_MINE, sessions.c.fence == bindparam("fence"))


def under_lease() -> ColumnElement[bool]:
    """The condition that the lease holds, in a statement that changes something else.

    The session's row is locked before anything else, as everybody does who changes more than one row of a session.
    """
    return exists(select(sessions.c.fence).where(_HELD).with_for_update())


class _Stop(NamedTuple):
    stop: int | None


_REQUIRED = Prepared(lambda _: select(sessions.c.fence).where(_HELD).with_for_update(), int)
_NOTICED = Prepared(lambda _: update(sessions).where(_HELD).values(news=false()).returning(sessions.c.stop), _Stop)


def release(
    connection: Connection,
    lease: Lease,
    *,
    attempts: int,
    after: float = 0,
    error: tuple[int, str] | None = None,
    others: bool = False,
) -> None:
    """Gives a lease back with its work undone: anybody may claim the session in `after` seconds, `others` at once.

    `attempts` is how many count so far. `error` is the seq of the turn that failed and why; it is kept with the turn
    for as long as there is no answer.
    """
    back = {"owner": None, "attempts": attempts, "due_at": now(connection) + int(after * 1000)}
    mine = and_(held(lease), sessions.c.owner.is_not(None))  # not one that has been given back already
    if others:
        notify(connection)
    if connection.execute(update(sessions).where(mine).values(back)).rowcount and error is not None:
        seq, reason = error
        waits = and_(turns.c.role == Role.PERSON, turns.c.progress == Progress.WAITING)
        asked = and_(turn(lease.key, seq), waits)  # an answer is not wrong for being late
        why = bodies.ERROR.seal(lease.key, (seq, Role.PERSON), storable(reason))
        connection.execute(update(turns).where(asked).values(error=why))


def idle(connection: Connection, lease: Lease) -> None:
    """Gives a lease back because nothing was found waiting; what has arrived since makes the session due again."""
    require(connection, lease)
    key = lease.key
    here = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, WAITS)
    left: int = connection.execute(select(func.count()).select_from(turns).where(here)).scalar_one()
    due_at = now(connection) if left else None
    back = {"owner": None, "attempts": 0, "deaths": 0, "waiting": left, "due_at": due_at, "news": False, "stop": None}
    connection.execute(update(sessions).where(held(lease)).values(back))


def marked(connection: Connection, key: SessionKey, seq: int) -> bool:
    """Notes that a message was marked as waiting; False when it does not wait any more."""
    return _noted(connection, key, seq, {"marked": True})


def keep_private(connection: Connection, key: SessionKey, seq: int) -> None:
    """What is about to be said to this turn is for its author alone, whoever says it in the end."""
    _noted(connection, key, seq, {"private": True})


def _noted(connection: Connection, key: SessionKey, seq: int, facts: dict[str, object]) -> bool:
    """Writes something on a waiting turn's slip; False when the turn does not wait."""
    this = and_(turn(key, seq), turns.c.role == Role.PERSON, turns.c.progress == Progress.WAITING)
    stored = connection.execute(select(turns.c.slip).where(this).with_for_update()).scalar_one_or_none()
    slip = bodies.SLIP.open(key, (seq, Role.PERSON), stored)
    if slip is None:
        return False
    noted = bodies.SLIP.seal(key, (seq, Role.PERSON), json.dumps(json.loads(slip) | facts))
    connection.execute(update(turns).where(this).values(slip=noted))
    return True


def merge(connection: Connection, lease: Lease, first: Turn, following: Turn) -> None:
    """This turn is answered together with the one that follows it. Raises LeaseLost, and Changed if either is gone."""
    require(connection, lease)
    key = lease.key
    both = [one.seq for one in first_waiting(connection, key, 2)]
    since = first.at if first.slip.since is None else first.slip.since
    burst = {"since": since, "joins": first.seq, "joined": written(first.slip)}
    if both != [first.seq, following.seq] or not _noted(connection, key, following.seq, burst):
        raise Changed(key.address.id)
    over = turn(key, first.seq) & (turns.c.role == Role.PERSON) & (turns.c.progress == Progress.WAITING)
    connection.execute(update(turns).where(over).values(progress=Progress.DONE, slip=None, error=None))
    connection.execute(update(sessions).where(held(lease)).values(waiting=sessions.c.waiting - 1))


def finish(
    connection: Connection, key: SessionKey, seq: int, *, lease: Lease | None, seconds: float, doubtful: bool = False
) -> Fate:
    """This turn is over; the holder keeps the lease where another one waits.

    What answering needs is kept where it may be needed again: the answer is to be reconciled, or there was none.
    Without a lease (an at-once command) the session's scheduling is left to whoever holds it. Repeatable.
    Raises LeaseLost.
    """
    this = {**(place(key) if lease is None else holder(lease)), "seq": seq}
    ended = _ending(leased=lease is not None, doubtful=doubtful).run(connection, **this)
    if lease is None:
        _LEFT.run(connection, **place(key), ended=ended)
        return Fate.GIVEN_BACK
    if not ended:
        require(connection, lease)
    (left,) = _KEPT.all(connection, **place(key), seq=seq, ended=ended, lease=int(seconds * 1000))
    return Fate.KEPT if left.waiting > 0 else Fate.GIVEN_BACK


@cache
def _ending(*, leased: bool, doubtful: bool) -> Prepared[object]:
    kept = turns.c.slip if doubtful else case((turns.c.error.is_not(None), turns.c.slip), else_=null())
    over = update(turns).where(QUESTION, OPEN, *([under_lease()] if leased else []))
    return Prepared(lambda _: over.values(progress=fixed(Progress.DONE), slip=kept), tuple)


QUESTION = and_(MINE, turns.c.seq == bindparam("seq"), turns.c.role == fixed(Role.PERSON))
"""The question with the `seq` that a statement is given."""

_ENDED = sessions.c.waiting - bindparam("ended", type_=Integer)


def _left(dialect: str) -> Update:
    """Beside the queue: whoever holds the session, or backs off, is not disturbed."""
    kept = or_(sessions.c.owner.is_not(None), and_(_ENDED > 0, sessions.c.attempts > 0))
    due_at = case((kept, sessions.c.due_at), (_ENDED > 0, clock(dialect)), else_=null())
    return update(sessions).where(_MINE).values(waiting=_ENDED, due_at=due_at)


def _kept(dialect: str) -> ReturningUpdate[int]:
    """By the holder, who keeps the lease where something is left."""
    until = clock(dialect) + bindparam("lease", type_=BigInteger)
    values = {
        "waiting": _ENDED,
        "attempts": case((_ENDED > 0, fixed(1)), else_=fixed(0)),
        "deaths": fixed(0),
        "owner": case((_ENDED > 0, sessions.c.owner), else_=null()),
        "due_at": case((_ENDED > 0, until), else_=null()),
        "news": and_(sessions.c.news, _ENDED > 0),
        "stop": case((sessions.c.stop > bindparam("seq"), null()), else_=sessions.c.stop),
    }
    return update(sessions).where(_MINE).values(values).returning(sessions.c.waiting)


class _Waiting(NamedTuple):
    waiting: int


_LEFT = Prepared(_left, tuple)
_KEPT = Prepared(_kept, _Waiting)


def turn(key: SessionKey, seq: int) -> ColumnElement[bool]:
    """The turns with this seq: a question, and its answer where there is one."""
    return and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq == seq)
