"""Exporting: what is stored of a session, or of a person, page by page, as it is to be handed over."""

from typing import NamedTuple

from sqlalchemy import Connection, and_, literal, or_, select, tuple_

from core.schema import checkpoints, sessions, spent, turns, usage
from core.schema import quotes as table
from core.seam.address import Address
from core.seam.messages import Quote
from core.session import Fold, Role, SessionKey, Turn, Validity
from core.store import bodies, quotes
from core.store.turns import COLUMNS, turn_of

Row = tuple[int, int]
"""A turn's place in its session: its seq and its role."""

FIRST: Row = (-(2**31), 0)
"""No turn comes before it."""

_PAGE = 200


class Passage(NamedTuple):
    """A text in place of the turns from the first of these seqs to the last."""

    kind: Fold
    first: int
    last: int
    words: str


class Spending(NamedTuple):
    """What was paid for one person on one day (since 1970), in tokens; in which channel, as far as it is known."""

    day: int
    channel: str
    model: str
    calls: int
    shown: int
    cached: int
    cache_written: int
    written: int


def sessions_of(connection: Connection, workspace: int) -> list[SessionKey]:
    """All sessions of a workspace, oldest first."""
    found = select(sessions.c.session, sessions.c.address).where(sessions.c.workspace == workspace)
    return [
        SessionKey(workspace=workspace, session=row.session, address=Address.parse(row.address))
        for row in connection.execute(found.order_by(sessions.c.session)).all()
    ]


def said(connection: Connection, key: SessionKey, after: Row, *, author: str | None = None) -> list[Turn]:
    """What was said in a session behind this turn, a page of it: by everybody, or by this person and in answer to them.

    What is erased is not among it, nor hidden because it is being forgotten, nor waits for its answer off the record.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    known = and_(mine, turns.c.validity.in_((Validity.STANDS, Validity.STALE)))
    if author is None:
        stand = and_(known, tuple_(turns.c.seq, turns.c.role) > tuple_(*(literal(one) for one in after)))
    else:  # first what they have said, so that of what others have no more is read than whose it is
        theirs = and_(known, turns.c.author == author, turns.c.role == Role.PERSON, turns.c.seq >= after[0])
        asked = connection.execute(select(turns.c.seq).where(theirs).order_by(turns.c.seq).limit(_PAGE))
        behind = or_(turns.c.seq > after[0], turns.c.role > after[1])
        stand = and_(known, turns.c.seq.in_(asked.scalars().all()), behind)
    rows = connection.execute(select(*COLUMNS).where(stand).order_by(turns.c.seq, turns.c.role).limit(_PAGE)).all()
    found = [turn_of(key, row) for row in rows]
    pointed = quotes.of(connection, key, [one.seq for one in found if one.role is Role.PERSON])
    return [one._replace(quotes=pointed.get(one.seq, ())) if one.role is Role.PERSON else one for one in found]


def quoted(connection: Connection, key: SessionKey, author: str) -> list[tuple[int, Quote]]:
    """What others' turns in a session quote of this person, with the seqs of those."""
    mine = and_(table.c.workspace == key.workspace, table.c.session == key.session)
    seqs = connection.execute(select(table.c.seq).where(mine, table.c.author == author).distinct()).scalars().all()
    found = quotes.of(connection, key, seqs)
    return [
        (seq, one)
        for seq, quotes_ in sorted(found.items())
        for one in quotes_
        if one.author is not None and one.author.id == author
    ]


def told(connection: Connection, key: SessionKey) -> list[Passage]:
    """The checkpoints of a session that stand, in the order in which they were made."""
    stand = and_(
        checkpoints.c.validity == Validity.STANDS,
        checkpoints.c.workspace == key.workspace,
        checkpoints.c.session == key.session,
    )
    rows = connection.execute(select(checkpoints).where(stand).order_by(checkpoints.c.number)).all()
    return [
        Passage(Fold(row.kind), row.first, row.last, bodies.CHECKPOINT.open(key, (row.number,), row.body))
        for row in rows
    ]


def paid(connection: Connection, workspace: int, author: str) -> list[Spending]:
    """What was paid for this person, also what releases before this one have noted."""
    old = select(usage, literal("").label("channel"), usage.c.answers.label("calls"))
    before = old.where(usage.c.workspace == workspace, usage.c.author == author)
    since = select(spent).where(spent.c.workspace == workspace, spent.c.author == author)
    rows = [row for one in (before, since) for row in connection.execute(one).mappings().all()]
    return sorted(Spending(**{name: row[name] for name in Spending._fields}) for row in rows)
