"""Turns: what was said, in an order that never changes, and what of it waits to be answered."""

from collections.abc import Callable, Collection
from functools import lru_cache, partial

from sqlalchemy import Connection, Label, Row, Select, and_, bindparam, exists, func, not_, select, update

from core.schema import deliveries, turns
from core.seam.messages import Author, Quote
from core.session import Kind, Progress, Role, SessionKey, Turn, Validity
from core.store import bodies, preferences, quotes, slips
from core.store.engine.prepared import Prepared
from core.store.engine.sql import fixed, seconds

_STATE = ("kind", "progress", "validity")
SHOWN = tuple(turns.c[name] for name in ("seq", "role", *_STATE, "body", "tokens", "at", "author", "name", "quotes"))
"""What `showing` makes a turn of, as a window shows it."""

Shown = tuple[int, int, int, int, int, bytes, int, int, str | None, str | None, int | None]
COLUMNS = (*(turns.c[name] for name in ("message", "verb", "notice", "edited_at", "covers", "slip")), *SHOWN)
"""What `turn_of` makes a turn of."""

MINE = and_(turns.c.workspace == bindparam("workspace"), turns.c.session == bindparam("session"))
"""The turns of the session whose `workspace` and `session` a statement is given."""

OPEN = turns.c.progress.in_((fixed(Progress.WAITING), fixed(Progress.ANSWERED)))
"""Questions that are not over."""

WAITS = and_(turns.c.slip.is_not(None), OPEN)
"""The same. The slip, which they all have, leads to their index."""

_LOOKED_AT = 2_000  # rows, of which no index tells whose they are
_TAKES_PART = 5_000  # of them, in which who takes part in a session has said something


def first_waiting(connection: Connection, key: SessionKey, most: int) -> list[Turn]:
    """The turns that wait to be answered, at most so many, in the order in which they were said."""
    found = _FIRST_WAITING.each(connection, partial(waiting_turn, key), **place(key), most=most)
    return quoting(connection, key, found)


def waiting(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """This turn, if it is still to be answered."""
    found = _ONE_WAITING.each(connection, partial(waiting_turn, key), **place(key), seq=seq)
    return quoting(connection, key, found)[0] if found else None


def leave_out(connection: Connection, key: SessionKey, seqs: Collection[int]) -> None:
    """What was said in these turns is over, and never shown to the model again: its provider will not read it."""
    over = and_(not_(OPEN), turns.c.validity != Validity.ERASED, turns.c.seq.in_(seqs))
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    connection.execute(update(turns).where(mine, over).values(progress=Progress.REFUSED))


def last_said(connection: Connection, key: SessionKey, author: str, *, before: int) -> float | None:
    """When this person last said something here before that seq, commands aside; None for never, or too long ago."""
    lately = select(turns.c.at, turns.c.author, turns.c.kind).where(MINE, turns.c.seq < before)
    newest = lately.order_by(turns.c.seq.desc()).limit(_LOOKED_AT).subquery()
    talk = newest.c.kind.in_((Kind.SAID, Kind.OVERHEARD))
    said = select(func.max(newest.c.at)).where(newest.c.author == author, talk)
    at: int | None = connection.execute(said, place(key)).scalar_one()
    return None if at is None else seconds(at)


def has_said(connection: Connection, key: SessionKey, author: str) -> bool:
    """Whether this person has said something to us in this session, in its newest 5,000 turns; a command is none."""
    lately = select(turns.c.seq, turns.c.author, turns.c.kind).where(MINE).order_by(turns.c.seq.desc())
    newest = lately.limit(_TAKES_PART).subquery()
    theirs = select(newest.c.seq).where(newest.c.author == author, newest.c.kind == Kind.SAID).limit(1)
    return connection.execute(theirs, place(key)).first() is not None


def place(key: SessionKey) -> dict[str, int]:
    """What `MINE` is looked up by."""
    return {"workspace": key.workspace, "session": key.session}


# looked up like this, they are ten times as fast
_ROLES, _KINDS, _PROGRESS, _VALIDITY = tuple(Role), tuple(Kind), tuple(Progress), tuple(Validity)


@lru_cache(4096)
def _author(number: str, name: str) -> Author:
    """The same few people speak."""
    return Author(id=number, name=str(name))  # SQLite may have bytes there


def showing(key: SessionKey) -> Callable[[*Shown], Turn]:
    """What makes turns of this session's rows: a window has so many that opening nothing would be felt."""
    return _plain if bodies.are_plain() else partial(shown, key)


def shown(key: SessionKey, *shown: *Shown) -> Turn:
    """A row as the rest of the core sees it, but for its quotes, which few have: `quoting` reads those."""
    seq, role, kind, progress, validity, body, tokens, at, author, name, pointed = shown
    try:
        return (_opened if len(body) <= _SHORT else _opened.__wrapped__)(key.workspace, key.session, *shown)
    except (bodies.NotOpened, UnicodeDecodeError, TypeError):  # SQLite may have a number there
        words, known = bodies.TURN.open(key, (seq, role), body), name and bodies.NAME.open(key, (seq, role), name)
        return _made(seq, role, kind, progress, validity, words, tokens, at, author, known, pointed)


_MOST, _SHORT = 8_192, 1_024  # turns; bytes of a body


@lru_cache(_MOST)
def _opened(workspace: int, session: int, *shown: *Shown) -> Turn:
    """A window is read again for every answer, and all but its newest message was in the one before.

    Raises NotOpened, or UnicodeDecodeError.
    """
    seq, role, kind, progress, validity, body, tokens, at, author, name, pointed = shown
    lately = _sealed.get((workspace, session, seq, role))
    if lately is not None and lately[:2] == (body, name):
        words, known = lately[2:]
    else:
        mine, row = bodies.Mine(workspace, session), (seq, role)
        words, known = bodies.TURN.read(mine, row, body), name and bodies.NAME.read(mine, row, name)
    return _made(seq, role, kind, progress, validity, words, tokens, at, author, known, pointed)


bodies.until_forgotten(_opened.cache_clear)

_LATELY = 1_024  # turns
_sealed: dict[tuple[int, int, int, int], tuple[bytes, str | None, str, str | None]] = {}
bodies.until_forgotten(_sealed.clear)


def sealed(
    key: SessionKey, seq: int, role: int, words: str, name: str | None = None, *, by: str = ""
) -> tuple[bytes, str | None]:
    """A turn's words and its author's name as they are stored; the next window has them without opening them."""
    body = bodies.TURN.seal(key, (seq, role), words, by=by)
    known = bodies.NAME.seal(key, (seq, role), name, by=by)
    if len(body) <= _SHORT and not bodies.are_plain():
        if len(_sealed) >= _LATELY:
            _sealed.clear()
        _sealed[key.workspace, key.session, seq, role] = body, known, bodies.as_read(words), name
    return body, known


def _plain(
    seq: int,
    role: int,
    kind: int,
    progress: int,
    validity: int,
    body: bytes,
    tokens: int,
    at: int,
    author: str | None,
    name: str | None,
    pointed: int | None,
) -> Turn:
    """The same, where bodies are stored as they are."""
    try:
        words = body.decode()
    except (UnicodeDecodeError, AttributeError):  # others seal by now, and we have no key; or it is no bytes at all
        words = bodies.LOST
    return _made(seq, role, kind, progress, validity, words, tokens, at, author, name, pointed)


def _made(
    seq: int,
    role: int,
    kind: int,
    progress: int,
    validity: int,
    words: str,
    tokens: int,
    at: int,
    author: str | None,
    name: str | None,
    pointed: int | None,
) -> Turn:
    by = None if author is None else _author(author, name or "")
    told = (seq, _ROLES[role], _KINDS[kind], _PROGRESS[progress], _VALIDITY[validity], words, tokens, seconds(at), by)
    shown = tuple.__new__(Turn, told + _UNTOLD)
    return shown if pointed is None else shown._replace(quotes=_LATER)


_UNTOLD = Turn(0, Role.PERSON, Kind.SAID, Progress.DONE, Validity.STANDS, "", 0, 0.0)[9:]
"""What a window shows of no turn. A turn of which this needn't be asked first is made in half the time."""

_LATER = (Quote(kind="replies to"),)
"""In place of quotes that are still to be read."""


def quoting(connection: Connection, key: SessionKey, found: list[Turn]) -> list[Turn]:
    """The turns with what they point at."""
    pointing = [one.seq for one in found if one.quotes is _LATER]
    if not pointing:
        return found
    known = quotes.of(connection, key, pointing)
    return [one._replace(quotes=known.get(one.seq, ())) if one.quotes is _LATER else one for one in found]


def turn_of(key: SessionKey, row: Row[*tuple[object, ...]]) -> Turn:
    """The turn in a row of this session that has these columns and others, without what it points at."""
    return _turn(key, *(getattr(row, one.name) for one in COLUMNS))._replace(quotes=())


def _turn(
    key: SessionKey,
    message: str | None,
    verb: str | None,
    notice: str | None,
    edited_at: int | None,
    covers: int | None,
    slip: str | None,
    *shown: *Shown,
) -> Turn:
    seq, role, *_ = shown
    opened = bodies.SLIP.open(key, (seq, role), slip)
    return showing(key)(*shown)._replace(
        message=message,
        verb=verb,
        notice=notice,
        edited_at=None if edited_at is None else seconds(edited_at),
        covers=covers,
        slip=slips.read(opened),
    )


def burst(question: Turn) -> tuple[int, ...]:
    """The seqs of the messages that this one has joined, which its answer is for as well; the oldest first."""
    seqs, slip = list[int](), question.slip
    while slip.joins is not None and slip.joined is not None:
        seqs.append(slip.joins)
        slip = slips.read(slip.joined)
    return tuple(reversed(seqs))


def waiting_turn(key: SessionKey, begun: object, preferred: bytes | None, *columns: object) -> Turn:
    """The turn in a row of `all_waiting`."""
    turn = _turn(key, *columns)._replace(begun=bool(begun))  # type: ignore[arg-type]  # they are COLUMNS
    return preferring(key, turn, preferred)


def preferring(key: SessionKey, turn: Turn, stored: bytes | None) -> Turn:
    """The turn with its author's preferences, as they are stored."""
    if stored is None or turn.author is None:
        return turn
    return turn._replace(preferences=preferences.opened(key, turn.author.id, stored))


def answer(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """The answer to this turn that is remembered, if there is one."""
    found = _ANSWER.each(connection, partial(_turn, key), **place(key), seq=seq)
    return found[0] if found else None


def all_waiting(*beside: Label[str | None]) -> Select[*tuple[object, ...]]:
    """The turns that wait, with these columns before theirs."""
    begun = (
        exists()
        .where(deliveries.c.workspace == turns.c.workspace, deliveries.c.session == turns.c.session)
        .where(deliveries.c.seq == turns.c.seq)
    )
    waits = and_(WAITS, turns.c.role == fixed(Role.PERSON))
    preferred = preferences.body(turns.c.workspace, turns.c.author)
    return select(*beside, begun.label("begun"), preferred, *COLUMNS).where(MINE, waits)


def first_of(waiting: Select[*tuple[object, ...]]) -> Select[*tuple[object, ...]]:
    """At most so many of them, in the order in which they were said."""
    return waiting.order_by(turns.c.at, turns.c.seq).limit(bindparam("most"))


_FIRST_WAITING = Prepared(lambda _: first_of(all_waiting()), waiting_turn)
_ONE_WAITING = Prepared(lambda _: all_waiting().where(turns.c.seq == bindparam("seq")), waiting_turn)
_ANSWER = Prepared(
    lambda _: select(*COLUMNS).where(MINE, turns.c.seq == bindparam("seq"), turns.c.role == fixed(Role.ASSISTANT)),
    _turn,
)
