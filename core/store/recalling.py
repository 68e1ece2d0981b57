"""Recalling: what a session remembers, as a window shows it: checkpoints in place of folded turns, and the turns."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, or_, select
from sqlalchemy.sql.elements import ColumnElement

from core.schema import checkpoints, sessions
from core.session import Checkpoint, Fold, SessionKey, Turn, Validity
from core.store import bodies
from core.store.engine.prepared import Prepared
from core.store.engine.sql import fixed, seconds
from core.store.remembered import newest
from core.store.turns import place

FIRST, LAST = -(2**31), 2**31 - 1
"""No seq is outside."""


def shown(connection: Connection, key: SessionKey) -> list[Checkpoint]:
    """What is shown in place of folded turns: the old summary, the checkpoints after it, oldest first, the state.

    Only what stands, and tells of nothing that is out of view. A checkpoint that no old summary stands for is among
    them wherever it is, as after an undo.
    """
    return _shown(connection, key, _above(connection, key))


def _above(connection: Connection, key: SessionKey) -> list[Checkpoint]:
    """The old summaries and states, and the checkpoints that are stale; newest first."""
    return _ABOVE.each(connection, partial(_opened, key), **place(key))


def _shown(connection: Connection, key: SessionKey, above: Sequence[Checkpoint]) -> list[Checkpoint]:
    old = [one for one in above if one.kind is Fold.OLD]
    state = max((one for one in above if one.kind is Fold.STATE), key=lambda one: one.last, default=None)
    cut = list(_cut(connection, key, old, FIRST, LAST))
    return [*cut, state] if cut and state is not None else cut


class Recalled(NamedTuple):
    """What a session remembers: the texts that are shown, and the turns that no checkpoint is of, newest first."""

    checkpoints: list[Checkpoint]
    turns: list[Turn]


def recall(
    connection: Connection, key: SessionKey, *, budget: int, before: int = LAST, question: Turn | None = None
) -> Recalled:
    """All that a window of this budget can show, or a fold of more than one window can take in, as it is now.

    Only what was said `before` that seq, and what tells of nothing else, and nothing that was overheard since the
    `question`. Turns that are to be told again are not among them: they would take the room of newer ones.
    """
    above = _above(connection, key)
    told = [one for one in _shown(connection, key, above) if one.last < before]
    stale = [one for one in above if one.kind is Fold.CHECKPOINT]
    covered = [(one.first, one.last) for one in (*told, *stale) if one.kind is not Fold.STATE]
    return Recalled(told, newest(connection, key, budget=budget, before=before, question=question, covered=covered))


def _cut(
    connection: Connection, key: SessionKey, old: Sequence[Checkpoint], first: int, last: int
) -> Iterator[Checkpoint]:
    """What is shown in place of the turns of this range, oldest first; `old` are the old summaries, newest first."""
    inside = next((one for one in old if one.first >= first and one.last <= last), None)
    if inside is not None:
        yield from _cut(connection, key, old, first, inside.first - 1)
        yield inside
        yield from _cut(connection, key, old, inside.last + 1, last)
        return
    if first <= last:
        yield from _side_by_side(_WITHIN.each(connection, partial(_opened, key), **place(key), begins=first, ends=last))


def _side_by_side(parts: Iterable[Checkpoint]) -> Iterator[Checkpoint]:
    """Those that tell of no turn twice, oldest first: two that were made in two views may reach into one another."""
    end: int | None = None
    for part in sorted(parts, key=lambda one: one.first):
        if end is None or part.first > end:
            yield part
            end = part.last


_COLUMNS = ("number", "kind", "level", "first", "last", "since", "until", "tokens", "changes")
BARE = tuple(checkpoints.c[name] for name in _COLUMNS)
"""A checkpoint's columns, without its words."""

_MINE = and_(
    checkpoints.c.workspace == bindparam("workspace"),
    checkpoints.c.session == bindparam("session"),
)
_START = (
    select(sessions.c.start)
    .where(sessions.c.workspace == bindparam("workspace"), sessions.c.session == bindparam("session"))
    .scalar_subquery()
)


def _are(validity: Validity, *kinds: Fold) -> ColumnElement[bool]:
    return and_(checkpoints.c.validity == fixed(validity), checkpoints.c.kind.in_([fixed(one) for one in kinds]))


def _in_view(which: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    """Those of them that are in view, with their words; the parameters are those of `place`."""
    return select(*BARE, checkpoints.c.body).where(_MINE, which, checkpoints.c.first > _START)


def _opened(
    key: SessionKey,
    number: int,
    kind: int,
    level: int,
    first: int,
    last: int,
    since: int,
    until: int,
    tokens: int,
    changes: int,
    body: bytes,
) -> Checkpoint:
    return Checkpoint(
        number=number,
        kind=Fold(kind),
        level=level,
        first=first,
        last=last,
        since=seconds(since),
        until=seconds(until),
        tokens=tokens,
        text=bodies.CHECKPOINT.open(key, (number,), body) if body else "",
        changes=changes,
    )


_ABOVE = Prepared(
    lambda _: _in_view(
        or_(_are(Validity.STANDS, Fold.OLD, Fold.STATE), _are(Validity.STALE, Fold.CHECKPOINT))
    ).order_by(checkpoints.c.number.desc()),
    _opened,
)
_WITHIN = Prepared(
    lambda _: (
        _in_view(_are(Validity.STANDS, Fold.CHECKPOINT))
        .where(checkpoints.c.first >= bindparam("begins"), checkpoints.c.last <= bindparam("ends"))
        .order_by(checkpoints.c.last.desc())
    ),
    _opened,
)
