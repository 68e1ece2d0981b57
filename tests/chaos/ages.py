"""What ages in a session, as the database has it in the end: its view, what was folded, and how often it was woken."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from core.schema import checkpoints, deliveries, segments, sessions, turns
from core.session import Role, Validity
from core.store import bodies
from core.store.notices import WAKING
from core.store.segments import EVERYTHING

_DAYS = 9 * 86_400_000
"""Milliseconds after which every session's present is over."""

_SPOKEN = ("spoken_at", "silent_since", "present_since")


class Segment(NamedTuple):
    """One move of the view: `seq` is the turn that asked for it, `opened_at` when it was done (since 1970)."""

    number: int
    kind: str
    start: int
    seq: int | None
    opened_at: float


class Told(NamedTuple):
    """A text in place of folded turns, from the first seq to the last."""

    kind: int
    level: int
    first: int
    last: int
    validity: int
    text: str


class Aged(NamedTuple):
    """One session: what its row says, all moves of its view and all texts of folds, in their order."""

    segment: int
    start: int
    is_present: bool
    segments: Sequence[Segment]
    told: Sequence[Told]
    wakings: int

    def starts(self, since: float, until: float) -> list[int]:
        """Where the views began that were shown between these moments."""
        moved = [one for one in self.segments if one.opened_at <= until]
        before = [one.start for one in moved if one.opened_at <= since][-1:] or [EVERYTHING]
        return [*before, *(one.start for one in moved if one.opened_at > since)]


def all_aged(connection: Connection) -> dict[str, Aged]:
    """Every session, by its ID."""
    return {row.address: _aged(connection, row) for row in connection.execute(select(sessions)).all()}


def _aged(connection: Connection, row: Any) -> Aged:
    key = bodies.Mine(row.workspace, row.session)

    def mine(table: Any) -> Any:
        here = table.c.workspace == row.workspace, table.c.session == row.session
        return select(table).where(*here).order_by(*table.primary_key)

    return Aged(
        segment=row.segment,
        start=row.start,
        is_present=row.present_since is not None,
        segments=[
            Segment(one.number, one.kind, one.start, one.seq, one.opened_at / 1000)
            for one in connection.execute(mine(segments)).all()
        ],
        told=[
            Told(one.kind, one.level, one.first, one.last, one.validity, _words(key, one))
            for one in connection.execute(mine(checkpoints)).all()
        ],
        wakings=_wakings(
            connection.execute(mine(turns)).all(), connection.execute(mine(deliveries)).all(), moves=row.segment
        ),
    )


def _wakings(turns: Sequence[Any], deliveries: Sequence[Any], *, moves: int) -> int:
    """How often people are to be told that a session was woken.

    Not where what woke it was deleted before they were, nor where its view has moved since.
    """
    said = {one.seq: one for one in turns if one.role == Role.PERSON}
    told = {one.seq for one in deliveries}
    gone = {seq for seq, one in said.items() if one.validity == Validity.ERASED}
    woken = [seq for seq, one in said.items() if (one.notice or "").startswith(WAKING)]
    newest = {seq for seq in woken if said[seq].notice == f"{WAKING} {moves}"}
    return sum(seq in told or (seq in newest and seq - 1 not in gone) for seq in woken)


def _words(key: Any, one: Any) -> str:
    return bodies.CHECKPOINT.open(key, (one.number,), one.body) if one.body else ""


def days_pass(connection: Connection, session: str) -> bool:
    """People have last talked in this session many days ago; False where there is none.

    What was missed lately is still looked for there.
    """
    back = {name: sessions.c[name] - _DAYS for name in _SPOKEN}
    moved = connection.execute(sessions.update().where(sessions.c.address == session).values(back))
    return moved.rowcount > 0
