"""Claims: who may answer which sessions now. Claiming is also the recovery.

A lease that ran out is claimed like new work. Whatever ended a process may have been any of the sessions that it held.
So the more processes have ended over one, the fewer others it is answered beside, and in the end none: until then,
nothing is its fault. From then on only a process tries it that has lived for some time: where processes are ended one
after the other by something else, none gets that old, and it waits until that is over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.elements import ColumnElement

from core.schema import sessions
from core.seam.address import Address
from core.session import AGES, DEATHS, Lease, SessionKey, Turn
from core.store import policies
from core.store.arrivals import backs_off
from core.store.engine import rows
from core.store.engine.sql import clock, fixed, now
from core.store.turns import first_waiting

MOST = 1_000
"""How many sessions one process answers at the same time."""


def braves(seconds: float) -> int:
    """Over what how many processes may have ended that a process tries which has lived for so long."""
    return min((deaths - 1 for deaths, age in AGES.items() if seconds < age), default=_ANY)


def company(deaths: int) -> int:
    """How many sessions a process may hold, this one included, of which one has seen so many processes end."""
    return max(1, MOST >> 3 * deaths)


_LEASE = (
    sessions.c.workspace,
    sessions.c.session,
    sessions.c.address,
    sessions.c.fence,
    sessions.c.attempts,
    sessions.c.backscroll_read,
    sessions.c.stop,
    sessions.c.deaths,
    *policies.SET_IN_SESSION,
)
_Claimed = tuple[int, int, str, int, int, bool, int | None, int, str | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Leases, each with the first two of its waiting turns.

    `room` is what else may be in hand before the session that waits longest can be claimed here.
    """

    sessions: Sequence[tuple[Lease, Sequence[Turn]]] = ()
    room: int = MOST


def claim(
    connection: Connection,
    *,
    owner: str,
    lease: float,
    platforms: Sequence[str],
    limit: int,
    in_hand: int = 0,
    patient: bool = True,
    lived: float = inf,
) -> Claimed:
    """Takes up to `limit` runnable sessions for `lease` seconds, the longest waiting first.

    This process has `lived` for so many seconds: what more processes have ended over than it may try is passed over.

    That one decides in what company they are answered, with what is `in_hand` already: until there is room for it
    none is taken, so that it does not wait for ever. Without `patient`, those are passed over that have no room.
    """
    dialect, places = connection.dialect.name, list(platforms)
    most_deaths = _ANY if patient else _fitting(in_hand)
    known: dict[str, object] = {
        "platforms": places,
        "process": owner[: owner.rfind(".") + 1] or owner,
        "braves": braves(lived),
    }
    deaths = connection.execute(_first_due(dialect), known | {"deaths": most_deaths}).scalar_one_or_none()
    if deaths is None:
        return Claimed()
    most = min(limit, company(deaths) - in_hand) if deaths else limit
    if most <= 0:
        return Claimed(room=company(deaths) - 1)
    facts = known | {"new_owner": owner, "lease": int(lease * 1000), "deaths": deaths, "most": most}
    leases = [_lease(connection, row) for row in connection.execute(_claiming(dialect), facts).all()]
    return Claimed(sessions=[(one, _waiting(connection, one.key)) for one in leases])


def _waiting(connection: Connection, key: SessionKey) -> Sequence[Turn]:
    with rows.within(connection, key.workspace):
        return first_waiting(connection, key, 2)


def _fitting(in_hand: int) -> int:
    """The most deaths of a session that may be claimed beside so many others."""
    deaths = 0
    while in_hand < company(deaths + 1):
        deaths += 1
        if company(deaths) == 1:
            return _ANY
    return deaths


_ANY = 32_767  # deaths; no more can be counted


def _due(dialect: str) -> ColumnElement[bool]:
    ours = sessions.c.platform.in_(bindparam("platforms", expanding=True))
    deaths = sessions.c.deaths + _died()
    dares = or_(deaths <= bindparam("braves"), deaths >= fixed(DEATHS))  # what is to be given up ends nobody
    return and_(sessions.c.due_at <= clock(dialect), ours, sessions.c.deaths <= bindparam("deaths"), dares)


def _died() -> ColumnElement[int]:
    """1 where the holder has ended; what ran out in this process, which lives, is an attempt like any other."""
    process = bindparam("process", type_=Text)
    ours = func.substr(sessions.c.owner, 1, func.length(process)) == process
    return case((and_(sessions.c.owner.is_not(None), not_(ours)), fixed(1)), else_=fixed(0))


@cache
def _first_due(dialect: str) -> Select[int]:
    return select(sessions.c.deaths).where(_due(dialect)).order_by(sessions.c.due_at).limit(1)


@cache
def _claiming(dialect: str) -> ReturningUpdate[_Claimed]:
    due = (
        select(sessions.c.workspace, sessions.c.session)
        .where(_due(dialect))
        .order_by(sessions.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )
    died = _died()
    return (
        update(sessions)
        .where(tuple_(sessions.c.workspace, sessions.c.session).in_(due))
        .values(
            owner=bindparam("new_owner"),
            fence=sessions.c.fence + 1,
            attempts=sessions.c.attempts + 1 - died,
            deaths=sessions.c.deaths + died,
            due_at=clock(dialect) + bindparam("lease", type_=BigInteger),
            news=False,
        )
        .returning(*_LEASE)
    )


def _lease(connection: Connection, row: Row[_Claimed]) -> Lease:
    key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
    return Lease(
        key=key,
        fence=row.fence,
        attempts=row.attempts,
        backscroll_read=row.backscroll_read,
        stop=row.stop,
        deaths=row.deaths,
        overrides=policies.found(connection, key, row.set_in_workspace, row.set_in_channel),
    )


def free_dead(connection: Connection, *, host: str, alive: Callable[[str], bool]) -> int:
    """Frees the leases of processes of this host that are no longer alive; returns how many. Called at start.

    They have ended over what they held, as if it had been claimed when its leases ran out.

    An owner is `host:boot/space:pid@start:random`; `host` is the first two with their colons, `alive` judges a whole
    owner.
    """
    mine = sessions.c.owner.startswith(host, autoescape=True)
    owners = connection.execute(select(sessions.c.owner).where(sessions.c.due_at.is_not(None), mine).distinct())
    dead = [owner for owner in owners.scalars() if not alive(owner)]
    if not dead:
        return 0
    counted = {"attempts": sessions.c.attempts - 1, "deaths": sessions.c.deaths + 1}
    # the fence as well: were one of them alive after all, it would go on writing under a lease that nobody holds
    free = {"owner": None, "fence": sessions.c.fence + 1, "due_at": now(connection), **counted}
    return connection.execute(
        update(sessions).where(sessions.c.owner.in_(dead), sessions.c.due_at.is_not(None)).values(free)
    ).rowcount


def call_back(connection: Connection) -> int:
    """Makes every session due that backs off; returns how many. Called at start: what was away may be back."""
    now_ = now(connection)
    return connection.execute(update(sessions).where(backs_off(now_)).values(due_at=now_)).rowcount
