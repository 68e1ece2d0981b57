"""Segments: which turns a session's memory consists of. Each reset and each undo appends one; the newest is the view.

A time-out appends one that shows what was shown before it: it is no move that could be taken back.
None is changed or deleted, and no turn is. A session without any shows everything.
"""

from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import segments, sessions
from core.session import SessionKey
from core.store.bodies import Owner
from core.store.engine.sql import now

EVERYTHING = -(2**31)
"""The start of a view of everything: what was said before a session's birth has a seq below 1."""


class Move(StrEnum):
    """What a segment came of."""

    RESET = "reset"
    CLOSED = "closed"  # the place was
    OPENED = "opened"  # the place was, to all of its workspace: nobody takes that back
    UNDO = "undo"
    TIMED_OUT = "timed out"  # and the view stayed what it was


def reset(connection: Connection, key: SessionKey, seq: int) -> None:
    """Sets aside what was said up to this turn, which asks for it."""
    _append(connection, key, _newest(connection, key), {"kind": Move.RESET, "start": seq, "seq": seq})


def close(connection: Connection, key: SessionKey, tail: int) -> None:
    """Sets aside what was said up to the newest turn, since the place was closed."""
    _append(connection, key, _newest(connection, key), {"kind": Move.CLOSED, "start": tail})


def open_up(connection: Connection, key: SessionKey, tail: int) -> int:
    """Sets aside, for good, what was said up to this turn, since the place was opened; returns the segment's number."""
    newest = _newest(connection, key)
    _append(connection, key, newest, {"kind": Move.OPENED, "start": tail})
    return newest + 1


def opened(connection: Connection, key: Owner) -> int:
    """The last turn that was said before the place was opened, which stays behind; EVERYTHING where it never was."""
    mine = and_(segments.c.workspace == key.workspace, segments.c.session == key.session)
    last = select(func.max(segments.c.start)).where(mine, segments.c.kind == Move.OPENED)
    found: int | None = connection.execute(last).scalar_one()
    return EVERYTHING if found is None else found


def undo(connection: Connection, key: SessionKey, seq: int) -> Move | None:
    """Takes back the newest reset that stands, or where none does, the newest undo; this turn asks for it.

    What was said since stays. Returns what was taken back; None where there is nothing. Nothing goes back to before a
    place was opened: there everything begins.
    """
    newest = _newest(connection, key)
    view = _segment(connection, key, newest)
    if view.is_beginning:
        return None
    shown = _segment(connection, key, view.shows)
    taken_back = view if shown.is_beginning else shown
    before = _segment(connection, key, taken_back.number - 1)
    back_to = _segment(connection, key, before.shows)
    _append(connection, key, newest, {"kind": Move.UNDO, "start": back_to.start, "back_to": back_to.number, "seq": seq})
    return taken_back.move


def newest(connection: Connection, key: SessionKey) -> tuple[int, Move | None]:
    """The number of the newest segment, and what it came of; 0 and None where there is none."""
    mine = and_(segments.c.workspace == key.workspace, segments.c.session == key.session)
    found = select(segments.c.number, segments.c.kind).where(mine).order_by(segments.c.number.desc()).limit(1)
    row = connection.execute(found).one_or_none()
    return (0, None) if row is None else (row.number, Move(row.kind))


def moved(connection: Connection, key: SessionKey, *, after: int, before: int) -> Move | None:
    """What has moved the view last between these two turns; None where nothing has. A time-out moves none."""
    mine = and_(segments.c.workspace == key.workspace, segments.c.session == key.session)
    asked = func.coalesce(segments.c.seq, segments.c.start)
    between = and_(mine, segments.c.kind != Move.TIMED_OUT, asked >= after, asked < before)
    kind = connection.execute(select(segments.c.kind).where(between).order_by(segments.c.number.desc()).limit(1))
    found = kind.scalar_one_or_none()
    return None if found is None else Move(found)


def start(connection: Connection, key: SessionKey, seq: int) -> int:
    """The seq behind which the turns in view began when the turn with this seq was said."""
    mine = and_(segments.c.workspace == key.workspace, segments.c.session == key.session)
    before = and_(mine, segments.c.kind != Move.TIMED_OUT, func.coalesce(segments.c.seq, segments.c.start) < seq)
    newest = select(segments.c.start).where(before).order_by(segments.c.number.desc()).limit(1)
    found: int | None = connection.execute(newest).scalar_one_or_none()
    return EVERYTHING if found is None else found


class _Segment(NamedTuple):
    """`shows` is the number of the segment whose view this is: its own, or an undo's that which it went back to."""

    number: int
    move: Move
    start: int
    shows: int

    @property
    def is_beginning(self) -> bool:
        """Whether nothing is remembered of before it."""
        return self.number == 0 or self.move is Move.OPENED


_FIRST = _Segment(number=0, move=Move.RESET, start=EVERYTHING, shows=0)


def _newest(connection: Connection, key: SessionKey) -> int:
    """The number of the newest segment, which stays it until the end of the transaction; 0 for none."""
    newest: int = connection.execute(select(sessions.c.segment).where(_session(key)).with_for_update()).scalar_one()
    return newest


def _segment(connection: Connection, key: SessionKey, number: int) -> _Segment:
    """The one with this number, or where that is a time-out, the newest before it that is none."""
    mine = and_(segments.c.workspace == key.workspace, segments.c.session == key.session)
    columns = segments.c.number, segments.c.kind, segments.c.start, segments.c.back_to
    moved = select(*columns).where(mine, segments.c.number <= number, segments.c.kind != Move.TIMED_OUT)
    row = connection.execute(moved.order_by(segments.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return _FIRST
    shows = row.number if row.back_to is None else row.back_to
    return _Segment(number=row.number, move=Move(row.kind), start=row.start, shows=shows)


def _append(connection: Connection, key: SessionKey, newest: int, segment: dict[str, object]) -> None:
    place = {"workspace": key.workspace, "session": key.session, "number": newest + 1}
    row = {**place, "shown": key.session, "opened_at": now(connection), **segment}
    connection.execute(segments.insert().values(row))
    view = {"segment": newest + 1, "start": segment["start"], "backscroll_read": true()}
    connection.execute(update(sessions).where(_session(key)).values(view))


def _session(key: SessionKey) -> ColumnElement[bool]:
    return and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
