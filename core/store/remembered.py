"""What is remembered: the newest turns in view, as a window reads them, and how many there are."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select

from core.schema import sessions, turns
from core.session import OVERHEARD_BEFORE_QUESTION, Kind, Progress, SessionKey, Turn, Validity
from core.store.engine.prepared import Prepared
from core.store.engine.sql import fixed, seconds
from core.store.turns import MINE, SHOWN, place, quoting, showing, shown

_ORDINARY = 64  # tokens of an ordinary turn, with which a page is as long as the window
_LONGEST_PAGE = 128  # rows; there are long turns as well
_LAST = 2**31 - 1  # no seq is greater
_BEFORE_ALL = -(2**31)  # all are
_PARTS = 5  # a window gives a turn, and a stretch of what was overheard, one part in so many at least
_STRETCH = 2 * OVERHEARD_BEFORE_QUESTION  # of them are read: they may not have reached us as they were said

_START = (
    select(sessions.c.start)
    .where(sessions.c.workspace == bindparam("workspace"), sessions.c.session == bindparam("session"))
    .scalar_subquery()
)
HAS_WORDS = or_(turns.c.kind != fixed(Kind.OVERHEARD), turns.c.tokens > fixed(0))
"""What was overheard without its words being stored is known, and not remembered."""
_COUNTS = and_(
    MINE,
    HAS_WORDS,
    turns.c.kind.not_in((fixed(Kind.COMMAND), fixed(Kind.NOTICE))),
    turns.c.progress.not_in((fixed(Progress.WAITING), fixed(Progress.REFUSED))),
    turns.c.validity.in_((fixed(Validity.STANDS), fixed(Validity.STALE))),
)
_SAID = and_(_COUNTS, turns.c.seq > _START)

MOST = 2_000
"""Turns are counted up to this many, and one more where there are more: a long session costs no more than that."""


def newest(
    connection: Connection,
    key: SessionKey,
    *,
    budget: int,
    before: int = _LAST,
    question: Turn | None = None,
    covered: Collection[tuple[int, int]] = (),
) -> list[Turn]:
    """The newest of the session's own turns in view whose tokens together exceed `budget`, or all; newest first.

    Between them is what was overheard, of which as much again at most, and of each stretch no more than its end.
    Only those with a seq below `before` count, none of what was overheard since the `question`, and none in the ranges
    that are `covered`, from the first seq to the last: those are passed over. An oversized turn counts as a fifth of
    the budget, as the window will cut it. A question comes with its answer. Turns that wait and commands are not among
    them. Costs the same in a long session as in a short one, however much was overheard. They have what a window shows
    of them, and no more.
    """
    reading = _Reading(connection, key, budget, question)
    for after, last in _between(covered, before - 1):
        if not reading.reads(after, last):
            break
    return quoting(connection, key, reading.found)


def _between(covered: Collection[tuple[int, int]], last: int) -> Iterator[tuple[int, int]]:
    """What these ranges leave of the seqs up to the last one, newest first; each without its lower end."""
    for begins, ends in sorted(covered, reverse=True):
        if ends < last:
            yield ends, last
        last = min(last, begins - 1)
    if last > _BEFORE_ALL:
        yield _BEFORE_ALL, last


def last_own(
    connection: Connection, key: SessionKey, *, before: int, covered: Collection[tuple[int, int]] = ()
) -> int | None:
    """The newest seq below that one of the session's own turns in view, but for those in the ranges that are covered.

    None where there is none.
    """
    for after, last in _between(covered, before - 1):
        found: int | None = connection.execute(_LAST_OWN, {**place(key), "last": last, "after": after}).scalar_one()
        if found is not None:
            return found
    return None


class _Reading:
    """Turns of one session, read from the newest on until there are enough."""

    def __init__(self, connection: Connection, key: SessionKey, budget: int, question: Turn | None) -> None:
        self.found: list[Turn] = []
        self._connection = connection
        self._here = place(key)
        self._question = question
        self._shown = showing(key)
        self._page = min(budget // _ORDINARY + 2, _LONGEST_PAGE)
        self._most = budget // _PARTS
        self._left = self._beside = budget
        self._stretch, self._gap, self._later = 0, self._most, 0

    def reads(self, after: int, last: int) -> bool:
        """Takes the turns with seqs up to the last one that come after that other; whether it takes more."""
        seen = 0
        below: int | None = last
        while below is not None and below > after:
            most = self._page + seen
            rows = _NEWEST.each(self._connection, self._shown, **self._here, last=below, after=after, most=most)
            below = rows[-1].seq if len(rows) == most else None
            for one in rows[seen:] if seen else rows:
                if one.kind is Kind.OVERHEARD:
                    if not self._hears(one):
                        below, rows = _BEFORE.first(self._connection, **self._here, seq=one.seq), []
                        break
                    if self._is_later(one):
                        continue
                elif not self._takes(one):
                    return False
                self.found.append(one)
            # A page may part a question from its answer, so the next one starts at the same seq, without what was seen.
            seen = sum(1 for row in rows[-2:] if row.seq == below)
        return True

    def _hears(self, one: Turn) -> bool:
        """Whether what was overheard is read: not what is too far back, nor more than there is room for."""
        if self._is_later(one):
            self._later += 1
            return self._later <= _STRETCH
        self._stretch += 1
        if self._stretch > _STRETCH or self._beside < 0:
            return False
        if self._stretch <= OVERHEARD_BEFORE_QUESTION:
            charged = min(one.tokens, self._gap)
            self._gap -= charged
            self._beside -= charged
        return True

    def _is_later(self, one: Turn) -> bool:
        """Whether it was overheard since the question; what was said before that may have reached us after it."""
        asked = self._question
        return asked is not None and one.seq >= asked.seq and one.at >= asked.at

    def _takes(self, one: Turn) -> bool:
        """Whether there is room for a turn of the session's own."""
        if self._left < 0 and one.seq != self.found[-1].seq:
            return False
        self._stretch, self._gap = 0, self._most
        self._left -= min(one.tokens, self._most)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many turns are in view, how many of them were overheard, and when the first was said (since 1970).

    Where there are more than `MOST`, it is the newest that are counted.
    """

    all: int
    overheard: int
    since: float | None

    @property
    def is_more(self) -> bool:
        """Whether there are more than are counted."""
        return self.all > MOST


def count(connection: Connection, key: SessionKey) -> Count:
    """What the newest segment shows."""
    number, overheard, since = connection.execute(_COUNT, place(key)).one()
    if number > MOST:
        since = connection.execute(_OLDEST, place(key)).scalar_one()
    return Count(all=number, overheard=overheard or 0, since=None if since is None else seconds(since))


def start(connection: Connection, key: SessionKey) -> int:
    """The seq behind which the turns in view begin."""
    begins: int = connection.execute(select(_START), place(key)).scalar_one()
    return begins


def aside(connection: Connection, key: SessionKey, seq: int) -> int:
    """How many turns behind this seq are in view no more, since that begins later; counted as far as `count` does."""
    number: int = connection.execute(_ASIDE, {**place(key), "seq": seq}).scalar_one()
    return number


_IS_OVERHEARD = case((turns.c.kind == fixed(Kind.OVERHEARD), fixed(1)), else_=fixed(0))
_BACKWARDS = (turns.c.seq.desc(), turns.c.role.desc())
_COUNTED = (
    select(_IS_OVERHEARD.label("overheard"), turns.c.at).where(_SAID).order_by(*_BACKWARDS).limit(MOST + 1).subquery()
)
_COUNT = select(func.count(), func.sum(_COUNTED.c.overheard), func.min(_COUNTED.c.at)).select_from(_COUNTED)
_OLDEST = select(turns.c.at).where(_SAID).order_by(turns.c.seq, turns.c.role).limit(1)
_GONE = (
    select(turns.c.seq).where(_COUNTS, turns.c.seq > bindparam("seq"), turns.c.seq <= _START).limit(MOST + 1).subquery()
)
_ASIDE = select(func.count()).select_from(_GONE)


_LAST_OWN = select(func.max(turns.c.seq)).where(
    _SAID,
    turns.c.kind != fixed(Kind.OVERHEARD),
    turns.c.seq <= bindparam("last"),
    turns.c.seq > bindparam("after"),
)
_NEWEST = Prepared(
    lambda _: (
        select(*SHOWN)
        .where(_SAID, turns.c.seq <= bindparam("last"), turns.c.seq > bindparam("after"))
        .order_by(turns.c.seq.desc(), turns.c.role.desc())
        .limit(bindparam("most"))
    ),
    shown,
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
