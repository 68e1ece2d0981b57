"""The outbox's rows: one for each visible message that must leave.

The intent is committed before a call that may put something on screen, the receipt after it; whoever takes over knows
from `tries` whether a look is needed first. A message whose way there was doubtful keeps its text and is audited later;
every row is forgotten a day after its message arrived (`audits`).
"""

import json
from base64 import b32encode
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import IntEnum
from hashlib import blake2b

from sqlalchemy import Connection, Row, and_, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.address import Address
from core.messages import Draft
from core.schema import deliveries, turns, usage
from core.session import Answer, Lease, Role, SessionKey, State, Turn
from core.store.inbound import find, storable
from core.store.queue import Changed, finish, require, turn
from core.store.sql import insert, micro, now

DAY = 86_400_000
"""In milliseconds."""

_AUDIT_AFTER = 2.0  # leases: by then, whatever a process that lost one has sent is on screen or will never be


class Stage(IntEnum):
    """How far a visible message has come."""

    DRAFT = 0  # growing on screen; its text is not decided
    READY = 1  # its text is stored
    SENDING = 2  # a call that puts it on screen for good may have been made
    SENT = 3
    FAILED = 4  # the platform will never take it


def key_of(address: Address, message: str, part: int) -> str:
    """The delivery's key: the same for this part of the answer to this message, whoever computes it, and opaque."""
    digest = blake2b(f"{address.id}/{message}/{part}".encode(), digest_size=15).digest()
    return b32encode(digest).decode().lower()


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

    Raises AlreadyAnswered, which takes back whatever else the transaction did, Changed when the question is not the
    same any more, and LeaseLost.
    """
    if lease is not None:
        require(connection, lease)
    edited_at = None if question.edited_at is None else micro(question.edited_at)
    this = turn(key, question.seq) & (turns.c.role == Role.PERSON)
    same = turns.c.edited_at.is_(None) if edited_at is None else turns.c.edited_at == edited_at
    changes = {"state": State.ANSWERED, "error": decided.error}
    open_ = and_(this, turns.c.state == State.WAITING, same)
    if connection.execute(update(turns).where(open_).values(changes)).rowcount == 0:
        state = connection.execute(select(turns.c.state).where(this)).scalar_one_or_none()
        raise (AlreadyAnswered if state == State.ANSWERED else Changed)(key.address.id)
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
            "covers": decided.covers,
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
    day = now(connection) // DAY
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
            draft=draft_of(row.draft),
        )
        for row in rows
    ]


def draft_of(stored: str | None) -> Draft | None:
    """The draft as it was stored."""
    return Draft(**json.loads(stored)) if stored else None


def intend(connection: Connection, key: SessionKey, seq: int, part: int, *, lease: Lease | None) -> Draft | None:
    """T4: before a call that posts a part (but for the first, whose intent stands in T3). Raises LeaseLost.

    Returns the message on screen, where the platform has told us of it meanwhile.
    """
    if lease is not None:
        require(connection, lease)
    going = {"state": Stage.SENDING, "tries": deliveries.c.tries + 1}
    statement = update(deliveries).where(_at(key, seq, part), deliveries.c.state < Stage.SENT).values(going)
    return draft_of(connection.execute(statement.returning(deliveries.c.draft)).scalar_one_or_none())


def record(
    connection: Connection, key: SessionKey, seq: int, part: int, message: str, *, doubtful: bool, seconds: float
) -> str:
    """T5: this part is on screen as that message. Returns the message that stands: another one if we came too late.

    The text goes, as the turn has it; but a doubtful message keeps it for the audit, two leases of `seconds` later.
    """
    now_ = now(connection)
    due_at = now_ + (int(_AUDIT_AFTER * seconds * 1000) if doubtful else DAY)
    sent = {"state": Stage.SENT, "message": message, "draft": None, "due_at": due_at}
    if not doubtful:
        sent["body"] = None
    mine = update(deliveries).where(_at(key, seq, part), deliveries.c.message.is_(None)).values(sent)
    if connection.execute(mine).rowcount:
        return message
    standing = connection.execute(select(deliveries.c.message).where(_at(key, seq, part))).scalar_one_or_none()
    if standing is not None and standing != message:
        connection.execute(
            update(deliveries).where(_at(key, seq, part)).values(due_at=now_ + int(_AUDIT_AFTER * seconds * 1000))
        )
    return standing or message


def record_last(
    connection: Connection,
    key: SessionKey,
    seq: int,
    part: int,
    message: str,
    *,
    lease: Lease | None,
    seconds: float,
    doubtful: bool = False,
) -> tuple[str, bool]:
    """T5 of the last part and T6 in one transaction; returns what `record` and `finish` return. Raises LeaseLost."""
    standing = record(connection, key, seq, part, message, doubtful=doubtful, seconds=seconds)
    return standing, finish(connection, key, seq, lease=lease, seconds=seconds, doubtful=doubtful)


def receive(connection: Connection, address: Address, key: str, shown: Draft, *, seconds: float) -> None:
    """The platform's own receipt: whoever delivers this part knows from here on which message it has become.

    A part that stands as another message is audited.
    """
    found = find(connection, address)
    if found is None:
        return
    mine = and_(deliveries.c.workspace == found[0].workspace, deliveries.c.session == found[0].session)
    said = and_(
        turns.c.workspace == deliveries.c.workspace,
        turns.c.session == deliveries.c.session,
        turns.c.seq == deliveries.c.seq,
        turns.c.role == Role.PERSON,
    )
    rows = select(deliveries.c.seq, deliveries.c.part, deliveries.c.message, turns.c.message.label("asked"))
    newest = rows.join(turns, said).where(mine).order_by(deliveries.c.seq.desc()).limit(_RECENT)
    for row in connection.execute(newest).all():
        if key_of(address, row.asked or str(row.seq), row.part) == key:
            _noted(connection, found[0], row, shown, seconds)


_RECENT = 40  # deliveries of one session that a receipt can still be for


def _noted(
    connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], shown: Draft, seconds: float
) -> None:
    this = update(deliveries).where(_at(key, row.seq, row.part))
    if row.message is None:
        connection.execute(this.where(deliveries.c.draft.is_(None)).values(draft=json.dumps(asdict(shown))))
    elif row.message != shown.id:
        again = {
            "due_at": now(connection) + int(_AUDIT_AFTER * seconds * 1000),
            "body": func.coalesce(deliveries.c.body, b""),
        }
        connection.execute(this.values(again))


def refuse(connection: Connection, key: SessionKey, seq: int, reason: str) -> None:
    """The platform will never take the rest of this answer."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    failed = {
        "state": Stage.FAILED,
        "error": storable(reason),
        "body": None,
        "draft": None,
        "due_at": now(connection) + DAY,
    }
    connection.execute(update(deliveries).where(mine, deliveries.c.state < Stage.SENT).values(failed))


def _place(key: SessionKey, seq: int, part: int) -> dict[str, int]:
    return {"workspace": key.workspace, "session": key.session, "seq": seq, "part": part}


def _at(key: SessionKey, seq: int, part: int) -> ColumnElement[bool]:
    return and_(*(deliveries.c[name] == value for name, value in _place(key, seq, part).items()))
