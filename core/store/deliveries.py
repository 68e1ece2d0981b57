"""The outbox's rows: one for each visible message that must leave.

The intent is committed before a call that may put something on screen, the receipt after it; whoever takes over knows
from `tries` whether a look is needed first.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import IntEnum

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.messages import Draft
from core.schema import deliveries, turns, usage
from core.session import Answer, Lease, Role, SessionKey, State, Turn
from core.store.queue import finish, require, turn
from core.store.sql import insert, micro, now

_DAY = 86_400_000  # milliseconds


class Stage(IntEnum):
    """How far a visible message has come."""

    DRAFT = 0  # growing on screen; its text is not decided
    READY = 1  # its text is stored
    SENDING = 2  # a call that puts it on screen for good may have been made
    SENT = 3
    FAILED = 4  # the platform will never take it


class AlreadyAnswered(Exception):
    """Somebody else has stored an answer to this question, or we have, in a commit of unknown outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One visible message. `tries` counts the calls that may have put it on screen."""

    part: int
    stage: Stage
    tries: int
    text: str
    draft: Draft | None


def intend_draft(connection: Connection, lease: Lease, seq: int, part: int) -> None:
    """Before the first preview of a part: from now on, a message of it may be on screen. Raises LeaseLost."""
    require(connection, lease)
    row = {**_place(lease.key, seq, part), "state": Stage.DRAFT, "tries": 1}
    statement = insert(connection.dialect.name, deliveries).values(row)
    again = statement.on_conflict_do_update(
        index_elements=list(_place(lease.key, seq, part)), set_={"tries": deliveries.c.tries + 1}
    )
    connection.execute(again)


def forget(connection: Connection, key: SessionKey, seq: int, parts: Collection[int]) -> None:
    """Takes intents back of which it has turned out that nothing was shown."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    never = and_(deliveries.c.part.in_(parts), deliveries.c.state == Stage.DRAFT, deliveries.c.draft.is_(None))
    connection.execute(delete(deliveries).where(mine, never))


def record_draft(connection: Connection, key: SessionKey, seq: int, part: int, draft: Draft) -> None:
    """After the first preview: this message on screen is the one to be finished. What it shows may have grown since."""
    connection.execute(update(deliveries).where(_at(key, seq, part)).values(draft=json.dumps(asdict(draft))))


def answer(connection: Connection, key: SessionKey, question: Turn, decided: Answer, *, lease: Lease | None) -> None:
    """T3: the answer, its bill, and the intent to post its first part, in one transaction.

    Raises AlreadyAnswered, which takes back whatever else the transaction did, and LeaseLost.
    """
    if lease is not None:
        require(connection, lease)
    open_ = turn(key, question.seq) & (turns.c.role == Role.PERSON) & (turns.c.state == State.WAITING)
    changes = {"state": State.ANSWERED, "error": decided.error}
    if connection.execute(update(turns).where(open_).values(changes)).rowcount == 0:
        raise AlreadyAnswered(key.address.id)
    if decided.memory is not None:
        row = {
            "workspace": key.workspace,
            "session": key.session,
            "seq": question.seq,
            "role": Role.ASSISTANT,
            "state": State.STOPPED if decided.stopped else State.DONE,
            "at": micro(question.at),
            "tokens": decided.tokens,
            "model": decided.model,
            "body": decided.memory.encode("utf-8", "replace"),
        }
        connection.execute(turns.insert().values(row))
    _post(connection, key, question.seq, decided.parts)
    if decided.model is not None and question.author is not None:
        _bill(connection, key, question.author.id, decided)


def _post(connection: Connection, key: SessionKey, seq: int, parts: tuple[str, ...]) -> None:
    for part, text in enumerate(parts):
        stage = Stage.READY if part else Stage.SENDING
        row = {
            **_place(key, seq, part),
            "state": stage,
            "tries": 0 if part else 1,
            "body": text.encode("utf-8", "replace"),
        }
        statement = insert(connection.dialect.name, deliveries).values(row)
        drafted = {"state": stage, "body": row["body"], "tries": deliveries.c.tries + row["tries"]}
        connection.execute(statement.on_conflict_do_update(index_elements=list(_place(key, seq, part)), set_=drafted))


def _bill(connection: Connection, key: SessionKey, author: str, decided: Answer) -> None:
    sums = {"answers": 1, "shown": decided.shown, "cached": decided.cached, "written": decided.written}
    day = now(connection) // _DAY
    place = {"workspace": key.workspace, "day": day, "author": author, "model": decided.model}
    added = {name: usage.c[name] + value for name, value in sums.items()}
    statement = insert(connection.dialect.name, usage).values(**place, **sums)
    connection.execute(statement.on_conflict_do_update(index_elements=list(place), set_=added))


def unsent(connection: Connection, key: SessionKey, seq: int) -> list[Delivery]:
    """The messages of this answer that have not certainly arrived, in their order, and drafts that it left over."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    rows = connection.execute(
        select(deliveries).where(mine, deliveries.c.state < Stage.SENT).order_by(deliveries.c.part)
    )
    return [
        Delivery(
            part=row.part,
            stage=Stage(row.state),
            tries=row.tries,
            text=row.body.decode() if row.body is not None else "",
            draft=Draft(**json.loads(row.draft)) if row.draft else None,
        )
        for row in rows
    ]


def intend(connection: Connection, key: SessionKey, seq: int, part: int, *, lease: Lease | None) -> None:
    """T4: before a call that posts a part (but for the first, whose intent stands in T3). Raises LeaseLost."""
    if lease is not None:
        require(connection, lease)
    going = {"state": Stage.SENDING, "tries": deliveries.c.tries + 1}
    connection.execute(update(deliveries).where(_at(key, seq, part)).values(going))


def record(connection: Connection, key: SessionKey, seq: int, part: int, message: str) -> None:
    """T5: this part is on screen as that message. The text goes: the turn has it."""
    sent = {"state": Stage.SENT, "message": message, "body": None, "draft": None}
    connection.execute(update(deliveries).where(_at(key, seq, part), deliveries.c.message.is_(None)).values(sent))


def record_last(
    connection: Connection, key: SessionKey, seq: int, part: int, message: str, *, lease: Lease | None, seconds: float
) -> bool:
    """T5 of the last part and T6 in one transaction; returns what `finish` returns. Raises LeaseLost."""
    record(connection, key, seq, part, message)
    return finish(connection, key, seq, lease=lease, seconds=seconds)


def refuse(connection: Connection, key: SessionKey, seq: int, reason: str) -> None:
    """The platform will never take the rest of this answer."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    failed = {"state": Stage.FAILED, "error": reason, "body": None, "draft": None}
    connection.execute(update(deliveries).where(mine, deliveries.c.state < Stage.SENT).values(failed))


def _place(key: SessionKey, seq: int, part: int) -> dict[str, int]:
    return {"workspace": key.workspace, "session": key.session, "seq": seq, "part": part}


def _at(key: SessionKey, seq: int, part: int) -> ColumnElement[bool]:
    return and_(*(deliveries.c[name] == value for name, value in _place(key, seq, part).items()))
