"""Timing out: what is over is ended by one process, a few at a time, and nothing is posted for it."""

import asyncio
import gc
import json
from dataclasses import replace
from math import inf
from time import time

import pytest
from structlog.testing import capture_logs

from core import schema
from core.chores.runner import Chores
from core.chores.table import timing_out
from core.chores.timing_out import TimingOut
from core.errors import DatabaseUnreachable, DeliveryUnknown
from core.events import Event, Events, Subscriber, TimedOut, Woken
from core.policy import Policy
from core.schema import chores, deliveries, segments, sessions, turns
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.messages import Deleted
from core.session import Kind, SessionKey
from core.store import Connection, Database, doubts, folds, inbound, policies, timeouts
from core.store.bodies import Mine
from core.timings import Timings
from core.work.shifts import Shifts
from tests.core.store.test_timeouts import DAY, pass_time, present, said
from tests.script import SECONDS, Interrupted, TranscriptAdapter, house, rows
from tests.values import HERE, message

QUICK = Timings(between=0.0)


class Carded(TranscriptAdapter):
    """A platform with a sign for whether a conversation goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.cards: dict[str, bool] = {}
        self.fault: Exception | None = None

    async def presence(self, address: Address, *, is_present: bool) -> None:
        if self.fault is not None:
            raise self.fault
        self.cards[address.id] = is_present
        self.change()


def sweeper(
    database: Database, adapter: TranscriptAdapter, policy: Policy | None = None, *told: Subscriber
) -> TimingOut:
    return TimingOut(database=database, policy=policy or Policy(), adapter=adapter, events=Events(*told), timings=QUICK)


async def born(database: Database, number: int) -> list[Address]:
    """So many sessions in which somebody has talked, and nothing waits."""
    there = [replace(HERE, channel=f"c{one}") for one in range(number)]
    for address in there:
        await database.write(inbound.accept, message(address=address), kind=Kind.SAID, verb=None, tokens=1)
    await database.write(lambda connection: connection.execute(sessions.update().values(due_at=None)) and None)
    return there


async def test_all_that_is_over_is_ended_in_one_sweep_and_nothing_is_posted(database: Database) -> None:
    adapter = Carded()
    there = await born(database, 230)
    with capture_logs() as logs:
        await sweeper(database, adapter).sweep()
        assert len(await present(database)) == 99, "of a page; none is over"
        await pass_time(database, DAY)
        await sweeper(database, adapter).sweep()

    assert await present(database) == []
    assert adapter.cards == {address.id: False for address in there}
    assert adapter.delivered == []
    assert len(await rows(database, segments)) == 230
    assert logs == [{"event": "timed out", "platform": "console", "sessions": 230, "log_level": "info"}]


async def test_a_channel_has_its_own_time(database: Database) -> None:
    short, long, usual = await born(database, 3)
    for place, idle in ((short, "30m"), (long, "never")):
        await database.write(policies.keep, Mine(1), place.id, json.dumps({"idle": idle}))

    await pass_time(database, DAY / 2)
    await sweeper(database, adapter := Carded()).sweep()
    assert list(adapter.cards) == [short.id]
    await pass_time(database, 100 * DAY)
    await sweeper(database, adapter).sweep()
    assert list(adapter.cards) == [short.id, usual.id]
    assert [one.key.address for one in await present(database)] == [long]


async def test_where_the_operator_says_never_nothing_is_ended(database: Database) -> None:
    await born(database, 2)
    await pass_time(database, 5_000 * DAY)
    await sweeper(database, Carded(), Policy(idle=inf)).sweep()

    assert len(await present(database)) == 2


async def test_a_sign_that_can_not_be_shown_keeps_nothing_from_being_ended(database: Database) -> None:
    adapter = Carded()
    adapter.fault = DeliveryUnknown("no answer")
    await born(database, 15)
    await pass_time(database, DAY)
    await sweeper(database, adapter).sweep()

    assert await present(database) == []


async def test_the_sign_is_changed_back_when_talk_wakes_the_session(database: Database) -> None:
    adapter = Carded()
    async with house(database, adapter=adapter) as running:
        await said(running, "hello")
        await pass_time(database, DAY)
        await sweeper(database, adapter).sweep()
        assert adapter.cards == {HERE.id: False}
        await said(running, "back")
        await adapter.until(lambda: adapter.cards == {HERE.id: True})


async def test_where_what_woke_it_is_taken_back_the_sign_says_again_that_it_is_over(database: Database) -> None:
    adapter = Carded()
    async with house(database, adapter=adapter) as running:
        await said(running, "hello")
        await pass_time(database, DAY)
        running.model.script.append([asyncio.Event(), "too late"])
        await running.say(message("never mind", id="m9"))
        await running.model.until(lambda: running.model.running == 1)
        await adapter.until(lambda: adapter.cards == {HERE.id: True})
        await running.say(Deleted(address=HERE, id="m9"))
        await running.over()

    assert adapter.cards == {HERE.id: False}


async def test_each_time_out_and_each_waking_is_told_once(database: Database) -> None:
    told: list[Event] = []
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, DAY)
        for _ in range(2):
            await sweeper(database, running.adapter, None, told.append).sweep()
        await said(running, "back")
        await said(running, "more")
        await pass_time(database, 2 * DAY)
        await said(running, "back before anybody had noticed")
        woken = [(one.address, one.late) for one in running.told if isinstance(one, Woken)]
        silences = [one.seconds for one in (*told, *running.told) if isinstance(one, TimedOut | Woken)]

    assert [type(one) for one in told] == [TimedOut]
    assert woken == [(HERE, False), (HERE, True)]
    assert [round(seconds / DAY) for seconds in silences] == [1, 1, 2]


async def test_of_five_hundred_sessions_that_age_nothing_is_left_but_what_is_remembered(database: Database) -> None:
    """Receipts, shifts, marks: in the database and in the process."""
    there = [replace(HERE, channel=f"aged {number}") for number in range(500)]
    moved = 0.0
    async with house(database, clock=lambda: time() + moved) as running:
        said_there = [message(f"hello {place.channel}", address=place) for place in there]
        for start in range(0, len(said_there), 50):
            await asyncio.gather(*(running.say(one) for one in said_there[start:][:50]))
            await running.unserved()
        await database.write(lambda connection: [folds.mark(connection, one.key) for one in found(connection)[:16]])
        while await database.read(folds.due, 1):
            await running.folding.look()
        assert len(await rows(database, deliveries)) == len(hints()) == 500

        moved = 2 * DAY
        await pass_time(database, moved)
        await sweeper(database, running.adapter).sweep()
        await database.write(doubts.forget)
        await said(running, "somebody else")
        await running.unserved()
        gc.collect()

        left = {table.name: len(await rows(database, table)) for table in (deliveries, schema.folds, chores)}
        assert left == {"deliveries": 1, "folds": 0, "chores": 0}, "but for what is said just now"
        assert hints() == []
        keys = [one for one in gc.get_objects() if isinstance(one, SessionKey) and one.address in there]
        assert keys == []
        remembered = [row for row in await rows(database, turns) if row.body.startswith(b"hello aged")]
        assert len(remembered) == 500, "nothing is forgotten"

        shown = len(running.adapter.delivered)
        await asyncio.gather(*(running.say(one) for one in said_there))
        await running.over()
        assert len(running.adapter.delivered) == shown, "what arrives once more is known"


def found(connection: Connection) -> list[timeouts.Present]:
    return timeouts.present(connection, "console", after=timeouts.FIRST, most=1_000)


def hints() -> list[str]:
    """Which of those sessions any cache of hints in this process knows."""
    caches = [one for one in gc.get_objects() if isinstance(one, Recent)]
    return [key for cache in caches for key in cache._kept if "aged" in key]


async def test_cut_off_in_the_middle_another_process_ends_the_rest_and_no_session_is_ended_twice(
    database: Database,
) -> None:
    road, adapter = Interrupted(database), Carded()
    await born(database, 285)
    await pass_time(database, DAY)
    with road.hold("time_out") as run:
        cut_off = asyncio.create_task(sweeper(road, adapter).sweep())
        await run.wait()
        cut_off.cancel()
        await asyncio.wait([cut_off])
    assert len(await rows(database, segments)) == 250, "what was committed is whole"
    assert len(await present(database)) == 35

    await asyncio.gather(*(sweeper(database, adapter).sweep() for _ in range(2)))
    assert len(await rows(database, segments)) == 285
    assert await present(database) == []


async def test_it_is_a_chore_that_one_process_does_for_each_platform(database: Database) -> None:
    road, adapter = Interrupted(database), Carded()
    await born(database, 3)
    await pass_time(database, DAY)
    timings = Timings(between=0.0, put_off=0.01)
    row = timing_out(road, Policy(), adapter, Events(), timings)
    assert (row.by_one, row.platform, row.every) == (True, "console", 600.0)

    road.fail("present", DatabaseUnreachable("no answer"))
    working = [
        asyncio.create_task(Chores([row], Shifts(database=database, owner=owner, timings=timings)).work())
        for owner in ("one", "other")
    ]
    async with asyncio.timeout(SECONDS):
        await adapter.until(lambda: len(adapter.cards) == 3)
    for one in working:
        one.cancel()
    await asyncio.wait(working)

    assert await database.read(timeouts.present, "console", after=timeouts.FIRST, most=9) == []
    assert len(await rows(database, segments)) == 3


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_another_platforms_sessions_are_left_to_whoever_serves_that(database: Database, platform: str) -> None:
    await born(database, 1)
    await pass_time(database, DAY)
    adapter = Carded()
    adapter.platform = platform
    await sweeper(database, adapter).sweep()

    assert len(await present(database)) == 1
