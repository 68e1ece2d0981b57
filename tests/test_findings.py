"""Promises that are not kept yet: each fails for a reason in `core/`, and moves to its own file when it holds."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import DatabaseUnreachable, DeliveryDelayed, ModelStalled
from core.messages import Audience, Author, Inbound
from core.schema import sessions
from core.store import Database
from tests.script import Fault, House, Interrupted, ScriptedModel, TranscriptAdapter, expire, house, memory, rows
from tests.values import BEN, HERE, message

SIDE = replace(HERE, thread="side")
THREAD = replace(HERE, thread="t0")
OURSELVES = Author(id="B1", name="Backscroll", is_bot=True, is_self=True)
LONG = "one two three\n\nfour five six\n\nseven eight nine"


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.inbox._POLL", 0.05)
    monkeypatch.setattr("core.inbox._FIRST_BACK_OFF", 0.01)
    monkeypatch.setattr("core.outbox._BACK_OFF", 0.01)
    monkeypatch.setattr("tests.script.SECONDS", 2.0)


def mention(text: str, **facts: object) -> Inbound:
    return message(text, **({"audience": Audience.BOT, "direct": False} | facts))


# Stopping


async def test_a_stop_during_a_preview_keeps_what_that_preview_shows(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.hold_preview = asyncio.Event()
    async with house(database, ["one two", asyncio.Event()], adapter=adapter) as running:
        await running.say(message("count"))
        await adapter.until(lambda: adapter.previews)
        await running.say(message("!stop"))
        await adapter.until(lambda: "Stopped." in adapter.texts)
        adapter.hold_preview.set()
        await running.over()

    assert sorted(adapter.texts) == ["Stopped.", "one two"]
    assert await memory(database) == [("person", "count"), ("assistant", "one two")]


async def test_a_stop_between_two_parts_keeps_the_parts_on_screen(database: Database) -> None:
    adapter = TranscriptAdapter(max_text=18, preview_every=60)
    async with house(database, [LONG, asyncio.Event()], adapter=adapter) as running:
        await running.say(message("count"))
        await adapter.until(lambda: adapter.texts == ["one two three"])
        await running.say(message("!stop"))
        await running.over()

    assert adapter.texts == ["one two three", "Stopped."]
    assert (await memory(database))[-1] == ("assistant", "one two three")


async def test_a_stop_during_another_try_keeps_what_the_first_left_on_screen(database: Database) -> None:
    fail = asyncio.Event()
    first = ["one two three", fail, ModelStalled("nothing came")]
    async with house(database, first, [asyncio.Event()]) as running:
        await running.say(message("count"))
        await running.adapter.until(lambda: running.adapter.texts == ["one two three"])
        fail.set()
        await running.model.until(lambda: len(running.model.prompts) == 2)
        await running.say(message("!stop"))
        await running.over()

    assert running.adapter.texts == ["one two three", "Stopped."]
    assert (await memory(database))[-1] == ("assistant", "one two three")


async def test_a_second_stop_is_answered_while_the_first_still_works(database: Database) -> None:
    async with house(database, ["one", asyncio.Event()]) as running:
        running.model.farewell = asyncio.Event()
        await running.say(message("count"))
        await running.adapter.until(lambda: running.adapter.texts == ["one"])
        await running.say(message("!stop"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.say(message("!stop"))
        try:
            await running.adapter.until(lambda: len(running.adapter.texts) == 3)
        finally:
            running.model.farewell.set()


# Drafts


async def test_a_preview_of_unknown_outcome_is_never_doubled_by_the_next(database: Database) -> None:
    adapter, more, go = TranscriptAdapter(), asyncio.Event(), asyncio.Event()
    adapter.preview_faults.append(Fault(error=OSError("reset after sending"), stored=True))
    async with house(database, ["half", more, " and", go, " half"], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        more.set()
        await asyncio.sleep(0.05)
        go.set()
        await running.over()

    assert adapter.texts == ["half and half"]


# Hearing


async def test_a_command_before_the_first_question_does_not_deafen_it(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.past = [message("before", author=BEN)]
    there = House(database, ScriptedModel(), adapter)
    await there.say(mention("undo", address=THREAD), mention("well?", address=THREAD))

    async with there:
        await there.over()

    assert there.model.asked() == ["before", "well?"]


# The queue


async def test_an_at_once_command_that_is_delayed_is_not_said_by_two_processes(database: Database) -> None:
    """Its five seconds of grace are over while the platform makes it wait: another process says it as well."""
    adapter = TranscriptAdapter()
    adapter.faults.append(Fault(error=DeliveryDelayed("429", retry_after=0.4)))
    one = House(database, ScriptedModel(), adapter)
    async with house(database, adapter=adapter, owner="host:boot:2:b") as two:
        await one.say(message("!status"))
        await adapter.until(lambda: adapter.delivered)
        await database.write(expire)
        await two.over()
        await one.unserved()

    assert len(adapter.texts) == 1


# Leases


async def test_a_lease_that_the_same_process_has_claimed_anew_is_seen_to_be_lost(database: Database) -> None:
    async with house(database, [asyncio.Event()], [asyncio.Event()], lease=0.3) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running == 1)
        await database.write(expire)
        await running.inbox._claim()
        await running.model.until(lambda: running.model.running == 2)

        await running.model.until(lambda: running.model.running == 1)


async def test_a_stop_while_the_database_is_away_is_a_stop(database: Database) -> None:
    """The claim that is under way fails: its error must not take the place of the cancellation."""

    class Leaving(Interrupted):
        """A database that goes away while a claim is under way."""

        def __init__(self, database: Database) -> None:
            super().__init__(database)
            self.reached, self.gone = asyncio.Event(), asyncio.Event()

        async def write(self, function, *args, **kwargs):
            if function.__name__ == "claim":
                self.reached.set()
                await self.gone.wait()
                raise DatabaseUnreachable("away")
            return await super().write(function, *args, **kwargs)

    road = Leaving(database)
    there = House(road, ScriptedModel(), TranscriptAdapter())
    working = asyncio.create_task(there.inbox.work())
    await road.reached.wait()

    working.cancel()
    road.gone.set()
    await asyncio.wait([working], timeout=1)

    stopped = working.done()
    working.cancel()
    await asyncio.wait([working])
    assert stopped


async def test_an_at_once_command_that_arrives_twice_is_not_answered_by_a_worker_as_well(database: Database) -> None:
    """As one Slack mention does, by two events: the second must not make the first forgotten."""
    adapter, status = TranscriptAdapter(), message("!help")
    adapter.hold_delivery = asyncio.Event()
    async with house(database, adapter=adapter) as running:
        await running.say(status, status)
        await adapter.until(lambda: len(adapter.delivered) == 1)
        await running.say(message("hello"))
        await database.write(expire)
        await running.until(lambda found: found[0].owner is not None)
        await asyncio.sleep(0.1)
        adapter.hold_delivery.set()
        await adapter.until(lambda: "You said: hello" in adapter.texts)
        await running.over()

    assert [reply.attempt for reply in adapter.delivered] == [1, 1]


async def test_nothing_is_withdrawn_that_was_never_on_screen(database: Database) -> None:
    """A second part was announced, its preview was put off, and the next try needs only one: people see one message."""
    adapter, fail = TranscriptAdapter(max_text=18), asyncio.Event()
    adapter.preview_faults.extend([None, Fault(error=DeliveryDelayed("429", retry_after=1))])
    first = ["one two three\n\nfour five six", fail, ModelStalled("nothing came")]
    async with house(database, first, "short", adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: len(adapter.previews) == 2)
        fail.set()
        await adapter.until(lambda: "short" in adapter.texts)
        await running.over()

    assert adapter.texts == ["short"]


async def test_a_preview_that_showed_nothing_does_not_make_the_delivery_look(database: Database) -> None:
    """Looking is dear: Slack allows most apps one look a minute, and shows nothing just when its limits are used up."""
    adapter, go = TranscriptAdapter(), asyncio.Event()
    adapter.mute = True
    async with house(database, ["half", go, " and half"], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        await asyncio.sleep(0.05)
        go.set()
        await running.answered("half and half")

    assert [reply.attempt for reply in adapter.delivered] == [1]


async def test_what_is_given_back_after_its_end_stays_idle(database: Database) -> None:
    """A drain may cut an answer off when its end is committed, and nobody has been told of it yet."""
    road = Interrupted(database)
    async with house(road) as leaving:
        with road.hold("record_last") as ended:
            await leaving.say(message())
            await ended.wait()
            await leaving.stop()
            await leaving.inbox.drain(0)

    (session,) = await rows(database, sessions)
    assert (session.due_at, session.attempts) == (None, 0)
