"""Off the record: stretches of time of which a session keeps no word of talk.

What was said in one is known by its time, by the platform's clock, whenever and in whatever way it reaches us. A
question waits with its words, in no window, and loses them as its answer is stored, of which nothing is kept but what
is still to be posted. Everything else that was said is not stored at all. Commands are no talk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Row, and_, case, delete, func, null, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import deliveries as posted
from core.schema import quotes, sessions, turns, unrecorded
from core.seam.address import Address
from core.session import Answer, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import answering, checkpoints, deliveries, notices, recorded, summaries
from core.store.changes import tell
from core.store.engine.sql import erases, insert, now
from core.store.queue import turn
from core.store.states import DeliveryState

OVER = "_We are on the record again: I remember what is said from now on, and nothing of what was said in between._"

PAGE = 1_000
"""So many turns are looked through at a time for those of a certain time, of which there is no index."""


class Unrecorded(Exception):
    """This was said off the record, and not to us: it is not stored."""


@erases
def begin(connection: Connection, key: SessionKey, seq: int, *, since: int, until: int) -> None:
    """From `since` to `until` (microseconds, by the platform's clock) talk is off the record here.

    Where it is already, it is so until then. What was said behind `since` may have reached us before the command with
    this seq, which asks for it.
    """
    here = _lock(connection, key)
    mine = and_(_of(key), unrecorded.c.since <= since, unrecorded.c.until > since)
    if not connection.execute(update(unrecorded).where(mine).values(until=until, told=False)).rowcount:
        row = {"workspace": key.workspace, "session": key.session, "since": since, "until": until, "told": False}
        connection.execute(insert(connection.dialect.name, unrecorded).values(row).on_conflict_do_nothing())
    connection.execute(update(sessions).where(here).values(unrecorded_until=until))
    _take_out(connection, key, since, until, seq)


@erases
def end(connection: Connection, key: SessionKey, seq: int, *, at: int) -> bool:
    """From `at` on talk is on the record again, as this command asks for; False where it was already.

    That it is over is not told again. What was begun behind it goes on: commands may come late.
    """
    here = _lock(connection, key)
    over = and_(_of(key), unrecorded.c.told.is_(False), unrecorded.c.since <= at)
    stretches = connection.execute(select(unrecorded.c.since, unrecorded.c.until).where(over)).all()
    for row in stretches:
        this = and_(over, unrecorded.c.since == row.since)
        connection.execute(update(unrecorded).where(this).values(until=min(row.until, at), told=True))
        connection.execute(update(sessions).where(here).values(unrecorded_until=min(row.until, at)))
        _take_out(connection, key, row.since, min(row.until, at), seq)
    return any(row.since <= at < row.until for row in stretches)


def over(connection: Connection) -> list[SessionKey]:
    """The sessions in which talk is on the record again, by the time, and nobody has been told yet."""
    here = and_(sessions.c.workspace == unrecorded.c.workspace, sessions.c.session == unrecorded.c.session)
    ended = and_(unrecorded.c.told.is_(False), unrecorded.c.until <= now(connection) * 1000)
    rows = select(sessions.c.workspace, sessions.c.session, sessions.c.address).join(unrecorded, here).where(ended)
    return [
        SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
        for row in connection.execute(rows.distinct()).all()
    ]


@erases
def announce(connection: Connection, key: SessionKey) -> None:
    """Has people told, once, that talk is on the record again, where it is; but nobody in a place that was closed.

    Nor where another stretch lasts, of which they are told in its turn.
    """
    here = _lock(connection, key)
    ended = and_(_of(key), unrecorded.c.told.is_(False), unrecorded.c.until <= now(connection) * 1000)
    rows = connection.execute(
        update(unrecorded).where(ended).values(told=True).returning(unrecorded.c.since, unrecorded.c.until)
    ).all()
    for row in rows:
        _take_out(connection, key, row.since, row.until)
    lasts = connection.execute(select(unrecorded.c.since).where(_of(key), unrecorded.c.told.is_(False))).first()
    lives = or_(sessions.c.live_since.is_not(None), sessions.c.start < sessions.c.tail)
    if rows and lasts is None and connection.execute(select(lives).where(here)).scalar_one():
        notices.tell(connection, key, name=f"on the record {max(row.until for row in rows)}", text=OVER)


@erases
def answer(connection: Connection, key: SessionKey, question: Turn, decided: Answer, *, lease: Lease | None) -> None:
    """Stores an answer as `answering.answer` does, but nothing that would be remembered; the question's words go.

    Raises what that raises.
    """
    kept = replace(decided, memory=None, tokens=0, covers=None, shown_seqs=None, shown_parts=None, error=None)
    answering.answer(connection, key, question, kept, lease=lease)
    _empty(connection, key, [question.seq])


@erases
def settle(connection: Connection, key: SessionKey, seq: int) -> None:
    """After an answer has arrived: nothing of its words is left in its deliveries.

    Where one is still to be looked at, it is empty: what it is to say is not known any more.
    """
    mine = and_(posted.c.workspace == key.workspace, posted.c.session == key.session, posted.c.seq == seq)
    over = and_(mine, posted.c.state >= DeliveryState.SENT)
    body = case((posted.c.due_at.is_(None), null()), else_=b"")
    connection.execute(update(posted).where(over).values(body=body, draft=None, error=None))


def drop_waiting(connection: Connection, key: SessionKey) -> None:
    """Takes the words of what waits here off the record: nobody will answer it."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    waits = select(turns.c.seq).where(mine, turns.c.validity == Validity.UNRECORDED)
    _empty(connection, key, connection.execute(waits).scalars().all())


def _take_out(connection: Connection, key: SessionKey, since: int, until: int, command: int | None = None) -> None:
    """What is stored of talk in this stretch: what waits is answered off the record, and the rest is erased."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    people = and_(mine, turns.c.role == Role.PERSON)
    stored = {row.seq: row.progress for row in _said(connection, mine, since, until) if _is_talk(row)}
    waiting = [seq for seq, progress in stored.items() if progress == Progress.WAITING]
    again = {"validity": Validity.UNRECORDED, "edited_at": func.coalesce(turns.c.edited_at, turns.c.at) + 1}
    if waiting:
        connection.execute(update(turns).where(people, turns.c.seq.in_(waiting)).values(again))
        tell(connection, key)
    found = sorted(stored.keys() - set(waiting))
    for seq in found:
        summaries.outdate(connection, key, seq, but=command)
        checkpoints.outdate(connection, key, seq)
    _empty(connection, key, found)


def _said(connection: Connection, mine: ColumnElement[bool], since: int, until: int) -> Iterator[Row[*tuple[int, ...]]]:
    """What was said or edited in this time.

    What is found in a history stands behind what was said later, but not behind so much that a page of turns has
    nothing of this time in it and the one before it has.
    """
    known = select(turns.c.seq, turns.c.role, turns.c.kind, turns.c.validity, turns.c.progress, turns.c.at).where(mine)
    yield from connection.execute(known.where(turns.c.edited_at > since, turns.c.edited_at < until)).all()
    newest = connection.execute(select(func.max(turns.c.seq)).where(mine)).scalar_one()
    while newest is not None:
        page = connection.execute(known.where(turns.c.seq > newest - PAGE, turns.c.seq <= newest)).all()
        yield from (row for row in page if since < row.at < until)
        newest = newest - PAGE if any(row.at > since for row in page) else None


def _is_talk(row: Row[*tuple[int, ...]]) -> bool:
    is_said = row.role == Role.PERSON and row.kind in (Kind.SAID, Kind.OVERHEARD)
    return is_said and row.validity == Validity.STANDS


def _empty(connection: Connection, key: SessionKey, seqs: Sequence[int]) -> None:
    """These turns and the answers to them have no words any more, but for what is still to be posted."""
    for seq in seqs:
        deliveries.keep_words(connection, key, seq)
        connection.execute(update(turns).where(turn(key, seq)).values(recorded.NOTHING))
        settle(connection, key, seq)
    gone = and_(quotes.c.workspace == key.workspace, quotes.c.session == key.session, quotes.c.seq.in_(seqs))
    connection.execute(delete(quotes).where(gone))


def _of(key: SessionKey) -> ColumnElement[bool]:
    return and_(unrecorded.c.workspace == key.workspace, unrecorded.c.session == key.session)


def _lock(connection: Connection, key: SessionKey) -> ColumnElement[bool]:
    """The session's row, before anything else, as everybody does who changes more than one row of a session."""
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    connection.execute(select(sessions.c.fence).where(here).with_for_update())
    return here
