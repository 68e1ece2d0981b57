"""Changes to what was said: edits and deletions by people. Memory follows the screen.

A turn that waits is answered as it now is, or not at all; whoever answers it at that moment is told by `news`. A turn
that is over has its words replaced. A summary of what has changed is stale: it is made again before it is shown.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Row, and_, not_, select, union, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import quotes as table
from core.schema import sessions, turns
from core.seam.address import Address
from core.seam.messages import Edited, Quote
from core.session import Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import answers, bodies, checkpoints, gone, quotes, recorded, summaries
from core.store.arrivals import backs_off
from core.store.engine.sql import erases, micro, now, storable
from core.store.places import find
from core.store.queue import require, turn
from core.store.slips import joined_to
from core.store.turns import COLUMNS, OPEN, turn_of
from core.store.withdrawals import withdraw
from core.store.workspaces import WORKSPACE, names

ERASED = {
    "progress": Progress.DONE,
    "validity": Validity.ERASED,
    "body": b"",
    "tokens": 0,
    "author": None,
    "name": None,
    "verb": None,
    "error": None,
    "slip": None,
    "covers": None,
    "quotes": None,
}
"""What is left of a turn whose words are gone: that it was there."""


class Unknown(Exception):
    """No such message has been stored."""


@erases
def edit(
    connection: Connection,
    edited: Edited,
    *,
    verb: str | None,
    tokens: int,
    fit: quotes.Fit,
    size: Callable[[Turn], int],
    bare: bool = False,
) -> list[SessionKey]:
    """Puts what a message has become in place of what it was, wherever it is remembered: where it was said, where it
    was overheard, and where it is quoted. Returns the sessions in which that waits to be answered.

    Its author's name becomes what it is now, as `tokens` counts the message with that. `fit` cuts the new words of a
    quote to its share, and `size` counts what quotes it. An edit that was overtaken by a newer one changes nothing.
    Of words that were said off the record, by this edit as well, nothing is kept, but where they wait to be answered;
    nor of what was overheard, where it is to be `bare`.
    What the model's provider would not read is shown to it again. Raises Unknown.
    """
    message = edited.message
    told, copies = list[SessionKey](), _copies(connection, message.address, message.id)
    quoted = quotes.quoting(connection, message.address, message.id)
    if not copies and not quoted:
        raise Unknown(message.id)
    for key, row in copies:
        if _is_overtaken(row, edited):
            continue
        summaries.outdate(connection, key, row.seq)
        if _is_bare(row) or not _is_news(connection, key, row, edited):
            _note(connection, key, row, edited)
            continue
        checkpoints.outdate(connection, key, row.seq)
        waits = row.progress == Progress.WAITING
        become = _edited(key, row, edited, verb=verb, tokens=tokens)
        become, pointed = recorded.changed(connection, key, edited, become, talks=verb is None, waits=waits)
        if bare and row.kind == Kind.OVERHEARD:
            become, pointed = {**become, **_BARE}, ()
        connection.execute(update(turns).where(_this(key, row)).values(become))
        quotes.keep(connection, key, row.seq, pointed, by=message.author.id)
        if waits:
            told.append(tell(connection, key))
    for key, quote in quoted:
        if quotes.follow(connection, key, quote, edited, fit):
            if recorded.is_off(connection, key, edited):
                quotes.take_out(connection, key, quote.seq, quote.place)
            _count_again(connection, key, quote.seq, size)
            told += requoted(connection, key, quote.seq)
    return told


def _count_again(connection: Connection, key: SessionKey, seq: int, size: Callable[[Turn], int]) -> None:
    """The turn's tokens are those of what it quotes by now."""
    this = and_(turn(key, seq), turns.c.role == Role.PERSON)
    row = connection.execute(select(*COLUMNS).where(this)).one_or_none()
    if row is not None:
        pointed = quotes.of(connection, key, [seq]).get(seq, ())
        tokens = size(turn_of(key, row)._replace(quotes=pointed))
        connection.execute(update(turns).where(this).values(tokens=tokens))


def requoted(connection: Connection, key: SessionKey, seq: int) -> list[SessionKey]:
    """What a turn quotes has changed: its session, if the turn waits."""
    summaries.outdate(connection, key, seq)
    checkpoints.outdate(connection, key, seq)
    waits = and_(turn(key, seq), turns.c.progress == Progress.WAITING)
    return [tell(connection, key)] if connection.execute(select(turns.c.seq).where(waits)).first() else []


def _is_overtaken(row: Row[*tuple[object, ...]], edited: Edited) -> bool:
    """Whether a newer edit, this one, or a deletion has been seen already."""
    known: int | None = row.edited_at
    return row.validity == Validity.ERASED or (known is not None and known >= micro(edited.at))


def _is_bare(row: Row[*tuple[object, ...]]) -> bool:
    """Whether of what was overheard no words are stored."""
    return bool(row.kind == Kind.OVERHEARD and row.tokens == 0)


_BARE = {"body": b"", "tokens": 0, "name": "", "quotes": None}


def _note(connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], edited: Edited) -> None:
    """What an edit says was here before it: a message that calls us by an edit is told as called, and as edited.

    While it is answered, it stays the question that it is.
    """
    connection.execute(update(turns).where(_this(key, row), not_(OPEN)).values(edited_at=micro(edited.at)))


def _is_news(connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], edited: Edited) -> bool:
    if bodies.TURN.open(key, (row.seq, row.role), row.body) != bodies.as_read(edited.message.text):
        return True
    return not quotes.are(connection, key, row.seq, edited.message)


def _edited(
    key: SessionKey, row: Row[*tuple[object, ...]], edited: Edited, *, verb: str | None, tokens: int
) -> dict[str, object]:
    message, here = edited.message, (row.seq, row.role)
    by = message.author.id
    changed: dict[str, object] = {
        "body": bodies.TURN.seal(key, here, message.text, by=by),
        "tokens": tokens,
        "edited_at": micro(edited.at),
        "author": message.author.id,
        "name": bodies.NAME.seal(key, here, storable(message.author.name), by=by),
        "quotes": len(message.quotes) or None,
    }
    if row.progress == Progress.WAITING:
        changed |= {"verb": verb and storable(verb), "kind": Kind.SAID if verb is None else Kind.COMMAND}
    if row.progress == Progress.REFUSED:
        changed["progress"] = Progress.DONE
    return changed


@erases
def erase(
    connection: Connection,
    address: Address,
    message: str,
    *,
    seconds: float,
    pieces: answers.Pieces,
    count: Callable[[str], int],
) -> list[SessionKey] | None:
    """Takes a deleted message's words out of the database, wherever they are remembered; one of ours out of its answer.

    Returns the sessions in which it waited, or None where nothing was known of it: should it come yet, it is not
    answered. What has begun to answer it is withdrawn. Of a burst, what was said before is answered in its place.
    """
    gone.note(connection, address, message)
    told, copies = list[SessionKey](), _copies(connection, address, message)
    quoted = quotes.quoting(connection, address, message)
    ours = answers.take_out(connection, address, message, pieces=pieces, count=count)
    if not ours and not _bars(connection, address, message, copies):
        copies = _copies(connection, address, message)
    if not copies and not quoted and not ours:
        return None
    for key, row in copies:
        if row.validity == Validity.ERASED:
            continue
        connection.execute(update(turns).where(_this(key, row)).values(ERASED))
        quotes.forget(connection, key, [row.seq])
        summaries.outdate(connection, key, row.seq)
        checkpoints.outdate(connection, key, row.seq)
        if row.progress in (Progress.WAITING, Progress.ANSWERED):
            end(connection, key, row, seconds)
            told.append(tell(connection, key))
    for key, quote in quoted:
        quotes.take_out(connection, key, quote.seq, quote.place)
        told += requoted(connection, key, quote.seq)
    return told


def _bars(
    connection: Connection,
    address: Address,
    message: str,
    copies: Sequence[tuple[SessionKey, Row[*tuple[object, ...]]]],
) -> bool:
    """Sees to it that a message that has not come yet is not answered when it does; False if it came at this moment."""
    here = find(connection, address)
    if here is None or any(key.session == here[0].session for key, _ in copies):
        return True
    return gone.bar(connection, here[0], message)


def end(connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], seconds: float) -> None:
    """Nothing answers this turn any more: not the answer that is being posted either, which nobody has seen whole."""
    slip = bodies.SLIP.open(key, (row.seq, row.role), row.slip)
    if not _revived(connection, key, slip):
        connection.execute(update(sessions).where(_session(key)).values(waiting=sessions.c.waiting - 1))
    if withdraw(connection, key, row.seq, seconds=seconds):
        connection.execute(update(turns).where(_this(key, row)).values(slip=row.slip))
    answer = and_(turn(key, row.seq), turns.c.role == Role.ASSISTANT)
    connection.execute(update(turns).where(answer).values(ERASED))


def _revived(connection: Connection, key: SessionKey, slip: str | None) -> bool:
    """The message that this one has joined in a burst waits again, or the one that it had joined itself."""
    joined = joined_to(slip)
    while joined is not None:
        seq, own = joined
        stands = and_(turns.c.progress == Progress.DONE, turns.c.validity == Validity.STANDS)
        over = and_(turn(key, seq), turns.c.role == Role.PERSON, stands)
        again = {"progress": Progress.WAITING, "slip": bodies.SLIP.seal(key, (seq, Role.PERSON), own)}
        if connection.execute(update(turns).where(over).values(again)).rowcount:
            checkpoints.outdate(connection, key, seq)
            return True
        joined = joined_to(own)
    return False


def fetched(connection: Connection, lease: Lease, seq: int, pointed: Sequence[Quote], *, tokens: int) -> None:
    """What was fetched of a turn's quotes, or why nothing was, and the turn's tokens; nothing where an edit came first.

    Raises LeaseLost.
    """
    require(connection, lease)
    this = and_(turn(lease.key, seq), turns.c.role == Role.PERSON)
    by: str | None = connection.execute(select(turns.c.author).where(this)).scalar_one_or_none()
    if quotes.fill(connection, lease.key, seq, pointed, by=by or ""):
        connection.execute(update(turns).where(this).values(tokens=tokens))
        checkpoints.outdate(connection, lease.key, seq)


def _copies(
    connection: Connection, address: Address, message: str
) -> list[tuple[SessionKey, Row[*tuple[object, ...]]]]:
    """The turns of this message: in the session that it was said to, and in those of its channel that overheard it.

    Their sessions' rows, and those of where it is quoted, are locked first, as everybody does who changes both; always
    in the same order.
    """
    here = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
    which = and_(
        turns.c.workspace == WORKSPACE, turns.c.message == message, sessions.c.channel == address.channel_address.id
    )
    known = select(sessions.c.session).join(turns, here).where(which)
    quoting = select(table.c.session).where(table.c.workspace == WORKSPACE, table.c.message == message)
    place = select(sessions.c.session).where(sessions.c.workspace == WORKSPACE, sessions.c.address == address.id)
    concerned = sessions.c.session.in_(union(known, quoting, place))
    locked = select(sessions.c.fence).where(sessions.c.workspace == WORKSPACE, concerned)
    connection.execute(locked.order_by(sessions.c.session).with_for_update(), names(address))
    columns = (sessions.c.address, *(turns.c[name] for name in _COPIED))
    rows = connection.execute(select(*columns).join(sessions, here).where(which), names(address)).all()
    return [
        (SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address)), row)
        for row in rows
    ]


_COPIED = ("workspace", "session", "seq", "role", "kind", "tokens", "progress", "validity", "edited_at", "slip", "body")


def _this(key: SessionKey, row: Row[*tuple[object, ...]]) -> ColumnElement[bool]:
    return and_(turn(key, row.seq), turns.c.role == row.role)


def tell(connection: Connection, key: SessionKey) -> SessionKey:
    """Whoever holds the session looks again; where nobody does, it is due if it backs off, idle if nothing is left."""
    mine, now_ = update(sessions).where(_session(key)), now(connection)
    idle = {"due_at": None, "attempts": 0, "deaths": 0}
    connection.execute(mine.where(sessions.c.owner.is_not(None)).values(news=True))
    connection.execute(mine.where(sessions.c.owner.is_(None), sessions.c.waiting == 0).values(idle))
    connection.execute(mine.where(backs_off(now_)).values(due_at=now_))
    return key


def _session(key: SessionKey) -> ColumnElement[bool]:
    return and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
