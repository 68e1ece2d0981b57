"""Denials: who was told that they are not talked with, and where, so that they are told once a day."""

from sqlalchemy import Connection, delete

from core.schema import denials
from core.seam.messages import Inbound
from core.session import Kind
from core.store import inbound
from core.store.arrivals import Duplicate
from core.store.engine.sql import insert, now
from core.store.workspaces import workspace_of

_DAY = 86_400_000  # milliseconds


def deny(connection: Connection, answer: Inbound, *, each_time: bool) -> inbound.Stored:
    """Stores what somebody is told as a command of theirs, whose words are ours.

    Raises Duplicate where they were told so in this channel within a day, unless they are to be told each time.
    """
    if not each_time and not _is_news(connection, answer):
        raise Duplicate(answer.id)
    return inbound.accept(connection, answer, kind=Kind.COMMAND, verb=answer.verb, tokens=0, at_once=True)


def _is_news(connection: Connection, answer: Inbound) -> bool:
    """Notes that its author is told; False where they were told lately."""
    row = {
        "workspace": workspace_of(connection, answer.address.platform, answer.address.workspace),
        "channel": answer.address.channel_address.id,
        "author": answer.author.id,
    }
    new = insert(connection.dialect.name, denials).values(**row, told_at=now(connection))
    again = new.on_conflict_do_update(
        index_elements=list(denials.primary_key),
        set_={"told_at": new.excluded.told_at},
        where=denials.c.told_at <= new.excluded.told_at - _DAY,
    )
    return connection.execute(again).rowcount > 0


def forget(connection: Connection) -> None:
    """Lets go of those who would be told again."""
    connection.execute(delete(denials).where(denials.c.told_at <= now(connection) - _DAY))
