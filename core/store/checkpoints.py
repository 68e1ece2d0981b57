"""Checkpoints: texts in place of turns that were folded. What is stored is a tree, what is shown a cut of it.

A checkpoint is made of turns, and never changes but with them. Over eight of them stands a node, over eight nodes
another: of these the old summary is made, never of the one before it. When a turn changes, all that tells of it loses
its words at once, and is made again before it is shown.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, and_, case, delete, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import checkpoints, sessions, turns
from core.session import Checkpoint, Fold, Kind, Progress, SessionKey, Turn, Validity
from core.store import bodies, folds
from core.store.engine.sql import micro, now, seconds
from core.store.recalling import BARE, FIRST
from core.store.remembered import newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A text that the model has written of the turns from the `first` seq to the `last`, or of what tells of them."""

    kind: Fold
    level: int
    first: int
    last: int
    since: float
    until: float
    text: str
    tokens: int
    model: str


class Boundary(NamedTuple):
    """What a fold was planned on: the newest number, and of the turns that it tells of, how many there are.

    They are those from the `first` seq to the `last`. `changes` counts how often their words have changed, `waiting`
    those that are still to be answered.
    """

    newest: int
    turns: int
    changes: int
    waiting: int
    first: int
    last: int


def read(connection: Connection, key: SessionKey, ranges: Iterable[tuple[int, int]], *, budget: int) -> list[Turn]:
    """The turns of the ranges that are to be folded, from the first seq of each to its last; newest first.

    Between them may lie more than the budget, of which others tell: that is passed over.
    """
    covered, after = list[tuple[int, int]](), FIRST
    for first, last in sorted(ranges):
        covered.append((after, first - 1))
        after = last + 1
    return newest(connection, key, budget=budget, before=after, covered=covered)


def tree(connection: Connection, key: SessionKey) -> list[Checkpoint]:
    """All checkpoints and nodes that stand, in view, without their words: in the order of what they tell of."""
    rows = _all(key, Fold.CHECKPOINT, Fold.NODE).order_by(checkpoints.c.first, checkpoints.c.level.desc())
    return [_bare(row) for row in connection.execute(rows).all()]


def start(connection: Connection, key: SessionKey) -> int:
    """The seq behind which the turns in view begin: what the first checkpoint tells of begins there, too."""
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    begins: int = connection.execute(select(sessions.c.start).where(here)).scalar_one()
    first = connection.execute(select(func.min(turns.c.seq)).where(mine, turns.c.seq > begins)).scalar_one()
    return begins if first is None else first - 1


def forget(connection: Connection, key: SessionKey) -> None:
    """Takes all of a session's out of memory: every word that was said there is gone."""
    connection.execute(delete(checkpoints).where(_mine(key)))


def words(connection: Connection, key: SessionKey, numbers: Collection[int]) -> dict[int, str]:
    """The words of these checkpoints, by their numbers; of those that stand."""
    stand = and_(checkpoints.c.validity == Validity.STANDS, checkpoints.c.number.in_(numbers))
    rows = select(checkpoints.c.number, checkpoints.c.body).where(_mine(key), stand)
    return {row.number: bodies.CHECKPOINT.open(key, (row.number,), row.body) for row in connection.execute(rows).all()}


def boundary(connection: Connection, key: SessionKey, first: int, last: int) -> Boundary:
    """What a fold that tells of the turns in this range is held against when it is stored; read before them."""
    number = select(func.coalesce(func.max(checkpoints.c.number), 0)).where(_mine(key)).scalar_subquery()
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    here = and_(mine, turns.c.seq.between(first, last), turns.c.kind.not_in((Kind.COMMAND, Kind.NOTICE)))
    waits = turns.c.progress == Progress.WAITING
    hidden = or_(turns.c.progress == Progress.REFUSED, turns.c.validity.not_in((Validity.STANDS, Validity.STALE)))
    counted = select(
        number,
        func.coalesce(func.sum(case((or_(waits, hidden), 0), else_=1)), 0),
        func.coalesce(func.sum(turns.c.changes), 0),
        func.coalesce(func.sum(case((waits, 1), else_=0)), 0),
    )
    return Boundary(*connection.execute(counted.where(here)).one(), first, last)


def commit(connection: Connection, key: SessionKey, made: Sequence[Made], planned: Boundary) -> bool:
    """Stores what a fold has made, all or nothing: in the order of a plan, so what is made of others behind them.

    False where it is superseded: another fold came first, a turn that it tells of has changed, or one waits there.
    What it stands for from now on is taken out: the old summary and the state before, and stale ones.
    """
    connection.execute(_locked(key))
    if planned.waiting or boundary(connection, key, planned.first, planned.last) != planned:
        return False
    for number, one in enumerate(made, planned.newest + 1):
        _replace(connection, key, one)
        row = {
            "workspace": key.workspace,
            "session": key.session,
            "number": number,
            "kind": one.kind,
            "level": one.level,
            "first": one.first,
            "last": one.last,
            "since": micro(one.since),
            "until": micro(one.until),
            "tokens": one.tokens,
            "validity": Validity.STANDS,
            "changes": 0,
            "made_at": now(connection),
            "model": one.model,
            "body": bodies.CHECKPOINT.seal(key, (number,), one.text),
        }
        connection.execute(checkpoints.insert().values(row))
    return True


def _replace(connection: Connection, key: SessionKey, one: Made) -> None:
    """Takes out what this stands in place of: nothing shows it any more, in whatever view."""
    inside = and_(checkpoints.c.first >= one.first, checkpoints.c.last <= one.last)
    same = and_(_mine(key), checkpoints.c.kind == one.kind, checkpoints.c.level == one.level, inside)
    stale = checkpoints.c.validity == Validity.STALE
    gone = same if one.kind in (Fold.OLD, Fold.STATE) else and_(same, stale)
    connection.execute(delete(checkpoints).where(gone))


def outdate(connection: Connection, key: SessionKey, seq: int) -> None:
    """Takes the words of all that tells of this turn out of memory, in view or not: the turn has changed, or gone.

    They are due to be made again.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    changed = {"changes": func.coalesce(turns.c.changes, 0) + 1}
    connection.execute(update(turns).where(mine, turns.c.seq == seq).values(changed))
    tells = and_(_mine(key), checkpoints.c.first <= seq, checkpoints.c.last >= seq)
    stale = {"validity": Validity.STALE, "body": b"", "changes": checkpoints.c.changes + 1}
    if connection.execute(update(checkpoints).where(tells).values(stale)).rowcount:
        folds.mark(connection, key)


def stale(connection: Connection, key: SessionKey) -> list[Checkpoint]:
    """What is to be made again before it is shown, in view: in this order, as each is made of those before it."""
    rows = _all(key, *Fold, validity=Validity.STALE)
    ordered = rows.order_by(checkpoints.c.kind, checkpoints.c.level, checkpoints.c.first)
    return [_bare(row) for row in connection.execute(ordered).all()]


def remade(connection: Connection, key: SessionKey, old: Checkpoint, *, text: str, tokens: int, model: str) -> bool:
    """Puts a text that was made again in place of the stale one.

    False where something that it tells of has changed again meanwhile.
    """
    connection.execute(_locked(key))
    same = and_(_mine(key), checkpoints.c.number == old.number, checkpoints.c.changes == old.changes)
    body = bodies.CHECKPOINT.seal(key, (old.number,), text)
    fresh = {"validity": Validity.STANDS, "body": body, "tokens": tokens, "model": model, "made_at": now(connection)}
    this = and_(same, checkpoints.c.validity == Validity.STALE)
    return connection.execute(update(checkpoints).where(this).values(fresh)).rowcount > 0


def dissolve(connection: Connection, key: SessionKey, old: Checkpoint) -> None:
    """Takes out a stale checkpoint, and what is over it, so that its turns are folded anew, in whatever pieces.

    Nothing where it has changed again meanwhile.
    """
    connection.execute(_locked(key))
    stale = and_(_mine(key), checkpoints.c.validity == Validity.STALE)
    same = and_(stale, checkpoints.c.number == old.number, checkpoints.c.changes == old.changes)
    if connection.execute(select(checkpoints.c.number).where(same)).first():
        over = and_(stale, checkpoints.c.first <= old.first, checkpoints.c.last >= old.last)
        connection.execute(delete(checkpoints).where(over))


def _all(key: SessionKey, *kinds: Fold, validity: Validity = Validity.STANDS) -> Select[*tuple[object, ...]]:
    """Those of these kinds that are in view, without their words."""
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    begins = select(sessions.c.start).where(here).scalar_subquery()
    which = and_(_mine(key), checkpoints.c.validity == validity, checkpoints.c.kind.in_(kinds))
    return select(*BARE).where(which, checkpoints.c.first > begins)


def _bare(row: Row[*tuple[object, ...]]) -> Checkpoint:
    return Checkpoint(
        number=row.number,
        kind=Fold(row.kind),
        level=row.level,
        first=row.first,
        last=row.last,
        since=seconds(row.since),
        until=seconds(row.until),
        tokens=row.tokens,
        changes=row.changes,
    )


def _locked(key: SessionKey) -> Select[*tuple[object, ...]]:
    """The session's row, which nobody else changes until the end of the transaction."""
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    return select(sessions.c.fence).where(here).with_for_update()


def _mine(key: SessionKey) -> ColumnElement[bool]:
    return and_(checkpoints.c.workspace == key.workspace, checkpoints.c.session == key.session)
