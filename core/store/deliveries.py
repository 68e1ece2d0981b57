"""The outbox's rows: one for each visible message that must leave.

The intent is committed before a call that may put something on screen, the receipt after it; whoever takes over knows
from `tries` whether a look is needed first. A message whose way there was doubtful is reconciled later; what arrived is
forgotten after a day (`doubts`). An answer that is one message, word for word as it is remembered, is stored once: the
message then has no text of its own.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, fields
from functools import partial
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    not_,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.elements import ColumnElement

from core.schema import deliveries, turns
from core.seam.address import Address
from core.seam.keys import key_of
from core.seam.messages import Draft
from core.session import Lease, Progress, Role, SessionKey, Turn
from core.store import bodies
from core.store.engine.prepared import Prepared
from core.store.engine.sql import alone, filled, fixed, given, insert, micro, storable
from core.store.queue import QUESTION, Changed, require
from core.store.states import DeliveryState
from core.store.turns import place
from core.store.withdrawals import DOOMED, UNWANTED, doom, sealed

SLOT = ("workspace", "session", "seq", "part")
"""The key of a message's row."""


def key_for(address: Address, *, seq: int, message: str | None, notice: str | None, part: int) -> str:
    """The key of this part of what the turn causes: of the answer to it, or of the notice that it is."""
    if notice is not None:
        return key_of(address, notice, part, of="notice")
    return key_of(address, message or str(seq), part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One visible message. `tries` counts the calls that may have put it on screen."""

    part: int
    state: DeliveryState
    tries: int
    text: str
    draft: Draft | None


def intend_draft(connection: Connection, lease: Lease, question: Turn, part: int) -> None:
    """Before the first preview of a part: from now on, a message of it may be on screen.

    Raises LeaseLost, and Changed where the question is not the same any more.
    """
    require(connection, lease)
    edited = None if question.edited_at is None else micro(question.edited_at)
    if not _DRAFTED.run(connection, **slot(lease.key, question.seq, part), edited=edited):
        raise Changed(lease.key.address.id)


def forget(connection: Connection, key: SessionKey, seq: int, parts: Collection[int]) -> None:
    """Takes intents back of which it has turned out that nothing was shown."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    never = and_(deliveries.c.part.in_(parts), deliveries.c.state == DeliveryState.DRAFT, deliveries.c.draft.is_(None))
    connection.execute(delete(deliveries).where(mine, never))


@alone
def record_draft(connection: Connection, key: SessionKey, seq: int, part: int, draft: Draft) -> None:
    """After the first preview: this message on screen is the one to be finished. What it shows may have grown since.

    Where the answer was withdrawn, or begins again, while the preview was on its way, it is taken away again.
    """
    if not _GROWN.run(connection, **slot(key, seq, part), shown=sealed(key, seq, part, draft)):
        doom(connection, key, seq, part, draft.id)
        connection.execute(delete(deliveries).where(at(key, seq, part), UNWANTED))


THIS = and_(*(deliveries.c[name] == bindparam(name) for name in SLOT))
"""The row whose `slot` a statement is given."""


def _drafting(dialect: str) -> Insert:
    row = given(deliveries, *SLOT) | {"state": fixed(DeliveryState.DRAFT), "tries": fixed(1)}
    same = turns.c.edited_at.is_not_distinct_from(bindparam("edited", type_=BigInteger))
    asked = exists().where(QUESTION, turns.c.progress == fixed(Progress.WAITING), same)
    new = filled(insert(dialect, deliveries), row, asked)
    return new.on_conflict_do_update(index_elements=SLOT, set_={"tries": deliveries.c.tries + fixed(1)})


_DRAFTED = Prepared(_drafting, tuple)
_GROWN = Prepared(
    lambda _: update(deliveries).where(THIS, not_(DOOMED), not_(UNWANTED)).values(draft=bindparam("shown", type_=Text)),
    tuple,
)


_ANSWERED_BY = and_(
    turns.c.workspace == deliveries.c.workspace,
    turns.c.session == deliveries.c.session,
    turns.c.seq == deliveries.c.seq,
    turns.c.role == fixed(Role.ASSISTANT),
)
_HAS_NONE = and_(
    deliveries.c.state.in_((fixed(DeliveryState.READY), fixed(DeliveryState.SENDING))), deliveries.c.body.is_(None)
)
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
    return Delivery(
        part=part, state=DeliveryState(state), tries=tries, text=text, draft=draft_of(key, seq, part, draft)
    )


_UNSENT = Prepared(
    lambda _: (
        select(*(deliveries.c[name] for name in ("part", "state", "tries", "body")), REMEMBERED, deliveries.c.draft)
        .where(*(deliveries.c[name] == bindparam(name) for name in ("workspace", "session", "seq")))
        .where(deliveries.c.state < fixed(DeliveryState.SENT))
        .order_by(deliveries.c.part)
    ),
    _delivery,
)


def keep_words(connection: Connection, key: SessionKey, seq: int) -> None:
    """The answer is about to lose its words: what is still to be posted of it has its own from now on."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    rows = connection.execute(select(deliveries.c.part, REMEMBERED.label("words")).where(mine, _HAS_NONE)).all()
    for row in rows:
        words = text_of(key, seq, row.part, None, row.words)
        kept = None if words is None else bodies.DELIVERY.seal(key, (seq, row.part), words)
        connection.execute(update(deliveries).where(mine, deliveries.c.part == row.part).values(body=kept))


def have_arrived(connection: Connection, key: SessionKey, seq: int) -> bool:
    """Whether there are messages of this answer, and all of them are certain to be on screen."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    decided = select(deliveries.c.state).where(mine, deliveries.c.state > DeliveryState.DRAFT).distinct()
    return connection.execute(decided).scalars().all() == [DeliveryState.SENT]


def draft_of(key: SessionKey, seq: int, part: int, stored: str | None) -> Draft | None:
    """The draft that is stored with this part. A newer release beside us may have written what we don't know."""
    draft = bodies.DRAFT.open(key, (seq, part), stored)
    if not draft:
        return None
    return Draft(**{name: value for name, value in json.loads(draft).items() if name in _FACTS})


_FACTS = frozenset(one.name for one in fields(Draft))


def intend(connection: Connection, key: SessionKey, seq: int, part: int, *, lease: Lease | None) -> Draft | None:
    """Before a call that posts a part: from now on it may be on screen, and whoever repeats the call looks first.

    The intent to post an answer's first part is stored with the answer. Returns the message on screen, where the
    platform has told us of it meanwhile. Raises LeaseLost, and Changed where the answer was withdrawn.
    """
    if lease is not None:
        require(connection, lease)
    row = _GOING.first(connection, **slot(key, seq, part))
    if row is not None:
        return draft_of(key, seq, part, row.draft)
    state = _STATE.first(connection, **slot(key, seq, part))
    if state is None or state == DeliveryState.DRAFT:
        raise Changed(key.address.id)
    return None


class _Known(NamedTuple):
    draft: str | None


_GOING = Prepared(
    lambda _: (
        update(deliveries)
        .where(THIS, deliveries.c.state < fixed(DeliveryState.SENT), not_(DOOMED))
        .values(state=fixed(DeliveryState.SENDING), tries=deliveries.c.tries + fixed(1))
        .returning(deliveries.c.draft)
    ),
    _Known,
)


_STATE = Prepared(lambda _: select(deliveries.c.state).where(THIS), int)


def refuse(connection: Connection, key: SessionKey, seq: int, reason: str) -> None:
    """The platform will never take the rest of this answer."""
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session, deliveries.c.seq == seq)
    rest = and_(mine, deliveries.c.state < DeliveryState.SENT)
    failed = {"state": DeliveryState.FAILED, "body": None, "draft": None, "due_at": None}
    for part in connection.execute(select(deliveries.c.part).where(rest)).scalars().all():
        why = bodies.FAILURE.seal(key, (seq, part), storable(reason))
        connection.execute(update(deliveries).where(rest, deliveries.c.part == part).values(**failed, error=why))


def slot(key: SessionKey, seq: int, part: int) -> dict[str, int]:
    """What `THIS` is looked up by."""
    return {"workspace": key.workspace, "session": key.session, "seq": seq, "part": part}


def at(key: SessionKey, seq: int, part: int) -> ColumnElement[bool]:
    """The same row, in a statement that is built for it."""
    return and_(*(deliveries.c[name] == value for name, value in slot(key, seq, part).items()))
