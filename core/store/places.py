"""Places: the session at an address, and which of its messages are known."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import Insert

from core.policy import Overrides
from core.schema import sessions, turns, workspaces
from core.seam.address import Address
from core.session import Kind, Role, SessionKey, Validity
from core.store import policies
from core.store.engine.prepared import Prepared
from core.store.engine.sql import clock, fixed, given, insert, micro, seconds
from core.store.segments import EVERYTHING
from core.store.workspaces import WORKSPACE, names

SESSION = and_(sessions.c.workspace == WORKSPACE, sessions.c.address == bindparam("at_address"))


class _Row(NamedTuple):
    workspace: int
    session: int
    live_since: int | None
    set_in_workspace: str | None
    set_in_channel: str | None


_FIND = Prepared(
    lambda _: select(sessions.c.workspace, sessions.c.session, sessions.c.live_since, *policies.SET_IN_SESSION).where(
        SESSION
    ),
    _Row,
)


class Found(NamedTuple):
    """A session, since when it lives (seconds, by the platform's clock; None if not yet), and what is set for it."""

    key: SessionKey
    live_since: float | None
    overrides: Overrides


def born(connection: Connection, workspace: int, address: Address, *, public: bool | None = None) -> None:
    """Makes the session at this address, empty; somebody else may do so at the same moment."""
    (number,) = _NUMBER.all(connection, workspace=workspace)
    _BORN.run(
        connection,
        workspace=workspace,
        session=number,
        address=address.id,
        platform=address.platform,
        channel=address.channel_address.id,
        public=public,
    )


_NUMBER = Prepared(
    lambda _: (
        update(workspaces)
        .where(workspaces.c.workspace == bindparam("workspace"))
        .values(sessions=workspaces.c.sessions + fixed(1))
        .returning(workspaces.c.sessions)
    ),
    int,
)

_EMPTY = {
    "tail": 0,
    "waiting": 0,
    "backscroll_read": False,
    "segment": 0,
    "start": EVERYTHING,
    "fence": 0,
    "attempts": 0,
}


def _born(dialect: str) -> Insert:
    row = given(sessions, "workspace", "session", "address", "platform", "channel", "public")
    return insert(dialect, sessions).values(**row, **_EMPTY, touched_at=clock(dialect)).on_conflict_do_nothing()


_BORN = Prepared(_born, tuple)


def find(connection: Connection, address: Address) -> Found | None:
    """The session at this address; None where nothing has ever been stored of it."""
    row = _FIND.first(connection, **names(address), at_address=address.id)
    if row is None:
        return None
    key = SessionKey(workspace=row.workspace, session=row.session, address=address)
    return Found(
        key=key,
        live_since=None if row.live_since is None else seconds(row.live_since),
        overrides=policies.opened(key.workspace, address, row.set_in_workspace, row.set_in_channel),
    )


class Whereabouts(NamedTuple):
    """What somebody finds who speaks in a place: since when a session lives there, if one does, and what is set."""

    live_since: float | None
    overrides: Overrides


def around(connection: Connection, address: Address) -> Whereabouts:
    """What is known of a place, also where nothing has ever been stored of it."""
    found = find(connection, address)
    if found is not None:
        return Whereabouts(found.live_since, found.overrides)
    return Whereabouts(None, policies.at(connection, address))


def known(connection: Connection, address: Address, messages: Sequence[str]) -> set[str]:
    """Which of these messages of a session have been accepted before."""
    here = find(connection, address)
    if here is None:
        return set()
    mine = and_(turns.c.workspace == here[0].workspace, turns.c.session == here[0].session)
    return set(connection.execute(select(turns.c.message).where(mine, turns.c.message.in_(messages))).scalars())


def has_asked(connection: Connection, address: Address, message: str) -> bool:
    """Whether this message was accepted before as one that is for us."""
    here = find(connection, address)
    if here is None:
        return False
    mine = and_(turns.c.workspace == here[0].workspace, turns.c.session == here[0].session)
    asked = and_(turns.c.message == message, turns.c.role == Role.PERSON, turns.c.kind != Kind.OVERHEARD)
    return connection.execute(select(turns.c.seq).where(mine, asked).limit(1)).first() is not None


def has_edit(connection: Connection, address: Address, message: str, at: float) -> bool:
    """Whether this message is known here as it was changed at that moment (seconds since 1970), or later."""
    here = find(connection, address)
    if here is None:
        return False
    mine = and_(turns.c.workspace == here[0].workspace, turns.c.session == here[0].session)
    changed = and_(turns.c.message == message, turns.c.role == Role.PERSON, turns.c.edited_at >= micro(at))
    return connection.execute(select(turns.c.seq).where(mine, changed).limit(1)).first() is not None


def standing(connection: Connection, address: Address, since: float) -> set[str]:
    """The messages that people have said in this place after this instant, and that are not known to be deleted.

    Of what was looked back at, those which were for us: they stand in this place's own history, as others need not.
    """
    here = find(connection, address)
    if here is None:
        return set()
    mine = and_(turns.c.workspace == here[0].workspace, turns.c.session == here[0].session)
    here_itself = or_(turns.c.seq > 0, turns.c.kind == Kind.SAID)
    said = and_(here_itself, turns.c.role == Role.PERSON, turns.c.verb.is_(None), turns.c.message.is_not(None))
    stand = and_(said, turns.c.at > micro(since), turns.c.validity != Validity.ERASED)
    newest = select(turns.c.message).where(mine, stand).order_by(turns.c.seq.desc()).limit(_COMPARED)
    return {message for message in connection.execute(newest).scalars() if message is not None}


_COMPARED = 2_000  # messages of one place
