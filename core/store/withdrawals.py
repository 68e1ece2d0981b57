"""Withdrawals: what has begun to answer a message that is gone, or a place that is closed, leaves the screen again.

What is known to be on screen is taken away at once, by itself. A message that is on its way there at that moment, in
whatever process, is known once it has arrived, and is taken away then (`doom`). The row of each stays, and is looked at
when nobody can be at it any more: a call that was given up before, or repeated, may still land.
"""

import json
from dataclasses import asdict

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import deliveries
from core.seam.messages import Draft
from core.session import SessionKey
from core.store import bodies
from core.store.engine.sql import fixed, insert, now
from core.store.states import DeliveryState

RECONCILE_AFTER = 2.0
"""Leases: by then, whatever a process that lost one has sent is on screen or will never be."""

ASIDE = 10_000
"""From this part on: what was set aside. No answer has so many parts."""

_DOOMED_ASIDE = 2 * ASIDE

DOOMED = and_(deliveries.c.state == fixed(DeliveryState.DRAFT), deliveries.c.due_at.is_not(None))
"""Messages that are to leave the screen."""

UNWANTED = and_(deliveries.c.state == fixed(DeliveryState.DRAFT), deliveries.c.body.is_not(None))
"""Messages that may be on their way to the screen, and are to leave it at once when they are there."""


def withdraw(connection: Connection, key: SessionKey, seq: int, *, seconds: float) -> bool:
    """Nothing of the answer to this turn is to be on screen: reconciling takes away at once what is known to be there.

    Two leases of `seconds` later it looks for the rest: what is known was perhaps not the first call, and whether an
    earlier one may still land is known to nobody where its process is gone.
    Returns whether there is anything to look for: until that is over, what answering needs is kept with the turn.
    """
    mine = and_(_session(key), deliveries.c.seq == seq)
    connection.execute(delete(deliveries).where(mine, deliveries.c.message.is_(None), deliveries.c.tries == 0))
    rows = connection.execute(select(deliveries.c.part, deliveries.c.message, deliveries.c.draft).where(mine)).all()
    for row in rows:
        if row.part >= ASIDE:
            continue  # it is being taken away already, by itself
        aside, known = row.part + _DOOMED_ASIDE, row.message is not None
        draft = _written(key, seq, aside, row.message) if known else wordless(key, seq, row.part, row.draft, to=aside)
        if draft is not None:
            _take_away(connection, key, seq, aside, draft)
    later = now(connection) + int(RECONCILE_AFTER * seconds * 1000)
    nothing = dict.fromkeys(("message", "draft", "body", "error"))
    looked_for = update(deliveries).where(mine, deliveries.c.part < ASIDE)
    connection.execute(looked_for.values(**nothing, state=DeliveryState.DRAFT, due_at=later))
    return bool(rows)


def begin_again(connection: Connection, key: SessionKey, seq: int) -> None:
    """Nothing of what is growing on screen belongs to the answer to this turn, nor what is on its way there now."""
    set_aside(connection, key, seq, 0)
    drafts = and_(_session(key), deliveries.c.seq == seq, deliveries.c.state == DeliveryState.DRAFT)
    under_way = and_(drafts, deliveries.c.draft.is_(None), deliveries.c.due_at.is_(None))
    connection.execute(update(deliveries).where(under_way).values(body=b""))


def set_aside(connection: Connection, key: SessionKey, seq: int, part: int) -> None:
    """What is growing on screen from this part on belongs to no answer any more, and is withdrawn by itself.

    Which message that is is known, and not what it says.
    """
    growing = and_(_session(key), deliveries.c.seq == seq, deliveries.c.part >= part, deliveries.c.part < ASIDE)
    shown = and_(growing, deliveries.c.state == DeliveryState.DRAFT, deliveries.c.draft.is_not(None))
    for row in connection.execute(select(deliveries.c.part, deliveries.c.draft).where(shown)).all():
        aside, this = row.part + ASIDE, and_(shown, deliveries.c.part == row.part)
        draft = wordless(key, seq, row.part, row.draft, to=aside)
        connection.execute(update(deliveries).where(this).values(part=aside, draft=draft, due_at=now(connection)))


def doom(connection: Connection, key: SessionKey, seq: int, part: int, message: str) -> None:
    """This message has come on screen for an answer that was withdrawn meanwhile; reconciling takes it away.

    It stands for itself: whether a call before that has left another one is still looked at when nobody can be at it.
    """
    aside = part + _DOOMED_ASIDE
    _take_away(connection, key, seq, aside, _written(key, seq, aside, message))


def _take_away(connection: Connection, key: SessionKey, seq: int, aside: int, draft: str | None) -> None:
    """Reconciling takes this message away, as the part that is set aside."""
    row = {"workspace": key.workspace, "session": key.session, "seq": seq, "part": aside}
    seen = {"state": DeliveryState.DRAFT, "message": None, "draft": draft, "body": None, "due_at": now(connection)}
    new = insert(connection.dialect.name, deliveries).values(**row, **seen, tries=1)
    connection.execute(new.on_conflict_do_update(index_elements=list(row), set_=seen))


def sealed(key: SessionKey, seq: int, part: int, draft: Draft) -> str | None:
    """The draft as it is stored with this part."""
    return bodies.DRAFT.seal(key, (seq, part), json.dumps(asdict(draft)))


def wordless(key: SessionKey, seq: int, part: int, stored: str | None, *, to: int | None = None) -> str | None:
    """A draft as it is stored with this part, or `to` be stored with another one, without what is on screen of it."""
    known = bodies.DRAFT.open(key, (seq, part), stored)
    if not known:
        return None
    return bodies.DRAFT.seal(key, (seq, part if to is None else to), json.dumps(json.loads(known) | {"text": ""}))


def _written(key: SessionKey, seq: int, part: int, message: str) -> str | None:
    return sealed(key, seq, part, Draft(id=message, text=""))


def _session(key: SessionKey) -> ColumnElement[bool]:
    return and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session)
