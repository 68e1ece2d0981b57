"""One clock for all processes, whatever their machines' say."""

from time import time

from core.chores.telling_time import SharedClock
from core.store import Database, health


async def test_it_is_the_databases_clock_however_far_this_machines_own_is_from_it(database: Database) -> None:
    before = await database.read(health.moment)
    clock = SharedClock(database, counts=lambda: 5.0)
    await clock.look()

    assert before <= clock() <= await database.read(health.moment)


async def test_between_two_looks_it_goes_on_by_itself_and_no_further(database: Database) -> None:
    counted = 5.0
    clock = SharedClock(database, counts=lambda: counted)
    await clock.look()
    told = clock()
    counted += 61.0

    assert round(clock() - told, 3) == 61.0


def test_until_the_first_look_it_is_this_machines(database: Database) -> None:
    assert abs(SharedClock(database)() - time()) < 60.0
