"""Answers of ours that are not on screen as they were meant: memory holds what people see of them.

They take a message of ours away, or a platform does not take it.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Row, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import deliveries, sessions, turns
from core.seam.address import Address
from core.session import Progress, Role, SessionKey, Validity
from core.store import bodies, checkpoints, notices, parts, summaries
from core.store.places import find
from core.store.queue import turn
from core.store.states import DeliveryState

Pieces = Callable[[str, str | None], Sequence[str]]
"""An answer's words as the messages that they have become, by the ID of its asker."""


UNKNOWN = b""
"""The own words of a message that has arrived for certain, where somebody's forgetting has shortened its answer: which
of those it said is not known any more.
"""


def take_out(
    connection: Connection, address: Address, message: str, *, pieces: Pieces, count: Callable[[str], int]
) -> bool:
    """Takes what this message of ours says out of memory; False if it is none that we know there.

    Where that can't be told any more, all of the answer goes: rather too much than too little.
    What has arrived long ago is known by its turn (`doubts.forget`), and no part of a whole.
    """
    found = find(connection, address)
    if found is None:
        return False
    key = found[0]
    connection.execute(
        select(sessions.c.fence)
        .where(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
        .with_for_update()
    )
    known = parts.find(connection, key, message)
    if known is None:
        return False
    seq, part = known
    parts.take_back(connection, key, seq)
    columns = [deliveries.c[name] for name in ("seq", "part", "state", "body", "due_at")]
    rows = connection.execute(select(*columns).where(_of(key, seq)).order_by(deliveries.c.part)).all()
    connection.execute(delete(deliveries).where(_of(key, seq), deliveries.c.part == part))
    if any(row.body == UNKNOWN and row.due_at is None for row in rows):
        _remember(connection, key, seq, [], count)
        return True
    _shorten(connection, key, seq, [row for row in rows if row.part != part], pieces=pieces, count=count)
    return True


def _shorten(
    connection: Connection,
    key: SessionKey,
    seq: int,
    others: Sequence[Row[*tuple[object, ...]]],
    *,
    pieces: Pieces,
    count: Callable[[str], int],
) -> None:
    """The answer without a part. From then on each of the others has its own words: the whole can't tell any more."""
    this = turn(key, seq)
    words = _words(connection, key, seq)
    if words is None:
        notices.erase(connection, key, seq)
        return
    asker = connection.execute(select(turns.c.author).where(this, turns.c.role == Role.PERSON)).scalar_one_or_none()
    said = pieces(words, asker)
    left = {
        one.part: bodies.DELIVERY.open(key, (seq, one.part), one.body or b"") or _piece(said, one.part)
        for one in others
        if one.state != DeliveryState.FAILED
    }
    for part, own in left.items():
        same = and_(_of(key, seq), deliveries.c.part == part)
        body = bodies.DELIVERY.seal(key, (seq, part), own)
        connection.execute(update(deliveries).where(same).values(body=body, due_at=None))
    _remember(connection, key, seq, list(left.values()), count)


def instead(
    connection: Connection,
    key: SessionKey,
    seq: int,
    part: int,
    text: str,
    *,
    pieces: Pieces,
    count: Callable[[str], int],
) -> None:
    """This part of an answer says something else, before anybody has seen it: what was meant was not taken."""
    slot = and_(_of(key, seq), deliveries.c.part == part)
    connection.execute(update(deliveries).where(slot).values(body=bodies.DELIVERY.seal(key, (seq, part), text)))
    said = _said(connection, key, seq, pieces)
    if said is not None:
        _remember(connection, key, seq, [*said[:part], text, *said[part + 1 :]], count)


def cut_short(
    connection: Connection,
    key: SessionKey,
    seq: int,
    *,
    drafts: Mapping[int, str],
    pieces: Pieces,
    count: Callable[[str], int],
) -> None:
    """The rest of an answer will never be on screen. What is there of it stays, `drafts` of it included."""
    said = _said(connection, key, seq, pieces)
    if said is None:
        return
    arrived = select(deliveries.c.part).where(_of(key, seq), deliveries.c.state == DeliveryState.SENT)
    stands = set(connection.execute(arrived).scalars().all())
    shown = [text if part in stands else drafts.get(part, "") for part, text in enumerate(said)]
    _remember(connection, key, seq, shown, count)


def _of(key: SessionKey, seq: int) -> ColumnElement[bool]:
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session)
    return and_(mine, deliveries.c.seq == seq)


def _said(connection: Connection, key: SessionKey, seq: int, pieces: Pieces) -> Sequence[str] | None:
    """The messages that the remembered answer was to become; None where none is remembered."""
    words = _words(connection, key, seq)
    asked = and_(turn(key, seq), turns.c.role == Role.PERSON)
    asker = connection.execute(select(turns.c.author).where(asked)).scalar_one_or_none()
    return None if words is None else pieces(words, asker)


def _remember(
    connection: Connection, key: SessionKey, seq: int, shown: Sequence[str], count: Callable[[str], int]
) -> None:
    """Only this is remembered of an answer; where it is nothing, there was none."""
    rest = "\n\n".join(own for own in shown if own)
    kept = {"body": bodies.TURN.seal(key, (seq, Role.ASSISTANT), rest), "tokens": count(rest)}
    nothing = {"body": b"", "tokens": 0, "progress": Progress.DONE, "validity": Validity.ERASED, "covers": None}
    answer = and_(turn(key, seq), turns.c.role == Role.ASSISTANT)
    connection.execute(update(turns).where(answer).values(kept if rest else nothing))
    summaries.outdate(connection, key, seq)
    checkpoints.outdate(connection, key, seq)


def _piece(said: Sequence[str], part: int) -> str:
    return said[part] if part < len(said) else ""


def _words(connection: Connection, key: SessionKey, seq: int) -> str | None:
    stands = and_(turn(key, seq), turns.c.role == Role.ASSISTANT, turns.c.validity != Validity.ERASED)
    body: bytes | None = connection.execute(select(turns.c.body).where(stands)).scalar_one_or_none()
    return None if body is None else bodies.TURN.open(key, (seq, Role.ASSISTANT), body)
