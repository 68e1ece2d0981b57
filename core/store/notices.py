"""Notices: what we say by ourselves, in answer to nobody; each waits in its session's queue as a message does.

So whoever claims the session delivers it, in order with the answers and with all their promises. Nobody has said it:
what people edit and delete is something else, it joins no burst, and the model is not shown it.
"""

from sqlalchemy import Connection, and_, func, select, update

from core.schema import sessions, turns
from core.session import Kind, Progress, Role, SessionKey, Slip, Turn, Validity
from core.store import bodies
from core.store.engine.sql import insert, micro, notify, now, storable
from core.store.slips import written
from core.store.turns import WAITS, place

VERB = "notice"
"""What a notice has in place of a command: whatever leaves commands out leaves notices out as well."""

WAKING = "waking"
"""How the name of a notice begins that says that a conversation goes on."""


def tell(
    connection: Connection,
    key: SessionKey,
    *,
    name: str,
    text: str,
    behind: float = 0.0,
    to: str | None = None,
    since: float | None = None,
) -> bool:
    """Stores a notice behind all that waits in this session; whoever is free delivers it.

    Its `name` says what it is about, and belongs to this one notice of the session: what has been told before is not
    told again, and False is returned. `text` is Markdown, as a model's answer is. It also stands `behind` what is said
    within so many seconds. One that is `to` somebody, by their ID, is for their eyes alone, where the platform can.
    What it tells of has been so `since` then.
    """
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    tail: int = connection.execute(select(sessions.c.tail).where(mine).with_for_update()).scalar_one()
    here = (tail + 1, Role.PERSON)
    row = {
        **place(key),
        "seq": tail + 1,
        "role": Role.PERSON,
        "kind": Kind.NOTICE,
        "progress": Progress.WAITING,
        "validity": Validity.STANDS,
        "at": _behind_all(connection, key) + micro(behind),
        "tokens": 0,
        "author": to,
        "verb": VERB,
        "notice": storable(name),
        "slip": bodies.SLIP.seal(key, here, written(Slip(since=since))),
        "body": bodies.TURN.seal(key, here, text),
    }
    new = insert(connection.dialect.name, turns).values(row).on_conflict_do_nothing()
    if not connection.execute(new).rowcount:
        return False
    due_at = func.coalesce(sessions.c.due_at, now(connection))  # who holds it, or backs off, comes to it by itself
    queued = {"tail": tail + 1, "waiting": sessions.c.waiting + 1, "due_at": due_at}
    connection.execute(update(sessions).where(mine).values(queued))
    notify(connection)
    return True


def is_waking(turn: Turn) -> bool:
    """Whether it is one that says that a conversation goes on."""
    return turn.notice is not None and turn.notice.startswith(WAKING)


def _behind_all(connection: Connection, key: SessionKey) -> int:
    """When it is said, by our own clock; but after what waits already, whatever the platform's clock says of that."""
    here = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, WAITS)
    newest: int | None = connection.execute(select(func.max(turns.c.at)).where(here)).scalar_one()
    moment: int = connection.execute(select(now(connection) * 1000)).scalar_one()
    return max(moment, newest or 0)


def erase(connection: Connection, key: SessionKey, seq: int) -> None:
    """Takes the words of this notice out of memory, if it is one: people have taken it off the screen."""
    this = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq == seq)
    connection.execute(update(turns).where(this, turns.c.notice.is_not(None)).values(body=b""))
