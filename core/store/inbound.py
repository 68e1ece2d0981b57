"""Acceptance: a message is stored as its session's newest turn, once, before its platform is told so."""

import json
from functools import cache

from sqlalchemy import BigInteger, Connection, and_, bindparam, case, or_, select, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.dml import ReturningUpdate

from core.address import Address
from core.messages import Inbound, Rejected
from core.schema import rejections, sessions, turns, workspaces
from core.session import Role, SessionKey, State
from core.store.sql import clock, insert, micro, now, seconds

_BEFORE_EVERYTHING = -(2**31)  # the start of the first epoch: what was said before a session's birth has a seq below 1

_AT_ONCE_GRACE = 15_000  # milliseconds for the accepting process to answer an at-once command: one call and a half


class Duplicate(Exception):
    """This message has been accepted before; nothing was changed."""


def accept(
    connection: Connection, message: Inbound, *, state: State, verb: str | None, tokens: int, at_once: bool = False
) -> tuple[SessionKey, int]:
    """T1: stores a message as its session's newest turn, and wakes the session if it is to be answered.

    Returns the session and the turn's seq. Raises Duplicate. Acknowledge the platform only after this is committed.
    """
    waits = state is State.WAITING
    at = micro(message.at)
    talk_at = at if waits and verb is None else None
    key, seq = _extend(connection, message.address, talk_at, waits=waits, at_once=at_once)
    row = {
        "workspace": key.workspace,
        "session": key.session,
        "seq": seq,
        "role": Role.PERSON,
        "state": state,
        "at": at,
        "tokens": tokens,
        "message": message.id,
        "author": message.author.id,
        "name": storable(message.author.name),
        "verb": verb and storable(verb),
        "envelope": _envelope(message) if waits else None,
        "body": message.text.encode("utf-8", "replace"),
    }
    if connection.execute(_new_turn(connection.dialect.name), row).rowcount == 0:
        raise Duplicate(message.id)
    return key, seq


@cache
def _new_turn(dialect: str) -> Insert:
    return insert(dialect, turns).on_conflict_do_nothing()


def storable(words: str) -> str:
    """The words as PostgreSQL's text type takes them: no NUL, and nothing that is not UTF-8."""
    return words.replace("\x00", "").encode("utf-8", "replace").decode()


def _envelope(message: Inbound) -> str | None:
    """What answering needs beside the turn, as JSON; most messages need nothing but themselves."""
    facts = {
        "reply_to": message.reply_to,
        "ticket": message.ticket,
        "vague": message.vague or None,
        "direct": message.direct or None,
    }
    return json.dumps({name: value for name, value in facts.items() if value is not None})


def _extend(
    connection: Connection, address: Address, talk_at: int | None, *, waits: bool, at_once: bool
) -> tuple[SessionKey, int]:
    """Takes the next seq of the session at this address, which is born if need be, and lives since the first talk."""
    statement = _extension(connection.dialect.name, waits=waits, at_once=at_once)
    place = {**_names(address), "at_address": address.id, "talk_at": talk_at}
    row = connection.execute(statement, place).one_or_none()
    if row is None:
        _born(connection, _workspace(connection, address.platform, address.workspace), address)
        row = connection.execute(statement, place).one()
    return SessionKey(workspace=row.workspace, session=row.session, address=address), row.tail


_HERE = (
    select(workspaces.c.workspace)
    .where(workspaces.c.platform == bindparam("on_platform"), workspaces.c.name == bindparam("in_workspace"))
    .scalar_subquery()
)
_SESSION = and_(sessions.c.workspace == _HERE, sessions.c.address == bindparam("at_address"))
_FIND = select(sessions.c.workspace, sessions.c.session, sessions.c.live_since).where(_SESSION)


def _names(address: Address) -> dict[str, str]:
    return {"on_platform": address.platform, "in_workspace": storable(address.workspace)}


@cache
def _extension(dialect: str, *, waits: bool, at_once: bool) -> ReturningUpdate[tuple[int, int, int]]:
    """The one statement that every arrival runs on its session's row."""
    now_ = clock(dialect)
    due = now_ + _AT_ONCE_GRACE if at_once else now_
    talk_at = bindparam("talk_at", type_=BigInteger)
    first = or_(sessions.c.live_since.is_(None), talk_at < sessions.c.live_since)
    return (
        update(sessions)
        .where(_SESSION)
        .values(
            tail=sessions.c.tail + 1,
            touched_at=now_,
            waiting=sessions.c.waiting + int(waits),
            live_since=case((first, talk_at), else_=sessions.c.live_since),
            due_at=case((sessions.c.due_at.is_(None), due), else_=sessions.c.due_at) if waits else sessions.c.due_at,
        )
        .returning(sessions.c.workspace, sessions.c.session, sessions.c.tail)
    )


def _born(connection: Connection, workspace: int, address: Address) -> None:
    """Makes the session at this address, empty; somebody else may do so at the same moment."""
    number = connection.execute(
        update(workspaces)
        .where(workspaces.c.workspace == workspace)
        .values(sessions=workspaces.c.sessions + 1)
        .returning(workspaces.c.sessions)
    ).scalar_one()
    born = insert(connection.dialect.name, sessions).values(
        workspace=workspace,
        session=number,
        address=address.id,
        platform=address.platform,
        channel=address.channel_address.id,
        tail=0,
        waiting=0,
        heard=False,
        epoch=0,
        start=_BEFORE_EVERYTHING,
        fence=0,
        attempts=0,
        touched_at=now(connection),
    )
    connection.execute(born.on_conflict_do_nothing())


def _workspace(connection: Connection, platform: str, name: str) -> int:
    """The number of a workspace, which is made known if need be."""
    row = {"platform": platform, "name": storable(name), "sessions": 0}
    connection.execute(insert(connection.dialect.name, workspaces).values(row).on_conflict_do_nothing())
    here = and_(workspaces.c.platform == platform, workspaces.c.name == row["name"])
    number: int = connection.execute(select(workspaces.c.workspace).where(here)).scalar_one()
    return number


def reject(connection: Connection, event: Rejected) -> None:
    """Stores an event that could not be read, once, with the reason."""
    row = {
        "workspace": _workspace(connection, event.platform, ""),
        "id": storable(event.id),
        "reason": storable(event.reason),
        "rejected_at": now(connection),
        "body": event.payload.encode("utf-8", "replace"),
    }
    connection.execute(insert(connection.dialect.name, rejections).values(row).on_conflict_do_nothing())


def find(connection: Connection, address: Address) -> tuple[SessionKey, float | None] | None:
    """The session at this address, and since when it lives (seconds, the platform's clock); None if unborn."""
    row = connection.execute(_FIND, {**_names(address), "at_address": address.id}).one_or_none()
    if row is None:
        return None
    key = SessionKey(workspace=row.workspace, session=row.session, address=address)
    return key, None if row.live_since is None else seconds(row.live_since)
