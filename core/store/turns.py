"""Turns: what was said, in an order that never changes. Windows are index ranges of the newest of them."""

import json
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, select

from core.messages import Author
from core.schema import deliveries, sessions, turns
from core.session import Role, SessionKey, State, Turn
from core.store.sql import seconds

_PAGE = 64  # rows fetched at a time; a window of ordinary turns is one or two pages
_LAST = 2**31 - 1  # no seq is greater


COLUMNS = (
    turns.c.seq,
    turns.c.role,
    turns.c.state,
    turns.c.body,
    turns.c.tokens,
    turns.c.at,
    turns.c.author,
    turns.c.name,
    turns.c.message,
    turns.c.verb,
    turns.c.envelope,
    turns.c.edited_at,
    turns.c.covers,
)
"""What a Turn is made of."""

# Statements on the way to every answer are built once: building one costs more than running it.
_MINE = and_(turns.c.workspace == bindparam("workspace"), turns.c.session == bindparam("session"))
_BEGUN = (
    exists()
    .where(deliveries.c.workspace == turns.c.workspace, deliveries.c.session == turns.c.session)
    .where(deliveries.c.seq == turns.c.seq)
)
_WAITING = select(*COLUMNS, _BEGUN.label("begun")).where(_MINE, turns.c.state < State.DONE, turns.c.role == Role.PERSON)
_FIRST_WAITING = _WAITING.order_by(turns.c.at, turns.c.seq).limit(bindparam("most"))
_ONE_WAITING = _WAITING.where(turns.c.seq == bindparam("seq"))
_START = select(sessions.c.start).where(
    sessions.c.workspace == bindparam("workspace"), sessions.c.session == bindparam("session")
)
_SAID = and_(
    _MINE,
    turns.c.seq > bindparam("start"),
    turns.c.state.between(State.ANSWERED, State.STALE),
    turns.c.verb.is_(None),
)
_NEWEST = (
    select(*COLUMNS)
    .where(_SAID, turns.c.seq <= bindparam("last"))
    .order_by(turns.c.seq.desc(), turns.c.role.desc())
    .limit(bindparam("page"))
)
_COUNT = select(func.count(), func.min(turns.c.at)).where(_SAID)


def next_waiting(connection: Connection, key: SessionKey) -> Turn | None:
    """The turn to answer now: of those that wait, the one that was said first by the platform's clock."""
    return next(iter(first_waiting(connection, key, 1)), None)


def first_waiting(connection: Connection, key: SessionKey, most: int) -> list[Turn]:
    """The turns that wait to be answered, at most so many, in the order in which they were said."""
    rows = connection.execute(_FIRST_WAITING, {**_place(key), "most": most})
    return [replace(turn_of(row), begun=row.begun) for row in rows]


def waiting(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """This turn, if it is still to be answered."""
    row = connection.execute(_ONE_WAITING, {**_place(key), "seq": seq}).one_or_none()
    return replace(turn_of(row), begun=row.begun) if row is not None else None


def newest(connection: Connection, key: SessionKey, *, budget: int, before: int = _LAST) -> list[Turn]:
    """The newest turns of the current epoch whose tokens together exceed `budget`, or all; newest first.

    Only those with a seq below `before` count. An oversized turn counts as half of the budget, as the window will cut
    it. A question comes with its answer. Turns that wait and commands are not among them. Costs the same in a long
    session as in a short one.
    """
    found: list[Turn] = []
    left = budget
    for one in _backwards(connection, key, before - 1):
        if left < 0 and one.seq != found[-1].seq:
            break
        found.append(one)
        left -= min(one.tokens, budget // 2)
    return found


def _backwards(connection: Connection, key: SessionKey, last: int) -> Iterator[Turn]:
    place = {**_place(key), "start": connection.execute(_START, _place(key)).scalar_one()}
    rows = connection.execute(_NEWEST, {**place, "last": last, "page": _PAGE}).all()
    while rows:
        yield from map(turn_of, rows)
        if len(rows) < _PAGE:
            return
        # A page may part a question from its answer, so the next one starts at the same seq, without what was seen.
        last = rows[-1].seq
        seen = sum(1 for row in rows[-2:] if row.seq == last)
        rows = connection.execute(_NEWEST, {**place, "last": last, "page": _PAGE + seen}).all()[seen:]


def count(connection: Connection, key: SessionKey) -> tuple[int, float | None]:
    """How many turns the current epoch holds, and when the first of them was said (seconds since 1970)."""
    place = {**_place(key), "start": connection.execute(_START, _place(key)).scalar_one()}
    number, since = connection.execute(_COUNT, place).one()
    return number, None if since is None else seconds(since)


def _place(key: SessionKey) -> dict[str, int]:
    return {"workspace": key.workspace, "session": key.session}


def turn_of(row: Row[*tuple[object, ...]]) -> Turn:
    """A row with these columns as the rest of the core sees it."""
    facts = json.loads(row.envelope) if row.envelope else {}
    return Turn(
        seq=row.seq,
        role=Role(row.role),
        state=State(row.state),
        text=row.body.decode(),
        tokens=row.tokens,
        at=seconds(row.at),
        author=Author(id=row.author, name=row.name) if row.author is not None else None,
        message=row.message,
        verb=row.verb,
        edited_at=None if row.edited_at is None else seconds(row.edited_at),
        covers=row.covers,
        vague=facts.get("vague", False),
        direct=facts.get("direct", False),
        reply_to=facts.get("reply_to"),
        marked=facts.get("marked", False),
        since=facts.get("since"),
        missed=facts.get("missed", 0),
        ticket=facts.get("ticket"),
    )


def answer(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """The answer to this turn that is remembered, if there is one."""
    row = connection.execute(_ANSWER, {**_place(key), "seq": seq}).one_or_none()
    return None if row is None else turn_of(row)


_ANSWER = select(*COLUMNS).where(_MINE, turns.c.seq == bindparam("seq"), turns.c.role == Role.ASSISTANT)
