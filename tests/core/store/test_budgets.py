"""Budgets in the store: holds that live as long as their lease, and what was spent, once. On both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, update

from core.budget import holding
from core.budget.deciding import Fits
from core.budget.holding import Account
from core.model.prices import Prices
from core.policy import Level, Limit, Policy
from core.schema import holds, sessions, spent, turns, warned
from core.session import Answer, Bill, Kind, Lease, Validity
from core.store import Database, answering, budgets, claims, connect, inbound, queue
from core.store import turns as history
from core.store.budgets import Hold
from tests.script import expire, rows
from tests.values import message

NOW = 1_764_000_000.0
CALL = Hold(hold=1, session=1, seq=1, author="U1", model="m", shown=60, written=40)
BILL = Bill(hold=1, was_held=True, day=20_000, model="m", above=0, shown=50, cached=5, cache_written=6, written=7)


async def claimed(database: Database, owner: str = "host:boot:1:a") -> Lease:
    found = await database.write(claims.claim, owner=owner, lease=30, platforms=["console"], limit=1)
    return found.sessions[0][0]


async def leased(database: Database) -> Lease:
    await database.write(inbound.accept, message(), kind=Kind.SAID, verb=None, tokens=7)
    return await claimed(database)


def account(lease: Lease, tokens: float = 1_000) -> Account:
    limit = Limit(amount=tokens, unit="tokens", period="day")
    policy = Policy().with_values(Level.DEPLOYMENT, {"budget": (limit,)})
    return Account(key=lease.key, author="U1", policy=policy, prices=Prices())


@pytest.fixture
async def other(url: str) -> AsyncIterator[Database]:
    """The same database as another process has it."""
    other = connect(url)
    yield other
    await other.close()


async def held(database: Database, lease: Lease) -> list[int]:
    """What counts as held now, by its tokens; what is settled is known as a request for a while."""
    return [one.shown for one in await database.read(budgets.held, lease.key.workspace, "", but=0)]


def grown_old(connection: Connection) -> None:
    """The same as waiting for a minute."""
    connection.execute(update(holds).values(held_at=holds.c.held_at - budgets.MINUTE))


async def test_a_hold_counts_for_as_long_as_its_lease(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=lease, seconds=0)
    await database.write(grown_old)
    assert await held(database, lease) == [60]

    await database.write(queue.renew, [lease], lease=30)
    assert await held(database, lease) == [60], "it is renewed with it"
    await database.write(expire)
    assert await held(database, lease) == [], "a process that is dead frees what it held"
    await claimed(database, "host:boot:2:b")
    assert await held(database, lease) == [], "whoever has the session now holds its own"


async def test_a_hold_ends_where_its_lease_is_given_back(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=lease, seconds=0)
    await database.write(grown_old)
    await database.write(queue.release, lease, attempts=0, after=60)

    assert await held(database, lease) == []
    await database.write(budgets.sweep, lease.key.workspace)
    assert await rows(database, holds) == [], "and is forgotten"


async def test_a_hold_without_a_lease_has_an_end_of_its_own(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=None, seconds=60)
    await database.write(budgets.hold, lease.key, replace(CALL, hold=2, shown=61), lease=None, seconds=0)
    await database.write(grown_old)

    assert await held(database, lease) == [60]


async def test_a_request_is_none_for_an_hour_where_the_clock_was_set_back_by_one(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=lease, seconds=0)
    later = update(holds).values(held_at=holds.c.held_at + 3_600_000)
    await database.write(lambda connection: connection.execute(later))
    assert await held(database, lease) == [60], "it is still being answered"

    await database.write(budgets.book, lease.key, "U1", BILL)
    assert await held(database, lease) == []


async def test_an_answer_settles_what_was_held_for_it_in_its_own_transaction(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=lease, seconds=0)
    (question,) = await database.read(history.first_waiting, lease.key, 1)
    decided = Answer(parts=("yes",), memory="yes", model="m", bill=BILL)

    await database.write(answering.answer, lease.key, question, decided, lease=lease)

    (row,) = await rows(database, spent)
    assert (row.day, row.channel, row.author, row.model) == (20_000, lease.key.address.channel_address.id, "U1", "m")
    assert (row.calls, row.shown, row.cached, row.cache_written, row.written) == (1, 50, 5, 6, 7)
    assert await held(database, lease) == [0], "a request, and no tokens"
    await database.write(budgets.book, lease.key, "U1", BILL)
    assert [one.calls for one in await rows(database, spent)] == [1], "it is settled once, whoever tries"


async def test_an_answer_that_is_not_stored_settles_nothing(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=lease, seconds=0)
    (question,) = await database.read(history.first_waiting, lease.key, 1)
    decided = Answer(parts=("yes",), memory="yes", model="m", bill=BILL)
    with pytest.raises(queue.Changed):
        await database.write(answering.answer, lease.key, question._replace(edited_at=5.0), decided, lease=lease)

    assert await rows(database, spent) == []
    assert await held(database, lease) == [60]


async def test_what_is_settled_beside_an_answer_is_so_once_held_or_not(database: Database) -> None:
    lease = await leased(database)
    await database.write(budgets.hold, lease.key, CALL, lease=lease, seconds=0)
    for bill in (BILL, BILL, replace(BILL, hold=2, was_held=False), replace(BILL, hold=2, was_held=False)):
        await database.write(budgets.book, lease.key, "", bill)

    (row,) = await rows(database, spent)
    assert (row.author, row.calls, row.shown, row.written) == ("", 2, 100, 14)
    await database.write(grown_old)
    await database.write(budgets.book, lease.key, "", replace(BILL, hold=3))
    assert [one.hold for one in await rows(database, holds)] == [3], "what nobody asks about any more is forgotten"


async def test_fifty_at_once_by_two_never_hold_more_than_there_is(database: Database, other: Database) -> None:
    """Also the first request of somebody who was never seen before."""
    lease = await leased(database)
    calls = [replace(CALL, hold=number, author=f"U{number}") for number in range(50)]

    async def hold(number: int, call: Hold) -> bool:
        on = database if number % 2 else other
        found = await on.write(holding.hold, account(lease), call, lease=lease, at=NOW, seconds=0)
        return isinstance(found, Fits)

    fit = await asyncio.gather(*(hold(number, call) for number, call in enumerate(calls)))

    assert sum(fit) == 10, "of a hundred tokens each"
    assert sum(row.shown + row.written for row in await rows(database, holds)) == 1_000
    again = await database.write(holding.hold, account(lease), calls[fit.index(True)], lease=lease, at=NOW, seconds=0)
    assert isinstance(again, Fits), "a commit of unknown outcome is repeated"
    await database.write(expire)
    freed = await other.write(holding.hold, account(lease), replace(CALL, hold=99), lease=None, at=NOW, seconds=9)
    assert isinstance(freed, Fits), "nobody is locked out by those who died"


async def test_people_are_warned_once_in_a_period_by_whoever_comes_first(database: Database, other: Database) -> None:
    lease = await leased(database)

    async def warns(on: Database, at: float) -> int:
        return len(await on.write(holding.warn, account(lease), account(lease).caps, at=at))

    assert sum(await asyncio.gather(*(warns(one, NOW) for one in [database, other] * 5))) == 1
    assert [await warns(one, NOW + 86_400) for one in (other, database)] == [1, 0], "once more in the next period"


async def test_of_whoever_was_forgotten_it_is_not_kept_that_they_were_warned(database: Database) -> None:
    lease = await leased(database)
    (question,) = await database.read(history.first_waiting, lease.key, 1)
    mine = replace(account(lease), seq=question.seq)
    (cap,) = mine.caps
    await database.write(lambda connection: connection.execute(update(turns).values(validity=Validity.ERASED)))

    assert await database.write(holding.warn, mine, [replace(cap, author="U1")], at=NOW) == ()
    assert await rows(database, warned) == []


async def test_no_row_of_another_workspace_counts(database: Database) -> None:
    lease = await leased(database)
    stranger = replace(lease.key, workspace=lease.key.workspace + 1)
    await database.write(budgets.hold, stranger, CALL, lease=None, seconds=60)
    await database.write(budgets.book, stranger, "U1", replace(BILL, hold=5))

    assert await held(database, lease) == []
    assert await database.read(budgets.days, lease.key, "U1", since=0) == []
    assert await rows(database, sessions), "whose own it is"
