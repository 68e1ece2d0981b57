"""Arrivals: the one statement that every message which arrives runs on its session's row."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Text, and_, bindparam, case, null, or_, update
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.elements import ColumnElement

from core.schema import sessions
from core.seam.messages import Inbound
from core.session import SessionKey
from core.store import forgotten, gone, policies, preferences
from core.store.engine.prepared import Prepared
from core.store.engine.sql import clock, fixed
from core.store.places import SESSION, born
from core.store.workspaces import names, workspace_of

_AT_ONCE_GRACE = 15_000  # milliseconds for the accepting process to answer an at-once command: one call and a half


class Duplicate(Exception):
    """This message has been accepted before, or is among what is being forgotten; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who would answer a message at once: its name as an owner, new for each message, and for how many seconds."""

    owner: str
    lease: float


class Session(NamedTuple):
    """A session's row as an arrival finds and leaves it, with what the arrival needs beside it."""

    workspace: int
    session: int
    tail: int
    waiting: int
    owner: str | None
    fence: int
    attempts: int
    backscroll_read: bool
    stop: int | None
    spoken_at: int | None
    silent_since: int | None
    present_since: int | None
    public: bool | None
    unrecorded_until: int | None = None
    forgotten_before: int | None = None  # what its author, or anybody, has said here before that is not to be known
    preferred: bytes | None = None  # what waits comes with its author's preferences
    set_in_workspace: str | None = None
    set_in_channel: str | None = None


def extend(
    connection: Connection,
    message: Inbound,
    talk_at: int | None,
    *,
    waits: bool,
    at_once: bool,
    claimant: Claimant | None,
) -> Session:
    """Takes the next seq of the message's session, which is born if need be, and lives since the first talk.

    Raises Duplicate where it would be born of a message that was deleted before it came, and where that is among what
    is being forgotten.
    """
    address = message.address
    statement = _extension(waits=waits, at_once=at_once, claims=claimant is not None)
    facts: dict[str, object] = {**names(address), "at_address": address.id, "talk_at": talk_at}
    facts["author"] = message.author.id
    if claimant is not None:
        facts |= {"new_owner": claimant.owner, "lease": int(claimant.lease * 1000)}
    found = statement.first(connection, **facts)
    if found is None:
        if gone.has(connection, address, message.id):
            raise Duplicate(message.id)
        workspace = workspace_of(connection, address.platform, address.workspace)
        born(connection, workspace, address, public=message.public)
        (found,) = statement.all(connection, **facts)
        gone.bar_late(connection, SessionKey(workspace=found.workspace, session=found.session, address=address))
    if found.forgotten_before is not None and forgotten.said_at(message) < found.forgotten_before:
        raise Duplicate(message.id)
    return found


@cache
def _extension(*, waits: bool, at_once: bool, claims: bool) -> Prepared[Session]:
    """The one statement that every arrival runs on its session's row; who may answer it learns what is set there."""
    own = [*(sessions.c[name] for name in Session._fields if name in sessions.c), forgotten.BEFORE]
    preferred = preferences.body(sessions.c.workspace, bindparam("author", type_=Text)) if waits else null()
    returned = [*own, preferred, *(policies.SET_IN_SESSION if waits else ())]

    def build(dialect: str) -> ReturningUpdate[*tuple[object, ...]]:
        changes = _arrived(dialect)
        if waits:
            changes |= _talked(dialect) | _queued(dialect, at_once=at_once, claims=claims)
        return update(sessions).where(SESSION).values(changes).returning(*returned)

    return Prepared(build, Session)


_TALK_AT = bindparam("talk_at", type_=BigInteger)


def _arrived(dialect: str) -> dict[str, object]:
    first = or_(sessions.c.live_since.is_(None), sessions.c.live_since > _TALK_AT)
    return {
        "tail": sessions.c.tail + fixed(1),
        "touched_at": clock(dialect),
        "live_since": case((first, _TALK_AT), else_=sessions.c.live_since),
    }


def _talked(dialect: str) -> dict[str, object]:
    """What talk changes, and no command: the first of all begins the session's present."""
    talk, never = _TALK_AT.is_not(None), sessions.c.spoken_at.is_(None)
    return {
        "spoken_at": case((talk, clock(dialect)), else_=sessions.c.spoken_at),
        "silent_since": case((talk, sessions.c.spoken_at), else_=sessions.c.silent_since),
        "present_since": case((and_(talk, never), clock(dialect)), else_=sessions.c.present_since),
    }


def _queued(dialect: str, *, at_once: bool, claims: bool) -> dict[str, object]:
    now_, idle = clock(dialect), sessions.c.due_at.is_(None)
    due = now_ + _AT_ONCE_GRACE if at_once else now_
    changes: dict[str, object] = {
        "waiting": sessions.c.waiting + fixed(1),
        "news": sessions.c.owner.is_not(None),
    }
    if claims:
        due = now_ + bindparam("lease", type_=BigInteger)
        once = case((idle, fixed(1)), else_=fixed(0))
        changes |= {
            "owner": case((idle, bindparam("new_owner")), else_=sessions.c.owner),
            "fence": sessions.c.fence + once,
            "attempts": sessions.c.attempts + once,
        }
    impatient = [] if at_once else [(backs_off(now_), now_)]
    return {**changes, "due_at": case((idle, due), *impatient, else_=sessions.c.due_at)}


def backs_off(now_: ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that a session waits for its next attempt, which need not wait if there is something new."""
    return and_(sessions.c.owner.is_(None), sessions.c.attempts > fixed(0), sessions.c.due_at > now_)
