"""Dead letters: what people said and were given no answer to, until somebody has it answered after all, or lets it go.

A dead letter is no row of its own: it is a person's turn that is over and holds an error, or one whose answer was not
delivered; or a notice of ours that was not. What is told of it here is where, when and why, and never the words.
"""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Row, and_, delete, exists, func, or_, select, union, update
from sqlalchemy.sql.elements import ColumnElement

from core.errors import BackscrollError
from core.schema import deliveries, sessions, turns
from core.seam.address import Address, AddressError
from core.seam.messages import Draft
from core.session import Progress, Role, SessionKey, Validity
from core.store import bodies, checkpoints, summaries
from core.store.engine.rows import each, within
from core.store.engine.sql import notify, now, seconds
from core.store.places import find
from core.store.queue import turn
from core.store.states import DeliveryState


class NoDeadLetter(BackscrollError):
    """No dead letter has this ID, or it has been dropped, or answered after all."""

    def __init__(self, letter: str) -> None:
        super().__init__(f"{letter} is no dead letter (any more); `backscroll dead list` shows those that there are")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """One dead letter: where it was said, when (seconds since 1970, by the platform's clock), and what went wrong."""

    address: Address
    seq: int
    at: float
    reason: str

    @property
    def id(self) -> str:
        """The session's ID and the turn's seq: `slack:T01:C01#7`."""
        return f"{self.address.id}#{self.seq}"


_OVER = and_(turns.c.progress.in_((Progress.DONE, Progress.REFUSED)), turns.c.validity == Validity.STANDS)
_FAILED = and_(deliveries.c.state == DeliveryState.FAILED, deliveries.c.error.is_not(None))

_MINE = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
_ANSWERED_BY = and_(
    deliveries.c.workspace == turns.c.workspace,
    deliveries.c.session == turns.c.session,
    deliveries.c.seq == turns.c.seq,
)
_FACTS = (turns.c.workspace, turns.c.session, sessions.c.address, turns.c.seq, turns.c.at)
_PERSON = turns.c.role == Role.PERSON
_UNANSWERED = select(*_FACTS).join_from(turns, sessions, _MINE).where(turns.c.error.is_not(None), _PERSON, _OVER)
_UNDELIVERED = (
    select(*_FACTS).join_from(deliveries, turns, _ANSWERED_BY).join(sessions, _MINE).where(_FAILED, _PERSON, _OVER)
)
_DEAD = union(_UNANSWERED, _UNDELIVERED)


def listed(connection: Connection, limit: int) -> list[Dead]:
    """The dead letters that were said last, at most so many, newest first."""
    found = [one for _ in each(connection) for one in _listed(connection, limit)]
    return sorted(found, key=lambda one: (one.at, one.seq), reverse=True)[:limit]


def _listed(connection: Connection, limit: int) -> list[Dead]:
    newest = _DEAD.order_by(_DEAD.selected_columns.at.desc(), _DEAD.selected_columns.seq.desc()).limit(limit)
    found = []
    for row in connection.execute(newest).all():
        key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
        reason = _reason(connection, key, row.seq)
        if reason is not None:
            found.append(Dead(address=key.address, seq=row.seq, at=seconds(row.at), reason=reason))
    return found


def number(connection: Connection) -> int:
    """How many dead letters there are."""
    counted = select(func.count()).select_from(_DEAD.subquery())
    return sum(connection.execute(counted).scalar_one() for _ in each(connection))


def _reason(connection: Connection, key: SessionKey, seq: int) -> str | None:
    """Why there is no answer, or else why it was not delivered; None where the letter has just been seen to."""
    question = select(turns.c.error).where(turn(key, seq), _PERSON)
    unanswered = bodies.ERROR.open(key, (seq, Role.PERSON), connection.execute(question).scalar_one_or_none())
    if unanswered is not None:
        return unanswered
    failed = select(deliveries.c.part, deliveries.c.error).where(_answering(key, seq), _FAILED)
    first = connection.execute(failed.order_by(deliveries.c.part).limit(1)).one_or_none()
    return None if first is None else f"not delivered: {bodies.FAILURE.open(key, (seq, first.part), first.error)}"


def retry(connection: Connection, letter: str) -> None:
    """The turn waits again, for whoever is free; the apology that stands on screen becomes the answer.

    A session that is being answered, or that backs off, comes to it by itself. Raises NoDeadLetter.
    """
    key, seq = _place(connection, letter)
    with within(connection, key.workspace):
        _retry(connection, key, seq, letter)


def _retry(connection: Connection, key: SessionKey, seq: int, letter: str) -> None:
    question = _locked(connection, key, seq)
    if question is not None and question.progress in (Progress.WAITING, Progress.ANSWERED):
        return  # it has been retried already
    if question is None or not question.dead:
        raise NoDeadLetter(letter)
    slip = question.slip or bodies.SLIP.seal(key, (seq, Role.PERSON), "{}")
    again = {"progress": Progress.WAITING, "error": None, "slip": slip}
    connection.execute(update(turns).where(turn(key, seq), _PERSON).values(again))
    connection.execute(delete(turns).where(turn(key, seq), turns.c.role == Role.ASSISTANT))
    summaries.outdate(connection, key, seq)
    checkpoints.outdate(connection, key, seq)
    _reopen(connection, key, seq, edits=question.verb is None or question.notice is not None)
    due_at = func.coalesce(sessions.c.due_at, now(connection))
    connection.execute(update(sessions).where(_session(key)).values(waiting=sessions.c.waiting + 1, due_at=due_at))
    notify(connection)


def drop(connection: Connection, letter: str) -> None:
    """The letter is forgotten; the turn stays in the conversation's record as it is. Raises NoDeadLetter."""
    key, seq = _place(connection, letter)
    with within(connection, key.workspace):
        _drop(connection, key, seq, letter)


def _drop(connection: Connection, key: SessionKey, seq: int, letter: str) -> None:
    question = _locked(connection, key, seq)
    if question is None or not question.dead:
        raise NoDeadLetter(letter)
    connection.execute(update(turns).where(turn(key, seq), _PERSON).values(error=None, slip=None))
    connection.execute(update(deliveries).where(_answering(key, seq), _FAILED).values(error=None))


def _reopen(connection: Connection, key: SessionKey, seq: int, *, edits: bool) -> None:
    """What was said instead of an answer is a draft again, and grows into it. What was never sent is forgotten.

    A command's messages may have been for its asker's eyes only, and can't be edited then: it is answered anew. What
    was sent with an unknown outcome is looked for when it is sent again, as ever.
    """
    for row in connection.execute(select(deliveries).where(_answering(key, seq))).all():
        this = and_(_answering(key, seq), deliveries.c.part == row.part)
        if row.tries == 0 or (row.message is not None and not edits):
            connection.execute(delete(deliveries).where(this))
            continue
        draft = None if row.message is None else json.dumps(asdict(Draft(id=row.message, text="", note="edit")))
        sealed = bodies.DRAFT.seal(key, (seq, row.part), draft)
        growing = {
            "state": DeliveryState.DRAFT,
            "draft": sealed,
            "message": None,
            "body": None,
            "error": None,
            "due_at": None,
        }
        connection.execute(update(deliveries).where(this).values(growing))


def _place(connection: Connection, letter: str) -> tuple[SessionKey, int]:
    """Where the letter's turn is. Raises NoDeadLetter."""
    session, _, seq = letter.strip().rpartition("#")
    try:
        found = find(connection, Address.parse(session))
    except AddressError:
        found = None
    if found is None or not (seq.isdecimal() and len(seq) < _DIGITS):
        raise NoDeadLetter(letter)
    return found[0], int(seq)


_DIGITS = 10  # no seq has as many


def _locked(connection: Connection, key: SessionKey, seq: int) -> Row[*tuple[object, ...]] | None:
    """The person's turn there. The session's row is locked first, as everybody does who changes both."""
    connection.execute(select(sessions.c.fence).where(_session(key)).with_for_update())
    undelivered = exists().where(_answering(key, seq), _FAILED)
    dead = and_(_OVER, or_(turns.c.error.is_not(None), undelivered)).label("dead")
    facts = turns.c.progress, turns.c.verb, turns.c.notice, turns.c.slip, dead
    return connection.execute(select(*facts).where(turn(key, seq), _PERSON)).one_or_none()


def _session(key: SessionKey) -> ColumnElement[bool]:
    return and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)


def _answering(key: SessionKey, seq: int) -> ColumnElement[bool]:
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session)
    return and_(mine, deliveries.c.seq == seq)
