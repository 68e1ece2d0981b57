"""Expiring: what has been kept for as long as is set, session by session; `forgetting.expire` takes it out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, case, delete, false, func, or_, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from core.policy import Overrides
from core.schema import rejections, sessions, turns
from core.seam.address import Address
from core.session import Kind, Progress, Role, SessionKey, Validity
from core.store import policies
from core.store.engine.rows import each, gathered
from core.store.engine.sql import among, erases, now


class Times(NamedTuple):
    """What was said before is old (microseconds, as `turns.at`): to us or by us, and overheard; None where none is.

    `words` is the same for what was overheard and is stored with its words.
    """

    said: int | None
    overheard: int | None
    words: int | None = None


class Oldest(NamedTuple):
    """A session's oldest turns of each kind in a page (as `Times`), and the database's time in seconds.

    What waits to be answered is not among them.
    """

    key: SessionKey
    overrides: Overrides
    times: Times
    now: float


Place = tuple[int, int, int, int]
"""A turn's place in the table: its workspace, session, seq and role."""

FIRST: Place = (0, 0, -(2**31), 0)
"""No turn comes before it."""


class Turns(NamedTuple):
    """A page of turns: what is oldest in each of its sessions, and its last place; None at the end."""

    sessions: list[Oldest]
    last: Place | None


class Old(NamedTuple):
    """How much is old: what people have said to us, what we have, and what was overheard."""

    messages: int
    answers: int
    overheard: int


_HEARD = turns.c.kind == Kind.OVERHEARD
_GONE, _OPEN = (Validity.ERASED, Validity.UNRECORDED), (Progress.WAITING, Progress.ANSWERED)
_OVER = and_(turns.c.validity.not_in(_GONE), turns.c.progress.not_in(_OPEN))


def page(connection: Connection, *, after: Place, most: int) -> Turns:
    """The next turns behind this place, at most so many: so a long session is looked through in as small steps."""
    columns = tuple(turns.c[name] for name in _LOOKED_AT)
    behind = tuple_(*columns[:4]) > tuple_(*after)
    asked = select(*columns).where(behind).order_by(*columns[:4])
    rows = gathered(connection, lambda limit: connection.execute(asked.limit(limit)).all(), most=most, since=after[0])
    found = dict[tuple[int, int], list[Row[*tuple[object, ...]]]]()
    for row in rows:
        if row.validity not in _GONE and row.progress not in _OPEN:
            found.setdefault((row.workspace, row.session), []).append(row)
    last = (rows[-1].workspace, rows[-1].session, rows[-1].seq, rows[-1].role) if len(rows) == most else None
    return Turns(_sessions(connection, {place: _times(live) for place, live in found.items()}), last)


_LOOKED_AT = ("workspace", "session", "seq", "role", "kind", "at", "tokens", "validity", "progress")


def _times(rows: Sequence[Row[*tuple[object, ...]]]) -> Times:
    heard = [row for row in rows if row.kind == Kind.OVERHEARD]
    said = (row.at for row in rows if row.kind != Kind.OVERHEARD)
    words = (row.at for row in heard if row.tokens)
    return Times(*(min(ats, default=None) for ats in (said, (row.at for row in heard), words)))


def _sessions(connection: Connection, times: Mapping[tuple[int, int], Times]) -> list[Oldest]:
    if not times:
        return []
    these = among(sessions.c.workspace, sessions.c.session, times)
    columns = (sessions.c.workspace, sessions.c.session, sessions.c.address, *policies.SET_IN_SESSION)
    found = []
    for row in connection.execute(select(*columns, now(connection).label("now")).where(these)).all():
        key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
        overrides = policies.found(connection, key, row.set_in_workspace, row.set_in_channel)
        found.append(Oldest(key, overrides, times[row.workspace, row.session], row.now / 1000))
    return found


def old(times: Times) -> ColumnElement[bool]:
    """The turns that are old and over, but for those whose words are gone; of a question and its answer, both."""
    said = false() if times.said is None else and_(~_HEARD, turns.c.at < times.said)
    heard = false() if times.overheard is None else and_(_HEARD, turns.c.at < times.overheard)
    bare = false() if times.words is None else and_(_HEARD, turns.c.tokens > 0, turns.c.at < times.words)
    question = turns.alias("question")
    same = and_(*(question.c[name] == turns.c[name] for name in ("workspace", "session", "seq")))
    open_ = question.c.progress.in_((Progress.WAITING, Progress.ANSWERED))
    waits = select(question.c.seq).where(same, question.c.role == Role.PERSON, open_).exists()
    return and_(_OVER, ~waits, or_(said, heard, bare))


def count(connection: Connection, key: SessionKey, times: Times) -> Old:
    """How much of this session is old."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, old(times))
    ours = and_(~_HEARD, turns.c.role == Role.ASSISTANT)
    theirs = ~or_(_HEARD, ours, turns.c.kind == Kind.NOTICE)
    numbers = [func.coalesce(func.sum(case((one, 1), else_=0)), 0) for one in (theirs, ours, _HEARD)]
    return Old(*connection.execute(select(*numbers).where(mine)).one())


@erases
def drop_rejected(connection: Connection, *, seconds: float) -> None:
    """Events that could not be read, so long ago, go like what was overheard: nobody knows whose words they are."""
    for _ in each(connection):
        connection.execute(delete(rejections).where(rejections.c.rejected_at < now(connection) - int(seconds * 1000)))
