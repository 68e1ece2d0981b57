"""Quotes: what a message points at, stored beside its turn, so that it can change and go by itself."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Row, and_, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import quotes, sessions, turns
from core.seam.address import Address
from core.seam.messages import Author, Edited, Inbound, Quote
from core.session import Role, SessionKey
from core.store import bodies, gone
from core.store.engine.sql import insert, micro, seconds, storable
from core.store.workspaces import WORKSPACE, names

_OURS = ""
"""The author's ID of what the assistant has said itself: no platform has such a one."""

_NO_WORDS = ("attaches", "embeds")
"""Kinds of quotes that come with a quoted message, and are not what its author wrote."""

Fit = Callable[[str, int], str]
"""Cuts the words of one of so many quotes to its share of the window."""


def keep(connection: Connection, key: SessionKey, seq: int, pointed: Sequence[Quote], *, by: str) -> tuple[Quote, ...]:
    """Puts what a turn points at in place of what was stored of it; returns that without what is gone by now.

    `by` is who wrote the turn: what it brings along that is nobody else's, a file, is that person's own.
    """
    connection.execute(delete(quotes).where(_mine(key), quotes.c.seq == seq))
    unknown = gone.unknown(connection, key, [one.message for one in pointed if one.message is not None])
    stand = tuple(one for one in pointed if one.message not in unknown and not _is_of_unknown(connection, key, one))
    rows = [_row(key, seq, place, quote, by, _whose(connection, key, quote)) for place, quote in enumerate(stand)]
    if rows:
        connection.execute(insert(connection.dialect.name, quotes), rows)
    return stand


def _is_of_unknown(connection: Connection, key: SessionKey, quote: Quote) -> bool:
    """Whether it is a copy of what is not to be known any more where that was said, in whatever channel."""
    if quote.copied is None or quote.said_in is None:
        return False
    channels = {place.channel_address for place, _ in _heard(connection, key, quote)}
    channels.add(replace(key.address, channel=quote.said_in, thread=None))
    return any(gone.unknown(connection, replace(key, address=one), [quote.copied]) for one in channels)


def _whose(connection: Connection, key: SessionKey, quote: Quote) -> str | None:
    """The ID of whoever has said what this is a copy of, if we have heard it: it goes with the rest of their words."""
    if quote.copied is None or quote.author is not None:
        return None
    return next((author for _, author in _heard(connection, key, quote) if author is not None), None)


def _heard(connection: Connection, key: SessionKey, quote: Quote) -> Sequence[tuple[Address, str | None]]:
    """Where we have heard what this is a copy of, and the ID of who said it."""
    here = and_(sessions.c.workspace == turns.c.workspace, sessions.c.session == turns.c.session)
    same = and_(turns.c.workspace == key.workspace, turns.c.message == quote.copied, turns.c.role == Role.PERSON)
    rows = connection.execute(select(sessions.c.address, turns.c.author).join(turns, here).where(same)).all()
    found = [(Address.parse(row.address), row.author) for row in rows]
    return [(place, author) for place, author in found if quote.said_in in (place.channel, place.thread)]


def fill(connection: Connection, key: SessionKey, seq: int, pointed: Sequence[Quote], *, by: str) -> bool:
    """Stores what was fetched, or why nothing was; nothing where the turn points at something else by now.

    Returns whether it does not. Places are those of the rows: a quote that has gone leaves its own empty. `by` is who
    wrote the turn.
    """
    mine = and_(_mine(key), quotes.c.seq == seq)
    columns = (quotes.c.place, quotes.c.source, quotes.c.author)
    stand = connection.execute(select(*columns).where(mine).order_by(quotes.c.place)).all()
    sources = [bodies.SOURCE.open(key, (seq, row.place), row.source) for row in stand]
    if sources != [quote.source for quote in pointed]:
        return False
    for row, quote in zip(stand, pointed, strict=True):
        here = (seq, row.place)
        unread = bodies.UNREAD.seal(key, here, quote.unread and storable(quote.unread))
        got = {
            "body": bodies.QUOTE.seal(key, here, quote.text, by=by if row.author is None else row.author),
            "unread": unread,
        }
        if quote.source:
            connection.execute(update(quotes).where(mine, quotes.c.place == row.place).values(got))
    return True


def of(connection: Connection, key: SessionKey, seqs: Collection[int]) -> dict[int, tuple[Quote, ...]]:
    """What these turns point at."""
    found: dict[int, tuple[Quote, ...]] = {}
    rows = select(quotes).where(_mine(key), quotes.c.seq.in_(seqs)).order_by(quotes.c.seq, quotes.c.place)
    for row in connection.execute(rows).all():
        found[row.seq] = (*found.get(row.seq, ()), _quote(key, row))
    return found


def are(connection: Connection, key: SessionKey, seq: int, message: Inbound) -> bool:
    """Whether a turn points at just what this message does, as far as its author can change that.

    Previews of links come and go by themselves, as do titles and where it hangs; a file's address is signed anew. What
    programs embed is what they say.
    """
    is_bot = message.author.is_bot
    return _marks(of(connection, key, [seq]).get(seq, ()), is_bot=is_bot) == _marks(message.quotes, is_bot=is_bot)


def _marks(pointed: Sequence[Quote], *, is_bot: bool) -> list[tuple[str, str, str | None, str]]:
    kinds = ("replies to", "forwards", "attaches", *(("embeds",) if is_bot else ()))
    chosen = [one for one in pointed if one.kind in kinds]
    return [(one.kind, storable(one.title), one.message, one.text if one.kind == "embeds" else "") for one in chosen]


def forget(connection: Connection, key: SessionKey, seqs: Collection[int]) -> None:
    """Takes what these turns point at out of the database."""
    connection.execute(delete(quotes).where(_mine(key), quotes.c.seq.in_(seqs)))


def quoting(
    connection: Connection, address: Address, message: str
) -> list[tuple[SessionKey, Row[*tuple[object, ...]]]]:
    """Where in the sessions of its channel a message is quoted: the session and the quote's row."""
    here = and_(sessions.c.workspace == quotes.c.workspace, sessions.c.session == quotes.c.session)
    there = and_(sessions.c.channel == address.channel_address.id, quotes.c.message == message)
    rows = select(sessions.c.address, quotes).join(sessions, here).where(quotes.c.workspace == WORKSPACE, there)
    return [
        (SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address)), row)
        for row in connection.execute(rows, names(address)).all()
    ]


def follow(connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], edited: Edited, fit: Fit) -> bool:
    """Puts what a quoted message has become in place of what it was, or takes out what it attaches or embeds no more.

    Returns whether that changes anything; an edit that was overtaken by a newer one does not. `fit` cuts the words to
    what one of so many quotes may have.
    """
    if row.edited_at is not None and row.edited_at >= micro(edited.at):
        return False
    number = connection.execute(select(func.count()).where(_mine(key), quotes.c.seq == row.seq)).scalar_one()
    known = _quote(key, row)
    carried = [one for one in edited.message.quotes if (one.kind, storable(one.title)) == (known.kind, known.title)]
    become = [bodies.as_read(fit(one.text, number)) for one in carried]
    if known.kind not in _NO_WORDS:
        words = bodies.as_read(fit(edited.message.text, number))
    elif not become:
        take_out(connection, key, row.seq, row.place)
        return True
    else:
        words = known.text if known.kind == "attaches" or known.text in become else become[0]
    this = and_(_mine(key), quotes.c.seq == row.seq, quotes.c.place == row.place)
    by = (_OURS if edited.message.author.is_self else edited.message.author.id) if row.author is None else row.author
    stored = bodies.QUOTE.seal(key, (row.seq, row.place), words, by=by)
    connection.execute(update(quotes).where(this).values(body=stored, edited_at=micro(edited.at)))
    return words != known.text


def take_out(connection: Connection, key: SessionKey, seq: int, place: int) -> None:
    """Takes one quote out of the database."""
    connection.execute(delete(quotes).where(_mine(key), quotes.c.seq == seq, quotes.c.place == place))


def _mine(key: SessionKey) -> ColumnElement[bool]:
    return and_(quotes.c.workspace == key.workspace, quotes.c.session == key.session)


def _row(key: SessionKey, seq: int, place: int, quote: Quote, by: str, whose: str | None) -> dict[str, object]:
    """Of what is a copy nobody is told `whose` it is: it has no name."""
    row = (seq, place)
    author = whose if quote.author is None else _OURS if quote.author.is_self else quote.author.id
    by = by if author is None else author
    name = None if quote.author is None else storable(quote.author.name)
    return {
        "workspace": key.workspace,
        "session": key.session,
        "seq": seq,
        "place": place,
        "kind": quote.kind,
        "author": author,
        "name": bodies.QUOTED_NAME.seal(key, row, name, by=by),
        "at": None if quote.at is None else micro(quote.at),
        "title": bodies.TITLE.seal(key, row, storable(quote.title), by=by),
        "message": quote.message,
        "source": bodies.SOURCE.seal(key, row, quote.source and storable(quote.source)),
        "unread": bodies.UNREAD.seal(key, row, quote.unread and storable(quote.unread)),
        "body": bodies.QUOTE.seal(key, row, quote.text, by=by),
        "copied": quote.copied if author is None else None,
    }


def _quote(key: SessionKey, row: Row[*tuple[object, ...]]) -> Quote:
    here = (row.seq, row.place)
    name = bodies.QUOTED_NAME.open(key, here, row.name) or ""
    return Quote(
        kind=row.kind,
        text=bodies.QUOTE.open(key, here, row.body),
        author=None
        if row.author is None or row.name is None
        else Author(id=row.author, name=name, is_self=row.author == _OURS),
        at=None if row.at is None else seconds(row.at),
        title=bodies.TITLE.open(key, here, row.title) or "",
        message=row.message,
        source=bodies.SOURCE.open(key, here, row.source),
        unread=bodies.UNREAD.open(key, here, row.unread),
    )
