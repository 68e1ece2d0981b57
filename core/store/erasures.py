"""Erasures: what is to be forgotten, whose row says how far that has come, until it is done and has been told."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from sqlalchemy import Connection, Row, and_, delete, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import erasures, preferences, sessions, turns, workspaces
from core.seam.address import Address
from core.session import Progress, Role, SessionKey
from core.store import notices
from core.store.changes import ERASED
from core.store.engine.rows import within
from core.store.engine.sql import erases, insert, now
from core.store.workspaces import workspace_of

_KEPT = 86_400_000  # milliseconds for which the operator may still ask what came of it


class Leftovers(StrEnum):
    """Where a database keeps what was taken out of it, for how long."""

    A_MINUTE = "a minute"  # in a file that is cleaned by then
    VACUUM = "vacuum"  # in dead rows and in its log, until they are used again


class Scope(StrEnum):
    """Whose words are to be forgotten."""

    PERSON = "person"
    SESSION = "session"
    CHANNEL = "channel"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was erased so far.

    `shortened` are answers to others of which sentences were taken out, `records` the summaries and checkpoints that
    lost their words and are made again, `calls` the calls of the model of which nobody knows any more whom they were
    for. `keys` are those that were destroyed.
    """

    messages: int = 0
    answers: int = 0
    shortened: int = 0
    quotes: int = 0
    records: int = 0
    preferences: int = 0
    calls: int = 0
    keys: int = 0

    def __add__(self, more: "Counts") -> "Counts":
        return Counts(**{one.name: getattr(self, one.name) + getattr(more, one.name) for one in fields(Counts)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who has asked for it in chat, in which session, and by which turn."""

    session: int
    seq: int
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to be forgotten in a workspace, and how far that has come.

    The `subject` is a person's ID, or that of a session's or a channel's address; empty for the workspace. Only what
    was said `before` that moment is (microseconds, by the platform's clock); None is all that there is. `asked` is None
    where the operator wants it. `after` is the last channel that is done, `last_key` the number of the person's newest
    data key of before, once that is to be destroyed.
    """

    workspace: int
    scope: Scope
    subject: str
    before: int | None = None
    asked: Asked | None = None
    after: str = ""
    counts: Counts = Counts()
    is_done: bool = False
    last_key: int | None = None

    @property
    def is_of_person(self) -> bool:
        """Whether it is one person's words that go, and others' stay."""
        return self.scope is Scope.PERSON


def begin(connection: Connection, erasure: Erasure) -> None:
    """From now on this is being forgotten, by whoever is free. Where less is under way already, it becomes this.

    What a person prefers goes at once, so that what they wish for afterwards stays.
    """
    this = _this(erasure)
    connection.execute(delete(erasures).where(this, erasures.c.done_at.is_not(None)))
    asked = erasure.asked
    told = {"session": asked and asked.session, "seq": asked and asked.seq, "author": asked and asked.author}
    row = {
        "workspace": erasure.workspace,
        "scope": erasure.scope,
        "subject": erasure.subject,
        "before": erasure.before,
        "after": "",
        "counts": json.dumps(asdict(Counts())),
    }
    new = insert(connection.dialect.name, erasures).values(row | told).on_conflict_do_nothing()
    if connection.execute(new).rowcount == 0:
        _widen(connection, erasure, told if asked is not None else {})
    add(connection, erasure, Counts(preferences=_preferred(connection, erasure)))


def _widen(connection: Connection, erasure: Erasure, told: Mapping[str, object]) -> None:
    """It begins again, for what was said since it was asked for; told of it is who has asked last, if anybody has."""
    more = true() if erasure.before is None else erasures.c.before < erasure.before
    less = and_(_this(erasure), erasures.c.before.is_not(None), more)
    again = {"before": erasure.before, "after": "", "last_key": None, "done_at": None}
    connection.execute(update(erasures).where(less).values(again))
    if told:
        connection.execute(update(erasures).where(_this(erasure)).values(told))


def _preferred(connection: Connection, erasure: Erasure) -> int:
    """Takes out what the person prefers; how many such rows there were."""
    if not erasure.is_of_person:
        return 0
    mine = and_(preferences.c.workspace == erasure.workspace, preferences.c.author == erasure.subject)
    return connection.execute(delete(preferences).where(mine)).rowcount


def begin_in(connection: Connection, platform: str, workspace: str, scope: Scope, subject: str) -> Erasure:
    """The same for the operator, in the workspace of this name: all that there is, also where less was asked for."""
    erasure = Erasure(workspace=workspace_of(connection, platform, workspace), scope=scope, subject=subject)
    with within(connection, erasure.workspace):
        begin(connection, erasure)
    return erasure


def find(connection: Connection, erasure: Erasure) -> Erasure | None:
    """The same as it is now; None where it has been told, or never begun."""
    row = connection.execute(select(erasures).where(_this(erasure))).one_or_none()
    return None if row is None else _read(row)


def under_way(connection: Connection) -> list[Erasure]:
    """All that are not over: those that are done in chat are, once their receipt has been told."""
    rows = connection.execute(select(erasures).order_by(erasures.c.workspace, erasures.c.scope, erasures.c.subject))
    found = [_read(row) for row in rows.all()]
    return [one for one in found if not one.is_done or one.asked is not None]


def add(connection: Connection, erasure: Erasure, more: Counts) -> None:
    """So much more is gone, by this transaction."""
    stored = connection.execute(select(erasures.c.counts).where(_this(erasure)).with_for_update()).scalar_one_or_none()
    if stored is not None and more != Counts():
        counts = json.dumps(asdict(Counts(**json.loads(stored)) + more))
        connection.execute(update(erasures).where(_this(erasure)).values(counts=counts))


def reach(connection: Connection, erasure: Erasure, channel: str) -> None:
    """All channels up to this one are done, as long as no more was asked for meanwhile."""
    connection.execute(update(erasures).where(_as_it_was(erasure)).values(after=channel))


def settle(connection: Connection, erasure: Erasure) -> bool:
    """It is done: only the receipt is left to be told. False where more was asked for meanwhile."""
    done = update(erasures).where(_as_it_was(erasure)).values(done_at=now(connection))
    return connection.execute(done).rowcount > 0


def end(connection: Connection, erasure: Erasure) -> None:
    """The operator has been told what was erased; whoever asked in chat is told by others."""
    connection.execute(delete(erasures).where(_this(erasure), erasures.c.seq.is_(None)))


def tell(connection: Connection, erasure: Erasure, text: str) -> None:
    """Tells whoever asked for it in chat what was erased, once, and nobody else where the platform can do that."""
    asked = erasure.asked
    key = None if asked is None else _key(connection, erasure.workspace, asked.session)
    if asked is not None and key is not None:
        notices.tell(connection, key, name=_receipt(asked), text=text, to=asked.author)


@erases
def tidy(connection: Connection, erasure: Erasure) -> bool:
    """After the receipt is on screen: nothing is left of it, nor of what asked for it. False where it is not yet."""
    asked = erasure.asked
    if asked is None:
        return False
    mine = and_(turns.c.workspace == erasure.workspace, turns.c.session == asked.session)
    ours = and_(mine, turns.c.author == asked.author)
    asking = and_(ours, turns.c.seq == asked.seq, turns.c.role == Role.PERSON)
    told = and_(ours, turns.c.notice == _receipt(asked))
    rows = connection.execute(select(turns.c.seq, turns.c.progress).where(asking | told)).all()
    if any(row.progress in (Progress.WAITING, Progress.ANSWERED) for row in rows):
        return False
    connection.execute(update(turns).where(asking | told).values(ERASED))
    connection.execute(delete(erasures).where(_this(erasure)))
    return True


def forget(connection: Connection) -> None:
    """Lets go of what was done long ago, and of which nobody is to be told."""
    connection.execute(delete(erasures).where(erasures.c.done_at < now(connection) - _KEPT))


def channels(connection: Connection, erasure: Erasure, most: int) -> list[str]:
    """The next channels in which there may be something to forget, in their order; at most so many."""
    there = and_(sessions.c.workspace == erasure.workspace, sessions.c.channel > erasure.after)
    if erasure.scope is Scope.CHANNEL:
        there = and_(there, sessions.c.channel == erasure.subject)
    elif erasure.scope is Scope.SESSION:
        there = and_(there, sessions.c.channel == Address.parse(erasure.subject).channel_address.id)
    found = select(sessions.c.channel).where(there).distinct().order_by(sessions.c.channel).limit(most)
    return list(connection.execute(found).scalars())


def sessions_in(connection: Connection, erasure: Erasure, channel: str) -> list[SessionKey]:
    """The sessions of a channel that it is about."""
    there = and_(sessions.c.workspace == erasure.workspace, sessions.c.channel == channel)
    if erasure.scope is Scope.SESSION:
        there = and_(there, sessions.c.address == erasure.subject)
    rows = select(sessions.c.workspace, sessions.c.session, sessions.c.address).where(there)
    return [
        SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
        for row in connection.execute(rows.order_by(sessions.c.session)).all()
    ]


def workspaces_with(
    connection: Connection, platform: str | None = None, name: str | None = None
) -> list[tuple[str, str]]:
    """The workspaces that there are, by their platforms and names: all, or those of this platform, or this one."""
    found = select(workspaces.c.platform, workspaces.c.name).order_by(workspaces.c.workspace)
    if platform is not None:
        found = found.where(workspaces.c.platform == platform)
    if name is not None:
        found = found.where(workspaces.c.name == name)
    return [(row.platform, row.name) for row in connection.execute(found).all()]


def leftovers(connection: Connection) -> Leftovers:
    """For how long this database keeps what was taken out of it."""
    return Leftovers.VACUUM if connection.dialect.name == "postgresql" else Leftovers.A_MINUTE


def _receipt(asked: Asked) -> str:
    return f"forgotten {asked.seq}"


def _key(connection: Connection, workspace: int, session: int) -> SessionKey | None:
    this = and_(sessions.c.workspace == workspace, sessions.c.session == session)
    address = connection.execute(select(sessions.c.address).where(this)).scalar_one_or_none()
    return None if address is None else SessionKey(workspace=workspace, session=session, address=Address.parse(address))


def _this(erasure: Erasure) -> ColumnElement[bool]:
    same = and_(erasures.c.workspace == erasure.workspace, erasures.c.scope == erasure.scope)
    return and_(same, erasures.c.subject == erasure.subject)


def _as_it_was(erasure: Erasure) -> ColumnElement[bool]:
    return and_(_this(erasure), erasures.c.before.is_not_distinct_from(erasure.before))


def _read(row: Row[*tuple[object, ...]]) -> Erasure:
    known = {one.name for one in fields(Counts)}
    counted: dict[str, int] = json.loads(row.counts)
    asked = None if row.seq is None else Asked(session=row.session, seq=row.seq, author=row.author)
    return Erasure(
        workspace=row.workspace,
        scope=Scope(row.scope),
        subject=row.subject,
        before=row.before,
        asked=asked,
        after=row.after,
        counts=Counts(**{name: number for name, number in counted.items() if name in known}),
        is_done=row.done_at is not None,
        last_key=row.last_key,
    )
