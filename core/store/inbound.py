"""Acceptance: a message is stored as its session's newest turn, once, before its platform is told so."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, not_, or_, select, true, update
from sqlalchemy.dialects.postgresql import Insert

from core.policy import Overrides
from core.schema import checkpoints as table
from core.schema import rejections, sessions, turns
from core.seam.messages import Author, Inbound, Rejected
from core.session import Kind, Lease, Progress, Role, SessionKey, Slip, Turn, Validity
from core.store import bodies, checkpoints, gone, openings, policies, quotes, recorded, summaries, timeouts, unrecorded
from core.store.arrivals import Claimant, Duplicate, Session, extend
from core.store.engine.prepared import Prepared
from core.store.engine.rows import within
from core.store.engine.sql import fixed, insert, micro, notify, now, seconds, storable
from core.store.slips import written
from core.store.turns import WAITS, preferring, sealed
from core.store.workspaces import workspace_of


class Unanswered(Exception):
    """By what is set here this is not to be answered; nothing was changed."""

    def __init__(self, overrides: Overrides) -> None:
        super().__init__()
        self.overrides = overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A message as it was stored: its session and turn, how many turns wait there now, the lease if it was free.

    `woken` is what has become of a session that had been timed out.
    """

    key: SessionKey
    turn: Turn
    waiting: int
    lease: Lease | None
    woken: timeouts.Awakening | None = None


def accept(
    connection: Connection,
    message: Inbound,
    *,
    kind: Kind,
    verb: str | None,
    tokens: int,
    progress: Progress = Progress.WAITING,
    at_once: bool = False,
    missed: int = 0,
    heard: float | None = None,
    claimant: Claimant | None = None,
    others: bool = False,
    hearer: str | None = None,
    waking: timeouts.Waking | None = None,
    check: Callable[[Overrides], None] | None = None,
    is_answered: Callable[[Overrides], bool] | None = None,
) -> Stored:
    """Stores a message as its session's newest turn, and makes the session due if it is to be answered.

    If the session is idle and somebody is there to answer, it is claimed in the same breath; else `others` are told.
    A session that backs off is due at once, but for an at-once command. What was overheard never waits.
    `hearer` is the process that is to answer it, where none other can.
    Talk wakes a session that was timed out, as `waking` says.
    What it says of its place is noted: what was remembered there while it was private is set aside where it is not.
    Raises what `check` raises, which is called with what is set for the session, where the message waits.
    Raises Duplicate, also where the message was deleted before it came, and Unanswered where talk that is to be
    answered is not so by what is set here, as `is_answered` says. Of what was said off the record nothing is stored
    but what waits to be answered: Unrecorded. Acknowledge only after this is committed.
    """
    progress = Progress.DONE if kind is Kind.OVERHEARD else progress
    waits = progress is Progress.WAITING
    claimant = claimant if waits and not at_once else None
    talks = verb is None and (waits or (kind is Kind.SAID and progress is Progress.DONE))
    talk_at = micro(message.at) if talks else None
    session = extend(connection, message, talk_at, waits=waits, at_once=at_once, claimant=claimant)
    key = SessionKey(workspace=session.workspace, session=session.session, address=message.address)
    overrides = policies.opened(key.workspace, key.address, session.set_in_workspace, session.set_in_channel)
    if waits and check is not None:
        check(overrides)
    talks = talks and waits
    if talks and is_answered is not None and not is_answered(overrides):
        raise Unanswered(overrides)
    if message.public is not None:
        behind = 0.0 if waking is None else waking.burst
        openings.note(connection, key, session, public=message.public, behind=behind)
    turn = _turn(message, seq=session.tail, kind=kind, progress=progress, verb=verb, tokens=tokens)
    turn = turn._replace(slip=replace(turn.slip, missed=missed, heard=heard, hearer=hearer))
    turn = preferring(key, turn, session.preferred)
    turn = turn._replace(quotes=recorded.without(connection, key, turn.quotes))
    if session.unrecorded_until is not None and verb is None:
        turn = _as_recorded(connection, key, turn)
    row = _row(key, turn)
    new = _OVERHEARD if kind is Kind.OVERHEARD else _NEW_TURN
    if new.run(connection, **row) == 0:
        called = _called_upon(connection, key, turn) if waits else None
        if called is None:
            raise Duplicate(message.id)
        turn = called
    if turn.quotes:
        turn = turn._replace(quotes=quotes.keep(connection, key, turn.seq, turn.quotes, by=message.author.id))
    if others:
        notify(connection)
    woken = None
    if talks and waking is not None:
        woken = timeouts.wake(connection, key, session, overrides, waking)
    ours = claimant is not None and session.owner == claimant.owner
    lease = _lease(key, session, overrides) if ours else None
    return Stored(key=key, turn=turn, waiting=session.waiting, lease=lease, woken=woken)


def _turn(message: Inbound, *, seq: int, kind: Kind, progress: Progress, verb: str | None, tokens: int) -> Turn:
    """The message as whoever reads it back from the database would have it."""
    return Turn(
        seq=seq,
        role=Role.PERSON,
        kind=kind,
        progress=progress,
        validity=Validity.STANDS,
        text=bodies.as_read(message.text),
        tokens=tokens,
        at=seconds(micro(message.at)),
        author=Author(id=message.author.id, name=storable(message.author.name)),
        message=message.id,
        verb=verb and storable(verb),
        edited_at=None if message.edited_at is None else seconds(micro(message.edited_at)),
        quotes=message.quotes,
        slip=Slip(
            vague=message.vague,
            direct=message.direct,
            reply_to=message.reply_to,
            standing=message.standing,
            ticket=message.ticket,
        ),
    )


def _as_recorded(connection: Connection, key: SessionKey, turn: Turn) -> Turn:
    """The turn as it may be stored in a session in which something was off the record. Raises Unrecorded."""
    words = (turn.at, turn.edited_at)
    if all(at is None or recorded.until(connection, key, at=micro(at)) is None for at in words):
        return turn
    if turn.kind is Kind.OVERHEARD:
        raise unrecorded.Unrecorded(key.address.id)
    if turn.progress is Progress.WAITING:
        return turn._replace(validity=Validity.UNRECORDED)
    return turn._replace(validity=Validity.ERASED, text="", tokens=0, quotes=())


def _row(key: SessionKey, turn: Turn) -> dict[str, object]:
    assert turn.author is not None  # noqa: S101 – every person's turn has one
    row = (turn.seq, int(turn.role))
    slip = written(turn.slip) if turn.progress is Progress.WAITING else None
    body, name = sealed(key, *row, turn.text, turn.author.name, by=turn.author.id)
    return {
        "workspace": key.workspace,
        "session": key.session,
        "seq": turn.seq,
        "role": int(turn.role),
        "kind": int(turn.kind),
        "progress": int(turn.progress),
        "validity": int(turn.validity),
        "at": micro(turn.at),
        "tokens": turn.tokens,
        "message": turn.message,
        "author": turn.author.id,
        "name": name,
        "verb": turn.verb,
        "slip": bodies.SLIP.seal(key, row, slip),
        "edited_at": None if turn.edited_at is None else micro(turn.edited_at),
        "quotes": len(turn.quotes) or None,
        "body": body,
        **({"author": None, "name": None} if turn.validity is Validity.ERASED else {}),
    }


_CALLED_UPON = (
    *("kind", "progress", "validity", "verb", "slip", "tokens", "at"),
    *("author", "name", "edited_at", "quotes", "body"),
)
_OVERTAKEN = ("seq", "edited_at", "tokens", "body")


def _lease(key: SessionKey, session: Session, overrides: Overrides) -> Lease:
    """What whoever has claimed the session in the same breath holds."""
    return Lease(
        key=key,
        fence=session.fence,
        attempts=session.attempts,
        backscroll_read=session.backscroll_read,
        stop=session.stop,
        overrides=overrides,
    )


def _called_upon(connection: Connection, key: SessionKey, turn: Turn) -> Turn | None:
    """This message as it waits from now on, if all that we knew of it was overheard.

    What is said to us may arrive later than the message behind it, which has looked back at it; and an edit may turn
    what was said to others into something for us. It waits behind all that was answered for already, or told of, and
    is remembered there alone; only before a question that waits still does it keep its place. If it was edited since,
    it has the words of then.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    stands = turns.c.validity == Validity.STANDS
    by_edit = turn.validity is Validity.UNRECORDED and turn.edited_at is not None
    if by_edit and not gone.among(connection, key, [turn.message or ""]):  # its words have gone by that very edit
        stands = or_(stands, turns.c.edited_at == micro(turn.edited_at or 0.0))
    overheard = and_(turns.c.kind == Kind.OVERHEARD, turns.c.progress == Progress.DONE, stands)
    same = and_(mine, turns.c.message == turn.message, turns.c.role == turn.role, overheard)
    known = select(*(turns.c[name] for name in _OVERTAKEN)).where(same).with_for_update()
    found = connection.execute(known).one_or_none()
    if found is None:
        return None
    this, turn = and_(same, turns.c.seq == found.seq), _as_edited(connection, key, turn, found)
    quotes.forget(connection, key, [found.seq])
    if not _keeps_its_place(connection, key, found.seq):
        summaries.outdate(connection, key, found.seq)
        checkpoints.outdate(connection, key, found.seq)
        connection.execute(delete(turns).where(this))
        _NEW_TURN.run(connection, **_row(key, turn))
        return turn
    turn = turn._replace(seq=found.seq)
    row = _row(key, turn)
    waits = {name: row[name] for name in _CALLED_UPON} | {"follows": None}
    connection.execute(update(turns).where(this).values(waits))
    behind = and_(mine, turns.c.seq > found.seq, turns.c.follows < found.seq)
    connection.execute(update(turns).where(behind).values(follows=found.seq))
    return turn


def _as_edited(connection: Connection, key: SessionKey, turn: Turn, known: Row[*tuple[object, ...]]) -> Turn:
    """The turn with the words that we know of its message, where these are newer."""
    if known.edited_at is None or known.edited_at <= micro(turn.edited_at or 0.0):
        return turn
    if turn.verb is not None or known.tokens == 0 or turn.validity is not Validity.STANDS:
        return turn
    here = (known.seq, turn.role)
    return turn._replace(
        text=bodies.TURN.open(key, here, known.body),
        tokens=known.tokens,
        edited_at=seconds(known.edited_at),
        quotes=quotes.of(connection, key, [known.seq]).get(known.seq, ()),
    )


def _keeps_its_place(connection: Connection, key: SessionKey, seq: int) -> bool:
    """Whether a question behind this turn waits; and nothing there was answered or is a notice, no checkpoint tells of
    it, and it is in view.
    """
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    behind = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq > seq)
    told = and_(table.c.workspace == key.workspace, table.c.session == key.session)
    waits = select(turns.c.seq).where(behind, WAITS, turns.c.progress == Progress.WAITING).exists()
    over = or_(turns.c.role == Role.ASSISTANT, turns.c.kind == Kind.NOTICE)
    answered = select(turns.c.seq).where(behind, over).exists()
    record = select(table.c.number).where(told, table.c.first <= seq, table.c.last >= seq).exists()
    keeps = and_(waits, not_(answered), not_(record), sessions.c.start < seq)
    kept: bool = connection.execute(select(keeps).where(here)).scalar_one()
    return kept


_COLUMNS = (
    *("workspace", "session", "seq", "role", "kind", "progress", "validity", "at", "tokens"),
    *("message", "author", "name", "verb", "slip", "edited_at", "quotes", "body"),
)


_NEW_TURN = Prepared(lambda dialect: insert(dialect, turns).on_conflict_do_nothing(), tuple, columns=_COLUMNS)


def _overheard(dialect: str) -> Insert:
    """What was overheard knows the newest turn before it that was not: a window skips what is too much between."""
    before = turns.alias("before")
    place = and_(*(before.c[name] == bindparam(name) for name in ("workspace", "session")))
    follows = (
        select(func.coalesce(before.c.follows, before.c.seq))
        .where(place, before.c.seq < bindparam("seq"))
        .order_by(before.c.seq.desc(), before.c.role.desc())
        .limit(fixed(1))
    )
    given = {name: bindparam(name, type_=turns.c[name].type) for name in _COLUMNS}
    row = select(*given.values(), follows.scalar_subquery()).where(true())
    return insert(dialect, turns).from_select([*given, "follows"], row).on_conflict_do_nothing()


_OVERHEARD = Prepared(_overheard, tuple)


def reject(connection: Connection, event: Rejected) -> None:
    """Stores an event that could not be read, once, with the reason."""
    workspace, number = workspace_of(connection, event.platform, ""), storable(event.id)
    row = {
        "workspace": workspace,
        "id": number,
        "reason": bodies.REASON.seal(bodies.Mine(workspace), (number,), storable(event.reason)),
        "rejected_at": now(connection),
        "body": bodies.PAYLOAD.seal(bodies.Mine(workspace), (number,), event.payload),
    }
    with within(connection, workspace):
        connection.execute(insert(connection.dialect.name, rejections).values(row).on_conflict_do_nothing())
