"""What may not be on screen as it should be is looked at once more: strays go, texts are put right, nothing doubles."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy import Connection, update

from core.errors import DeliveryDelayed, DeliveryUnknown
from core.schema import deliveries, turns
from core.seam.keys import key_of
from core.seam.messages import Draft, Receipt
from core.store import Database
from core.store.states import DeliveryState
from tests.script import Fault, House, ScriptedModel, TranscriptAdapter, brisk, house, rows
from tests.values import BEN, HERE, message


@asynccontextmanager
async def reconciling(running: House):
    working = asyncio.create_task(running.chores.work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait([working])


async def pass_time(database: Database) -> None:
    """The same as waiting until everything is due."""
    await database.write(
        lambda connection: connection.execute(
            update(deliveries).where(deliveries.c.due_at.is_not(None)).values(due_at=0)
        )
    )


async def deliveries_are(database: Database, condition) -> None:
    """Waits until the deliveries' rows are like this."""
    async with asyncio.timeout(10):
        while not condition(await rows(database, deliveries)):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.005)


async def test_an_uncertain_delivery_is_audited_and_a_certain_one_is_only_forgotten(database: Database) -> None:
    async with house(database) as running:
        running.adapter.faults.extend([None, Fault(error=DeliveryUnknown("?"), stored=True)])
        sure, unsure = message("sure"), message("unsure")
        await running.say(sure)
        await running.answered("You said: sure")
        await running.say(unsure)
        await running.answered("You said: sure", "You said: unsure")
        assert [row.body for row in await rows(database, deliveries)] == [None, b""]
        assert (await rows(database, turns))[2].slip is not None
        async with reconciling(running):
            await pass_time(database)
            await running.adapter.until(lambda: running.adapter.reconciled)
            await running.until(lambda _: True)
        ((reply, stands),) = running.adapter.reconciled

    assert (reply.text, stands) == ("You said: unsure", list(running.adapter.screen)[1])
    assert reply.key == key_of(HERE, unsure.id, 0)


async def test_a_message_that_lands_late_is_taken_off_the_screen(database: Database) -> None:
    async with house(database) as running:
        running.adapter.faults.append(Fault(error=DeliveryUnknown("?")))
        await running.say(message("hello"))
        await running.answered("You said: hello")
        (stands,) = running.adapter.screen.items()
        running.adapter.screen["late"] = stands[1]
        async with reconciling(running):
            await pass_time(database)
            await running.adapter.until(lambda: list(running.adapter.screen) == [stands[0]])


async def test_a_text_that_an_old_call_has_overwritten_is_put_right(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, ["You", go, " said"]) as running:
        running.adapter.preview_faults.append(Fault(error=DeliveryUnknown("?"), stored=True))
        await running.say(message("hello"))
        await running.adapter.until(lambda: running.adapter.texts == ["You"])
        go.set()
        await running.answered("You said")
        ((shown, reply),) = running.adapter.screen.items()
        running.adapter.screen[shown] = replace(reply, text="You")
        async with reconciling(running):
            await pass_time(database)
            await running.adapter.until(lambda: running.adapter.texts == ["You said"])


async def test_a_doubt_that_the_platform_rations_is_made_later(database: Database) -> None:
    longer_than_a_doubt_is_left_to_its_taker = brisk(put_off=7_200.0)
    async with house(database, timings=longer_than_a_doubt_is_left_to_its_taker) as running:
        running.adapter.faults.append(Fault(error=DeliveryUnknown("?")))
        running.adapter.reconcile_faults.extend([DeliveryDelayed("not now", retry_after=3600.0), DeliveryUnknown("?")])
        await running.say(message("hello"))
        await running.answered("You said: hello")
        (before,) = await rows(database, deliveries)
        async with reconciling(running):
            for seconds in (3600, 7200):
                await pass_time(database)
                await deliveries_are(
                    database, lambda found, s=seconds: found[0].due_at > before.due_at + (s - 60) * 1000
                )
            assert running.adapter.reconciled == []
            await pass_time(database)
            await deliveries_are(database, lambda found: found[0].body is None)

    assert len(running.adapter.reconciled) == 1


async def test_what_is_certain_is_forgotten_a_day_after_it_was_asked(database: Database) -> None:
    def ask(connection: Connection, number: str, seconds_ago: float) -> None:
        at = int((time.time() - seconds_ago) * 1_000_000)
        connection.execute(update(turns).where(turns.c.message == number).values(at=at))

    asked, later = message("hello"), message("and now?")
    async with house(database) as running:
        for words in (asked, later):
            await running.say(words)
        await running.answered("You said: hello", "You said: and now?")
        await database.write(ask, asked.id, 86_460)
        await database.write(ask, later.id, 86_340)
        async with reconciling(running):
            await deliveries_are(database, lambda found: len(found) == 1)

    (left,) = await rows(database, deliveries)
    assert left.seq == max(row.seq for row in await rows(database, turns))
    assert running.adapter.reconciled == []


async def test_of_two_messages_that_say_the_same_the_later_one_goes(database: Database) -> None:
    """A process was frozen in its call; meanwhile another one has posted and recorded the answer."""
    async with house(database) as running:
        running.adapter.hold_delivery = asyncio.Event()
        await running.say(message("hello"))
        await running.adapter.until(lambda: running.adapter.delivered)
        await database.write(
            lambda connection: connection.execute(
                update(deliveries).values(message="theirs", state=DeliveryState.SENT, draft=None, body=None)
            )
        )
        running.adapter.hold_delivery.set()
        await running.over()

    assert len(running.adapter.withdrawn) == 1
    assert running.adapter.texts == []


async def test_the_platforms_own_receipt_saves_the_look_up(database: Database) -> None:
    asked = message("hello")
    async with house(database) as running:
        running.adapter.mute = True
        running.adapter.faults.append(Fault(error=DeliveryUnknown("?"), stored=True))
        running.adapter.hold_delivery = asyncio.Event()
        await running.say(asked)
        await running.adapter.until(lambda: running.adapter.delivered)
        await running.say(Receipt(address=HERE, key=key_of(HERE, asked.id, 0), shown=Draft(id="p1", text="")))
        running.adapter.hold_delivery.set()
        await running.answered("You said: hello")

    first, second = running.adapter.delivered
    assert first.draft is None
    assert second.draft is not None
    assert second.draft.id == "p1"


async def test_a_receipt_for_another_message_than_the_one_that_stands_makes_a_doubt(database: Database) -> None:
    asked = message("hello")
    async with house(database) as running:
        await running.say(asked)
        await running.answered("You said: hello")
        (stands,) = running.adapter.screen
        running.adapter.screen["stray"] = running.adapter.screen[stands]
        await running.say(Receipt(address=HERE, key=key_of(HERE, asked.id, 0), shown=Draft(id="stray", text="")))
        async with reconciling(running):
            await pass_time(database)
            await running.adapter.until(lambda: list(running.adapter.screen) == [stands])


async def test_a_receipt_that_nobody_waits_for_is_nothing(database: Database) -> None:
    async with house(database) as running:
        await running.say(Receipt(address=HERE, key="unknown", shown=Draft(id="p1", text="")))

    assert await rows(database, deliveries) == []


async def test_what_was_said_later_but_came_earlier_is_not_taken_for_answered_before(database: Database) -> None:
    """People's messages come in any order, and are answered in the one in which they were said."""
    there = House(database, ScriptedModel("to the earlier", "to the later"), TranscriptAdapter())
    await there.say(message("later", at=2_000_000_000.0), message("earlier", author=BEN, at=1_999_999_990.0))
    there.adapter.mute = True
    there.adapter.faults.append(Fault(error=DeliveryUnknown("?")))
    async with there:
        await there.answered("to the earlier", "to the later")
        async with reconciling(there):
            await pass_time(database)
            await there.adapter.until(lambda: there.adapter.reconciled)

    ((reply, stands),) = there.adapter.reconciled
    assert reply.text == "to the earlier"
    assert reply.above == frozenset()
    assert reply.others == set(there.adapter.screen) - {stands}


async def test_a_look_up_is_told_which_messages_are_known_to_be_something_else(database: Database) -> None:
    never = asyncio.Event()
    side = replace(HERE, thread="side")
    async with house(database, "one", [never], "three") as running:
        await running.say(message("first"))
        await running.answered("one")
        (first,) = running.adapter.screen
        await running.say(message("elsewhere", address=side))
        await running.model.until(lambda: running.model.running == 1)
        running.adapter.mute = True
        running.adapter.faults.append(Fault(error=DeliveryUnknown("?")))
        await running.say(message("third"))
        await running.adapter.until(lambda: running.adapter.texts_in(None) == ["one", "three"])

    assert [reply.others for reply in running.adapter.delivered] == [frozenset(), frozenset(), frozenset({first})]
    assert [reply.above for reply in running.adapter.delivered] == [frozenset(), frozenset(), {first}]
