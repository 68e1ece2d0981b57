"""Notices of our own arrive as answers do: whole, once, in order, and looked for before they are repeated."""

import asyncio
from dataclasses import replace
from time import time

import pytest
from sqlalchemy import Connection, update

from core.errors import DatabaseUnreachable, DeliveryRefused, DeliveryUnknown
from core.schema import deliveries, sessions, turns
from core.seam.keys import key_of
from core.seam.messages import Deleted, Draft, Edited, Receipt
from core.session import ATTEMPTS, Progress
from core.store import Database, dead, notices, places
from core.store.states import DeliveryState
from tests.core.delivery.test_reconcile import deliveries_are, pass_time, reconciling
from tests.script import Fault, House, Interrupted, ScriptedModel, TranscriptAdapter, expire, house, memory, rows
from tests.values import HERE, message

WORDS = "This conversation starts anew tomorrow."
LONG = "one two three\n\nfour five six\n\nseven eight nine"
PARTS = ["one two three", "four five six", "seven eight nine"]


async def tell(running: House, text: str = WORDS, *, name: str = "warning 1") -> None:
    """Stores a notice in the session that lives HERE, as a chore would."""
    found = await running.database.read(places.find, HERE)
    assert found is not None
    assert await running.database.write(notices.tell, found[0], name=name, text=text)
    running.worker.wake()


async def talked(running: House) -> None:
    """A session that has asked and been answered, and idles."""
    await running.say(message())
    await running.answered("You said: hello")


async def test_a_notice_reaches_an_idle_session_and_nobody_in_particular(database: Database) -> None:
    async with house(database) as running:
        await talked(running)
        await tell(running, f"{WORDS} <@U1>")
        await running.adapter.until(lambda: len(running.adapter.screen) == 2)
        await running.over()

    reply = running.adapter.delivered[-1]
    assert reply.text.startswith(WORDS)
    assert "<@U1>" not in reply.text
    assert (reply.asker, reply.reply_to, reply.ticket, reply.private, reply.attempt) == (None, None, None, False, 1)
    assert reply.key == key_of(HERE, "warning 1", 0, of="notice")
    assert len(running.model.prompts) == 1, "no model was asked"
    assert await memory(database) == [("person", "hello"), ("assistant", "You said: hello")]
    assert [row.due_at for row in await rows(database, deliveries)] == [None, None], "nothing about it is doubtful"


async def test_a_notice_is_looked_for_below_the_answer_that_it_follows(database: Database) -> None:
    """However soon it follows: it is dated by another clock than the platform's, which may be some seconds behind."""
    adapter = TranscriptAdapter()
    adapter.faults.extend([None, Fault(error=DeliveryUnknown("timeout"))])
    async with house(database, adapter=adapter) as running:
        await running.say(message(at=time() - 5))
        await running.answered("You said: hello")
        await tell(running)
        await running.adapter.until(lambda: len(running.adapter.screen) == 2)
        await running.over()

    notice = adapter.delivered[-1]
    assert (notice.text, notice.attempt) == (WORDS, 2)
    assert notice.above == {shown for shown, one in adapter.screen.items() if one.text == "You said: hello"}


async def test_a_notice_stands_between_the_two_answers_between_which_it_was_told(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "one"], "two") as running:
        await running.say(message("first"))
        await running.model.until(lambda: running.model.running)
        await tell(running)
        await running.say(message("second", at=4_000_000_000))
        go.set()
        await running.answered("one", WORDS, "two")


async def test_a_long_notice_is_posted_in_parts_in_their_order(database: Database) -> None:
    adapter = TranscriptAdapter(max_text=18)
    async with house(database, "yes", adapter=adapter) as running:
        await running.say(message())
        await running.answered("yes")
        await tell(running, LONG)
        await running.answered("yes", *PARTS)

    assert [(reply.part, reply.last) for reply in adapter.delivered[1:]] == [(0, False), (1, False), (2, True)]


@pytest.mark.parametrize("stored", [False, True])
async def test_killed_in_the_call_another_process_looks_and_posts_it_once(database: Database, *, stored: bool) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.extend([None, Fault(error=asyncio.CancelledError(), stored=stored)])  # type: ignore[arg-type]
    async with house(database, adapter=adapter) as dying:
        await talked(dying)
        await tell(dying)
        await adapter.until(lambda: len(adapter.delivered) == 2)
        await dying.unserved()
    await database.write(expire)

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("You said: hello", WORDS)

    assert [reply.attempt for reply in adapter.delivered] == [1, 1, 2]
    assert adapter.delivered[1].key == adapter.delivered[2].key
    assert adapter.delivered[2].others == frozenset({"p1"}), "it is told which message it is not"


async def test_killed_before_its_messages_are_stored_it_is_posted_once(database: Database) -> None:
    adapter, road = TranscriptAdapter(), Interrupted(database)
    async with house(road, adapter=adapter) as dying:
        await talked(dying)
        road.fail("answer", *[DatabaseUnreachable("away")] * 9)
        await tell(dying)
        await dying.until(lambda found: found[0].attempts > 1)
    await database.write(expire)

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("You said: hello", WORDS)

    assert [reply.attempt for reply in adapter.delivered] == [1, 1]


async def test_a_commit_of_unknown_outcome_stores_it_once(database: Database) -> None:
    road = Interrupted(database)
    async with house(road) as running:
        await talked(running)
        road.repeat("answer")
        await tell(running)
        await running.answered("You said: hello", WORDS)

    assert len(await rows(database, deliveries)) == 2


async def test_a_notice_of_unknown_outcome_is_looked_for_and_reconciled(database: Database) -> None:
    async with house(database) as running:
        running.adapter.faults.extend([None, Fault(error=DeliveryUnknown("?"), stored=True)])
        await talked(running)
        await tell(running)
        await running.answered("You said: hello", WORDS)
        await running.over()
        assert [reply.attempt for reply in running.adapter.delivered] == [1, 1, 2]
        assert (await rows(database, turns))[-1].slip is not None, "it is kept for another look"
        shown = list(running.adapter.screen)[-1]
        running.adapter.screen["stray"] = running.adapter.screen[shown]
        running.adapter.screen[shown] = replace(running.adapter.screen[shown], text="an old call")
        async with reconciling(running):
            await pass_time(database)
            await running.adapter.until(lambda: running.adapter.texts == ["You said: hello", WORDS])
            await deliveries_are(database, lambda found: all(row.due_at is None for row in found))

    (turn,) = [row for row in await rows(database, turns) if row.notice is not None]
    assert (turn.progress, turn.slip) == (Progress.DONE, None)


async def test_the_platforms_own_receipt_is_known_to_be_for_a_notice(database: Database) -> None:
    """Also where it tells of another message than the one that stands, whose text is gone from the delivery by then."""
    async with house(database) as running:
        await talked(running)
        await tell(running)
        await running.answered("You said: hello", WORDS)
        key = running.adapter.delivered[-1].key
        running.adapter.screen["stray"] = running.adapter.delivered[-1]
        await running.say(Receipt(address=HERE, key=key, shown=Draft(id="stray", text="")))
        running.adapter.screen["p2"] = replace(running.adapter.screen["p2"], text="an old call")
        async with reconciling(running):
            await pass_time(database)
            await running.adapter.until(lambda: running.adapter.texts == ["You said: hello", WORDS])


async def test_a_refused_notice_is_a_dead_letter_that_can_be_sent_after_all(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.extend([None, Fault(error=DeliveryRefused("the thread is locked"))])
    async with house(database, adapter=adapter) as running:
        await talked(running)
        await tell(running)
        await running.until(lambda found: len(adapter.delivered) == 2 and found[0].waiting == 0)
        (letter,) = await database.read(dead.listed, 10)
        assert letter.reason == "not delivered: the thread is locked"
        await running.say(message("still there?"))
        await running.answered("You said: hello", "You said: still there?")

        await database.write(dead.retry, letter.id)
        await running.answered("You said: hello", "You said: still there?", WORDS)

    assert await database.read(dead.listed, 10) == []
    assert len(running.model.prompts) == 2


async def test_what_has_arrived_of_a_refused_notice_is_not_posted_again(database: Database) -> None:
    adapter = TranscriptAdapter(max_text=18)
    adapter.faults.extend([None, None, Fault(error=DeliveryRefused("the thread is locked"))])
    async with house(database, "yes", adapter=adapter) as running:
        await running.say(message())
        await running.answered("yes")
        await tell(running, LONG)
        await running.until(lambda found: len(adapter.delivered) == 3 and found[0].waiting == 0)
        (letter,) = await database.read(dead.listed, 10)

        await database.write(dead.retry, letter.id)
        await running.answered("yes", *PARTS)

    again = adapter.delivered[-3:]
    assert [reply.draft and reply.draft.id for reply in again] == ["p2", None, None], (
        "it is known where the first stands"
    )


async def test_a_look_at_the_screen_allows_for_a_platform_whose_clock_is_behind(database: Database) -> None:
    """A message is dated by the platform, a notice by us: it must not seem older than what it is."""
    async with house(database) as running:
        await talked(running)
        await tell(running)
        await running.answered("You said: hello", WORDS)

    (notice,) = [row for row in await rows(database, turns) if row.notice is not None]
    assert running.adapter.delivered[-1].asked_at == pytest.approx(notice.at / 1_000_000 - 10)


async def test_a_notice_that_ends_every_process_is_given_up_without_a_word(database: Database) -> None:
    """An apology would be for a question that nobody has asked."""
    async with house(database) as running:
        await talked(running)
    async with House(database, ScriptedModel(), running.adapter) as waiting:
        await waiting.stop()
        await tell(waiting)

    def tried(connection: Connection) -> None:
        connection.execute(update(sessions).values(attempts=ATTEMPTS))

    await database.write(tried)
    async with house(database, adapter=running.adapter, owner="host:boot:2:b") as heir:
        await heir.over()
        (letter,) = await database.read(dead.listed, 10)
        await database.write(dead.drop, letter.id)

    assert letter.reason == f"{ATTEMPTS} attempts failed"
    assert running.adapter.texts == ["You said: hello"]
    assert await database.read(dead.listed, 10) == []


async def test_edits_and_deletions_of_questions_leave_a_notice_alone(database: Database) -> None:
    adapter, go = TranscriptAdapter(), asyncio.Event()
    asked, other = message("first"), message("second")
    async with house(database, [go, "one"], ["two"], adapter=adapter) as running:
        await running.say(asked)
        await running.model.until(lambda: running.model.running)
        await tell(running)
        await running.say(other)
        adapter.hold_delivery = asyncio.Event()
        go.set()
        await adapter.until(lambda: len(adapter.delivered) == 1)
        await running.say(Edited(message=replace(asked, text="changed"), at=asked.at + 1))
        await running.say(Deleted(address=HERE, id=other.id))
        adapter.hold_delivery.set()
        await running.answered("one", WORDS)

    assert [reply.text for reply in adapter.delivered] == ["one", WORDS]


async def test_a_notice_that_people_take_off_the_screen_is_gone_from_memory(database: Database) -> None:
    async with house(database) as running:
        await talked(running)
        await tell(running)
        await running.answered("You said: hello", WORDS)
        await running.say(Deleted(address=HERE, id=list(running.adapter.screen)[-1]))

    kept = [*await rows(database, turns), *await rows(database, deliveries)]
    assert WORDS.encode() not in [row.body for row in kept]
    assert [DeliveryState(row.state) for row in await rows(database, deliveries)] == [DeliveryState.SENT]
