"""The outbox's rows: one for each visible message that must leave.

The intent is committed before a call that may put something on screen, the receipt after it; whoever takes over knows
from `tries` whether a look is needed first. A message whose way there was doubtful is reconciled later; what arrived is
forgotten after a day (`doubts`). An answer that is one message, word for word as it is remembered, is stored once: the
message then has no text of its own.
"""

import json
from base64 import b32encode
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, partial
from hashlib import blake2b
from typing import NamedTuple, NoReturn

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    LargeBinary,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    not_,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.roles import FromClauseRole

from core.schema import deliveries, turns, usage
from core.seam.address import Address
from core.seam.messages import Draft
from core.session import Answer, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import bodies
from core.store.engine.prepared import Prepared
from core.store.engine.sql import alone, clock, fixed, insert, micro, now, storable
from core.store.inbound import find
from core.store.queue import QUESTION, Changed, finish, require, under_lease
from core.store.turns import place
from core.store.withdrawals import DOOMED, RECONCILE_AFTER, doom, sealed

_DAY = 86_400_000  # milliseconds
_KEY = ("workspace", "session", "seq", "part")


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
    """Before the first preview of a part: from now on, a message of it may be on screen.

    Raises LeaseLost, and Changed where the question is not to be answered any more.
    """
    require(connection, lease)
    if not _DRAFTED.run(connection, **_place(lease.key, seq, part)):
        raise Changed(lease.key.address.id)


def forget(connection: Connection, key: SessionKey, seq: int, parts: Collection[int]) -> None:
    """Takes intents back of which it has turned out that nothing was shown."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    never = and_(deliveries.c.part.in_(parts), deliveries.c.state == Stage.DRAFT, deliveries.c.draft.is_(None))
    connection.execute(delete(deliveries).where(mine, never))


@alone
def record_draft(connection: Connection, key: SessionKey, seq: int, part: int, draft: Draft) -> None:
    """After the first preview: this message on screen is the one to be finished. What it shows may have grown since.

    Where the answer was withdrawn while the preview was on its way, it is taken away again.
    """
    if not _GROWN.run(connection, **_place(key, seq, part), shown=sealed(key, seq, part, draft)):
        doom(connection, key, seq, part, draft.id)


_THIS = and_(*(deliveries.c[name] == bindparam(name) for name in _KEY))


def _drafting(dialect: str) -> Insert:
    row = _row(deliveries, *_KEY) | {"state": fixed(Stage.DRAFT), "tries": fixed(1)}
    asked = exists().where(QUESTION, turns.c.progress == fixed(Progress.WAITING))
    new = _filled(insert(dialect, deliveries), row, asked)
    return new.on_conflict_do_update(index_elements=_KEY, set_={"tries": deliveries.c.tries + fixed(1)})


_DRAFTED = Prepared(_drafting, tuple)
_GROWN = Prepared(
    lambda _: update(deliveries).where(_THIS, not_(DOOMED)).values(draft=bindparam("shown", type_=Text)), tuple
)


@alone
def answer(connection: Connection, key: SessionKey, question: Turn, decided: Answer, *, lease: Lease | None) -> None:
    """T3: the answer, its bill, and the intent to post its first part, in one transaction.

    Raises AlreadyAnswered, which takes back whatever else the transaction did, Changed when the question is not the
    same any more, and LeaseLost.
    """
    this = {**place(key), "seq": question.seq}
    closed = {
        **this,
        "edited": None if question.edited_at is None else micro(question.edited_at),
        "reason": bodies.ERROR.seal(key, (question.seq, Role.PERSON), decided.error),
        **({} if lease is None else {"fence": lease.fence}),
    }
    words, here = decided.memory, (question.seq, Role.ASSISTANT)
    memory: dict[str, object] = {
        "memory": None if words is None else bodies.TURN.seal(key, here, words),
        "kind": int(Kind.ANSWER if decided.covers is None else Kind.SUMMARY),
        "progress": int(Progress.STOPPED if decided.stopped else Progress.DONE),
        "at": micro(question.at),
        "tokens": decided.tokens,
        "covers": decided.covers,
        "model": decided.model,
    }
    bill: dict[str, object] = {"author": question.author and question.author.id, "model": decided.model}
    bill |= {"shown": decided.shown, "cached": decided.cached, "written": decided.written}
    once = decided.parts == (words,)
    parts = [
        None if once else bodies.DELIVERY.seal(key, (question.seq, part), text)
        for part, text in enumerate(decided.parts)
    ]
    if connection.dialect.name == "postgresql":  # one round trip in place of six; SQLite knows no such statement
        stored = _WHOLE[lease is not None].run(connection, **closed, **(memory | bill), parts=parts)
    else:
        stored = _CLOSED[lease is not None].run(connection, **closed)
        if stored:
            _REMEMBERED.run(connection, **this, **memory)
            for part, own in enumerate(parts):
                _POSTED.run(connection, **this, part=part, words=own)
            _BILLED.run(connection, workspace=key.workspace, **bill)
    if not stored:
        _why_not(connection, key, question.seq, lease)


def _why_not(connection: Connection, key: SessionKey, seq: int, lease: Lease | None) -> NoReturn:
    if lease is not None:
        require(connection, lease)
    progress = _PROGRESS.first(connection, **place(key), seq=seq)
    raise (AlreadyAnswered if progress == Progress.ANSWERED else Changed)(key.address.id)


_PROGRESS = Prepared(lambda _: select(turns.c.progress).where(QUESTION), int)


def _closing(_dialect: str, *, leased: bool) -> Update:
    """The question is answered from now on, if it is open; what follows is stored only then."""
    same = turns.c.edited_at.is_not_distinct_from(bindparam("edited", type_=BigInteger))
    open_ = and_(QUESTION, turns.c.progress == fixed(Progress.WAITING), same)
    closed = update(turns).where(open_, *([under_lease()] if leased else []))
    return closed.values(progress=fixed(Progress.ANSWERED), error=bindparam("reason", type_=Text))


def _remembering(dialect: str, *closed: FromClauseRole) -> Insert:
    memory = bindparam("memory", type_=LargeBinary)
    row = _row(turns, "workspace", "session", "seq", "kind", "progress", "at", "tokens", "model", "covers")
    row |= {"role": fixed(Role.ASSISTANT), "validity": fixed(Validity.STANDS), "body": memory}
    return _filled(insert(dialect, turns), row, memory.is_not(None), *closed)


def _posting(dialect: str, part: ColumnElement[int], words: ColumnElement[bytes], *closed: FromClauseRole) -> Insert:
    """A message that has been growing on screen becomes one whose text is stored; a call will be made on the first."""
    row = _row(deliveries, "workspace", "session", "seq") | {"part": part, "body": words}
    row["state"] = case((part == fixed(0), fixed(Stage.SENDING)), else_=fixed(Stage.READY))
    row["tries"] = case((part == fixed(0), fixed(1)), else_=fixed(0))
    new = _filled(insert(dialect, deliveries), row, part.is_not(None), *closed)
    stored = {"state": new.excluded.state, "body": new.excluded.body}
    tries = deliveries.c.tries + new.excluded.tries
    return new.on_conflict_do_update(index_elements=_KEY, set_={**stored, "tries": tries})


def _billing(dialect: str, *closed: FromClauseRole) -> Insert:
    row = _row(usage, "workspace", "author", "model", "shown", "cached", "written")
    known = and_(*(bindparam(name, type_=Text).is_not(None) for name in ("author", "model")))
    row |= {"day": clock(dialect) // fixed(_DAY), "answers": fixed(1)}
    new = _filled(insert(dialect, usage), row, known, *closed)
    sums = {name: usage.c[name] + new.excluded[name] for name in ("answers", "shown", "cached", "written")}
    return new.on_conflict_do_update(index_elements=list(usage.primary_key), set_=sums)


def _row(table: Table, *names: str) -> dict[str, object]:  # type: ignore[explicit-any]  # SQLAlchemy's
    return {name: bindparam(name, type_=table.c[name].type) for name in names}


def _filled(new: Insert, row: dict[str, object], when: ColumnElement[bool], *closed: FromClauseRole) -> Insert:
    """This row, as often as those have one; without them, once."""
    values = select(*row.values()).where(when)  # type: ignore[call-overload]  # they are column elements
    return new.from_select(list(row), values.select_from(*closed))


def _whole(dialect: str, *, leased: bool) -> Select[int]:
    closed = _closing(dialect, leased=leased).returning(turns.c.seq).cte("closed")
    parts = func.unnest(bindparam("parts", type_=ARRAY(LargeBinary))).table_valued("words", with_ordinality="number")
    said = parts.render_derived("said")
    return select(closed.c.seq).add_cte(
        _remembering(dialect, closed).cte("remembered"),
        _posting(dialect, said.c.number - fixed(1), said.c.words, closed, said).cte("posted"),
        _billing(dialect, closed).cte("billed"),
    )


_WHOLE = {leased: Prepared(partial(_whole, leased=leased), tuple) for leased in (False, True)}
_CLOSED = {leased: Prepared(partial(_closing, leased=leased), tuple) for leased in (False, True)}
_REMEMBERED = Prepared(_remembering, tuple)
_POSTED = Prepared(
    lambda dialect: _posting(dialect, bindparam("part", type_=SmallInteger), bindparam("words", type_=LargeBinary)),
    tuple,
)
_BILLED = Prepared(_billing, tuple)


_ANSWERED_BY = and_(
    turns.c.workspace == deliveries.c.workspace,
    turns.c.session == deliveries.c.session,
    turns.c.seq == deliveries.c.seq,
    turns.c.role == fixed(Role.ASSISTANT),
)
_HAS_NONE = and_(deliveries.c.state.in_((fixed(Stage.READY), fixed(Stage.SENDING))), deliveries.c.body.is_(None))
REMEMBERED = case(
    (_HAS_NONE, select(turns.c.body).where(_ANSWERED_BY).correlate(deliveries).scalar_subquery()), else_=null()
)
"""The answer as it is remembered, for a message that is to say it and has no text of its own."""


def text_of(key: SessionKey, seq: int, part: int, own: bytes | None, remembered: bytes | None) -> str | None:
    """What a message is to say, where that is decided and has not certainly been said: its own text or the answer's."""
    if own is not None:
        return bodies.DELIVERY.open(key, (seq, part), own)
    return None if remembered is None else bodies.TURN.open(key, (seq, Role.ASSISTANT), remembered)


def unsent(connection: Connection, key: SessionKey, seq: int) -> list[Delivery]:
    """The messages of this answer that have not certainly arrived, in their order, and drafts that it left over."""
    return _UNSENT.each(connection, partial(_delivery, key, seq), **place(key), seq=seq)


def _delivery(
    key: SessionKey,
    seq: int,
    part: int,
    state: int,
    tries: int,
    own: bytes | None,
    remembered: bytes | None,
    draft: str | None,
) -> Delivery:
    text = text_of(key, seq, part, own, remembered) or ""
    return Delivery(part=part, stage=Stage(state), tries=tries, text=text, draft=draft_of(key, seq, part, draft))


_UNSENT = Prepared(
    lambda _: (
        select(*(deliveries.c[name] for name in ("part", "state", "tries", "body")), REMEMBERED, deliveries.c.draft)
        .where(*(deliveries.c[name] == bindparam(name) for name in ("workspace", "session", "seq")))
        .where(deliveries.c.state < fixed(Stage.SENT))
        .order_by(deliveries.c.part)
    ),
    _delivery,
)


def draft_of(key: SessionKey, seq: int, part: int, stored: str | None) -> Draft | None:
    """The draft that is stored with this part."""
    draft = bodies.DRAFT.open(key, (seq, part), stored)
    return Draft(**json.loads(draft)) if draft else None


def intend(connection: Connection, key: SessionKey, seq: int, part: int, *, lease: Lease | None) -> Draft | None:
    """T4: before a call that posts a part (but for the first, whose intent stands in T3).

    Returns the message on screen, where the platform has told us of it meanwhile. Raises LeaseLost, and Changed where
    the answer was withdrawn.
    """
    if lease is not None:
        require(connection, lease)
    row = _GOING.first(connection, **_place(key, seq, part))
    if row is not None:
        return draft_of(key, seq, part, row.draft)
    state = _STAGE.first(connection, **_place(key, seq, part))
    if state is None or state == Stage.DRAFT:
        raise Changed(key.address.id)
    return None


class _Known(NamedTuple):
    draft: str | None


_GOING = Prepared(
    lambda _: (
        update(deliveries)
        .where(_THIS, deliveries.c.state < fixed(Stage.SENT), not_(DOOMED))
        .values(state=fixed(Stage.SENDING), tries=deliveries.c.tries + fixed(1))
        .returning(deliveries.c.draft)
    ),
    _Known,
)


_STAGE = Prepared(lambda _: select(deliveries.c.state).where(_THIS), int)


def record(
    connection: Connection, key: SessionKey, seq: int, part: int, message: str, *, doubtful: bool, seconds: float
) -> str:
    """T5: this part is on screen as that message. Returns the message that stands: another one if we came too late.

    Where the answer was withdrawn while the part was on its way, it is taken away again.
    The text goes where it is certain, as the turn has it. What is doubtful is reconciled two leases of `seconds` later.
    """
    after = {"after": int(RECONCILE_AFTER * seconds * 1000)} if doubtful else {}
    if _arriving(doubtful=doubtful).run(connection, **_place(key, seq, part), shown=message, **after):
        return message
    stands = select(deliveries.c.message, DOOMED.label("doomed")).where(_at(key, seq, part))
    row = connection.execute(stands).one_or_none()
    if row is None or row.doomed:
        doom(connection, key, seq, part, message)
        return message
    standing: str | None = row.message
    if standing is not None and standing != message:
        connection.execute(update(deliveries).where(_at(key, seq, part)).values(_doubted(connection, seconds)))
    return standing or message


@cache
def _arriving(*, doubtful: bool) -> Prepared[object]:
    def build(dialect: str) -> Update:
        sent = {
            "state": fixed(Stage.SENT),
            "message": bindparam("shown", type_=Text),
            "draft": null(),
            "due_at": clock(dialect) + bindparam("after", type_=BigInteger) if doubtful else null(),
            "body": func.coalesce(deliveries.c.body, b"") if doubtful else null(),
        }
        return update(deliveries).where(_THIS, deliveries.c.message.is_(None), not_(DOOMED)).values(sent)

    return Prepared(build, tuple)


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
    keeps = finish(connection, key, seq, lease=lease, seconds=seconds, doubtful=doubtful)
    return record(connection, key, seq, part, message, doubtful=doubtful, seconds=seconds), keeps


def receive(connection: Connection, address: Address, key: str, shown: Draft, *, seconds: float) -> None:
    """The platform's own receipt: whoever delivers this part knows from here on which message it has become.

    A part that stands as another message is reconciled.
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
        draft = sealed(key, row.seq, row.part, shown)
        connection.execute(this.where(deliveries.c.draft.is_(None)).values(draft=draft))
    elif row.message != shown.id:
        connection.execute(this.values(_doubted(connection, seconds)))


def _doubted(connection: Connection, seconds: float) -> dict[str, object]:
    """What makes a message that stands one to be reconciled."""
    due_at = now(connection) + int(RECONCILE_AFTER * seconds * 1000)
    return {"due_at": due_at, "body": func.coalesce(deliveries.c.body, b"")}


def refuse(connection: Connection, key: SessionKey, seq: int, reason: str) -> None:
    """The platform will never take the rest of this answer."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    rest = and_(mine, deliveries.c.state < Stage.SENT)
    failed = {"state": Stage.FAILED, "body": None, "draft": None, "due_at": None}
    for part in connection.execute(select(deliveries.c.part).where(rest)).scalars().all():
        why = bodies.FAILURE.seal(key, (seq, part), storable(reason))
        connection.execute(update(deliveries).where(rest, deliveries.c.part == part).values(**failed, error=why))


def _place(key: SessionKey, seq: int, part: int) -> dict[str, int]:
    return {"workspace": key.workspace, "session": key.session, "seq": seq, "part": part}


def _at(key: SessionKey, seq: int, part: int) -> ColumnElement[bool]:
    return and_(*(deliveries.c[name] == value for name, value in _place(key, seq, part).items()))
