"""Doubts: deliveries that are over, but were uncertain, or whose question is gone, are looked at once more, later.

A call that was given up may still have landed, and so may one of a process that was frozen at the wrong moment. What is
certain is only kept for a day, so that whoever comes late with a message of his own learns that another one stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, func, literal, not_, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import deliveries, sessions, turns, unrecorded
from core.seam.address import Address
from core.seam.messages import Draft, Reply
from core.session import Kind, Role, SessionKey, Turn, Validity
from core.store import denials, gone, parts
from core.store.deliveries import REMEMBERED, draft_of, text_of
from core.store.engine.rows import DOUBTFUL, each, gathered
from core.store.engine.sql import insert, now
from core.store.queue import turn
from core.store.states import DeliveryState
from core.store.turns import COLUMNS, OPEN, WAITS, turn_of

_KEPT = 86_400_000  # milliseconds for which an arrival is remembered
FORGET_AT_ONCE = 1_000
"""So many rows are forgotten in one transaction: others wait for its end."""

_AGAIN = 60_000  # milliseconds; whoever takes a doubt up and dies leaves it to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One message that may not be on screen as it should be: what caused it, what it says, what we know of it.

    `text` is None where it is not known any more. `stands` is the message that was recorded; without one, nothing of
    this delivery is to be on screen.
    """

    key: SessionKey
    cause: Turn
    part: int
    text: str | None
    stands: str | None
    draft: Draft | None


def due(connection: Connection, platforms: Sequence[str], *, limit: int) -> list[Doubt]:
    """Takes up to `limit` doubts up."""
    return gathered(connection, lambda most: _taken_up(connection, platforms, most), most=limit, among=DOUBTFUL)


def _taken_up(connection: Connection, platforms: Sequence[str], limit: int) -> list[Doubt]:
    now_ = now(connection)
    rows = connection.execute(
        _DUE.where(deliveries.c.due_at <= now_).limit(limit), {"platforms": list(platforms)}
    ).all()
    doubts = [_doubt(row) for row in rows]
    for doubt in doubts:
        connection.execute(update(deliveries).where(_this(doubt)).values(due_at=now_ + _AGAIN))
    return doubts


def suspect(connection: Connection, platform: str) -> int:
    """Of what waits on this platform anything may be on screen by now; returns how many messages wait.

    So whoever answers it looks first. Called where nobody has heard the platform for some time: a process that this
    database does not know of may have answered it, since a backup was put back.
    """
    return sum(_suspect(connection, platform) for _ in each(connection))


def _suspect(connection: Connection, platform: str) -> int:
    here = exists().where(_TURNS_SESSION, sessions.c.platform == platform)
    open_ = and_(WAITS, turns.c.role == Role.PERSON, here)
    mine = and_(*(turns.c[name] == deliveries.c[name] for name in ("workspace", "session", "seq")))
    unsent = and_(deliveries.c.state < DeliveryState.SENT, deliveries.c.tries == 0)
    connection.execute(update(deliveries).where(unsent, exists().where(mine, open_)).values(tries=1))
    place = [turns.c[name] for name in ("workspace", "session", "seq")]
    begun = select(*place, literal(0), literal(int(DeliveryState.DRAFT)), literal(1)).where(open_)
    columns = ["workspace", "session", "seq", "part", "state", "tries"]
    new = insert(connection.dialect.name, deliveries).from_select(columns, begun).on_conflict_do_nothing()
    connection.execute(new)
    waiting: int = connection.execute(select(func.count()).select_from(turns).where(open_)).scalar_one()
    return waiting


def forget(connection: Connection, *, most: int = FORGET_AT_ONCE) -> int:
    """Deletes what arrived for certain in answer to what was said a day ago or earlier; returns how many rows.

    Which messages an answer has become is noted, so that people may delete those: by its turn, or where it was several
    and all have arrived, by its `parts`. So is that of one whose words are gone, or that is to what was said off the
    record: it is never to be learnt from the screen. What the platform did not take stays until it is dropped: a dead
    letter.
    """
    found = 0
    for _ in each(connection):
        gone.forget(connection)
        denials.forget(connection)
        found += _forget(connection, most - found)
    return found


def _forget(connection: Connection, most: int) -> int:
    long_ago = (now(connection) - _KEPT) * 1000
    old = and_(_CERTAIN, exists().where(_QUESTION, turns.c.at < long_ago), not_(and_(_REMEMBERED, _IS_TOLD_APART)))
    columns = [deliveries.c[name] for name in (*_PLACE, "part", "message")]
    told = (_IS_A_TURN.label("turn"), _IS_ONE_OF_MANY.label("many"), _IS_OFF.label("off"))
    rows = connection.execute(select(*columns, *told).where(old).limit(most)).all()
    for row in rows:
        mine = [deliveries.c[name] == getattr(row, name) for name in _PLACE]
        if row.off or (row.turn and row.many):
            parts.put_away(connection, row.workspace, row.session, row.seq)
        else:
            if row.turn and row.message is not None:
                _note(connection, row)
            connection.execute(delete(deliveries).where(*mine, deliveries.c.part == row.part))
    return len(rows)


def _note(connection: Connection, row: Row[*tuple[object, ...]]) -> None:
    """The answer is this message, unless the session knows that from having looked back at it."""
    mine = and_(turns.c.workspace == row.workspace, turns.c.session == row.session)
    if connection.execute(select(turns.c.seq).where(mine, turns.c.message == row.message)).first() is None:
        answer = and_(mine, turns.c.seq == row.seq, turns.c.role == Role.ASSISTANT, turns.c.message.is_(None))
        connection.execute(update(turns).where(answer).values(message=row.message))


_TURNS_SESSION = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
_PLACE = ("workspace", "session", "seq")
_OTHERS = deliveries.alias("others")
_ITS_OTHERS = and_(*(_OTHERS.c[name] == deliveries.c[name] for name in _PLACE))
_IS_ONE_OF_MANY = exists().where(_ITS_OTHERS, _OTHERS.c.part != deliveries.c.part)
_CERTAIN = and_(deliveries.c.state >= DeliveryState.SENT, deliveries.c.due_at.is_(None), deliveries.c.error.is_(None))
_IS_TOLD_APART = and_(  # among several, some have words of their own, or are not certain
    _IS_ONE_OF_MANY,
    exists().where(
        _ITS_OTHERS,
        or_(
            _OTHERS.c.state != DeliveryState.SENT,
            _OTHERS.c.message.is_(None),
            _OTHERS.c.due_at.is_not(None),
            _OTHERS.c.body.is_not(None),
        ),
    ),
)
_ANSWER = and_(
    turns.c.workspace == deliveries.c.workspace,
    turns.c.session == deliveries.c.session,
    turns.c.seq == deliveries.c.seq,
    turns.c.role == Role.ASSISTANT,
)
_IS_A_TURN = exists().where(_ANSWER)
_REMEMBERED = exists().where(_ANSWER, turns.c.validity != Validity.ERASED)
_QUESTION = and_(
    turns.c.workspace == deliveries.c.workspace,
    turns.c.session == deliveries.c.session,
    turns.c.seq == deliveries.c.seq,
    turns.c.role == Role.PERSON,
)
_IS_OFF = exists().where(
    _QUESTION,
    turns.c.kind == Kind.SAID,
    turns.c.validity == Validity.ERASED,
    *(unrecorded.c[name] == turns.c[name] for name in ("workspace", "session")),
    unrecorded.c.since < turns.c.at,
    unrecorded.c.until > turns.c.at,
    deliveries.c.message.is_not(None),
)
_SESSION = and_(sessions.c.workspace == deliveries.c.workspace, sessions.c.session == deliveries.c.session)
_DUE = (
    select(
        *COLUMNS,
        turns.c.workspace,
        turns.c.session,
        sessions.c.address,
        deliveries.c.part,
        deliveries.c.state.label("state"),
        deliveries.c.draft,
        deliveries.c.message.label("stands"),
        deliveries.c.body.label("own"),
        REMEMBERED.label("remembered"),
    )
    .join_from(deliveries, turns, _QUESTION)
    .join(sessions, _SESSION)
    .where(sessions.c.platform.in_(bindparam("platforms", expanding=True)))
    .order_by(deliveries.c.due_at)
    .with_for_update(of=deliveries, skip_locked=True)
)


def _doubt(row: Row[*tuple[object, ...]]) -> Doubt:
    key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
    return Doubt(
        key=key,
        cause=turn_of(key, row),
        part=row.part,
        text=text_of(key, row.seq, row.part, row.own, row.remembered) or None,
        stands=row.stands,
        draft=draft_of(key, row.seq, row.part, row.draft),
    )


def neighbours(connection: Connection, reply: Reply, key: SessionKey, seq: int) -> Reply:
    """The reply, told which messages are other deliveries of this session, and which of them stand above it.

    Answers are given in the order in which people spoke, whatever arrived first, and notices in between by their own
    time: so what is on screen of what was said before this stands above it. Which of those is the lowest, nobody can
    say here: one that reached us late was answered late.
    """
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session)
    columns = [deliveries.c[name] for name in ("seq", "part", "message", "draft")]
    rows = connection.execute(select(*columns, turns.c.at).join(turns, _QUESTION).where(mine))
    said = connection.execute(select(turns.c.at).where(turn(key, seq), turns.c.role == Role.PERSON)).scalar_one()
    others, above = set[str](), set[str]()
    for row in rows:
        draft = draft_of(key, row.seq, row.part, row.draft)
        known = row.message or (draft.id if draft is not None else None)
        if known is None or (row.seq, row.part) == (seq, reply.part):
            continue
        others |= {known} if draft is None else {known, draft.id}
        if (row.at, row.seq, row.part) < (said, seq, reply.part):
            above.add(known)
    return replace(reply, others=frozenset(others), above=frozenset(above))


def settle(connection: Connection, doubt: Doubt) -> None:
    """What was doubtful is certain now."""
    if doubt.stands is None:
        connection.execute(delete(deliveries).where(_this(doubt), deliveries.c.message.is_(None)))
    else:
        connection.execute(update(deliveries).where(_this(doubt)).values(body=None, due_at=None))
    over = and_(turn(doubt.key, doubt.cause.seq), not_(OPEN), turns.c.error.is_(None))
    left = exists().where(_answering(doubt), deliveries.c.due_at.is_not(None))
    connection.execute(update(turns).where(over, not_(left)).values(slip=None))


def postpone(connection: Connection, doubt: Doubt, seconds: float) -> None:
    """The platform will not say now."""
    connection.execute(update(deliveries).where(_this(doubt)).values(due_at=now(connection) + int(seconds * 1000)))


def _answering(doubt: Doubt) -> ColumnElement[bool]:
    mine = and_(deliveries.c.workspace == doubt.key.workspace, deliveries.c.session == doubt.key.session)
    return and_(mine, deliveries.c.seq == doubt.cause.seq)


def _this(doubt: Doubt) -> ColumnElement[bool]:
    return and_(_answering(doubt), deliveries.c.part == doubt.part)
