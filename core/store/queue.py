"""The queue: a stored turn is its entry, the session's row its scheduler.

`due_at` is the whole scheduler in one column: NULL is idle, the past is runnable, the future is leased (with an owner)
or backing off (without). Claiming is also the recovery: a lease that ran out is claimed like new work. `waiting` and
`due_at` stand in one row, so that an arrival and an ending at the same moment can't miss each other.
"""

import json
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, Row, and_, case, delete, func, literal, or_, select, true, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from core.address import Address
from core.errors import LeaseLost
from core.messages import Inbound, Rejected
from core.schema import epochs, rejections, sessions, turns, workspaces
from core.session import Lease, Role, SessionKey, State
from core.store.sql import insert, now

BEFORE_EVERYTHING = -(2**31)
"""The start of the first epoch: what was said before a session's birth has a seq below 1."""

_AT_ONCE_GRACE = 5_000  # milliseconds for the accepting process to answer an at-once command before others may


class Duplicate(Exception):
    """This message has been accepted before; nothing was changed."""


def accept(
    connection: Connection, message: Inbound, *, state: State, verb: str | None, tokens: int, at_once: bool = False
) -> tuple[SessionKey, int]:
    """T1: stores a message as its session's newest turn, and wakes the session if it is to be answered.

    Returns the session and the turn's seq. Raises Duplicate. Acknowledge the platform only after this is committed.
    """
    waits = state is State.WAITING
    key, seq = _extend(connection, message.address, waits=waits, live=waits and verb is None, at_once=at_once)
    row = {
        "workspace": key.workspace,
        "session": key.session,
        "seq": seq,
        "role": Role.PERSON,
        "state": state,
        "at": int(message.at * 1000),
        "tokens": tokens,
        "message": message.id,
        "author": message.author.id,
        "name": storable(message.author.name),
        "verb": verb and storable(verb),
        "envelope": _envelope(message) if waits else None,
        "body": message.text.encode("utf-8", "replace"),
    }
    if connection.execute(insert(connection, turns).values(row).on_conflict_do_nothing()).rowcount == 0:
        raise Duplicate(message.id)
    return key, seq


def storable(words: str) -> str:
    """The words as PostgreSQL's text type takes them: no NUL, and nothing that is not UTF-8."""
    return words.replace("\x00", "").encode("utf-8", "replace").decode()


def _envelope(message: Inbound) -> str | None:
    """What answering needs beside the turn, as JSON; most messages need nothing but themselves."""
    facts = {
        "reply_to": message.reply_to,
        "ticket": message.ticket,
        "vague": message.vague or None,
        "direct": message.direct or None,
    }
    return json.dumps({name: value for name, value in facts.items() if value is not None})


def _extend(
    connection: Connection, address: Address, *, waits: bool, live: bool, at_once: bool
) -> tuple[SessionKey, int]:
    """Takes the next seq of the session at this address, which is born if need be."""
    clock = now(connection)
    workspace = workspace_of(connection, address.platform, address.workspace)
    mine = and_(sessions.c.workspace == workspace, sessions.c.address == address.id)
    due = clock + _AT_ONCE_GRACE if at_once else clock
    changes = {
        "tail": sessions.c.tail + 1,
        "touched_at": clock,
        "waiting": sessions.c.waiting + int(waits),
        "live": or_(sessions.c.live, literal(live)),
        "due_at": case((sessions.c.due_at.is_(None), due), else_=sessions.c.due_at) if waits else sessions.c.due_at,
    }
    found = connection.execute(
        update(sessions).where(mine).values(changes).returning(sessions.c.session, sessions.c.tail)
    )
    if (row := found.one_or_none()) is None:
        number = connection.execute(
            update(workspaces)
            .where(workspaces.c.workspace == workspace)
            .values(sessions=workspaces.c.sessions + 1)
            .returning(workspaces.c.sessions)
        ).scalar_one()
        born = insert(connection, sessions).values(
            workspace=workspace,
            session=number,
            address=address.id,
            platform=address.platform,
            channel=address.channel,
            tail=1,
            waiting=int(waits),
            live=live,
            heard=False,
            epoch=0,
            start=BEFORE_EVERYTHING,
            fence=0,
            due_at=due if waits else None,
            attempts=0,
            touched_at=clock,
        )
        born = born.on_conflict_do_update(index_elements=["workspace", "address"], set_=changes)
        row = connection.execute(born.returning(sessions.c.session, sessions.c.tail)).one()
    return SessionKey(workspace=workspace, session=row.session, address=address), row.tail


def workspace_of(connection: Connection, platform: str, name: str) -> int:
    """The number of a workspace, which is made known if need be."""
    known: dict[tuple[str, str], int] = connection.info.setdefault("workspaces", {})
    if (platform, name) in known:
        return known[platform, name]
    here = and_(workspaces.c.platform == platform, workspaces.c.name == name)
    number: int | None = connection.execute(select(workspaces.c.workspace).where(here)).scalar_one_or_none()
    if number is not None:  # committed by somebody, so that no rollback of ours takes it back
        known[platform, name] = number
        return number
    statement = insert(connection, workspaces).values(platform=platform, name=name, sessions=0)
    connection.execute(statement.on_conflict_do_nothing())
    born: int = connection.execute(select(workspaces.c.workspace).where(here)).scalar_one()
    return born


def reject(connection: Connection, event: Rejected) -> None:
    """Stores an event that could not be read, once, with the reason."""
    row = {
        "workspace": workspace_of(connection, event.platform, ""),
        "id": event.id,
        "reason": event.reason,
        "rejected_at": now(connection),
        "body": event.payload.encode("utf-8", "replace"),
    }
    connection.execute(insert(connection, rejections).values(row).on_conflict_do_nothing())


def find(connection: Connection, address: Address) -> tuple[SessionKey, bool] | None:
    """The session at this address, and whether somebody has talked to the bot there; None before its birth."""
    here = and_(
        workspaces.c.platform == address.platform,
        workspaces.c.name == address.workspace,
        sessions.c.workspace == workspaces.c.workspace,
        sessions.c.address == address.id,
    )
    row = connection.execute(
        select(sessions.c.workspace, sessions.c.session, sessions.c.live).where(here)
    ).one_or_none()
    return row and (SessionKey(workspace=row.workspace, session=row.session, address=address), row.live)


def claim(connection: Connection, *, owner: str, lease: float, platforms: Sequence[str], limit: int) -> list[Lease]:
    """T2: takes up to `limit` runnable sessions for `lease` seconds, the longest waiting first."""
    clock = now(connection)
    due = (
        select(sessions.c.workspace, sessions.c.session)
        .where(sessions.c.due_at <= clock, sessions.c.platform.in_(platforms))
        .order_by(sessions.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(sessions)
        .where(tuple_(sessions.c.workspace, sessions.c.session).in_(due))
        .values(
            owner=owner,
            fence=sessions.c.fence + 1,
            attempts=sessions.c.attempts + 1,
            due_at=clock + int(lease * 1000),
        )
        .returning(*_LEASE)
    )
    return [_lease(row) for row in connection.execute(taken)]


_LEASE = (
    sessions.c.workspace,
    sessions.c.session,
    sessions.c.address,
    sessions.c.fence,
    sessions.c.attempts,
    sessions.c.heard,
)


def _lease(row: Row[tuple[int, int, str, int, int, bool]]) -> Lease:
    key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
    return Lease(key=key, fence=row.fence, attempts=row.attempts, heard=row.heard)


def renew(connection: Connection, leases: Iterable[Lease], *, lease: float) -> set[tuple[int, int]]:
    """Makes these leases last `lease` seconds from now; returns the (workspace, session) of those still held."""
    held = [(one.key.workspace, one.key.session, one.fence) for one in leases]
    statement = (
        update(sessions)
        .where(
            tuple_(sessions.c.workspace, sessions.c.session, sessions.c.fence).in_(held), sessions.c.owner.is_not(None)
        )
        .values(due_at=now(connection) + int(lease * 1000))
        .returning(sessions.c.workspace, sessions.c.session)
    )
    return {(row.workspace, row.session) for row in connection.execute(statement)}


def held(lease: Lease) -> ColumnElement[bool]:
    """The condition under which the holder of this lease may still write to its session's row."""
    return and_(
        sessions.c.workspace == lease.key.workspace,
        sessions.c.session == lease.key.session,
        sessions.c.fence == lease.fence,
    )


def require(connection: Connection, lease: Lease) -> None:
    """Locks the session's row until the end of the transaction. Raises LeaseLost."""
    if connection.execute(select(sessions.c.fence).where(held(lease)).with_for_update()).one_or_none() is None:
        raise LeaseLost(lease.key.address.id)


def release(connection: Connection, lease: Lease, *, after: float = 0, error: tuple[int, str] | None = None) -> None:
    """Gives a lease back with its work undone: anybody may claim the session in `after` seconds.

    `error` is the seq of the turn that failed and why; it is kept with the turn for those who look.
    """
    back = {"owner": None, "due_at": now(connection) + int(after * 1000)}
    if connection.execute(update(sessions).where(held(lease)).values(back)).rowcount and error is not None:
        seq, reason = error
        connection.execute(update(turns).where(turn(lease.key, seq)).values(error=storable(reason)))


def idle(connection: Connection, lease: Lease) -> None:
    """Gives a lease back because nothing was found waiting; what has arrived since makes the session due again."""
    require(connection, lease)
    key = lease.key
    here = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.state < State.DONE)
    left: int = connection.execute(select(func.count()).select_from(turns).where(here)).scalar_one()
    back = {"owner": None, "attempts": 0, "waiting": left, "due_at": now(connection) if left else None}
    connection.execute(update(sessions).where(held(lease)).values(back))


def free_dead(connection: Connection, *, host: str, alive: Callable[[str], bool]) -> int:
    """Frees the leases of processes of this host that are no longer alive; returns how many. Called at start.

    An owner is `host:boot:pid:random`; `host` is the first two with their colons, `alive` judges a whole owner.
    """
    mine = sessions.c.owner.startswith(host, autoescape=True)
    owners = connection.execute(select(sessions.c.owner).where(sessions.c.due_at.is_not(None), mine).distinct())
    dead = [owner for owner in owners.scalars() if not alive(owner)]
    if not dead:
        return 0
    free = {"owner": None, "due_at": now(connection)}
    return connection.execute(
        update(sessions).where(sessions.c.owner.in_(dead), sessions.c.due_at.is_not(None)).values(free)
    ).rowcount


def finish(connection: Connection, key: SessionKey, seq: int, *, lease: Lease | None, seconds: float) -> bool:
    """T6: this turn is over. Returns whether the holder keeps the lease, because another turn waits.

    Without a lease (an at-once command) the session's scheduling is left to whoever holds it. Repeatable.
    Raises LeaseLost.
    """
    if lease is not None:
        require(connection, lease)
    over = turn(key, seq) & (turns.c.role == Role.PERSON) & (turns.c.state < State.DONE)
    ended = connection.execute(update(turns).where(over).values(state=State.DONE, envelope=None)).rowcount
    clock = now(connection)
    left = sessions.c.waiting - ended
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    ours = lease is not None
    keeps = and_(left > 0, literal(ours))
    values: dict[str, ColumnElement[int] | ColumnElement[str | None]] = {
        "waiting": left,
        "attempts": case((keeps, 1), (literal(ours), 0), else_=sessions.c.attempts),
        "owner": case((keeps, sessions.c.owner), (literal(ours), None), else_=sessions.c.owner),
        "due_at": case(
            (keeps, clock + int(seconds * 1000)),
            (and_(sessions.c.owner.is_not(None), literal(not ours)), sessions.c.due_at),
            (left > 0, clock),
            else_=None,
        ),
    }
    waiting: int = connection.execute(
        update(sessions).where(mine).values(values).returning(sessions.c.waiting)
    ).scalar_one()
    return waiting > 0


def turn(key: SessionKey, seq: int) -> ColumnElement[bool]:
    """The turns with this seq: a question, and its answer where there is one."""
    return and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq == seq)


def reset(connection: Connection, key: SessionKey, seq: int) -> None:
    """Opens a new epoch behind the turn with this seq; nothing is deleted."""
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    row = connection.execute(select(sessions.c.epoch, sessions.c.start).where(mine).with_for_update()).one()
    newest = connection.execute(
        select(epochs.c.epoch)
        .where(epochs.c.workspace == key.workspace, epochs.c.session == key.session)
        .order_by(epochs.c.epoch.desc())
        .limit(1)
    ).scalar_one_or_none()
    epoch = (newest or 0) + 1
    opened = {
        "workspace": key.workspace,
        "session": key.session,
        "epoch": epoch,
        "parent": row.epoch,
        "parent_start": row.start,
        "opened_at": now(connection),
    }
    connection.execute(epochs.insert().values(opened))
    connection.execute(update(sessions).where(mine).values(epoch=epoch, start=seq, heard=true()))


def undo(connection: Connection, key: SessionKey) -> bool:
    """Goes back to the epoch that the last reset left, with all that was said since; False where there is none."""
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    epoch = connection.execute(select(sessions.c.epoch).where(mine).with_for_update()).scalar_one()
    this = and_(epochs.c.workspace == key.workspace, epochs.c.session == key.session, epochs.c.epoch == epoch)
    row = connection.execute(select(epochs.c.parent, epochs.c.parent_start).where(this)).one_or_none()
    if row is None:
        return False
    connection.execute(delete(epochs).where(this))
    connection.execute(update(sessions).where(mine).values(epoch=row.parent, start=row.parent_start))
    return True
