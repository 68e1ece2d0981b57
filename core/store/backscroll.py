"""The backscroll: what was said before a session's birth, and which sessions live around a channel."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, not_, select, update

from core.schema import sessions, turns
from core.seam.address import Address
from core.seam.messages import Inbound
from core.session import Kind, Lease, Progress, Role, SessionKey, Validity
from core.store import bodies, forgotten, gone, places, quotes, recorded, segments, timeouts
from core.store.engine.sql import insert, micro, storable
from core.store.queue import require


def is_read(connection: Connection, key: SessionKey) -> bool:
    """Whether what was said before the session's birth has been read, or is not to be."""
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    known: bool = connection.execute(select(sessions.c.backscroll_read).where(mine)).scalar_one()
    return known


def keep(connection: Connection, lease: Lease, messages: Sequence[Inbound], tokens: Sequence[int]) -> None:
    """Stores what was said before the session's birth, oldest first, in front of its first turn. Raises LeaseLost.

    What is gone by now is left out, deleted or forgotten, and so is what was overheard already, or said off the record.
    """
    require(connection, lease)
    key = lease.key
    said = [message.id for message in messages]
    left_out = gone.unknown(connection, key, said) | places.known(connection, key.address, said)
    left_out |= recorded.off(connection, key, messages) | _forgotten(connection, key, messages)
    stand = [(message, size) for message, size in zip(messages, tokens, strict=True) if message.id not in left_out]
    messages, tokens = [message for message, _ in stand], [size for _, size in stand]
    mine = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    connection.execute(update(sessions).where(mine).values(backscroll_read=True))
    first = connection.execute(
        select(func.min(turns.c.seq)).where(turns.c.workspace == key.workspace, turns.c.session == key.session)
    ).scalar_one()
    rows = [
        _row(key, first - len(messages) + place, message, size)
        for place, (message, size) in enumerate(zip(messages, tokens, strict=True))
    ]
    if rows:
        connection.execute(insert(connection.dialect.name, turns).on_conflict_do_nothing(), rows)
    for place, message in enumerate(messages):
        if message.quotes and not message.author.is_self:
            pointed = recorded.without(connection, key, message.quotes)
            quotes.keep(connection, key, first - len(messages) + place, pointed, by=message.author.id)


def _forgotten(connection: Connection, key: SessionKey, messages: Sequence[Inbound]) -> set[str]:
    """Those of these that were said before their author, or the place, was to be forgotten, which is being done."""
    before = forgotten.before(connection, key, {one.author.id for one in messages})
    return {one.id for one in messages if forgotten.said_at(one) < before.get(one.author.id, 0)}


class Reread(NamedTuple):
    """What of a place's history was not said to us or by us, and how much of that which is known is not among it."""

    messages: list[Inbound]
    missing: int


def around(connection: Connection, key: SessionKey, seq: int, found: Sequence[Inbound]) -> Reread:
    """What a question with this seq may be told of the history before it, where what is overheard has no words here.

    Nothing that was set aside, said off the record, deleted or forgotten; and nothing that is a turn of its own here.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    begins = select(sessions.c.start).where(here).scalar_subquery()
    set_aside = select(func.max(turns.c.at)).where(mine, turns.c.seq <= begins, turns.c.seq > 0)
    since: int | None = connection.execute(set_aside).scalar_one()
    said = [message.id for message in found]
    own = select(turns.c.message).where(mine, turns.c.message.in_(said), not_(_BARE))
    left_out = set(connection.execute(own).scalars()) | gone.unknown(connection, key, said)
    left_out |= recorded.off(connection, key, found) | _forgotten(connection, key, found)
    told = [one for one in found if one.id not in left_out and micro(one.at) > (since or 0)]
    last = select(func.max(turns.c.seq)).where(mine, turns.c.seq < seq, turns.c.kind == Kind.SAID).scalar_subquery()
    behind = and_(turns.c.seq > func.coalesce(last, 0), turns.c.seq > begins, turns.c.seq < seq)
    missing = select(func.count()).where(mine, _BARE, behind, turns.c.message.not_in(said))
    return Reread(told, connection.execute(missing).scalar_one())


_BARE = and_(turns.c.kind == Kind.OVERHEARD, turns.c.tokens == 0, turns.c.validity == Validity.STANDS)
"""What was overheard, and whose words are not stored."""


def _row(key: SessionKey, seq: int, message: Inbound, tokens: int) -> dict[str, object]:
    role = Role.ASSISTANT if message.author.is_self else Role.PERSON
    by = "" if message.author.is_self else message.author.id
    return {
        "workspace": key.workspace,
        "session": key.session,
        "seq": seq,
        "role": role,
        "kind": Kind.OVERHEARD,
        "progress": Progress.DONE,
        "validity": Validity.STANDS,
        "at": micro(message.at),
        "tokens": tokens,
        "message": message.id,
        "author": message.author.id,
        "name": bodies.NAME.seal(key, (seq, role), storable(message.author.name), by=by),
        "edited_at": None if message.edited_at is None else micro(message.edited_at),
        "quotes": None if message.author.is_self else len(message.quotes) or None,
        "body": bodies.TURN.seal(key, (seq, role), message.text, by=by),
    }


def has_timed_out(connection: Connection, key: SessionKey) -> bool:
    """Whether a session around this one's channel was timed out."""
    around = and_(sessions.c.workspace == key.workspace, sessions.c.channel == key.address.channel_address.id)
    return connection.execute(select(sessions.c.session).where(around, timeouts.TIMED_OUT).limit(1)).first() is not None


def live_sessions(connection: Connection, key: SessionKey, *, limit: int) -> list[tuple[Address, str, float]]:
    """The sessions around this one's channel, most recently used first: address, first words, when last used.

    What was timed out is not among them. First words are none of what was said before everybody could see the place.
    """
    channel = key.address.channel_address.id
    around = (
        select(sessions.c.session, sessions.c.address, sessions.c.touched_at, sessions.c.public)
        .where(sessions.c.workspace == key.workspace, sessions.c.channel == channel)
        .where(sessions.c.live_since.is_not(None), not_(timeouts.TIMED_OUT))
        .order_by(sessions.c.touched_at.desc())
        .limit(limit)
    )
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    is_public = connection.execute(select(sessions.c.public).where(here)).scalar_one_or_none()
    found = []
    for row in connection.execute(around).all():
        stays_behind = is_public and row.public is False  # it has yet to learn that it was opened
        words = "" if stays_behind else _first_words(connection, bodies.Mine(key.workspace, row.session))
        found.append((Address.parse(row.address), words, row.touched_at / 1000))
    return found


def _first_words(connection: Connection, mine: bodies.Mine) -> str:
    since = max(segments.opened(connection, mine), 0)
    opening = (
        select(turns.c.seq, turns.c.role, turns.c.body)
        .where(turns.c.workspace == mine.workspace, turns.c.session == mine.session)
        .where(turns.c.role == Role.PERSON, turns.c.seq > since, turns.c.verb.is_(None))
        .where(turns.c.kind != Kind.NOTICE, turns.c.validity == Validity.STANDS)
        .order_by(turns.c.seq)
        .limit(1)
    )
    first = connection.execute(opening).one_or_none()
    return "" if first is None else bodies.TURN.open(mine, (first.seq, first.role), first.body)
