"""Acceptance: a message is stored as its session's newest turn, once, before its platform is told so."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from core.policy import Overrides
from core.schema import rejections
from core.seam.messages import Author, Inbound, Quote, Rejected
from core.session import Kind, Lease, Progress, Role, SessionKey, Slip, Turn, Validity
from core.store import bodies, openings, policies, quotes, recorded, spoken, timeouts, unrecorded
from core.store.arrivals import Claimant, Duplicate, Session, extend
from core.store.calling import called_upon
from core.store.engine.rows import within
from core.store.engine.sql import insert, micro, notify, now, seconds, storable
from core.store.turns import preferring
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
    slip = _slip(message, missed=missed, heard=heard, hearer=hearer)
    pointed = recorded.without(connection, key, message.quotes)
    turn = _turn(message, slip, pointed, seq=session.tail, kind=kind, progress=progress, verb=verb, tokens=tokens)
    turn = preferring(key, turn, session.preferred)
    if session.unrecorded_until is not None and verb is None:
        turn = _as_recorded(connection, key, turn)
    row = spoken.row(key, turn)
    new = spoken.OVERHEARD if kind is Kind.OVERHEARD else spoken.NEW
    if new.run(connection, **row) == 0:
        called = called_upon(connection, key, turn) if waits else None
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


def _slip(message: Inbound, *, missed: int, heard: float | None, hearer: str | None) -> Slip:
    return Slip(
        vague=message.vague,
        direct=message.direct,
        reply_to=message.reply_to,
        missed=missed,
        ticket=message.ticket,
        heard=heard,
        hearer=hearer,
        standing=message.standing,
    )


def _turn(
    message: Inbound,
    slip: Slip,
    pointed: tuple[Quote, ...],
    *,
    seq: int,
    kind: Kind,
    progress: Progress,
    verb: str | None,
    tokens: int,
) -> Turn:
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
        quotes=pointed,
        slip=slip,
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
