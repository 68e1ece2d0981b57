"""What was said while nobody heard is found in the history, once, and answered unless it is too old."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from time import time

import pytest
from sqlalchemy import update

from core.assistant.apologies import too_late
from core.chores.runner import Chores
from core.chores.table import catching_up
from core.errors import DatabaseError, DeliveryDelayed, DeliveryUnknown
from core.intake.catchup import TRIES, CatchUp
from core.policy import SETTINGS, Level
from core.schema import presence, turns
from core.session import Progress
from core.store import Database, chores
from core.store.presence import SHIFT
from core.work.shifts import Shifts
from tests.readonly import full
from tests.script import House, ScriptedModel, TranscriptAdapter, brisk, house, memory, rows
from tests.values import ADA, BEN, HERE, message

ELSEWHERE = replace(HERE, channel="elsewhere")


def said(text: str, ago: float = 5.0, **facts):
    return message(text, at=time() - ago, **facts)


@asynccontextmanager
async def keeping(running: House, owner: str = "host:boot:1:a.", **waits: float):
    timings = brisk(heard=0.02, **waits)
    shifts = Shifts(database=running.database, owner=owner, timings=timings)
    catch_up = CatchUp(database=running.database, inbox=running.inbox, shifts=shifts, timings=timings)
    table = [catching_up(catch_up, running.adapter, timings)]
    working = asyncio.create_task(Chores(table, shifts).work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait([working])


async def heard_until(database: Database) -> float:
    async with asyncio.timeout(10):
        while not (found := await rows(database, presence)):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.005)
    return found[0].heard_at / 1000


async def heard_again(database: Database) -> None:
    """Waits until somebody has said that everything is heard."""
    async with asyncio.timeout(10):
        while await heard_until(database) < time() - 5:  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.005)


async def away(database: Database, seconds: float) -> None:
    """The same as having been away for so long."""
    await heard_until(database)
    await database.write(
        lambda connection: connection.execute(update(presence).values(heard_at=int((time() - seconds) * 1000)))
    )


async def begun(database: Database) -> None:
    """A first life of the program, which has heard everything until it ended."""
    there = House(database, ScriptedModel(), TranscriptAdapter())
    async with keeping(there):
        await heard_until(database)


async def test_what_was_said_during_a_downtime_is_found_and_answered(database: Database) -> None:
    await begun(database)
    await away(database, 600)
    async with house(database) as running:
        running.adapter.missed = {
            HERE: [said("one", 300), said("two", 200)],
            ELSEWHERE: [said("three", address=ELSEWHERE)],
        }
        async with keeping(running):
            await running.adapter.until(lambda: len(running.adapter.texts) == 3)
            await running.over()

    assert sorted(running.adapter.texts) == ["You said: one", "You said: three", "You said: two"]
    assert running.adapter.texts.index("You said: one") < running.adapter.texts.index("You said: two")
    (_, after), *_ = running.adapter.searched
    assert 600 < time() - after < 800


async def test_a_first_start_looks_for_nothing_that_was_said_before(database: Database) -> None:
    async with house(database) as running:
        running.adapter.missed = {HERE: [said("long ago", 60)]}
        async with keeping(running):
            await heard_until(database)

    assert running.adapter.texts == []


async def test_what_is_known_already_is_not_answered_again(database: Database) -> None:
    await begun(database)
    known = said("known", 300)
    async with house(database) as running:
        await running.say(known)
        await running.answered("You said: known")
        await away(database, 600)
        running.adapter.missed = {HERE: [known, said("missed", 200)]}
        async with keeping(running):
            await running.answered("You said: known", "You said: missed")

    assert len(running.model.prompts) == 2


async def test_conversations_of_lately_are_looked_at_without_the_platform_naming_them(database: Database) -> None:
    await begun(database)
    async with house(database) as running:
        await running.say(said("hello", 900, address=replace(ELSEWHERE, thread="t")))
        await running.over()
        await away(database, 600)
        async with keeping(running):
            await running.adapter.until(lambda: len(running.adapter.searched) >= 2)

    assert {place for place, _ in running.adapter.searched} == {ELSEWHERE, replace(ELSEWHERE, thread="t")}


async def test_messages_older_than_an_hour_are_not_answered_but_their_asker_is_told_in_one_line(
    database: Database,
) -> None:
    await begun(database)
    await away(database, 4 * 3600)
    old = [said(f"old {number}", 2 * 3600 - number) for number in range(3)]
    async with house(database) as running:
        running.adapter.missed = {HERE: [*old, said("young", 60)]}
        async with keeping(running):
            await running.adapter.until(lambda: len(running.adapter.texts) == 2)
            await running.over()

    line, answer = running.adapter.texts
    assert "3 messages" in line
    assert "again" in line
    assert answer == "You said: young"
    assert len(running.model.prompts) == 1
    states = [row.progress for row in await rows(database, turns)]
    assert states.count(Progress.SKIPPED) == 2


async def test_one_line_is_said_once_however_often_the_history_is_read(database: Database) -> None:
    await begun(database)
    old = [said(f"old {number}", 2 * 3600 - number) for number in range(2)]
    async with house(database) as running:
        for _ in range(2):
            await away(database, 4 * 3600)
            running.adapter.missed = {HERE: old}
            running.adapter.searched.clear()
            async with keeping(running):
                await running.adapter.until(lambda: running.adapter.searched)
                await running.adapter.until(lambda: running.adapter.texts)
                await running.over()

    assert len(running.adapter.texts) == 1


async def test_as_long_as_the_platform_asks_for_patience_it_is_waited(database: Database) -> None:
    await begun(database)
    await away(database, 600)
    async with house(database) as running:
        running.adapter.missed = {HERE: [DeliveryDelayed("not now", retry_after=0.01), said("found")]}
        async with keeping(running):
            await running.answered("You said: found")


async def test_what_could_not_be_looked_at_is_looked_at_again(database: Database) -> None:
    await begun(database)
    await away(database, 600)
    async with house(database) as running:
        running.adapter.missed = {HERE: [*[DeliveryUnknown("?")] * (TRIES + 1), said("found")]}
        async with keeping(running):
            await running.answered("You said: found")
            assert len(running.adapter.searched) == TRIES + 2


async def test_what_a_process_that_ended_was_at_is_looked_up_by_the_next(database: Database) -> None:
    """A gap of seconds, of which another process has taken care when this one begins to hear."""
    await begun(database)
    await away(database, 20)
    assert await database.write(chores.take, SHIFT, "console", owner="gone", lease=0.3) == 0
    async with house(database) as running:
        running.adapter.missed = {HERE: [said("found")]}
        async with keeping(running):
            await running.answered("You said: found")


async def test_one_process_catches_up_and_the_others_go_on(database: Database) -> None:
    await begun(database)
    await away(database, 600)
    missed = {HERE: [said("missed", 300)]}
    async with house(database) as one, house(database, owner="other:boot:2:b") as two:
        one.adapter.missed = two.adapter.missed = missed
        async with keeping(one, "one"), keeping(two, "two"):
            await one.until(lambda found: found and all(row.waiting == 0 and row.due_at is None for row in found))
            await heard_again(database)

    assert len(one.adapter.searched) + len(two.adapter.searched) == 1
    assert [*one.adapter.texts, *two.adapter.texts] == ["You said: missed"]


async def test_a_platform_that_is_not_heard_is_not_said_to_be(database: Database) -> None:
    await begun(database)
    await away(database, 600)
    async with house(database) as running:
        running.adapter.connected = False
        running.adapter.missed = {HERE: [said("missed", 300)]}
        async with keeping(running):
            assert await heard_until(database) < time() - 500
            running.adapter.connected = True
            await running.answered("You said: missed")


async def test_a_short_gap_that_the_platform_bridges_is_not_looked_into(database: Database) -> None:
    await begun(database)
    await away(database, 40)
    async with house(database) as running:
        running.adapter.bridges = 60.0
        running.adapter.missed = {HERE: [said("sent again by the platform", 30)]}
        async with keeping(running):
            await heard_again(database)

    assert running.adapter.searched == []


async def test_what_was_heard_and_could_not_be_stored_is_found_though_everything_else_was(
    url: str, database: Database
) -> None:
    """Whoever hears a platform says so also while no message finds room; what is repeated is repeated for a while."""
    await begun(database)
    lost = said("lost")
    async with house(database) as running:
        async with full(url):
            with pytest.raises(DatabaseError):
                await running.inbox.receive(lost)
            assert running.adapter.searched == []
        running.adapter.missed = {HERE: [lost]}
        async with keeping(running, untold=0.0):
            await running.answered("You said: lost")


async def test_what_the_platform_says_again_is_not_looked_up(url: str, database: Database) -> None:
    again, other = said("again"), said("other")
    async with house(database) as running:
        async with full(url):
            for message in (again, other):
                with pytest.raises(DatabaseError):
                    await running.inbox.receive(message)
        first = running.inbox.unstored.since(HERE.platform)
        await running.inbox.receive(again)
        second = running.inbox.unstored.since(HERE.platform)
        await running.inbox.receive(other)

        assert first is not None
        assert second is not None
        assert first < second
        assert running.inbox.unstored.since(HERE.platform) is None


async def test_what_may_still_be_said_again_is_waited_for_and_not_forgotten_by_a_crash(
    url: str, database: Database
) -> None:
    """Also where another process hears the platform, and has said so since."""
    await begun(database)
    async with house(database) as running:
        async with full(url):
            with pytest.raises(DatabaseError):
                await running.inbox.receive(said("lost"))
        failed = time()
        await away(database, -5)
        async with keeping(running, untold=3600.0), asyncio.timeout(10):
            while await heard_until(database) > failed + 1:  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.005)

    assert running.adapter.searched == []


@pytest.mark.parametrize(("seconds", "texts"), [(3_600, ["You said: hello"]), (3_601, [too_late(1)])])
async def test_what_was_missed_for_more_than_an_hour_is_too_late(
    database: Database, seconds: float, texts: list[str]
) -> None:
    missed = message("hello")
    async with house(database, clock=lambda: missed.at + seconds) as running:
        assert await running.inbox.catch_up([missed]) == 1
        await running.answered(*texts)


async def test_what_the_history_shows_to_be_answered_is_remembered_with_its_answer_and_not_said_again(
    database: Database,
) -> None:
    """G2: however old it is, and whoever reads the history once more."""
    await begun(database)
    await away(database, 4 * 3600)
    told = [
        said("old", 2 * 3600, answer="You know that."),
        said("young", 60, answer="And that."),
        said("a word", 50, answer=""),
        said("new", 30),
    ]
    async with house(database) as running:
        running.adapter.missed = {HERE: told}
        async with keeping(running):
            await running.answered("You said: new")
            await away(database, 4 * 3600)
            await heard_again(database)

        assert running.adapter.texts == ["You said: new"]
        assert len(running.model.prompts) == 1
    assert await memory(database) == [
        ("person", "old"),
        ("assistant", "You know that."),
        ("person", "young"),
        ("assistant", "And that."),
        ("person", "a word"),
        ("person", "new"),
        ("assistant", "You said: new"),
    ]


async def test_of_whoever_is_not_talked_with_no_message_is_taken_up_that_was_answered_once(database: Database) -> None:
    """As after a backup was put back, which knows of nothing since."""
    await begun(database)
    await away(database, 600)
    async with house(database, clock=time) as running:
        deny = {"deny": SETTINGS["deny"].read(f"person:{BEN.id}")}
        running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, deny)
        running.adapter.missed = {
            HERE: [said("zugzwang", 60, answer="Oh.", author=BEN), said("fine", 50, answer="Yes.", author=ADA)]
        }
        async with keeping(running):
            await heard_again(database)
            await running.over()

    assert [text for _, text in await memory(database)] == ["fine", "Yes."]
