"""What one process does at a time is never done by two at once, and never left undone by one that has ended."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from core.errors import DatabaseUnreachable, LeaseLost
from core.schema import chores as table
from core.store import Database, chores
from core.timings import Timings
from core.work.shifts import Shifts
from tests.script import BRISK, RESTLESS, SECONDS, Interrupted, brisk, rows

EVERY, AFTER_FAILURE = 3_600.0, 60.0
Work = Callable[[], Awaitable[float | None]]


class Process(Shifts):
    """A process that asks for one chore."""

    def __init__(self, database: Database, owner: str, timings: Timings = BRISK) -> None:
        super().__init__(database=database, owner=owner, timings=timings)

    async def sweep(self, do: Work, place: str = "", every: float = EVERY) -> float:
        return await self.once("sweeping", place, do, every=every, after_failure=AFTER_FAILURE)


class Swept:
    """Something that is done; a second one at the same time is noticed."""

    def __init__(self) -> None:
        self.times = self.at_once = self.most = 0

    async def __call__(self) -> None:
        self.times += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1


async def test_what_is_done_is_due_for_nobody_until_it_is_due_again(database: Database) -> None:
    one, other, swept = Process(database, "one"), Process(database, "other"), Swept()

    assert await one.sweep(swept) == EVERY
    for process in (other, one):
        assert EVERY - 60 < await process.sweep(swept) <= EVERY

    assert swept.times == 1


async def test_two_processes_are_never_at_it_at_once(database: Database) -> None:
    swept = Swept()

    async def often(owner: str) -> None:
        process = Process(database, owner)
        while swept.times < 20:
            await process.sweep(swept, every=0.0)

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        for owner in ("one", "other", "a third"):
            group.create_task(often(owner))

    assert swept.most == 1


async def test_who_finds_another_one_at_it_asks_again_when_that_one_may_be_done(database: Database) -> None:
    one, other, asked = Process(database, "one"), Process(database, "other"), []

    async def meanwhile() -> None:
        asked.append(await other.sweep(Swept(), every=5.0))

    await one.sweep(meanwhile)

    assert asked == [5.0]


async def test_each_place_has_a_shift_of_its_own(database: Database) -> None:
    one, other, swept = Process(database, "one"), Process(database, "other"), Swept()

    async def elsewhere() -> None:
        await other.sweep(swept, "discord")

    await one.sweep(elsewhere, "slack")

    assert swept.times == 1


async def test_it_is_held_for_as_long_as_it_lasts(database: Database) -> None:
    one, other, swept, go = Process(database, "one", RESTLESS), Process(database, "other"), Swept(), asyncio.Event()
    begun = asyncio.Event()

    async def long() -> None:
        begun.set()
        await go.wait()

    working = asyncio.create_task(one.sweep(long))
    await begun.wait()
    (first,) = await rows(database, table)
    async with asyncio.timeout(SECONDS):
        while (await rows(database, table))[0].due_at < first.due_at + 900:  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)
    assert 0 < await other.sweep(swept) <= 30
    go.set()

    assert await working == EVERY
    assert swept.times == 0


async def test_what_a_process_that_was_killed_was_at_is_gone_on_with_after_its_lease(database: Database) -> None:
    other, swept = Process(database, "other"), Swept()
    assert await database.write(chores.take, "sweeping", "", owner="killed", lease=30) == 0

    assert 0 < await other.sweep(swept) <= 30
    assert swept.times == 0
    await database.write(chores.extend, "sweeping", "", owner="killed", lease=0.5)
    async with asyncio.timeout(SECONDS):
        while (left := await other.sweep(swept)) != EVERY:
            assert 0 < left <= 0.5
            await asyncio.sleep(left)

    assert swept.times == 1
    assert not await database.write(chores.extend, "sweeping", "", owner="killed", lease=30)


async def test_who_cannot_say_that_he_lives_ends_before_another_one_begins(database: Database) -> None:
    road = Interrupted(database)
    cut_off, other, swept = Process(road, "cut off", brisk(lease=6)), Process(database, "other"), Swept()
    road.fail("extend", *[DatabaseUnreachable("no answer")] * 9)

    async def endless() -> None:
        await asyncio.Event().wait()

    road.fail("leave", DatabaseUnreachable("no answer"))
    with capture_logs() as logs, pytest.raises(LeaseLost):
        await cut_off.sweep(endless)

    assert 0 < await other.sweep(swept) < 6, "the lease still lasts"
    assert {line["event"] for line in logs} == {"chore not held", "chore not given back; its lease runs out"}


async def test_who_has_lost_it_is_ended_and_changes_nothing_any_more(database: Database) -> None:
    slow, other = Process(database, "slow", RESTLESS), Process(database, "other")
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(slow.sweep(endless))
    await begun.wait()
    await database.write(chores.leave, "sweeping", "", owner="slow", after=0.0)  # as if its lease had run out
    assert await database.write(chores.take, "sweeping", "", owner="heir", lease=30.0) == 0

    with pytest.raises(LeaseLost):
        await working
    assert await other.sweep(Swept()) > 20, "the heir is at it"


async def test_what_fails_is_due_for_anybody_after_a_while(database: Database) -> None:
    one, other, swept = Process(database, "one"), Process(database, "other"), Swept()

    async def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await one.sweep(fail)

    assert AFTER_FAILURE - 30 < await other.sweep(swept) <= AFTER_FAILURE


async def test_who_is_ended_while_he_asks_keeps_it_from_nobody(database: Database) -> None:
    road = Interrupted(database)
    one, other, swept = Process(road, "one"), Process(database, "other"), Swept()
    with road.hold("take") as taken:
        asking = asyncio.create_task(one.sweep(swept))
        await taken.wait()
        asking.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([asking])
    await other.sweep(swept)

    assert swept.times == 1


async def test_what_is_cut_off_is_due_for_anybody_at_once(database: Database) -> None:
    one, other, swept, begun = Process(database, "one"), Process(database, "other"), Swept(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(one.sweep(endless))
    await begun.wait()
    working.cancel()
    await asyncio.wait([working])
    await other.sweep(swept)

    assert swept.times == 1
