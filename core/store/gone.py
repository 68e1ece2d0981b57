"""What is gone. What people have deleted lately: a message that arrives after its own deletion is not stored any more.

Kept for an hour, by which a platform has sent again what it sends again, and what looks back has been read.
"""

from collections.abc import Collection

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update

from core.schema import deliveries, gone, parts, sessions, turns
from core.seam.address import Address
from core.session import Kind, Progress, Role, SessionKey, Validity
from core.store.engine.prepared import Prepared
from core.store.engine.sql import fixed, insert, now
from core.store.workspaces import WORKSPACE, names, workspace_of

_KEPT = 3_600_000  # milliseconds


def note(connection: Connection, address: Address, message: str) -> None:
    """This message is gone from the screen, whether it has reached us or not."""
    number = workspace_of(connection, address.platform, address.workspace)
    row = {"workspace": number, "channel": address.channel_address.id, "message": message}
    new = insert(connection.dialect.name, gone).values(**row, gone_at=now(connection))
    connection.execute(new.on_conflict_do_nothing())


def has(connection: Connection, address: Address, message: str) -> bool:
    """Whether this message was deleted lately."""
    here = {**names(address), "in_channel": address.channel_address.id}
    return _HAS.first(connection, **here, this=message) is not None


_HERE = and_(gone.c.workspace == WORKSPACE, gone.c.channel == bindparam("in_channel"))

_HAS = Prepared(lambda _: select(gone.c.message).where(_HERE, gone.c.message == bindparam("this")), str)


def bar(connection: Connection, key: SessionKey, message: str) -> bool:
    """Puts an empty turn in the place of a message that has not come yet, so that it is known when it comes.

    False where it has come at this very moment.
    """
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    taken = update(sessions).where(mine).values(tail=sessions.c.tail + 1).returning(sessions.c.tail)
    row = {
        "workspace": key.workspace,
        "session": key.session,
        "seq": connection.execute(taken).scalar_one(),
        "role": Role.PERSON,
        "kind": Kind.SAID,
        "progress": Progress.DONE,
        "validity": Validity.ERASED,
        "at": _NEVER,
        "tokens": 0,
        "message": message,
        "body": b"",
    }
    new = insert(connection.dialect.name, turns).values(row).on_conflict_do_nothing()
    return connection.execute(new).rowcount > 0


def bar_late(connection: Connection, key: SessionKey) -> None:
    """Does the same, in a session that is born, for what was deleted in its channel lately."""
    for message in _NEWEST.all(connection, **names(key.address), in_channel=key.address.channel_address.id):
        bar(connection, key, message)


_BARRED = 50  # messages: most of them were said elsewhere in the channel
_NEWEST = Prepared(
    lambda _: select(gone.c.message).where(_HERE).order_by(gone.c.gone_at.desc()).limit(fixed(_BARRED)), str
)
_NEVER = 0  # the time of what was never said to us


def among(connection: Connection, key: SessionKey, messages: Collection[str]) -> set[str]:
    """Which of these messages of the session's channel were deleted lately."""
    if not messages:
        return set()
    here = and_(gone.c.workspace == key.workspace, gone.c.channel == key.address.channel_address.id)
    return set(connection.execute(select(gone.c.message).where(here, gone.c.message.in_(messages))).scalars())


def unknown(connection: Connection, key: SessionKey, messages: Collection[str]) -> set[str]:
    """Which of these messages of the session's channel are not to be known: besides those that were deleted lately,
    those of which words were remembered there and are nowhere any more, ours as well; and those of ours that were
    shortened, as they stand whole where this is asked.

    They still stand on people's screens, in the platform's history, and in what is quoted of them.
    """
    if not messages:
        return set()
    here = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
    there = and_(turns.c.workspace == key.workspace, sessions.c.channel == key.address.channel_address.id)
    said = select(turns.c.message, _STANDS).join(sessions, here).where(there, turns.c.message.in_(messages))
    found = [(row.message, row.stands) for row in connection.execute(said).all()] + _ours(connection, key, messages)
    stand = {message for message, stands in found if stands}
    return among(connection, key, messages) | ({message for message, _ in found} - stand)


_STANDS = and_(
    turns.c.validity.not_in((Validity.ERASED, Validity.SUPERSEDED)),  # or hidden, and being forgotten
    or_(turns.c.role == Role.PERSON, turns.c.edited_at.is_(None)),
).label("stands")


def _ours(connection: Connection, key: SessionKey, messages: Collection[str]) -> list[tuple[str, bool]]:
    """Those of them that are answers of ours, or parts of one, and whether all that was remembered of these stands."""
    channel = and_(sessions.c.workspace == key.workspace, sessions.c.channel == key.address.channel_address.id)
    here = select(sessions.c.session).where(channel)
    found = list[tuple[str, bool]]()
    for table in (deliveries, parts):
        answer = and_(*(turns.c[name] == table.c[name] for name in ("workspace", "session", "seq")))
        there = and_(table.c.workspace == key.workspace, table.c.session.in_(here), table.c.message.in_(messages))
        posted = select(table.c.message, _STANDS).join_from(table, turns, answer)
        rows = connection.execute(posted.where(there, turns.c.role == Role.ASSISTANT)).all()
        found += [(row.message, row.stands) for row in rows]
    return found


def forget(connection: Connection) -> None:
    """Lets go of what was deleted long ago, and of the turns in its place."""
    old = gone.c.gone_at < now(connection) - _KEPT
    for row in connection.execute(select(gone.c.workspace, gone.c.message).where(old)).all():
        this = and_(turns.c.workspace == row.workspace, turns.c.message == row.message, turns.c.at == _NEVER)
        connection.execute(delete(turns).where(this, turns.c.validity == Validity.ERASED))
    connection.execute(delete(gone).where(old))
