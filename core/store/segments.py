"""Epochs: a session's life between two resets. A reset moves the start of the window, and deletes nothing."""

from sqlalchemy import Connection, and_, delete, select, true, update

from core.schema import epochs, sessions
from core.session import SessionKey
from core.store.engine.sql import now


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
