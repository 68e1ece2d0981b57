"""Storing an answer: itself, its bill, and the intent to post its first message, in one transaction, once."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import NoReturn

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    LargeBinary,
    Select,
    SmallInteger,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.roles import FromClauseRole

from core.schema import deliveries, turns
from core.session import Answer, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import bodies, budgets, folds, shown
from core.store.deliveries import SLOT, Delivery
from core.store.engine.prepared import Prepared
from core.store.engine.sql import alone, filled, fixed, given, insert, micro, storable
from core.store.queue import QUESTION, Changed, require, under_lease
from core.store.states import DeliveryState
from core.store.turns import place, sealed


class AlreadyAnswered(Exception):
    """Somebody else has stored an answer to this question, or we have, in a commit of unknown outcome."""


@alone
def answer(connection: Connection, key: SessionKey, question: Turn, decided: Answer, *, lease: Lease | None) -> None:
    """The answer, its bill, the intent to post its first part, and when its session is due to be folded: as one.

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
    words = decided.memory
    memory: dict[str, object] = {
        "memory": None if words is None else sealed(key, question.seq, Role.ASSISTANT, words)[0],
        "kind": int(Kind.ANSWER if decided.covers is None else Kind.SUMMARY),
        "progress": int(Progress.STOPPED if decided.stopped else Progress.DONE),
        "at": micro(question.at),
        "tokens": decided.tokens,
        "covers": decided.covers,
        "shown_seqs": shown.written(decided.shown_seqs),
        "shown_parts": shown.listed(decided.shown_parts),
        "model": decided.model,
    }
    author = None if question.author is None else question.author.id
    bill = budgets.billed(key, author, decided.bill)
    hold = None if decided.bill is None or not decided.bill.was_held else decided.bill.hold
    once = decided.parts == (words,)
    look_in = None if decided.look_in is None else int(decided.look_in * 1000)
    parts = [
        None if once else bodies.DELIVERY.seal(key, (question.seq, part), text)
        for part, text in enumerate(decided.parts)
    ]
    if connection.dialect.name == "postgresql":  # one round trip in place of six; SQLite knows no such statement
        facts = {**closed, **memory, **bill, "parts": parts, "look_in": look_in, "hold": hold}
        stored = _WHOLE[lease is not None].run(connection, **facts)
    else:
        stored = _CLOSED[lease is not None].run(connection, **closed)
        if stored:
            _REMEMBERED.run(connection, **this, **memory)
            for part, own in enumerate(parts):
                _POSTED.run(connection, **this, part=part, words=own)
            budgets.BILLED.run(connection, workspace=key.workspace, **bill)
            if hold is not None:
                budgets.SETTLED.run(connection, workspace=key.workspace, hold=hold)
            if look_in is not None:
                folds.MARKED.run(connection, **place(key), look_in=look_in)
    if not stored:
        _why_not(connection, key, question.seq, lease)


def recall(connection: Connection, key: SessionKey, question: Turn, words: str, *, tokens: int) -> None:
    """An answer that people have seen already, and this database has lost, or never knew."""
    answered = {
        **place(key),
        "seq": question.seq,
        "role": int(Role.ASSISTANT),
        "kind": int(Kind.ANSWER),
        "progress": int(Progress.DONE),
        "validity": int(Validity.STANDS),
        "at": micro(question.at),
        "tokens": tokens,
        "body": bodies.TURN.seal(key, (question.seq, Role.ASSISTANT), storable(words)),
    }
    connection.execute(insert(connection.dialect.name, turns).values(answered).on_conflict_do_nothing())


def stored(parts: tuple[str, ...], intended: Collection[int] = ()) -> Sequence[Delivery]:
    """An answer's parts as `answer` has just stored them: the first is about to be sent.

    Of those that are intended, something may be on screen already.
    """
    return [
        Delivery(
            part=part,
            state=DeliveryState.READY if part else DeliveryState.SENDING,
            tries=(part == 0) + (part in intended),
            text=text,
            draft=None,
        )
        for part, text in enumerate(parts)
    ]


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
    row = given(turns, "workspace", "session", "seq", "kind", "progress", "at", "tokens", "model")
    row |= given(turns, "covers", "shown_seqs", "shown_parts")
    row |= {"role": fixed(Role.ASSISTANT), "validity": fixed(Validity.STANDS), "body": memory}
    return filled(insert(dialect, turns), row, memory.is_not(None), *closed)


def _posting(dialect: str, part: ColumnElement[int], words: ColumnElement[bytes], *closed: FromClauseRole) -> Insert:
    """A message that has been growing on screen becomes one whose text is stored; a call will be made on the first."""
    row = given(deliveries, "workspace", "session", "seq") | {"part": part, "body": words}
    row["state"] = case((part == fixed(0), fixed(DeliveryState.SENDING)), else_=fixed(DeliveryState.READY))
    row["tries"] = case((part == fixed(0), fixed(1)), else_=fixed(0))
    new = filled(insert(dialect, deliveries), row, part.is_not(None), *closed)
    stored = {"state": new.excluded.state, "body": new.excluded.body}
    tries = deliveries.c.tries + new.excluded.tries
    return new.on_conflict_do_update(index_elements=SLOT, set_={**stored, "tries": tries})


def _whole(dialect: str, *, leased: bool) -> Select[int]:
    closed = _closing(dialect, leased=leased).returning(turns.c.seq).cte("closed")
    parts = func.unnest(bindparam("parts", type_=ARRAY(LargeBinary))).table_valued("words", with_ordinality="number")
    said = parts.render_derived("said")
    return select(closed.c.seq).add_cte(
        _remembering(dialect, closed).cte("remembered"),
        _posting(dialect, said.c.number - fixed(1), said.c.words, closed, said).cte("posted"),
        budgets.billing(dialect, closed).cte("billed"),
        budgets.settling(closed).cte("settled"),
        folds.marking(dialect, closed).cte("marked"),
    )


_WHOLE = {leased: Prepared(partial(_whole, leased=leased), tuple) for leased in (False, True)}
_CLOSED = {leased: Prepared(partial(_closing, leased=leased), tuple) for leased in (False, True)}
_REMEMBERED = Prepared(_remembering, tuple)
_POSTED = Prepared(
    lambda dialect: _posting(dialect, bindparam("part", type_=SmallInteger), bindparam("words", type_=LargeBinary)),
    tuple,
)
