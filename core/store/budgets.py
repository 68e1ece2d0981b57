"""Budgets: what calls of the model have cost so far, and what is held for those that are being made.

A hold counts for as long as the lease does under which its call is made, or until its own end where there is no lease:
a process that dies frees what it held. What is settled is in `spent` from then on, in the same transaction.
Who reads both reads the holds first, so that what is settled meanwhile may count twice, and never not at all.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Text,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.roles import FromClauseRole

from core.schema import holds, sessions, spent, warned, workspaces
from core.session import Bill, Lease, SessionKey
from core.store import pseudonyms
from core.store.engine.prepared import Prepared
from core.store.engine.sql import clock, filled, fixed, given, insert, now
from core.store.ledger import Spent

MINUTE = 60_000  # milliseconds
"""For so long a request is known as one."""

_TOKENS = ("shown", "cached", "cache_written", "written")
_SUMS = ("calls", *_TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a call may cost at most, in tokens. `seq` is its request: the question, or one of below 0 that an edit has
    made of it; None for what nobody asked for.
    """

    hold: int
    session: int
    seq: int | None
    author: str
    model: str
    shown: int
    written: int


class Reserved(NamedTuple):
    """The same of another call, by its channel. `age` is how many milliseconds ago it was held."""

    session: int
    seq: int | None
    channel: str
    author: str
    model: str
    shown: int
    written: int
    age: int


class Day(NamedTuple):
    """What was spent on one day: `here`, in this channel, or in others, and by the person who asks (`mine`), or not."""

    day: int
    here: bool
    mine: bool
    calls: int
    spent: Spent


def lock(connection: Connection, workspace: int) -> None:
    """Nobody else holds anything of this workspace's budgets until the end of the transaction."""
    connection.execute(select(workspaces.c.workspace).where(workspaces.c.workspace == workspace).with_for_update())


def held(connection: Connection, workspace: int, author: str, *, but: int) -> Sequence[Reserved]:
    """What is held in a workspace now, `but` for this call, and the requests of the last minute.

    What this author has asked for before being forgotten is told as theirs.
    """
    before = pseudonyms.of(connection, workspace, author)
    age = (clock(connection.dialect.name) - holds.c.held_at).label("age")
    lives = _lives(connection)
    facts = [holds.c[name] for name in ("session", "seq", "channel", "author", "model")]
    tokens = [case((lives, holds.c[name]), else_=fixed(0)).label(name) for name in ("shown", "written")]
    counts = and_(holds.c.workspace == workspace, holds.c.hold != but, or_(_is_known(connection), lives))
    rows = [Reserved(**row) for row in connection.execute(select(*facts, *tokens, age).where(counts)).mappings()]
    return [row._replace(author=author) if row.author == before else row for row in rows]


def days(connection: Connection, key: SessionKey, author: str, *, since: int) -> Sequence[Day]:
    """What was spent in a session's workspace from this day on; an author's own also under their pseudonym."""
    here = (spent.c.channel == key.address.channel_address.id).label("here")
    names = (author, pseudonyms.of(connection, key.workspace, author) or author)
    mine = and_(spent.c.author.in_(names), spent.c.author != "").label("mine")
    sums = [func.sum(spent.c[name]).label(name) for name in _SUMS]
    kinds = (spent.c.day, here, mine, spent.c.model, spent.c.above)
    found = select(*kinds, *sums).where(spent.c.workspace == key.workspace, spent.c.day >= since).group_by(*kinds)
    return [
        Day(
            day=row.day,
            here=bool(row.here),
            mine=bool(row.mine),
            calls=int(row.calls),
            spent=Spent(
                model=row.model,
                estimated=False,
                above=float(row.above),
                **{name: int(getattr(row, name)) for name in _TOKENS},
            ),
        )
        for row in connection.execute(found)
    ]


def hold(connection: Connection, key: SessionKey, new: Hold, *, lease: Lease | None, seconds: float) -> None:
    """Holds this, for as long as the lease lasts, or so many seconds without one. Repeatable."""
    row: dict[str, object] = {**asdict(new), "workspace": key.workspace}
    row |= {"channel": key.address.channel_address.id, "held_at": now(connection), "settled": False}
    row |= {"fence": None if lease is None else lease.fence}
    row |= {"until": now(connection) + int(seconds * 1000) if lease is None else None}
    connection.execute(insert(connection.dialect.name, holds).values(row).on_conflict_do_nothing())


def sweep(connection: Connection, workspace: int) -> None:
    """Forgets what counts no more."""
    over = and_(holds.c.workspace == workspace, not_(_is_known(connection)), not_(_lives(connection)))
    connection.execute(delete(holds).where(over))


def book(connection: Connection, key: SessionKey, author: str, bill: Bill, *, seq: int | None = None) -> None:
    """Settles a call that no answer is stored for, once. Repeatable: a call has a number of its own.

    It was for the question with this `seq`, None for what nobody asked for.
    """
    author = pseudonyms.whose(connection, key, seq, author)
    done: dict[str, object] = {"workspace": key.workspace, "hold": bill.hold, "session": key.session, "author": author}
    done |= {"channel": key.address.channel_address.id, "model": bill.model, "held_at": now(connection)}
    done |= {"shown": 0, "written": 0, "settled": True}
    new = insert(connection.dialect.name, holds).values(done)
    known = {"author": author, "shown": 0, "written": 0, "settled": True}
    once = new.on_conflict_do_update(
        index_elements=list(holds.primary_key), set_=known, where=holds.c.settled == false()
    )
    if connection.execute(once).rowcount:
        BILLED.run(connection, workspace=key.workspace, **billed(key, author, bill))
    sweep(connection, key.workspace)


def warn(connection: Connection, workspace: int, channel: str, author: str, cap: str, *, since: int) -> bool:
    """Whether people have yet to be told, in the period since this day, that this is nearly used up; now they are."""
    row = {"workspace": workspace, "channel": channel, "author": author, "cap": cap, "since": since}
    new = insert(connection.dialect.name, warned).values(row)
    first = new.on_conflict_do_update(
        index_elements=list(warned.primary_key), set_={"since": since}, where=warned.c.since < since
    )
    return connection.execute(first).rowcount > 0


def _lives(connection: Connection) -> ColumnElement[bool]:
    """Whether a hold's call may still be going on."""
    mine = and_(sessions.c.workspace == holds.c.workspace, sessions.c.session == holds.c.session)
    leased = and_(sessions.c.fence == holds.c.fence, sessions.c.owner.is_not(None), sessions.c.due_at > now(connection))
    lasts = or_(exists().where(mine, leased), func.coalesce(holds.c.until, 0) > now(connection))
    return and_(holds.c.settled == false(), lasts)


def _is_known(connection: Connection) -> ColumnElement[bool]:
    """Whether it was held within the last minute, and so counts as a request.

    What was held later than now waited less for its turn than we; what much later, by a clock that was set back.
    """
    return and_(holds.c.held_at > now(connection) - MINUTE, holds.c.held_at < now(connection) + MINUTE)


def billed(key: SessionKey, author: str | None, bill: Bill | None) -> dict[str, object]:
    """What `billing` is given beside the workspace; nothing is billed without a bill, or by one of nothing."""
    known = {} if bill is None else {name: getattr(bill, name) for name in ("day", "above", *_TOKENS)}
    nothing = dict.fromkeys(("day", "above", *_TOKENS), 0)
    model = None if bill is None or not bill.is_something else bill.model
    return {**nothing, **known, "channel": key.address.channel_address.id, "author": author or "", "billed": model}


def billing(dialect: str, *sources: FromClauseRole) -> Insert:
    """Adds a bill to what was spent; once, or once for each row of the sources."""
    model = bindparam("billed", type_=Text)
    row = given(spent, "workspace", "day", "channel", "author", "above", *_TOKENS) | {"model": model}
    new = filled(insert(dialect, spent), row | {"calls": fixed(1)}, model.is_not(None), *sources)
    sums = {name: spent.c[name] + new.excluded[name] for name in _SUMS}
    return new.on_conflict_do_update(index_elements=list(spent.primary_key), set_=sums)


def settling(*sources: FromClauseRole) -> Update:
    """Ends the hold of this number, which is none where it is NULL; only where each of the sources has a row."""
    this = and_(
        holds.c.workspace == bindparam("workspace", type_=Integer), holds.c.hold == bindparam("hold", type_=BigInteger)
    )
    there = [exists(select(fixed(1)).select_from(source)) for source in sources]
    return update(holds).where(this, *there).values(shown=fixed(0), written=fixed(0), settled=true())


BILLED = Prepared(billing, tuple)
SETTLED = Prepared(lambda _: settling(), tuple)
