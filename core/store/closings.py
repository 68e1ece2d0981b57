"""Places that are closed: threads, channels and whole workspaces. What waits there is not answered any more."""

from sqlalchemy import Connection, Row, and_, case, delete, null, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import parts, policies, quotes, sessions, turns, workspaces
from core.seam.address import Address
from core.session import Progress, Role, SessionKey
from core.store import checkpoints, erasures, segments, unrecorded
from core.store.changes import ERASED, tell
from core.store.engine.rows import within
from core.store.engine.sql import erases, storable
from core.store.places import find
from core.store.turns import OPEN
from core.store.withdrawals import withdraw
from core.store.workspaces import WORKSPACE, names


@erases
def close(connection: Connection, address: Address, *, gone: bool, seconds: float) -> list[SessionKey]:
    """Ends the sessions of a place: nothing that waits there is answered, and talk begins anew if it ever does.

    Returns those in which something waited. With `gone`, every word that was said there is erased, and what was set for
    the channel.
    """
    if gone:
        here = and_(policies.c.workspace == WORKSPACE, policies.c.scope == address.id)  # no thread has one
        connection.execute(delete(policies).where(here), names(address))
    return [key for key in _sessions_at(connection, address) if _close(connection, key, gone=gone, seconds=seconds)]


def leave(connection: Connection, platform: str, workspace: str, *, seconds: float) -> tuple[int, list[SessionKey]]:
    """Ends all sessions of a workspace, of which nothing is kept; how many, and those in which something waited."""
    if erasures.workspaces_with(connection, platform, storable(workspace)):
        erasures.begin_in(connection, platform, workspace, erasures.Scope.WORKSPACE, "")
    here = select(sessions.c.workspace, sessions.c.session, sessions.c.address).join(
        workspaces, workspaces.c.workspace == sessions.c.workspace
    )
    ours = and_(workspaces.c.platform == platform, workspaces.c.name == storable(workspace))
    keys = [_key(row) for row in connection.execute(here.where(ours, sessions.c.live_since.is_not(None))).all()]
    return len(keys), [key for key in keys if _left(connection, key, seconds=seconds)]


def _left(connection: Connection, key: SessionKey, *, seconds: float) -> bool:
    with within(connection, key.workspace):
        return _close(connection, key, gone=False, seconds=seconds)


def _close(connection: Connection, key: SessionKey, *, gone: bool, seconds: float) -> bool:
    """Whether something waited."""
    row = connection.execute(select(sessions.c.tail, sessions.c.waiting).where(_session(key)).with_for_update()).one()
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    waits = and_(mine, OPEN, turns.c.role == Role.PERSON)
    waiting = connection.execute(select(turns.c.seq).where(waits)).scalars().all()
    begun = [seq for seq in waiting if withdraw(connection, key, seq, seconds=seconds)]
    if gone:
        connection.execute(update(turns).where(mine).values(ERASED))
        connection.execute(delete(quotes).where(quotes.c.workspace == key.workspace, quotes.c.session == key.session))
        checkpoints.forget(connection, key)
        connection.execute(delete(parts).where(parts.c.workspace == key.workspace, parts.c.session == key.session))
    else:
        unrecorded.drop_waiting(connection, key)
        kept = case((turns.c.seq.in_(begun), turns.c.slip), else_=null())
        over = {"progress": Progress.DONE, "slip": kept, "error": None}
        connection.execute(update(turns).where(mine, OPEN).values(over))
    segments.close(connection, key, row.tail)
    connection.execute(update(sessions).where(_session(key)).values(_NO_LIFE))
    if row.waiting:
        tell(connection, key)
    return bool(row.waiting)


_NO_LIFE = {"waiting": 0, **dict.fromkeys(("live_since", "spoken_at", "silent_since", "present_since"))}
"""Of the session's row: talk begins anew."""


def _sessions_at(connection: Connection, address: Address) -> list[SessionKey]:
    """The session at this address; at a channel's, all that live in that channel."""
    if address.thread is not None:
        found = find(connection, address)
        return [] if found is None else [found[0]]
    here = select(sessions.c.workspace, sessions.c.session, sessions.c.address).where(
        sessions.c.workspace == WORKSPACE, sessions.c.channel == address.id
    )
    return [_key(row) for row in connection.execute(here, names(address))]


def _key(row: Row[*tuple[object, ...]]) -> SessionKey:
    return SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))


def _session(key: SessionKey) -> ColumnElement[bool]:
    return and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
