"""Turns: what was said, in an order that never changes. Windows are index ranges of the newest of them."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import lru_cache, partial

from sqlalchemy import Connection, Row, Select, and_, bindparam, case, exists, func, not_, select, update

from core.schema import deliveries, sessions, turns
from core.seam.messages import Author, Quote
from core.session import HEARD_BEFORE_QUESTION, Envelope, Kind, Progress, Role, SessionKey, Turn, Validity
from core.store import bodies, quotes
from core.store.engine.prepared import Prepared
from core.store.engine.sql import fixed, seconds

_ORDINARY = 64  # tokens of an ordinary turn, with which a page is as long as the window
_LONGEST_PAGE = 128  # rows; there are long turns as well
_LAST = 2**31 - 1  # no seq is greater
_STRETCH = 2 * HEARD_BEFORE_QUESTION  # overheard turns that are read: they may not have reached us as they were said


_STATE = ("kind", "progress", "validity")
_SHOWN = tuple(turns.c[name] for name in ("seq", "role", *_STATE, "body", "tokens", "at", "author", "name", "quotes"))
_Shown = tuple[int, int, int, int, int, bytes, int, int, str | None, str | None, int | None]
COLUMNS = (*(turns.c[name] for name in ("message", "verb", "notice", "edited_at", "covers", "envelope")), *_SHOWN)
"""What `turn_of` makes a turn of."""

MINE = and_(turns.c.workspace == bindparam("workspace"), turns.c.session == bindparam("session"))
"""The turns of the session whose `workspace` and `session` a statement is given."""

OPEN = turns.c.progress.in_((fixed(Progress.WAITING), fixed(Progress.ANSWERED)))
"""Questions that are not over."""

WAITS = and_(turns.c.envelope.is_not(None), OPEN)
"""The same. The envelope, which they all have, leads to their index."""

_START = (
    select(sessions.c.start)
    .where(sessions.c.workspace == bindparam("workspace"), sessions.c.session == bindparam("session"))
    .scalar_subquery()
)
_SAID = and_(
    MINE,
    turns.c.seq > _START,
    turns.c.kind.not_in((fixed(Kind.COMMAND), fixed(Kind.NOTICE))),
    turns.c.progress.not_in((fixed(Progress.WAITING), fixed(Progress.REFUSED))),
    turns.c.validity.in_((fixed(Validity.STANDS), fixed(Validity.STALE))),
)
_IS_HEARD = case((turns.c.kind == fixed(Kind.OVERHEARD), fixed(1)), else_=fixed(0))
_COUNT = select(func.count(), func.sum(_IS_HEARD), func.min(turns.c.at)).where(_SAID)


def first_waiting(connection: Connection, key: SessionKey, most: int) -> list[Turn]:
    """The turns that wait to be answered, at most so many, in the order in which they were said."""
    found = _FIRST_WAITING.each(connection, partial(_waiting, key), **place(key), most=most)
    return _quoting(connection, key, found)


def waiting(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """This turn, if it is still to be answered."""
    found = _ONE_WAITING.each(connection, partial(_waiting, key), **place(key), seq=seq)
    return _quoting(connection, key, found)[0] if found else None


def newest(
    connection: Connection, key: SessionKey, *, budget: int, before: int = _LAST, heard: int = _LAST
) -> list[Turn]:
    """The newest of the session's own turns in view whose tokens together exceed `budget`, or all; newest first.

    Between them is what was overheard, of which as much again at most, and of each stretch no more than its end.
    Only those with a seq below `before` count, and of what was overheard those below `heard`. An oversized turn counts
    as half of the budget, as the window will cut it. A question comes with its answer. Turns that wait and commands are
    not among them. Costs the same in a long session as in a short one, however much was overheard. They have what a
    window shows of them, and no more.
    """
    found: list[Turn] = []
    here, page = place(key), min(budget // _ORDINARY + 2, _LONGEST_PAGE)
    half, left, beside, stretch = budget // 2, budget, budget, 0
    last: int | None = before - 1
    seen, shown = 0, _showing(key)
    while last is not None:
        rows = _NEWEST.each(connection, shown, **here, last=last, most=page + seen)
        last = rows[-1].seq if len(rows) == page + seen else None
        for one in rows[seen:] if seen else rows:
            tokens = one.tokens if one.tokens < half else half
            if one.kind is Kind.OVERHEARD:
                stretch += one.seq < heard
                if one.seq >= heard or stretch > _STRETCH or beside < 0:
                    last, rows = _BEFORE.first(connection, **here, seq=one.seq), []
                    break
                beside -= tokens
            elif left < 0 and one.seq != found[-1].seq:
                return _quoting(connection, key, found)
            else:
                stretch = 0
                left -= tokens
            found.append(one)
        # A page may part a question from its answer, so the next one starts at the same seq, without what was seen.
        seen = sum(1 for row in rows[-2:] if row.seq == last)
    return _quoting(connection, key, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many turns are in view, how many of them were overheard, and when the first was said (since 1970)."""

    all: int
    overheard: int
    since: float | None


def count(connection: Connection, key: SessionKey) -> Count:
    """What the newest segment shows."""
    number, overheard, since = connection.execute(_COUNT, place(key)).one()
    return Count(all=number, overheard=overheard or 0, since=None if since is None else seconds(since))


def leave_out(connection: Connection, key: SessionKey, seqs: Collection[int]) -> None:
    """What was said in these turns is over, and never shown to the model again: its provider will not read it."""
    over = and_(not_(OPEN), turns.c.validity != Validity.ERASED, turns.c.seq.in_(seqs))
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    connection.execute(update(turns).where(mine, over).values(progress=Progress.REFUSED))


def place(key: SessionKey) -> dict[str, int]:
    """What `MINE` is looked up by."""
    return {"workspace": key.workspace, "session": key.session}


# looked up like this, they are ten times as fast
_ROLES, _KINDS, _PROGRESS, _VALIDITY = tuple(Role), tuple(Kind), tuple(Progress), tuple(Validity)


@lru_cache(4096)
def _author(number: str, name: str) -> Author:
    """The same few people speak."""
    return Author(id=number, name=name)


def _showing(key: SessionKey) -> Callable[[*_Shown], Turn]:
    """What makes turns of this session's rows: a window has so many that opening nothing would be felt."""
    return _plain if bodies.are_plain() else partial(_shown, key)


def _shown(key: SessionKey, *shown: *_Shown) -> Turn:
    """A row as the rest of the core sees it, but for its quotes, which few have: `_quoting` reads those."""
    seq, role, kind, progress, validity, body, tokens, at, author, name, pointed = shown
    row, words = (seq, role), bodies.TURN.open(key, (seq, role), body).encode()
    return _plain(
        seq, role, kind, progress, validity, words, tokens, at, author, bodies.NAME.open(key, row, name), pointed
    )


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
    shown = Turn(
        seq,
        _ROLES[role],
        _KINDS[kind],
        _PROGRESS[progress],
        _VALIDITY[validity],
        body.decode(),
        tokens,
        seconds(at),
        None if author is None else _author(author, name or ""),
    )
    return shown if pointed is None else shown._replace(quotes=_LATER)


_LATER = (Quote(kind="replies to"),)
"""In place of quotes that are still to be read."""


def _quoting(connection: Connection, key: SessionKey, found: list[Turn]) -> list[Turn]:
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
    envelope: str | None,
    *shown: *_Shown,
) -> Turn:
    seq, role, *_ = shown
    opened = bodies.ENVELOPE.open(key, (seq, role), envelope)
    return _showing(key)(*shown)._replace(
        message=message,
        verb=verb,
        notice=notice,
        edited_at=None if edited_at is None else seconds(edited_at),
        covers=covers,
        envelope=_PLAIN if opened is None else _read(opened),
    )


_PLAIN = Envelope()
_FACTS = tuple(one.name for one in fields(Envelope))


def written(envelope: Envelope) -> str:
    """As JSON, without what says nothing: most messages need nothing but themselves."""
    return json.dumps({name: value for name in _FACTS if (value := getattr(envelope, name))})


def _read(stored: str) -> Envelope:
    """A newer release beside us may have written what we don't know."""
    return Envelope(**{name: value for name, value in json.loads(stored).items() if name in _FACTS})


def joined_to(envelope: str | None) -> tuple[int, str] | None:
    """The seq of the message that this turn has joined in a burst, and that message's own envelope."""
    read = _PLAIN if envelope is None else _read(envelope)
    return None if read.joins is None or read.joined is None else (read.joins, read.joined)


def _waiting(key: SessionKey, begun: object, *columns: object) -> Turn:
    return _turn(key, *columns)._replace(begun=bool(begun))  # type: ignore[arg-type]  # they are COLUMNS


def answer(connection: Connection, key: SessionKey, seq: int) -> Turn | None:
    """The answer to this turn that is remembered, if there is one."""
    found = _ANSWER.each(connection, partial(_turn, key), **place(key), seq=seq)
    return found[0] if found else None


def _all_waiting() -> Select[*tuple[object, ...]]:
    begun = (
        exists()
        .where(deliveries.c.workspace == turns.c.workspace, deliveries.c.session == turns.c.session)
        .where(deliveries.c.seq == turns.c.seq)
    )
    waits = and_(WAITS, turns.c.role == fixed(Role.PERSON))
    return select(begun.label("begun"), *COLUMNS).where(MINE, waits)


_FIRST_WAITING = Prepared(
    lambda _: _all_waiting().order_by(turns.c.at, turns.c.seq).limit(bindparam("most")),
    _waiting,
)
_ONE_WAITING = Prepared(lambda _: _all_waiting().where(turns.c.seq == bindparam("seq")), _waiting)
_NEWEST = Prepared(
    lambda _: (
        select(*_SHOWN)
        .where(_SAID, turns.c.seq <= bindparam("last"))
        .order_by(turns.c.seq.desc(), turns.c.role.desc())
        .limit(bindparam("most"))
    ),
    _shown,
)


def _seq(number: int | None) -> int | None:
    return number


_OWN = and_(MINE, turns.c.seq < bindparam("seq"), turns.c.kind != fixed(Kind.OVERHEARD))
_BEFORE = Prepared(
    lambda _: select(func.coalesce(turns.c.follows, select(func.max(turns.c.seq)).where(_OWN).scalar_subquery())).where(
        MINE, turns.c.seq == bindparam("seq"), turns.c.kind == fixed(Kind.OVERHEARD)
    ),
    _seq,
)
_ANSWER = Prepared(
    lambda _: select(*COLUMNS).where(MINE, turns.c.seq == bindparam("seq"), turns.c.role == fixed(Role.ASSISTANT)),
    _turn,
)
