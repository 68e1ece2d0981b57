"""Turns: what was said, in an order that never changes. Windows are index ranges of the newest of them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, func, null, select

from core.messages import Author
from core.schema import deliveries, sessions, turns
from core.session import Role, SessionKey, State, Turn
from core.store.sql import Prepared, fixed, seconds

_ORDINARY = 64  # tokens of an ordinary turn, with which a page is as long as the window
_LONGEST_PAGE = 128  # rows; there are long turns as well
_LAST = 2**31 - 1  # no seq is greater


class Stored(NamedTuple):
    """A turn's row."""

    seq: int
    role: int
    state: int
    body: bytes
    tokens: int
    at: int
    author: str | None
    name: str | None
    message: str | None
    verb: str | None
    envelope: str | None
    edited_at: int | None
    covers: int | None


COLUMNS = tuple(turns.c[name] for name in Stored._fields)
"""What a Turn is made of."""

MINE = and_(turns.c.workspace == bindparam("workspace"), turns.c.session == bindparam("session"))
"""The turns of the session whose `workspace` and `session` a statement is given."""

_START = (
    select(sessions.c.start)
    .where(sessions.c.workspace == bindparam("workspace"), sessions.c.session == bindparam("session"))
    .scalar_subquery()
)
_SAID = and_(
    MINE,
    turns.c.seq > _START,
    turns.c.state.between(fixed(State.ANSWERED), fixed(State.STALE)),
    turns.c.verb.is_(None),
)
_COUNT = select(func.count(), func.min(turns.c.at)).where(_SAID)


def first_waiting(connection: Connection, key: SessionKey, most: int) -> list[Turn]:
    """The turns that wait to be answered, at most so many, in the order in which they were said."""
    return _FIRST_WAITING.all(connection, **place(key), most=most)


def waiting(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """This turn, if it is still to be answered."""
    return _ONE_WAITING.first(connection, **place(key), seq=seq)


def newest(connection: Connection, key: SessionKey, *, budget: int, before: int = _LAST) -> list[Turn]:
    """The newest turns of the current epoch whose tokens together exceed `budget`, or all; newest first.

    Only those with a seq below `before` count. An oversized turn counts as half of the budget, as the window will cut
    it. A question comes with its answer. Turns that wait and commands are not among them. Costs the same in a long
    session as in a short one.
    """
    found: list[Turn] = []
    left = budget
    for one in _backwards(connection, key, before - 1, min(budget // _ORDINARY + 2, _LONGEST_PAGE)):
        if left < 0 and one.seq != found[-1].seq:
            break
        found.append(one)
        left -= min(one.tokens, budget // 2)
    return found


def _backwards(connection: Connection, key: SessionKey, last: int, page: int) -> Iterator[Turn]:
    rows = _NEWEST.all(connection, **place(key), last=last, most=page)
    while rows:
        yield from rows
        if len(rows) < page:
            return
        # A page may part a question from its answer, so the next one starts at the same seq, without what was seen.
        last = rows[-1].seq
        seen = sum(1 for row in rows[-2:] if row.seq == last)
        rows = _NEWEST.all(connection, **place(key), last=last, most=page + seen)[seen:]


def count(connection: Connection, key: SessionKey) -> tuple[int, float | None]:
    """How many turns the current epoch holds, and when the first of them was said (seconds since 1970)."""
    number, since = connection.execute(_COUNT, place(key)).one()
    return number, None if since is None else seconds(since)


def place(key: SessionKey) -> dict[str, int]:
    """What `MINE` is looked up by."""
    return {"workspace": key.workspace, "session": key.session}


_ROLES = {int(role): role for role in Role}  # looked up like this, they are ten times as fast
_STATES = {int(state): state for state in State}


def turn_of(row: Stored | Row[*tuple[object, ...]], *, begun: bool = False) -> Turn:
    """A row with these columns as the rest of the core sees it."""
    said = Turn(
        seq=row.seq,
        role=_ROLES[row.role],
        state=_STATES[row.state],
        text=row.body.decode(),
        tokens=row.tokens,
        at=seconds(row.at),
        author=Author(id=row.author, name=row.name or "") if row.author is not None else None,
        message=row.message,
        verb=row.verb,
        edited_at=None if row.edited_at is None else seconds(row.edited_at),
        covers=row.covers,
        begun=begun,
    )
    return _with_envelope(said, json.loads(row.envelope)) if row.envelope else said


def _with_envelope(said: Turn, facts: dict[str, str | float | None]) -> Turn:
    """What is only known of the few turns that wait."""
    known = {name: facts[name] for name in _ENVELOPE if name in facts}
    return replace(said, **known)  # type: ignore[arg-type]  # they are what `accept` has written


_ENVELOPE = ("vague", "direct", "reply_to", "marked", "since", "missed", "ticket")


def _said(row: Iterable[object]) -> Turn:
    return turn_of(Stored._make(row))


def _waiting(row: Iterable[object]) -> Turn:
    *stored, begun = row
    return turn_of(Stored._make(stored), begun=bool(begun))


def answer(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """The answer to this turn that is remembered, if there is one."""
    return _ANSWER.first(connection, **place(key), seq=seq)


def _all_waiting() -> Select[*tuple[object, ...]]:
    begun = (
        exists()
        .where(deliveries.c.workspace == turns.c.workspace, deliveries.c.session == turns.c.session)
        .where(deliveries.c.seq == turns.c.seq)
    )
    waits = and_(turns.c.state < fixed(State.DONE), turns.c.role == fixed(Role.PERSON))
    return select(*COLUMNS, begun.label("begun")).where(MINE, waits)


_FIRST_WAITING = Prepared(
    lambda _: _all_waiting().order_by(turns.c.at, turns.c.seq).limit(bindparam("most")),
    _waiting,
)
_ONE_WAITING = Prepared(lambda _: _all_waiting().where(turns.c.seq == bindparam("seq")), _waiting)
_NEWEST = Prepared(
    lambda _: (
        select(*(null().label(one.name) if one is turns.c.envelope else one for one in COLUMNS))
        .where(_SAID, turns.c.seq <= bindparam("last"))
        .order_by(turns.c.seq.desc(), turns.c.role.desc())
        .limit(bindparam("most"))
    ),
    _said,
)
_ANSWER = Prepared(
    lambda _: select(*COLUMNS).where(MINE, turns.c.seq == bindparam("seq"), turns.c.role == fixed(Role.ASSISTANT)),
    _said,
)
