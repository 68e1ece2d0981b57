"""Parts: which answer a message of ours is, or is a part of, also long after it has arrived.

What has arrived within a day is found among the session's deliveries, which are few. Of an answer of several messages
these are then put away, so that they stay few; one of one message is known by its turn (`doubts.forget`). They are kept
when its words are gone, too: those still stand on people's screens, and are not to be learnt from there.
"""

from sqlalchemy import Connection, and_, delete, select

from core.schema import deliveries, parts, turns
from core.session import Role, SessionKey
from core.store.engine.sql import fixed, insert
from core.store.states import DeliveryState

_COLUMNS = ("workspace", "session", "seq", "part", "message")


def find(connection: Connection, key: SessionKey, message: str) -> tuple[int, int] | None:
    """The seq and the part of the answer that this message of ours has become; None where the session knows of none."""
    for table in (deliveries, parts):
        mine = and_(table.c.workspace == key.workspace, table.c.session == key.session)
        there = select(table.c.seq, table.c.part).where(mine, table.c.message == message)
        found = connection.execute(there).first()
        if found is not None:
            return found.seq, found.part
    return None


def messages(connection: Connection, key: SessionKey, seq: int) -> list[str]:
    """The messages that this answer has become, as far as that is known."""
    found = list[str]()
    for table in (deliveries, parts, turns):
        mine = and_(table.c.workspace == key.workspace, table.c.session == key.session, table.c.seq == seq)
        ours = and_(mine, turns.c.role == Role.ASSISTANT) if table is turns else mine
        found += connection.execute(select(table.c.message).where(ours, table.c.message.is_not(None))).scalars()
    return found


def put_away(connection: Connection, workspace: int, session: int, seq: int) -> None:
    """Of the messages of this answer that have arrived, nothing is kept but which they are."""
    mine = and_(deliveries.c.workspace == workspace, deliveries.c.session == session, deliveries.c.seq == seq)
    arrived = and_(mine, deliveries.c.state == DeliveryState.SENT, deliveries.c.message.is_not(None))
    kept = select(*(deliveries.c[name] for name in _COLUMNS)).where(arrived)
    connection.execute(insert(connection.dialect.name, parts).from_select(_COLUMNS, kept).on_conflict_do_nothing())
    connection.execute(delete(deliveries).where(arrived))


def take_back(connection: Connection, key: SessionKey, seq: int) -> None:
    """The messages of this answer are deliveries again, if they were put away: something becomes of one of them."""
    away = and_(parts.c.workspace == key.workspace, parts.c.session == key.session, parts.c.seq == seq)
    row = [*(parts.c[name] for name in _COLUMNS), fixed(DeliveryState.SENT), fixed(1)]
    again = insert(connection.dialect.name, deliveries).from_select(
        [*_COLUMNS, "state", "tries"], select(*row).where(away)
    )
    connection.execute(again.on_conflict_do_nothing())
    connection.execute(delete(parts).where(away))
