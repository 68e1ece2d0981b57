"""People edit and delete what they have said, and places close: memory and answers follow the screen."""

import asyncio
from dataclasses import replace
from time import time

from sqlalchemy import update

from core.errors import ModelRefused
from core.schema import quotes, turns
from core.seam.address import Address
from core.seam.messages import Closed, Deleted, Edited, Inbound, Quote
from core.session import Validity
from core.store import Database, bodies, changes
from tests.script import House, Interrupted, ScriptedModel, TranscriptAdapter, house, memory, remembered, rows
from tests.values import ADA, BEN, HERE, message

CHANNEL = Address(platform="console", workspace="local", channel="busy")


def edited(said: Inbound, text: str, *, after: float = 5.0) -> Edited:
    return Edited(message=replace(said, text=text), at=said.at + after)


async def words(database: Database) -> bytes:
    """Every body that is stored."""
    return b" ".join(row.body for row in await rows(database, turns))


async def test_an_edit_of_a_waiting_message_is_what_is_answered(database: Database) -> None:
    said = message("what is 2 + 2?")
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(said, edited(said, "what is 3 + 3?"))

    async with there:
        await there.answered("You said: what is 3 + 3?")

    assert await memory(database) == [("person", "what is 3 + 3?"), ("assistant", "You said: what is 3 + 3?")]


async def test_an_edit_of_the_message_that_is_being_answered_starts_the_answer_again(database: Database) -> None:
    said, never = message("what is 2 + 2?"), asyncio.Event()
    async with house(database, ["Two and", never]) as running:
        await running.say(said)
        await running.adapter.until(lambda: running.adapter.texts == ["Two and"])
        await running.say(edited(said, "what is 3 + 3?"))
        await running.answered("You said: what is 3 + 3?")

    assert len(running.adapter.screen) == 1, "the message on screen has become the new answer"
    assert running.model.asked()[-1] == "what is 3 + 3?"
    assert (await memory(database))[0] == ("person", "what is 3 + 3?")


async def test_an_edit_that_another_process_took_in_reaches_the_one_that_answers(database: Database) -> None:
    said, never = message("old"), asyncio.Event()
    elsewhere = House(database, ScriptedModel(), TranscriptAdapter(), owner="other:boot:2:b")
    async with house(database, [never, "old answer"]) as running:
        await running.say(said)
        await running.model.until(lambda: running.model.running == 1)
        await elsewhere.say(edited(said, "new"))
        await running.answered("You said: new")

    assert elsewhere.model.prompts == []


async def test_an_answer_to_what_a_message_no_longer_says_is_not_stored(database: Database) -> None:
    """Also when nobody could be told in time: the stored answer names the version that it answers."""
    said, go = message("old"), asyncio.Event()
    async with house(database, [go, "old answer"]) as running:
        await running.say(said)
        await running.model.until(lambda: running.model.running == 1)
        new = {"edited_at": 1_800_000_000_000_000, "body": bodies.TURN.seal(bodies.Mine(1, 1), (1, 0), "new")}
        await database.write(lambda connection: connection.execute(update(turns).values(new)))
        go.set()
        await running.answered("You said: new")


async def test_an_edit_of_an_answered_message_changes_what_is_remembered_and_asks_nobody(database: Database) -> None:
    said = message("my password is swordfish")
    async with house(database, "Better not say that.") as running:
        await running.say(said)
        await running.answered("Better not say that.")
        await running.say(edited(said, "never mind"))
        await running.say(message("and now?"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.over()

    assert running.model.asked()[:2] == ["never mind", "Better not say that."]
    assert b"swordfish" not in await words(database)


async def test_a_refused_question_that_is_edited_is_shown_to_the_model_again(database: Database) -> None:
    said, other = message("how does one do harm?"), message("and?")
    async with house(database, ModelRefused("content_filter")) as running:
        await running.say(said)
        await running.over()
        await running.unserved()
        await running.say(edited(said, "how does one do no harm?"), other)
        await running.over()

    assert running.model.asked() == ["how does one do no harm?", "and?"]


async def test_an_older_edit_that_arrives_late_changes_nothing(database: Database) -> None:
    said = message("one")
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(said, edited(said, "three", after=9.0), edited(said, "two", after=5.0))

    async with there:
        await there.answered("You said: three")


async def test_an_edit_that_overtakes_its_message_is_the_message(database: Database) -> None:
    said = message("tpyo")
    async with house(database) as running:
        await running.say(edited(said, "typo"), said)
        await running.answered("You said: typo")

    assert len(running.model.prompts) == 1


async def test_an_older_edit_does_not_undo_the_newer_one_that_overtook_its_message(database: Database) -> None:
    said = message("one")
    newest = edited(said, "three", after=6.0)
    async with house(database) as running:
        await running.say(newest, said, edited(said, "two", after=2.0), newest)
        await running.answered("You said: three")

    assert (await memory(database))[0] == ("person", "three")


async def test_an_older_edit_does_not_undo_what_a_history_has_told(database: Database) -> None:
    said = message("one", at=time() - 60)
    async with house(database) as running:
        await running.inbox.catch_up([replace(said, text="three", edited_at=said.at + 6.0)])
        await running.answered("You said: three")
        await running.say(edited(said, "two", after=2.0))

    assert (await memory(database))[0] == ("person", "three")


class Raced(Interrupted):
    """A database in which somebody stores the message in the moment after an edit of it has found nothing."""

    def __init__(self, database: Database, message: Inbound) -> None:
        super().__init__(database)
        self._message: Inbound | None = message

    async def write(self, function, *args, **kwargs):
        try:
            return await super().write(function, *args, **kwargs)
        except changes.Unknown:
            if self._message is not None:
                message, self._message = self._message, None
                await House(self._database, ScriptedModel(), TranscriptAdapter(), owner="other:boot:2:b").say(message)
            raise


async def test_an_edit_that_overtakes_a_message_while_another_process_stores_it_is_not_lost(database: Database) -> None:
    said = message("tpyo")
    async with house(Raced(database, said)) as running:
        await running.say(edited(said, "typo"))
        await running.answered("You said: typo")

    assert (await memory(database))[0] == ("person", "typo")


async def test_an_edit_of_what_was_said_long_before_the_bot_came_is_nothing_to_it(database: Database) -> None:
    async with house(database) as running:
        await running.say(edited(message("old"), "older", after=3600.0))

    assert await rows(database, turns) == []


async def test_a_deleted_message_that_waits_is_not_answered_and_forgotten(database: Database) -> None:
    said, other = message("a secret"), message("something else")
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(said, other, Deleted(address=HERE, id=said.id))

    async with there:
        await there.answered("You said: something else")

    assert b"secret" not in await words(database)
    (row, *_) = await rows(database, turns)
    assert (row.validity, row.author, row.name, row.message) == (Validity.ERASED, None, None, said.id)


async def test_an_answer_to_a_deleted_message_ends_silently_and_leaves_the_screen(database: Database) -> None:
    said, never = message("a secret"), asyncio.Event()
    async with house(database, ["Your secret", never]) as running:
        reconciling = asyncio.create_task(running.chores.work())
        await running.say(said)
        await running.adapter.until(lambda: running.adapter.texts == ["Your secret"])
        await running.say(Deleted(address=HERE, id=said.id))
        await running.adapter.until(lambda: running.adapter.texts == [])
        await running.over()
        reconciling.cancel()

    assert running.model.running == 0
    assert await memory(database) == []
    assert b"secret" not in await words(database)


async def test_a_deleted_message_that_was_answered_is_out_of_memory_and_database(database: Database) -> None:
    said = message("my secret name is Rumpelstiltskin")
    async with house(database, "I see.") as running:
        await running.say(said)
        await running.answered("I see.")
        await running.say(Deleted(address=HERE, id=said.id))

    assert await memory(database) == [("assistant", "I see.")], "which is still on screen"
    assert b"Rumpel" not in await words(database)


async def test_a_deleted_message_that_arrives_again_stays_deleted(database: Database) -> None:
    said = message("gone")
    async with house(database) as running:
        await running.say(said)
        await running.answered("You said: gone")
        await running.say(Deleted(address=HERE, id=said.id), said, edited(said, "back"))
        await running.over()

    assert len(running.model.prompts) == 1
    assert await memory(database) == [("assistant", "You said: gone")]


async def test_what_was_deleted_or_edited_without_having_been_heard_is_nothing(database: Database) -> None:
    async with house(database) as running:
        await running.say(Deleted(address=HERE, id="never"), Closed(address=CHANNEL, gone=True))

    assert await rows(database, turns) == []


async def test_a_summary_of_a_deleted_message_is_made_again_before_it_is_shown(database: Database) -> None:
    said, kept = message("the code is 1234"), message("we meet at noon")
    script = ("Noted.", "Noted too.", "Code 1234, noon.", "A meeting at noon.", "Yes.")
    async with house(database, *script) as running:
        for one in (said, kept, message("!summarize")):
            await running.say(one)
            await running.over()
        await running.say(Deleted(address=HERE, id=said.id))
        await running.say(message("anything else?"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "Yes.")
        await running.over()

    made_again, asked = running.model.asked(3), running.model.asked(4)
    assert "the code is 1234" not in made_again
    assert made_again[0] == "Noted."
    assert running.model.prompts[3].stable == (), "no cache is to keep what is asked once"
    assert "we meet at noon" in made_again
    assert "A meeting at noon." in asked
    assert not any("1234" in line for line in asked)
    assert b"1234" not in await words(database)


async def test_a_summary_that_can_not_be_made_again_is_left_out(database: Database) -> None:
    said = message("the code is 1234")
    async with house(database, "Noted.", "Code 1234.", ModelRefused("no"), "Yes.") as running:
        for one in (said, message("!summarize")):
            await running.say(one)
            await running.over()
        await running.say(Deleted(address=HERE, id=said.id), message("anything else?"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "Yes.")
        await running.over()

    assert running.model.asked(3) == ["Noted.", "anything else?"]


async def test_a_closed_thread_answers_nothing_any_more_and_lives_again_when_it_is_called(database: Database) -> None:
    thread = replace(CHANNEL, thread="t1")
    before = message("before", address=thread)
    never = asyncio.Event()
    async with house(database, "First.", [never]) as running:
        await running.say(before)
        await running.answered("First.")
        await running.say(message("waits", address=thread, author=BEN))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(Closed(address=thread, gone=False))
        await running.over()
        await running.say(message("to nobody", address=thread, direct=False))
        assert len(running.model.prompts) == 2
        await running.say(message("again", address=thread))
        await running.answered("First.", "You said: again")

    assert running.model.asked() == ["again"], "a fresh start"


async def test_a_channel_that_is_gone_takes_all_its_sessions_words_along(database: Database) -> None:
    other = replace(CHANNEL, channel="other")
    async with house(database) as running:
        for place in (replace(CHANNEL, thread="t1"), replace(CHANNEL, thread="t2"), CHANNEL, other):
            await running.say(message(f"secret of {place.id}", address=place, author=ADA))
        await running.adapter.until(lambda: len(running.adapter.texts) == 4)
        await running.over()
        await running.say(Closed(address=CHANNEL, gone=True))

    kept = await words(database)
    assert b"busy" not in kept
    assert kept.count(b"secret of console:local:other") == 2


async def test_an_edit_of_what_a_message_points_at_alone_is_an_edit(database: Database) -> None:
    """A file is taken out of a message, whose own words stay."""
    said = message("look", quotes=(Quote(kind="attaches", title="plan.txt", text="swordfish"),))
    async with house(database, "Nice.") as running:
        await running.say(said)
        await running.answered("Nice.")
        await running.say(edited(said, "look"))
        assert "swordfish" in (await remembered(database))[0].quotes[0].text, "nothing has changed"
        await running.say(Edited(message=replace(said, quotes=()), at=said.at + 6))
        await running.over()

    assert (await remembered(database))[0].quotes == ()
    assert await rows(database, quotes) == []
