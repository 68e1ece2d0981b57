"""Time-outs: a session's present ends when nobody has talked with us for long, or it has gone on for long.

Nothing leaves the memory by that: a segment is appended that shows what was shown before, and the session is not among
those that live any more. The next talk wakes it, which begins a new present, and is told once. Whether a present is
over is for others to judge, who know what is set; each change of it is one transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Row,
    and_,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from core.policy import Overrides
from core.schema import deliveries, segments, sessions, turns
from core.seam.address import Address
from core.session import Kind, Lease, Role, SessionKey, Turn, Validity
from core.store import notices, policies, queue, remembered
from core.store.arrivals import Session
from core.store.engine.sql import among, now
from core.store.segments import Move, newest
from core.store.states import DeliveryState

Place = tuple[int, int]
"""A session's place in the table: its workspace, and its number there."""

FIRST: Place = (0, 0)
"""No session comes before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A session's present: since when, and when people last talked with us in it.

    All in milliseconds since 1970 by the database's clock, `now` as well.
    """

    key: SessionKey
    since: int
    spoken_at: int
    now: int
    overrides: Overrides

    @property
    def place(self) -> Place:
        """Where it stands in the table."""
        return self.key.workspace, self.key.session


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """How a session is woken: whether its present was over, and what people are told then.

    `line` gets the seconds of silence, and how many turns are remembered. What one person says within `burst` seconds
    is answered before people are told.
    """

    is_over: Callable[[Present], bool]
    line: Callable[[float, int], str]
    burst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Awakening:
    """A session was woken after so many seconds. With `late` its present had been over, and was ended only then."""

    seconds: float
    late: bool


TIMED_OUT = and_(sessions.c.spoken_at.is_not(None), sessions.c.present_since.is_(None))
"""Of a session's row: people have talked with us there, and its present is over."""

_PRESENT = and_(sessions.c.present_since.is_not(None), sessions.c.due_at.is_(None))
_COLUMNS = [sessions.c[name] for name in ("workspace", "session", "address", "present_since", "spoken_at")]


def present(connection: Connection, platform: str, *, after: Place, most: int) -> list[Present]:
    """The sessions of a platform that are present and in which nothing waits, behind this place and in their order."""
    behind = tuple_(sessions.c.workspace, sessions.c.session) > tuple_(*after)
    rows = connection.execute(
        select(*_COLUMNS, *policies.SET_IN_SESSION, now(connection).label("now"))
        .where(_PRESENT, sessions.c.platform == platform, behind)
        .order_by(sessions.c.workspace, sessions.c.session)
        .limit(most)
    )
    return [_present(connection, row) for row in rows.all()]


def _present(connection: Connection, row: Row[*tuple[object, ...]]) -> Present:
    key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
    overrides = policies.found(connection, key, row.set_in_workspace, row.set_in_channel)
    return Present(key=key, since=row.present_since, spoken_at=row.spoken_at, now=row.now, overrides=overrides)


def time_out(connection: Connection, over: Sequence[Present]) -> list[Present]:
    """Ends the presents of these sessions, but for those in which somebody has talked since; returns the ended ones.

    What is locked by somebody else is passed over: something happens there.
    """
    these = among(sessions.c.workspace, sessions.c.session, [one.place for one in over])
    quiet = select(sessions.c.workspace, sessions.c.session, sessions.c.spoken_at).where(_PRESENT, these)
    rows = connection.execute(quiet.with_for_update(skip_locked=True))
    found = {(row.workspace, row.session): row.spoken_at for row in rows}
    ended = [one for one in over if found.get(one.place) == one.spoken_at]
    _end(connection, [one.place for one in ended])
    return ended


def _end(connection: Connection, places: Sequence[Place]) -> None:
    """Ends the presents of these sessions, whose rows are locked, and appends to each what says so."""
    if not places:
        return
    these, before = among(sessions.c.workspace, sessions.c.session, places), segments.alias("before")
    over = update(sessions).where(these).values(present_since=null(), segment=sessions.c.segment + 1)
    connection.execute(over)
    same = and_(before.c.workspace == sessions.c.workspace, before.c.session == sessions.c.session)
    row = {
        "workspace": sessions.c.workspace,
        "session": sessions.c.session,
        "number": sessions.c.segment,
        "kind": literal(Move.TIMED_OUT),
        "shown": sessions.c.session,
        "start": sessions.c.start,
        "back_to": func.coalesce(before.c.back_to, before.c.number, 0),  # what does not show another one shows itself
        "opened_at": now(connection),
    }
    shows = sessions.outerjoin(before, and_(same, before.c.number == sessions.c.segment - 1))
    connection.execute(segments.insert().from_select(list(row), select(*row.values()).select_from(shows).where(these)))


def is_overtaken(connection: Connection, key: SessionKey, notice: Turn) -> bool:
    """Whether somebody has moved the view, as to start clean, since this notice was stored that it goes on."""
    return notice.notice != _name(newest(connection, key)[0])


def fall_asleep(connection: Connection, lease: Lease, notice: Turn) -> bool:
    """Before people are told, by this notice, that a conversation goes on: whether it does not.

    Nothing is left of what woke the session, and of what was said since and answered: it is timed out again, as if
    that had never been said. Raises LeaseLost.
    """
    queue.require(connection, lease)
    key = lease.key
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    talk = turns.c.kind.in_((Kind.SAID, Kind.ANSWER, Kind.SUMMARY))
    said = and_(mine, turns.c.seq >= notice.seq - 1, talk)
    standing = [row.validity for row in connection.execute(select(turns.c.validity).where(said))]
    if not standing or any(one != Validity.ERASED for one in standing) or _is_answered(connection, key, said):
        return False
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    back = update(sessions).where(here, sessions.c.present_since.is_not(None))
    since = notice.slip.since
    before = sessions.c.silent_since if since is None else round(since * 1000)
    if connection.execute(back.values(spoken_at=before)).rowcount:
        _end(connection, [(key.workspace, key.session)])
    return True


def _is_answered(connection: Connection, key: SessionKey, which: ColumnElement[bool]) -> bool:
    """Whether an answer to one of these turns is on screen, as to what was said off the record."""
    asked = select(turns.c.seq).where(which, turns.c.role == Role.PERSON)
    mine = and_(deliveries.c.workspace == key.workspace, deliveries.c.session == key.session)
    sent = and_(mine, deliveries.c.state == DeliveryState.SENT, deliveries.c.seq.in_(asked))
    return connection.execute(select(deliveries.c.seq).where(sent).limit(1)).first() is not None


def _name(number: int) -> str:
    """The name of the notice that a conversation goes on, of which this segment's number is the newest."""
    return f"{notices.WAKING} {number}"


def wake(
    connection: Connection, key: SessionKey, session: Session, overrides: Overrides, waking: Waking
) -> Awakening | None:
    """After talk has arrived: wakes the session if it was timed out, or should have been by then; None if neither.

    People are told behind the answer, unless somebody has started clean since, or there is nothing to remember.
    """
    before, spoken_at = session.silent_since, session.spoken_at
    if before is None or spoken_at is None:
        return None
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    if session.present_since is not None:
        was = Present(key=key, since=session.present_since, spoken_at=before, now=spoken_at, overrides=overrides)
        if not waking.is_over(was):
            return None
        _end(connection, [(key.workspace, key.session)])
    connection.execute(update(sessions).where(here).values(present_since=spoken_at))
    number, move = newest(connection, key)
    remembers = remembered.count(connection, key).all if move is Move.TIMED_OUT else 0
    silence = (spoken_at - before) / 1000
    if remembers:
        words = waking.line(silence, remembers)
        notices.tell(connection, key, name=_name(number), text=words, behind=waking.burst, since=before / 1000)
    return Awakening(seconds=silence, late=session.present_since is not None)
