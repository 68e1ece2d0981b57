"""Policies: what is set for workspaces and channels. For an answer, it is read in the statements that give a lease."""

from sqlalchemy import Connection, Label, Text, and_, bindparam, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from core.policy import NOTHING, Overrides, edited, is_set
from core.schema import policies, sessions
from core.seam.address import Address
from core.session import SessionKey
from core.store import audit, bodies
from core.store.engine import rows
from core.store.engine.prepared import Prepared
from core.store.engine.sql import insert
from core.store.workspaces import WORKSPACE as WORKSPACE_OF
from core.store.workspaces import names

WORKSPACE = ""
"""The scope of what is set for a whole workspace. A channel's is the ID of its address."""

_Set = tuple[Label[str | None], Label[str | None]]


def _set_in(workspace: ColumnElement[int], channel: ColumnElement[str]) -> _Set:
    """What is set for this workspace and this channel, as two columns of a statement about something else."""
    everywhere = literal_column(f"'{WORKSPACE}'", Text)
    return _settings(workspace, everywhere, "set_in_workspace"), _settings(workspace, channel, "set_in_channel")


def _settings(workspace: ColumnElement[int], scope: ColumnElement[str], name: str) -> Label[str | None]:
    # SQLite's RETURNING knows the columns of `sessions` by their bare names: none of ours may have the same one
    ours = select(policies.c.workspace.label("in_workspace"), policies.c.scope, policies.c.settings).subquery("ours")
    mine = and_(ours.c.in_workspace == workspace, ours.c.scope == scope)
    return select(ours.c.settings).where(mine).correlate(sessions).scalar_subquery().label(name)


SET_IN_SESSION = _set_in(sessions.c.workspace, sessions.c.channel)
"""The same for a row of `sessions`."""

SET_HERE = _set_in(bindparam("workspace", type_=sessions.c.workspace.type), bindparam("channel", type_=Text))
"""The same for the `workspace` and `channel` that a statement is given."""


def opened(workspace: int, address: Address, in_workspace: str | None, in_channel: str | None) -> Overrides:
    """What such columns hold for a session."""
    if in_workspace is None and in_channel is None:
        return NOTHING
    mine, channel = bodies.Mine(workspace), address.channel_address.id
    return Overrides(
        workspace=bodies.SETTINGS.open(mine, (WORKSPACE,), in_workspace),
        channel=bodies.SETTINGS.open(mine, (channel,), in_channel),
    )


def found(connection: Connection, key: SessionKey, in_workspace: str | None, in_channel: str | None) -> Overrides:
    """The same of columns that were read for all workspaces; where those are kept apart, nobody could see them."""
    with rows.within(connection, key.workspace) as is_apart:
        return of(connection, key) if is_apart else opened(key.workspace, key.address, in_workspace, in_channel)


def of(connection: Connection, key: SessionKey) -> Overrides:
    """What is set for a session's workspace and channel now."""
    found = _OF.all(connection, workspace=key.workspace, channel=key.address.channel_address.id)
    return opened(key.workspace, key.address, *found[0])


def at(connection: Connection, address: Address) -> Overrides:
    """What is set for the workspace and the channel of a place where nobody need have spoken."""
    workspace: int | None = connection.execute(select(WORKSPACE_OF), names(address)).scalar_one()
    if workspace is None:
        return NOTHING
    found = _OF.all(connection, workspace=workspace, channel=address.channel_address.id)
    return opened(workspace, address, *found[0])


def _as_it_is(in_workspace: str | None, in_channel: str | None) -> tuple[str | None, str | None]:
    return in_workspace, in_channel


_OF = Prepared(lambda _: select(*SET_HERE), _as_it_is)


def locked(connection: Connection, key: bodies.Owner, scope: str) -> str | None:
    """What is set for this session's workspace or a channel there, which nobody else changes until this is over."""
    mine = and_(policies.c.workspace == key.workspace, policies.c.scope == scope)
    nothing = bodies.SETTINGS.seal(bodies.Mine(key.workspace), (scope,), "{}")
    new = insert(connection.dialect.name, policies).values(workspace=key.workspace, scope=scope, settings=nothing)
    connection.execute(new.on_conflict_do_nothing())
    stored: str = connection.execute(select(policies.c.settings).where(mine).with_for_update()).scalar_one()
    return bodies.SETTINGS.open(bodies.Mine(key.workspace), (scope,), stored)


def take_back(connection: Connection, address: Address, scope: str, name: str) -> bool:
    """The operator takes back what is set in a scope of this address's workspace; False where nothing is."""
    workspace: int | None = connection.execute(select(WORKSPACE_OF), names(address)).scalar_one()
    if workspace is None or not is_set(before := locked(connection, bodies.Mine(workspace), scope), name):
        return False
    keep(connection, bodies.Mine(workspace), scope, edited(before, name, None))
    deed = f"unset {name}" if scope else f"unset workspace {name}"
    audit.record(connection, workspace, deed, actor=None)
    return True


def keep(connection: Connection, key: bodies.Owner, scope: str, settings: str) -> None:
    """What is set for this session's workspace or a channel there, in place of what was set there before."""
    sealed = bodies.SETTINGS.seal(bodies.Mine(key.workspace), (scope,), settings)
    new = insert(connection.dialect.name, policies).values(workspace=key.workspace, scope=scope, settings=sealed)
    stored = {"settings": new.excluded.settings}
    connection.execute(new.on_conflict_do_update(index_elements=list(policies.primary_key), set_=stored))
