"""Chores are done time and again, each by itself; one that fails is heard, and done again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from core.chores.runner import Chore, Chores, after_failures
from core.chores.table import forgetting, looking
from core.errors import DatabaseUnreachable
from core.model.offline import OfflineModel
from core.store import Database
from core.store.doubts import FORGET_AT_ONCE
from core.timings import Timings
from core.work.shifts import Shifts
from tests.script import SECONDS, Interrupted, Watched

LONG = 3_600.0


class Counted(Watched):
    """Something that is done, and each time does what its script says."""

    def __init__(self, *script: float | Exception | None) -> None:
        super().__init__()
        self.script = list(script)
        self.done = 0

    async def __call__(self) -> float | None:
        self.done += 1
        self.change()
        line = self.script.pop(0) if self.script else None
        if isinstance(line, Exception):
            raise line
        return line

    async def times(self, number: int) -> None:
        await self.until(lambda: self.done >= number)


def chore(do: Callable[[], Awaitable[float | None]], every: float = LONG, **facts) -> Chore:
    return Chore(**{"name": "sweeping", "do": do, "every": every, "after_failure": 0.0, "by_one": False, **facts})


@asynccontextmanager
async def doing(database: Database, *table: Chore, owner: str = "one"):
    shifts = Shifts(database=database, owner=owner, timings=Timings())
    working = asyncio.create_task(Chores(table, shifts).work())
    try:
        yield working
    finally:
        working.cancel()
        await asyncio.wait([working])
        assert working.cancelled()


async def test_a_chore_is_done_at_once_and_time_and_again(database: Database) -> None:
    swept = Counted()
    async with doing(database, chore(swept, every=0.0)):
        await swept.times(3)


async def test_a_chore_says_itself_when_it_is_due_sooner(database: Database) -> None:
    swept = Counted(0.0, 0.0)
    async with doing(database, chore(swept)):
        await swept.times(3)
        await asyncio.sleep(0)

    assert swept.done == 3


async def test_a_chore_that_fails_is_heard_and_done_again(database: Database) -> None:
    """Whatever it was; only what is not our own error comes with where it happened."""
    swept = Counted(DatabaseUnreachable("no answer"), KeyError("what people wrote"))
    with capture_logs() as logs:
        async with doing(database, chore(swept, platform="p")):
            await swept.times(3)

    assert [(line["event"], line["chore"], line["platform"], line["reason"]) for line in logs] == [
        ("chore failed", "sweeping", "p", "no answer"),
        ("chore failed", "sweeping", "p", "KeyError"),
    ]
    assert [line["exc_info"] is None for line in logs] == [True, False]


async def test_of_two_runners_one_does_what_is_done_by_one_and_both_the_rest(database: Database) -> None:
    swept, looked = Counted(), Counted()
    table = [chore(swept, by_one=True), chore(looked, name="looking", every=0.0)]
    async with doing(database, *table, owner="one"), doing(database, *table, owner="other"):
        await looked.times(20)
        await swept.times(1)

    later = Shifts(database=database, owner="later", timings=Timings())
    assert await later.once("sweeping", "", swept, every=LONG, after_failure=0.0) > LONG / 2

    assert swept.done == 1


async def test_what_one_ended_in_the_middle_of_another_one_does(database: Database) -> None:
    begun, swept = asyncio.Event(), Counted()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with doing(database, chore(endless, by_one=True), owner="one"), asyncio.timeout(SECONDS):
        await begun.wait()
    async with doing(database, chore(swept, by_one=True), owner="other"):
        await swept.times(1)


async def test_no_chore_waits_for_another_one(database: Database) -> None:
    never, swept = asyncio.Event(), Counted(KeyError("odd"))

    async def endless() -> None:
        await never.wait()

    async with doing(database, chore(endless), chore(swept, every=0.0)) as working:
        await swept.times(3)
        assert not working.done()


async def test_what_is_cut_off_in_the_middle_is_ended(database: Database) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with doing(database, chore(long)), asyncio.timeout(SECONDS):
        await begun.wait()

    assert ended.is_set()


async def test_forgetting_goes_on_at_once_while_there_is_more_and_survives_a_database_that_is_away(
    database: Database,
) -> None:
    road = Interrupted(database)
    row = forgetting(road, Timings(forget=LONG, put_off=0.0, reconcile=0.5))
    assert await row.do() is None
    assert (row.every, row.after_failure) == (LONG, 0.0)

    class Full(Interrupted):
        """A database in which there is always more to forget."""

        async def write(self, function, *args, **kwargs):
            await super().write(function, *args, **kwargs)
            return FORGET_AT_ONCE

    assert await forgetting(Full(database), Timings(forget=LONG, reconcile=0.5)).do() == 0.5

    road.fail("forget", DatabaseUnreachable("no answer"))
    with capture_logs() as logs:
        async with doing(database, row), asyncio.timeout(SECONDS):
            while not logs:  # noqa: ASYNC110 – a log tells nobody
                await asyncio.sleep(0)
    assert [line["event"] for line in logs] == ["chore failed"]


async def test_what_a_server_tells_of_its_model_is_said_every_day() -> None:
    class Old(OfflineModel):
        """A model that is soon gone."""

        async def look(self) -> tuple[str, ...]:
            return ("it ends in June",)

    row = looking(Old(), Timings())
    with capture_logs() as logs:
        assert await row.do() is None

    assert [(line["event"], line["reason"]) for line in logs] == [("model ends", "it ends in June")]
    assert row.every == 86_400.0


@pytest.mark.parametrize(("pause", "waits"), [(1.0, [1, 2, 4, 8, 16, 30, 30]), (60.0, [60] * 7), (0.0, [0] * 7)])
def test_what_fails_again_and_again_is_tried_less_and_less_often(pause: float, waits: list[float]) -> None:
    """G1: up to half a minute; what rests for longer anyway rests for as long as ever."""
    one = Chore(name="sweeping", do=Counted(), every=1.0, after_failure=pause, by_one=False)

    assert [after_failures(one, failures) for failures in range(1, 8)] == waits
