"""Where each process has a screen of its own, what is said is answered by the one that heard it."""

import asyncio

from core.schema import sessions
from core.store import Database, hearers
from core.timings import Timings
from tests.script import House, ScriptedModel, TranscriptAdapter, brisk, rows
from tests.values import message

LATER = brisk(heard=3_600.0)


class OwnScreen(TranscriptAdapter):
    """What one process shows, no other one does."""

    shared = False


def process(database: Database, name: str, *script: str | list[object], timings: Timings = LATER) -> House:
    return House(database, ScriptedModel(*script), OwnScreen(), owner=name, timings=timings)


async def test_a_turn_that_another_process_has_heard_is_left_to_it(database: Database) -> None:
    here, there = process(database, "host:boot:1:a"), process(database, "host:boot:2:b")
    await database.write(hearers.hear, "console", owner="host:boot:2:b.")
    await there.say(message("hello"))

    async with here:
        await here.until(lambda found: found[0].fence > 3)
        async with there:
            await there.answered("You said: hello")

    assert here.model.prompts == []


async def test_to_look_at_it_in_vain_is_no_attempt(database: Database) -> None:
    here, there = process(database, "host:boot:1:a"), process(database, "host:boot:2:b")
    await database.write(hearers.hear, "console", owner="host:boot:2:b.")
    await there.say(message("hello"))

    async with here:
        await here.until(lambda found: found[0].fence > 9)

    (session,) = await rows(database, sessions)
    assert (session.attempts, session.deaths) == (0, 0)


async def test_a_process_that_answers_hands_over_what_another_one_has_heard(database: Database) -> None:
    go = asyncio.Event()
    here, there = process(database, "host:boot:1:a", [go, "one"]), process(database, "host:boot:2:b")
    for owner in ("host:boot:1:a.", "host:boot:2:b."):
        await database.write(hearers.hear, "console", owner=owner)

    async with here, there:
        await here.say(message("first", at=1000.0))
        await here.model.until(lambda: here.model.running == 1)
        await there.say(message("second", at=1001.0))  # no burst: one answer could be in one place alone
        go.set()
        await here.answered("one")
        await there.answered("You said: second")


async def test_what_was_heard_by_a_process_that_has_ended_is_answered_by_any(database: Database) -> None:
    here, there = process(database, "host:boot:1:a"), process(database, "host:boot:2:b")
    await database.write(hearers.hear, "console", owner="host:boot:2:b.")
    await there.say(message("hello"))
    await database.write(hearers.leave, owner="host:boot:2:b.")

    async with here:
        await here.answered("You said: hello")


async def test_what_was_heard_by_a_process_that_has_fallen_silent_is_answered_by_any(database: Database) -> None:
    here, there = process(database, "host:boot:1:a", timings=brisk(heard=0.05)), process(database, "host:boot:2:b")
    await database.write(hearers.hear, "console", owner="host:boot:2:b.")
    await there.say(message("hello"))

    async with here:
        await here.answered("You said: hello")


async def test_the_dead_of_this_host_are_not_waited_for(database: Database) -> None:
    all_of_them = ["host:boot/1:7@1:a.", "host:boot/1:8@1:b.", "elsewhere:boot/1:7@1:c."]
    for owner in all_of_them:
        await database.write(hearers.hear, "console", owner=owner)

    await database.write(hearers.bury, host="host:boot/1:", alive=lambda owner: ":8@" in owner)

    there = [await database.read(hearers.is_there, owner=owner, within=3_600) for owner in all_of_them]
    assert there == [False, True, True]
