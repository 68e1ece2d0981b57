"""The ledger: one row for each call of the model, whatever became of it, with what it cost."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, Float, and_, case, func, literal, select

from core.schema import calls, turns
from core.session import Role, SessionKey, Validity
from core.store.engine.sql import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a model, and what became of it.

    `call` is a number of its own, `at` is in milliseconds since 1970. Tokens are as the API billed them; `estimated`
    says that it did not tell, and that they are our own count.

    `outcome` is "answered", "length" or "filter" for an answer that was cut, "stopped", or the name of an error.
    """

    workspace: int
    call: int
    session: int
    seq: int
    at: int
    author: str | None
    purpose: str
    model: str
    outcome: str
    shown: int
    cached: int
    cache_written: int
    written: int
    reasoning: int
    estimated: bool


def record(connection: Connection, call: Call) -> None:
    """Repeatable: a call has a number of its own. For whom it was is not kept where its question is gone by now."""
    mine = and_(turns.c.workspace == call.workspace, turns.c.session == call.session, turns.c.seq == call.seq)
    gone = and_(mine, turns.c.role == Role.PERSON, turns.c.validity == Validity.ERASED)
    is_gone = connection.execute(select(turns.c.seq).where(gone)).first() is not None
    row = asdict(call) | ({"author": None} if is_gone else {})
    connection.execute(insert(connection.dialect.name, calls).values(row).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What the call that wrote an answer has cost, in tokens, as in `Call`."""

    shown: int
    cached: int
    written: int
    estimated: bool


def billed(connection: Connection, key: SessionKey, seq: int) -> Billed | None:
    """The same of the answer with this seq; None where it is not known."""
    mine = and_(calls.c.workspace == key.workspace, calls.c.session == key.session, calls.c.seq == seq)
    wrote = calls.c.outcome.in_(("answered", "length", "filter", "stopped"))
    columns = [calls.c[one.name] for one in fields(Billed)]
    row = connection.execute(select(*columns).where(mine, wrote).order_by(calls.c.call.desc())).mappings().first()
    return None if row is None else Billed(**row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the calls of one kind have cost together, in tokens: those of one model that told it, or did not.

    Each was shown more tokens than `above`, and no more than the next larger size that was asked for. They are so many
    `calls`.
    """

    model: str
    estimated: bool
    above: float
    shown: int
    cached: int
    cache_written: int
    written: int
    calls: int = 1


_KINDS = ("model", "estimated", "above")
_SUMMED = ("shown", "cached", "cache_written", "written")

MOST = 1_000
"""So many calls of a session are summed, the newest: a long session costs no more than that."""


def spent(connection: Connection, key: SessionKey, sizes: Collection[float]) -> list[Spent]:
    """What a session has cost so far, by model, by who counted, and by which of these sizes its requests were above.

    Of more calls than `MOST`, the newest.
    """
    mine = and_(calls.c.workspace == key.workspace, calls.c.session == key.session)
    newest = select(calls).where(mine).order_by(calls.c.seq.desc(), calls.c.call.desc()).limit(MOST).subquery()
    steps = [(newest.c.shown > size, literal(size, Float)) for size in sorted(sizes, reverse=True)]
    nothing = literal(0.0, Float)
    kinds = [newest.c.model, newest.c.estimated, (case(*steps, else_=nothing) if steps else nothing).label(_KINDS[-1])]
    sums = [func.sum(newest.c[name]).label(name) for name in _SUMMED]
    summed = select(*kinds, *sums, func.count().label("calls")).group_by(*_KINDS).order_by(*_KINDS)
    return [Spent(**row) for row in connection.execute(summed).mappings()]
