"""Forgetting: how words are taken out of a session for an erasure, a few rows in each transaction.

One person's are hidden first, from every window, with all that tells of them; whatever was being written at that moment
begins again. So what answers to others have of them can be found in peace, before the words themselves go.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, Table, and_, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import checkpoints as records
from core.schema import deliveries, sessions, turns
from core.schema import quotes as table
from core.session import Kind, Progress, Role, SessionKey, Validity
from core.store import bodies, checkpoints, expiring, parts, quotes, summaries, withdrawals
from core.store.answers import UNKNOWN
from core.store.changes import ERASED, end, requoted, tell
from core.store.deliveries import REMEMBERED, text_of
from core.store.engine.sql import erases, now
from core.store.erasures import Counts, Erasure, add
from core.store.expiring import Times
from core.store.queue import turn
from core.store.states import DeliveryState

STEP = 50
"""So many turns are changed in one transaction: others wait for its end."""


class Step(NamedTuple):
    """What a step has done: how many turns are gone or hidden, and whose holders are to look again."""

    turns: int
    told: list[SessionKey]


@erases
def hide(connection: Connection, key: SessionKey, erasure: Erasure, *, seconds: float) -> Step:
    """The next turns of the person are in no window from now on, nor what answers or quotes them, or tells of them."""
    _lock(connection, key)
    stands = turns.c.validity.in_((Validity.STANDS, Validity.STALE))
    rows = _next(connection, key, and_(_theirs(erasure), stands))
    told, counts = list[SessionKey](), Counts()
    for row in rows:
        counts += _outdate(connection, key, row.seq)
        quoting = _unquote(connection, key, row.message)
        told += quoting.told
        counts += Counts(quotes=quoting.turns)
        if row.progress in (Progress.WAITING, Progress.ANSWERED):
            counts += _end(connection, key, row, seconds)
            told.append(tell(connection, key))
        else:
            connection.execute(update(turns).where(turn(key, row.seq)).values(validity=Validity.SUPERSEDED))
    if rows:
        told += _again(connection, key)
    add(connection, erasure, counts)
    return Step(len(rows), told)


@erases
def unquote(connection: Connection, key: SessionKey, erasure: Erasure) -> list[SessionKey]:
    """Takes out what of the person others' turns quote that was never said to us; whose holders are to look again."""
    _lock(connection, key)
    theirs = and_(_in(table, key), table.c.author == erasure.subject)
    found = connection.execute(select(table.c.seq, table.c.message, table.c.at).where(theirs)).all()
    told, number = list[SessionKey](), 0
    for row in found:
        if erasure.before is None or row.at is None or row.at < erasure.before:
            same = table.c.message == row.message if row.message is not None else table.c.author == erasure.subject
            number += _take_out(connection, key, and_(table.c.seq == row.seq, same))
            told += requoted(connection, key, row.seq)
    if number:
        told += _again(connection, key)
        add(connection, erasure, Counts(quotes=number))
    return told


@erases
def shorten(
    connection: Connection,
    key: SessionKey,
    erasure: Erasure,
    seqs: Sequence[int],
    *,
    shorter: Callable[[str], str],
    count: Callable[[str], int],
) -> None:
    """Has these answers to others say what `shorter` makes of them; those of which nothing is left are erased.

    One that is shortened counts as edited: it still stands on people's screens as it was (`gone.unknown`).
    """
    _lock(connection, key)
    counts = Counts()
    for seq in seqs:
        this = and_(turn(key, seq), turns.c.role == Role.ASSISTANT, turns.c.validity != Validity.ERASED)
        body: bytes | None = connection.execute(select(turns.c.body).where(this)).scalar_one_or_none()
        words = "" if body is None else bodies.TURN.open(key, (seq, Role.ASSISTANT), body)
        left = shorter(words)
        if left != words:
            body = bodies.TURN.seal(key, (seq, Role.ASSISTANT), left)
            kept = {"body": body, "tokens": count(left), "edited_at": now(connection) * 1000}
            connection.execute(update(turns).where(this).values(kept if left else ERASED))
            counts += Counts(shortened=1) + _outdate(connection, key, seq) + _unquote_ours(connection, key, seq)
            if left:
                parts.take_back(connection, key, seq)
                _blank(connection, key, seq)
            else:
                _empty(connection, key, [seq])
    if counts.shortened:
        _again(connection, key)
    add(connection, erasure, counts)


@erases
def shorten_unsent(connection: Connection, key: SessionKey, erasure: Erasure, *, shorter: Callable[[str], str]) -> None:
    """The same with what others are to be told, and is not certain to be on their screens: also what commands say.

    Of which nothing is left, it says what `shorter` makes of it all the same.
    """
    _lock(connection, key)
    asked = and_(*(turns.c[name] == deliveries.c[name] for name in ("workspace", "session", "seq")))
    others = and_(asked, turns.c.role == Role.PERSON, turns.c.kind != Kind.NOTICE)
    others = and_(others, turns.c.author.is_distinct_from(erasure.subject))
    open_ = or_(
        deliveries.c.state.in_(_DECIDED), and_(deliveries.c.state == DeliveryState.SENT, deliveries.c.body != b"")
    )
    columns = [deliveries.c[name] for name in ("seq", "part", "state", "body", "draft")]
    found = select(*columns, REMEMBERED.label("words")).join_from(deliveries, turns, others)
    for row in connection.execute(found.where(_in(deliveries, key), open_)).all():
        said = text_of(key, row.seq, row.part, row.body, row.words) or ""
        left = shorter(said)
        if left == said:
            continue
        this = and_(_in(deliveries, key), deliveries.c.seq == row.seq, deliveries.c.part == row.part)
        own = UNKNOWN if row.state == DeliveryState.SENT else bodies.DELIVERY.seal(key, (row.seq, row.part), left)
        kept = {"body": own, "draft": withdrawals.wordless(key, row.seq, row.part, row.draft)}
        connection.execute(update(deliveries).where(this).values(kept))


_DECIDED = (DeliveryState.READY, DeliveryState.SENDING)


@erases
def erase(connection: Connection, key: SessionKey, erasure: Erasure, *, seconds: float) -> Step:
    """Takes the next turns' words out of the database, with the answers to them, and all that they point at."""
    _lock(connection, key)
    rows = _next(connection, key, and_(_theirs(erasure), turns.c.validity != Validity.ERASED))
    told, counts = list[SessionKey](), Counts()
    for row in rows:
        if not erasure.is_of_person:
            counts += _outdate(connection, key, row.seq)
            quoting = _unquote(connection, key, row.message)
            told += quoting.told
            counts += Counts(quotes=quoting.turns)
        if row.progress in (Progress.WAITING, Progress.ANSWERED):
            counts += _end(connection, key, row, seconds)
            told.append(tell(connection, key))
        else:
            counts += _erase(connection, key, row.seq)
    if rows and not erasure.is_of_person:
        told += _again(connection, key)
    add(connection, erasure, counts)
    return Step(len(rows), told)


@erases
def expire(connection: Connection, key: SessionKey, times: Times) -> Step:
    """Takes the next old turns' words out of the database, and what tells of them; what waits is answered first."""
    _lock(connection, key)
    rows, told = _next(connection, key, expiring.old(times)), list[SessionKey]()
    for row in rows:
        _outdate(connection, key, row.seq)
        told += _unquote(connection, key, row.message).told
        _erase(connection, key, row.seq)
    return Step(len(rows), told + (_again(connection, key) if rows else []))


def _theirs(erasure: Erasure) -> ColumnElement[bool]:
    """What is to be forgotten; a notice of ours that is still to be told is not."""
    told = or_(turns.c.kind != Kind.NOTICE, turns.c.progress == Progress.DONE)
    before = told if erasure.before is None else and_(told, turns.c.at < erasure.before)
    if erasure.is_of_person:
        return and_(before, turns.c.author == erasure.subject, turns.c.role == Role.PERSON)
    return before


def _next(connection: Connection, key: SessionKey, which: ColumnElement[bool]) -> Sequence[Row[*tuple[object, ...]]]:
    columns = [turns.c[name] for name in ("seq", "role", "progress", "validity", "slip", "message")]
    found = select(*columns).where(_in(turns, key), which).order_by(turns.c.seq, turns.c.role).limit(STEP)
    return connection.execute(found).all()


def _end(connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], seconds: float) -> Counts:
    """What waits is not answered, and what is on its way to the screen for it is taken away again."""
    this = and_(turn(key, row.seq), turns.c.role == row.role)
    connection.execute(update(turns).where(this).values(ERASED))
    quotes.forget(connection, key, [row.seq])
    end(connection, key, row, seconds)
    return Counts(messages=1)


def _erase(connection: Connection, key: SessionKey, seq: int) -> Counts:
    """The turn, and the answer to it."""
    stands = and_(turn(key, seq), turns.c.validity != Validity.ERASED)
    of_us = func.coalesce(func.sum(turns.c.role), 0)  # of a question and its answer, one
    all_, ours = connection.execute(select(func.count(), of_us).where(stands)).one()
    connection.execute(update(turns).where(stands).values(ERASED))
    quotes.forget(connection, key, [seq])
    _empty(connection, key, [seq])
    return Counts(messages=all_ - ours, answers=ours) + _unquote_ours(connection, key, seq)


def _empty(connection: Connection, key: SessionKey, seqs: Sequence[int]) -> None:
    """What was posted of these answers is not kept with the messages that it has become, nor why it was not taken."""
    over = and_(_in(deliveries, key), deliveries.c.seq.in_(seqs), deliveries.c.state >= DeliveryState.SENT)
    connection.execute(update(deliveries).where(over).values(body=None, draft=None, error=None))


def _blank(connection: Connection, key: SessionKey, seq: int) -> None:
    """What each message of a shortened answer says is not known any more: it can't be cut out of what is left of it."""
    over = and_(_in(deliveries, key), deliveries.c.seq == seq, deliveries.c.state >= DeliveryState.SENT)
    connection.execute(update(deliveries).where(over).values(body=UNKNOWN, draft=None, error=None))


def _outdate(connection: Connection, key: SessionKey, seq: int) -> Counts:
    """Whatever tells of this turn loses its words."""
    tells = and_(records.c.first <= seq, records.c.last >= seq, records.c.validity == Validity.STANDS)
    covers = and_(turns.c.seq > seq, turns.c.covers <= seq, turns.c.validity == Validity.STANDS)
    counted = (
        select(func.count()).where(_in(records, key), tells),
        select(func.count()).where(_in(turns, key), covers),
    )
    number = sum(connection.execute(one).scalar_one() for one in counted)
    summaries.outdate(connection, key, seq)
    checkpoints.outdate(connection, key, seq)
    return Counts(records=number)


def _unquote(connection: Connection, key: SessionKey, message: str | None) -> Step:
    """Takes out what of this message is quoted in its channel: how many quotes, and whose holders are to look again."""
    if message is None:
        return Step(0, [])
    told, number = list[SessionKey](), 0
    for other, row in quotes.quoting(connection, key.address, message):
        _lock(connection, other)
        quotes.take_out(connection, other, row.seq, row.place)
        told += [*requoted(connection, other, row.seq), *_again(connection, other)]
        number += 1
    return Step(number, told)


def _unquote_ours(connection: Connection, key: SessionKey, seq: int) -> Counts:
    """The same with the answer to this turn, of all messages that it has become."""
    ours = parts.messages(connection, key, seq)
    return Counts(quotes=sum(_unquote(connection, key, message).turns for message in ours))


def _take_out(connection: Connection, key: SessionKey, which: ColumnElement[bool]) -> int:
    return connection.execute(table.delete().where(_in(table, key), which)).rowcount


def _again(connection: Connection, key: SessionKey) -> list[SessionKey]:
    """What is being written here at this moment begins again: it has been shown what is not to be known any more.

    So what is on screen of it leaves that, or it would be remembered where somebody ends the answer where it is.
    """
    waits = and_(_in(turns, key), turns.c.role == Role.PERSON, turns.c.progress == Progress.WAITING)
    asked = and_(waits, turns.c.slip.is_not(None), or_(turns.c.kind == Kind.SAID, turns.c.kind == Kind.COMMAND))
    newer = {"edited_at": func.coalesce(turns.c.edited_at, turns.c.at) + 1}
    seqs = connection.execute(update(turns).where(asked).values(newer).returning(turns.c.seq)).scalars().all()
    for seq in seqs:
        withdrawals.begin_again(connection, key, seq)
    return [tell(connection, key)] if seqs else []


def _lock(connection: Connection, key: SessionKey) -> None:
    """The session's row, before anything else, as everybody does who changes more than one row of a session."""
    this = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    connection.execute(select(sessions.c.fence).where(this).with_for_update())


def _in(where: Table, key: SessionKey) -> ColumnElement[bool]:  # type: ignore[explicit-any]  # SQLAlchemy's
    """The rows of this session."""
    return and_(where.c.workspace == key.workspace, where.c.session == key.session)
