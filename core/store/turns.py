"""Turns: what was said, in an order that never changes. Windows are index ranges of the newest of them."""

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, RowMapping, and_, func, select, update

from core.address import Address
from core.messages import Author, Inbound
from core.schema import sessions, turns
from core.session import Lease, Role, SessionKey, State, Turn
from core.store.queue import require, storable
from core.store.sql import insert

_PAGE = 64  # rows fetched at a time; a window of ordinary turns is one or two pages


def next_waiting(connection: Connection, key: SessionKey) -> Turn | None:
    """The turn to answer now: of those that wait, the one that was said first by the platform's clock."""
    first = (
        select(turns)
        .where(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.state < State.DONE)
        .where(turns.c.role == Role.PERSON)
        .order_by(turns.c.at, turns.c.seq)
        .limit(1)
    )
    row = connection.execute(first).mappings().one_or_none()
    return _turn(row) if row is not None else None


def waiting(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """This turn, if it is still to be answered."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq == seq)
    row = connection.execute(select(turns).where(mine, turns.c.state < State.DONE)).mappings().one_or_none()
    return _turn(row) if row is not None else None


def newest(connection: Connection, key: SessionKey, *, budget: int) -> list[Turn]:
    """The newest turns of the current epoch whose tokens together exceed `budget`, or all; newest first.

    Turns that wait and commands are not among them. Costs the same in a long session as in a short one.
    """
    found: list[Turn] = []
    for one in _backwards(connection, key):
        found.append(one)
        budget -= one.tokens
        if budget < 0:
            break
    return found


def _backwards(connection: Connection, key: SessionKey) -> Iterator[Turn]:
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    start = connection.execute(select(sessions.c.start).where(mine)).scalar_one()
    shown = and_(
        turns.c.workspace == key.workspace,
        turns.c.session == key.session,
        turns.c.seq > start,
        turns.c.state >= State.ANSWERED,
        turns.c.verb.is_(None),
    )
    page = select(turns).where(shown).order_by(turns.c.seq.desc(), turns.c.role.desc()).limit(_PAGE)
    rows = connection.execute(page).mappings().all()
    while rows:
        yield from map(_turn, rows)
        if len(rows) < _PAGE:
            return
        last = rows[-1]["seq"]
        # A page may part a question from its answer, so the next one starts at the same seq, without what was seen.
        seen = sum(1 for row in rows if row["seq"] == last)
        rows = connection.execute(page.where(turns.c.seq <= last).limit(_PAGE + seen)).mappings().all()[seen:]


def count(connection: Connection, key: SessionKey) -> tuple[int, int | None]:
    """How many turns the current epoch holds, and when the first of them was said (milliseconds since 1970)."""
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    start = select(sessions.c.start).where(mine).scalar_subquery()
    said = and_(
        turns.c.workspace == key.workspace,
        turns.c.session == key.session,
        turns.c.seq > start,
        turns.c.state >= State.ANSWERED,
        turns.c.verb.is_(None),
    )
    number, since = connection.execute(select(func.count(), func.min(turns.c.at)).where(said)).one()
    return number, since


def hear(connection: Connection, lease: Lease, messages: Sequence[Inbound], tokens: Sequence[int]) -> None:
    """Stores what was said before the session's birth, oldest first, in front of its first turn. Raises LeaseLost."""
    require(connection, lease)
    key = lease.key
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    connection.execute(update(sessions).where(mine).values(heard=True))
    first = connection.execute(
        select(func.min(turns.c.seq)).where(turns.c.workspace == key.workspace, turns.c.session == key.session)
    ).scalar_one()
    rows = [
        {
            "workspace": key.workspace,
            "session": key.session,
            "seq": first - len(messages) + place,
            "role": Role.ASSISTANT if message.author.is_self else Role.PERSON,
            "state": State.HEARD,
            "at": int(message.at * 1000),
            "tokens": size,
            "message": message.id,
            "author": message.author.id,
            "name": storable(message.author.name),
            "body": message.text.encode("utf-8", "replace"),
        }
        for place, (message, size) in enumerate(zip(messages, tokens, strict=True))
    ]
    if rows:
        connection.execute(insert(connection, turns).on_conflict_do_nothing(), rows)


def live_sessions(connection: Connection, key: SessionKey, *, limit: int) -> list[tuple[Address, str, int]]:
    """The sessions around this one's channel, most recently used first: address, first words, when last used."""
    around = (
        select(sessions.c.session, sessions.c.address, sessions.c.touched_at)
        .where(sessions.c.workspace == key.workspace, sessions.c.channel == key.address.channel, sessions.c.live)
        .order_by(sessions.c.touched_at.desc())
        .limit(limit)
    )
    found = []
    for row in connection.execute(around).all():
        opening = (
            select(turns.c.body)
            .where(turns.c.workspace == key.workspace, turns.c.session == row.session)
            .where(turns.c.role == Role.PERSON, turns.c.seq > 0, turns.c.verb.is_(None))
            .order_by(turns.c.seq)
            .limit(1)
        )
        words = connection.execute(opening).scalar_one_or_none() or b""
        found.append((Address.parse(row.address), words.decode(), row.touched_at))
    return found


def _turn(row: RowMapping) -> Turn:
    envelope = json.loads(row["envelope"]) if row["envelope"] else {}
    named = row["author"] is not None
    return Turn(
        seq=row["seq"],
        role=Role(row["role"]),
        state=State(row["state"]),
        text=row["body"].decode(),
        tokens=row["tokens"],
        at=row["at"],
        author=Author(id=row["author"], name=row["name"]) if named else None,
        message=row["message"],
        verb=row["verb"],
        vague=envelope.get("vague", False),
        direct=envelope.get("direct", False),
        reply_to=envelope.get("reply_to"),
        ticket=envelope.get("ticket"),
    )
