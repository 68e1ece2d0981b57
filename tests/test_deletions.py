"""What people take back is gone from everything that is remembered, whoever holds it and whenever they do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from core.errors import DeliveryDelayed, DeliveryUnknown
from core.schema import deliveries, gone, parts, quotes, turns
from core.seam.address import Address
from core.seam.messages import Audience, Author, Deleted, Edited, Inbound, Quote
from core.session import Progress
from core.store import Database, doubts
from tests.script import Fault, House, ScriptedModel, TranscriptAdapter, brisk, house, memory, remembered, rows
from tests.values import ADA, BEN, HERE, message

CHANNEL = Address(platform="console", workspace="local", channel="busy")
ONE, OTHER = replace(CHANNEL, thread="t1"), replace(CHANNEL, thread="t2")


def elsewhere(database: Database) -> House:
    """Another process, which takes in and answers nothing."""
    return House(database, ScriptedModel(), TranscriptAdapter(), owner="other:boot:2:b")


def deleted(said: Inbound) -> Deleted:
    return Deleted(address=said.address, id=said.id)


def edited(said: Inbound, text: str) -> Edited:
    return Edited(message=replace(said, text=text), at=said.at + 5)


@asynccontextmanager
async def reconciled(running: House) -> AsyncIterator[None]:
    reconciling = asyncio.create_task(running.chores.work())
    try:
        yield
    finally:
        reconciling.cancel()
        await asyncio.wait([reconciling])


async def words(database: Database) -> str:
    """All that people or we have said, as far as it is stored."""
    found = [row for table in (turns, deliveries, quotes) for row in await rows(database, table)]
    return " ".join(one.decode() if isinstance(one, bytes) else str(one) for row in found for one in row)


@pytest.mark.parametrize("how", ["edit", "delete"])
async def test_copies_that_other_sessions_have_heard_follow_their_message(database: Database, how: str) -> None:
    """D2. On whichever replica the change arrives, and whichever session it was said to."""
    said = message("the code is tuna", address=replace(CHANNEL, thread="t0"), author=BEN, direct=False)
    adapter = TranscriptAdapter()
    adapter.past = [said]
    async with house(database, "One.", "Other.", adapter=adapter) as running:
        for place in (ONE, OTHER):
            await running.say(message("hello", id=place.thread, address=place, direct=False, audience=Audience.BOT))
            await running.over()
        assert "tuna" in await words(database)
        await elsewhere(database).say(deleted(said) if how == "delete" else edited(said, "the code is salmon"))
        assert "tuna" not in await words(database)
        for place in (ONE, OTHER):
            await running.say(message("and?", address=place, direct=False, audience=Audience.BOT))
            await running.over()

    heard = {"edit": ["the code is salmon"], "delete": []}[how]
    assert running.model.asked(2) == [*heard, "hello", "One.", "and?"]
    assert running.model.asked(3) == [*heard, "hello", "Other.", "and?"]


@pytest.mark.parametrize("how", ["edit", "delete"])
async def test_what_is_quoted_follows_its_message_in_every_session_of_its_channel(database: Database, how: str) -> None:
    """D2."""
    quoted = Quote(kind="replies to", text="the code is tuna", author=BEN, at=1.0, message="m0")
    said = message("the code is tuna", id="m0", address=CHANNEL, author=BEN)
    async with house(database) as running:
        for place in (ONE, OTHER):
            await running.say(message("is this right?", address=place, quotes=(quoted,)))
            await running.over()
        assert ">> the code is tuna" in running.model.prompts[-1].messages[-1].text
        await elsewhere(database).say(deleted(said) if how == "delete" else edited(said, "the code is eel"))
        assert "tuna" not in await words(database)
        await running.say(message("and?", address=OTHER))
        await running.over()

    first = running.model.prompts[-1].messages[0].text
    assert (">> the code is eel" in first) is (how == "edit")


async def test_a_question_is_answered_again_when_what_it_points_at_is_deleted(database: Database) -> None:
    quoted = Quote(kind="replies to", text="the code is tuna", author=BEN, at=1.0, message="m0")
    said, never = message("the code is tuna", id="m0", author=BEN), asyncio.Event()
    async with house(database, [never]) as running:
        await running.say(message("is this right?", quotes=(quoted,)))
        await running.model.until(lambda: running.model.running == 1)
        await elsewhere(database).say(deleted(said))
        await running.over()

    assert "tuna" in running.model.prompts[0].messages[-1].text
    assert "tuna" not in running.model.prompts[1].messages[-1].text


async def test_what_is_deleted_while_it_is_looked_back_at_is_not_heard(database: Database) -> None:
    """D10. The history was read before the deletion, and is stored after it."""
    said = message("the code is tuna", address=CHANNEL, author=BEN, direct=False)
    adapter = TranscriptAdapter()
    adapter.past, adapter.hold_past = [said], asyncio.Event()
    async with house(database, adapter=adapter) as running:
        await running.say(message("hello", address=CHANNEL, direct=False, audience=Audience.BOT))
        await adapter.until(lambda: adapter.scrolled)
        await elsewhere(database).say(deleted(said))
        adapter.hold_past.set()
        await running.over()

    assert running.model.asked() == ["hello"]
    assert "tuna" not in await words(database)


async def test_a_deletion_that_comes_before_its_message_is_not_in_vain(database: Database) -> None:
    """D10. On another replica too; and a quote of it that comes later has no words of it."""
    said = message("the code is tuna")
    quoted = Quote(kind="replies to", text="the code is tuna", message=said.id)
    async with house(database) as running:
        await elsewhere(database).say(deleted(said))
        await running.say(said, message("and this?", quotes=(quoted,)))
        await running.answered("You said: and this?")

    assert "tuna" not in running.model.prompts[0].messages[-1].text
    assert "tuna" not in await words(database)


async def test_what_was_deleted_long_ago_is_not_kept_in_mind(database: Database) -> None:
    said = message("hello")
    async with house(database) as running:
        await running.say(deleted(said))
        await database.write(lambda connection: connection.execute(update(gone).values(gone_at=0)))
        await database.write(doubts.forget)
        await running.say(said)
        await running.answered("You said: hello")


async def test_a_preview_that_is_under_way_elsewhere_when_its_question_is_deleted_is_taken_away(
    database: Database,
) -> None:
    """D5. What an earlier call may still leave is looked for later, as where a preview is posted again by itself."""
    adapter, said, never = TranscriptAdapter(), message("hello"), asyncio.Event()
    adapter.hold_preview = asyncio.Event()
    async with house(database, ["Half an", never], adapter=adapter) as running, reconciled(running):
        await running.say(said)
        await adapter.until(lambda: adapter.previews)
        await elsewhere(database).say(deleted(said))
        await running.model.until(lambda: running.model.running == 0)
        adapter.hold_preview.set()
        await adapter.until(lambda: adapter.history and not adapter.screen)
        await running.over()
        assert adapter.reconciled == []

        await database.write(lambda connection: connection.execute(update(deliveries).values(due_at=0)))
        await adapter.until(lambda: adapter.reconciled)

    ((reply, stands),) = adapter.reconciled
    assert (reply.text, stands) == ("", "")
    assert await memory(database) == []


@pytest.mark.parametrize("known", ["a preview", "a part of the answer"])
async def test_what_a_dead_process_has_under_way_is_looked_for_though_what_it_has_shown_is_known(
    database: Database, known: str
) -> None:
    """D5. Its call was repeated, and shows; only the dead process knew that the one before that may land yet."""
    asked, adapter = message("hello"), TranscriptAdapter(max_text=60)
    answer: list[str | asyncio.Event] = ["Half an", asyncio.Event()]
    if known == "a part of the answer":
        adapter.mute, answer = True, [" ".join(f"word{number}" for number in range(30))]
        never = Fault(error=DeliveryDelayed("?", retry_after=3_600.0))
        adapter.faults.extend([Fault(error=DeliveryUnknown("?")), None, never])
    async with house(database, answer, adapter=adapter) as running:
        await running.say(asked)
        await stored(database, lambda found: any(row.draft or row.message for row in found))
    ((_, shown),) = adapter.screen.items()

    survivor = House(database, ScriptedModel(), adapter, owner="other:boot:2:b")
    await survivor.say(deleted(asked))
    async with reconciled(survivor):
        await stored(database, lambda found: not any(row.draft for row in found))
        assert not adapter.screen
        adapter.screen["late"] = shown
        await database.write(lambda connection: connection.execute(update(deliveries).values(due_at=0)))
        await adapter.until(lambda: not adapter.screen)
        await stored(database, lambda found: not found)


async def stored(database: Database, condition: Callable[[Sequence[Any]], bool]) -> None:
    """Waits until the deliveries' rows are like this."""
    async with asyncio.timeout(10):
        while not condition(await rows(database, deliveries)):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.005)


async def test_nothing_is_begun_for_a_question_that_was_deleted_elsewhere(database: Database) -> None:
    """D5. Although this process has not looked yet."""
    adapter, said, go = TranscriptAdapter(), message("hello"), asyncio.Event()
    async with house(database, [go, "Half an", " answer"], adapter=adapter, timings=brisk(poll=3_600.0)) as running:
        await running.say(said)
        await running.model.until(lambda: running.model.running == 1)
        await elsewhere(database).say(deleted(said))
        go.set()
        await running.over()

    assert adapter.history == []


async def test_an_answer_that_is_on_its_way_when_its_question_is_deleted_is_taken_away(database: Database) -> None:
    """D5. With all its parts, and from memory; what was asked before it in one breath is answered."""
    adapter, said = TranscriptAdapter(max_text=60), message("hello")
    adapter.mute, adapter.hold_delivery = True, asyncio.Event()
    answer = " ".join(f"word{number}" for number in range(30))
    async with house(database, answer, adapter=adapter) as running, reconciled(running):
        await running.say(said)
        await adapter.until(lambda: adapter.delivered)
        await elsewhere(database).say(deleted(said))
        adapter.hold_delivery.set()
        await adapter.until(lambda: adapter.history and not adapter.screen)
        await running.over()

    assert len(adapter.delivered) == 1, "the other parts are not posted"
    assert await memory(database) == []
    assert "word" not in await words(database)


async def test_whatever_is_left_of_a_burst_is_answered(database: Database) -> None:
    """D6. The newest that still stands is answered; when all are deleted, none."""
    never = asyncio.Event()
    said = [message(f"number {number}", at=1_800_000_000 + number / 10) for number in range(3)]
    there = House(database, ScriptedModel([never], [never]), TranscriptAdapter())
    await there.say(*said)
    async with there:
        await there.model.until(lambda: there.model.prompts and there.model.asked()[-1] == "number 2")
        await there.say(deleted(said[1]), deleted(said[2]))
        await there.model.until(lambda: there.model.asked()[-1] == "number 0")
        assert there.model.asked() == ["number 0"]
        await there.say(deleted(said[0]))
        await there.over()

    assert there.adapter.texts == []


async def test_a_summary_out_of_view_loses_its_words_at_once_and_is_made_again_after_an_undo(
    database: Database,
) -> None:
    """D7."""
    said, kept = message("the code is tuna"), message("we meet at noon")
    async with house(database, "Noted.", "Noted too.", "Tuna, noon.", "A meeting.", "Yes.") as running:
        for one in (said, kept, message("!summarize"), message("!reset")):
            await running.say(one)
            await running.over()
        await elsewhere(database).say(deleted(said))
        assert "Tuna" not in await words(database)
        for one in (message("!undo"), message("and?")):
            await running.say(one)
            await running.over()

    assert "tuna" not in running.model.asked(3)
    assert "A meeting." in running.model.asked(4)


async def test_a_summary_that_is_made_from_another_one_loses_its_words_with_that(database: Database) -> None:
    """It may begin behind what that one tells of: here at a reset that was undone when that one was made."""
    said, later = message("the code is tuna"), message("we meet at noon")
    moves = [message(f"!{verb}") for verb in ("reset", "undo", "summarize", "undo", "summarize")]
    async with house(database, "Noted.", "Noted too.", "All about tuna.", "Tuna, noon.") as running:
        for one in (said, moves[0], later, *moves[1:]):
            await running.say(one)
            await running.over()
        first, second = [row for row in await rows(database, turns) if row.covers is not None]
        assert second.covers > first.covers
        await running.say(deleted(said))

    assert "una" not in await words(database)


async def test_a_summary_on_its_way_to_the_screen_arrives_whole_and_is_forgotten(database: Database) -> None:
    adapter, said = TranscriptAdapter(), message("the code is tuna")
    async with house(database, "Noted.", "All about tuna.", adapter=adapter) as running:
        await running.say(said)
        await running.over()
        adapter.mute, adapter.hold_delivery = True, asyncio.Event()
        await running.say(message("!summarize"))
        await adapter.until(lambda: len(adapter.delivered) == 2)
        await running.say(deleted(said))
        adapter.hold_delivery.set()
        await running.over()

    assert adapter.texts[0] == "Noted."
    assert adapter.texts[1].startswith("All about tuna.\n\n_(This tells of what was said since ")
    assert "tuna" not in await words(database)


async def test_an_answer_of_long_ago_that_people_delete_goes_from_memory(database: Database) -> None:
    """D9. Its receipt has been forgotten meanwhile."""
    async with house(database, "It is tuna.") as running:
        await running.say(message("what is it?", at=1_000_000.0))
        await running.answered("It is tuna.")
        assert await database.write(doubts.forget) == 1
        (shown,) = running.adapter.screen
        await running.say(Deleted(address=HERE, id=shown))

    assert await rows(database, deliveries) == []
    assert "tuna" not in await words(database)
    assert await memory(database) == [("person", "what is it?")]


async def test_the_parts_of_an_answer_of_long_ago_are_still_told_apart(database: Database) -> None:
    """D9. One after the other: by then, those that are left have words of their own."""
    said = "alpha alpha alpha alpha\n\nbeta beta beta beta beta\n\ngamma gamma gamma gamma"
    adapter = TranscriptAdapter(max_text=40)
    async with house(database, said, adapter=adapter) as running:
        await running.say(message("what is it?", at=1_000_000.0))
        await running.over()
        await database.write(doubts.forget)
        assert (await rows(database, deliveries), len(await rows(database, parts))) == ([], 3)
        shown = list(adapter.screen)
        await running.say(Deleted(address=HERE, id=shown[1]))
        left = await memory(database)
        await database.write(doubts.forget)
        await running.say(Deleted(address=HERE, id=shown[0]))

    assert left == [("person", "what is it?"), ("assistant", "alpha alpha alpha alpha\n\ngamma gamma gamma gamma")]
    assert await memory(database) == [("person", "what is it?"), ("assistant", "gamma gamma gamma gamma")]


async def test_an_answer_is_put_away_when_all_its_parts_are_certain(database: Database) -> None:
    """D9. All at once, also where no more is forgotten in one go."""
    adapter = TranscriptAdapter(max_text=40)
    async with house(database, "alpha alpha alpha alpha\n\nbeta beta beta beta beta", adapter=adapter) as running:
        await running.say(message("what is it?", at=1_000_000.0))
        await running.over()
    doubtful = update(deliveries).where(deliveries.c.part == 1)
    await database.write(lambda connection: connection.execute(doubtful.values(due_at=0, body=b"")).rowcount)
    assert await database.write(doubts.forget) == 0
    await database.write(lambda connection: connection.execute(doubtful.values(due_at=None, body=None)).rowcount)

    assert await database.write(doubts.forget, most=1) == 1

    assert await rows(database, deliveries) == []
    assert [(row.part, row.message) for row in await rows(database, parts)] == list(enumerate(adapter.screen))


async def test_what_a_preview_of_unknown_outcome_has_left_is_looked_for(database: Database) -> None:
    """D5. By what answering needed, which is gone from the database once nothing is left to look for."""
    adapter, said, never = TranscriptAdapter(), message("hello", reply_to="m1"), asyncio.Event()
    adapter.preview_faults.append(Fault(error=DeliveryUnknown("?"), stored=True))
    async with house(database, ["Half an", never], adapter=adapter) as running:
        await running.say(said)
        await adapter.until(lambda: adapter.texts == ["Half an"])
        await running.say(deleted(said))
        await running.over()
        assert [row.slip is not None for row in await rows(database, turns)] == [True]
        await database.write(lambda connection: connection.execute(update(deliveries).values(due_at=0)))
        async with reconciled(running):
            await adapter.until(lambda: adapter.reconciled)
            async with asyncio.timeout(10):
                while await rows(database, deliveries):  # noqa: ASYNC110 – a database tells nobody
                    await asyncio.sleep(0.005)

    ((reply, stands),) = adapter.reconciled
    assert (reply.reply_to, reply.text, stands) == ("m1", "", "")
    assert [row.slip for row in await rows(database, turns)] == [None]


async def test_a_summary_follows_an_edit_that_is_first_told_as_a_call(database: Database) -> None:
    """D7. Slack tells of an edit that mentions the bot in two events, in either order."""
    said = message("the code is tuna", direct=False, audience=Audience.OTHERS, author=BEN)
    call = replace(said, text="the code is salmon", audience=Audience.BOT, edited_at=said.at + 5)
    async with house(database, "Hello.", "All about tuna.", "Noted.", "All about salmon.", "Well.") as running:
        await running.say(message("hello"))
        await running.over()
        await running.say(said, message("!summarize"))
        await running.over()
        await running.say(call, Edited(message=call, at=said.at + 5))
        await running.over()
        assert "tuna" not in await words(database)
        await running.say(message("and now?"))
        await running.over()

    assert "All about salmon." in running.model.asked()
    assert "tuna" not in str(running.model.prompts[-1])


async def test_an_edit_into_a_private_command_takes_the_half_answer_away(database: Database) -> None:
    """D4. What only its asker may see can't be put in its place."""
    adapter, said, never = TranscriptAdapter(), message("statsu"), asyncio.Event()
    async with house(database, ["Half an", never], adapter=adapter) as running, reconciled(running):
        await running.say(said)
        await adapter.until(lambda: adapter.texts == ["Half an"])
        await running.say(edited(said, "!status"))
        await adapter.until(lambda: len(adapter.texts) == 1 and "session is new" in adapter.texts[0])
        await running.over()

    assert adapter.withdrawn
    assert adapter.screen[next(iter(adapter.screen))].private


@pytest.mark.parametrize("lost", ["the answer", "the question"])
async def test_a_release_before_this_one_has_left_nothing_that_is_in_the_way(database: Database, lost: str) -> None:
    """An answer whose receipt an older process has forgotten for good stays, and harms nothing."""
    async with house(database, "It is tuna.") as running:
        await running.say(asked := message("what is it?"))
        await running.answered("It is tuna.")
        await database.write(lambda connection: connection.execute(deliveries.delete()))
        (shown,) = running.adapter.screen
        await running.say(Deleted(address=HERE, id=shown if lost == "the answer" else asked.id))

    assert ("assistant", "It is tuna.") in await memory(database)


async def test_what_was_refused_and_then_deleted_is_gone(database: Database) -> None:
    said = message("a secret", author=ADA)
    async with house(database) as running:
        await running.say(said)
        await running.over()
        await database.write(lambda connection: connection.execute(update(turns).values(progress=Progress.REFUSED)))
        await running.say(deleted(said))

    assert "a secret" not in (await words(database)).replace("You said: a secret", "")


async def test_a_message_that_comes_late_is_not_answered_when_it_was_deleted_before_its_session_began(
    database: Database,
) -> None:
    """D10. Another message has opened the session meanwhile; it is sent again then, as platforms do."""
    late, other = message("the code is tuna"), message("hello")
    async with house(database) as running:
        await elsewhere(database).say(deleted(late))
        await running.say(other)
        await running.answered("You said: hello")
        await elsewhere(database).say(late)
        await running.say(late, message("and?"))
        await running.answered("You said: hello", "You said: and?")

    assert running.model.asked() == ["hello", "You said: hello", "and?"]
    assert "tuna" not in await words(database)


async def test_a_quote_holds_the_newest_of_what_it_quotes_however_long_and_in_whatever_order_it_comes(
    database: Database,
) -> None:
    """D2. Overheard in three sessions and quoted in a fourth, edited out of order, then deleted."""
    said = message("tuna", id="m0", address=replace(CHANNEL, thread="t0"), author=BEN, direct=False)
    quoted = Quote(kind="replies to", text="tuna", author=BEN, at=said.at, message="m0")
    correct = "the code is salmon, and it is good for the whole week, from monday to friday"
    adapter = TranscriptAdapter()
    adapter.past = [said]
    async with house(database, adapter=adapter) as running:
        for number in range(3):
            place = replace(CHANNEL, thread=f"t{number + 1}")
            await running.say(message("hello", id=place.thread, address=place, direct=False, audience=Audience.BOT))
            await running.over()
        fourth = replace(CHANNEL, thread="t9")
        await running.say(message("right?", address=fourth, quotes=(quoted,)))
        await running.over()
        for text, at in ((correct, said.at + 9), ("the code is eel", said.at + 5)):
            await elsewhere(database).say(Edited(message=replace(said, text=text), at=at))
        stored = await words(database)
        assert stored.count(correct) == 4
        assert "eel" not in stored
        await running.say(message("and?", address=fourth))
        await running.over()
        assert f">> {correct}\n\nright?" in running.model.prompts[-1].messages[0].text
        assert running.model.prompts[-1].tokens >= running.mind.size((await remembered(database, fourth))[0])
        await elsewhere(database).say(deleted(said))
        assert "salmon" not in await words(database)


async def test_a_quoted_file_that_its_author_takes_away_is_gone(database: Database) -> None:
    """D2."""
    file = Quote(kind="attaches", title="keys.txt", text="the code is tuna", author=BEN, at=1.0, message="m0")
    quoted = Quote(kind="replies to", text="look", author=BEN, at=1.0, message="m0")
    said = message("look", id="m0", address=CHANNEL, author=BEN)
    async with house(database) as running:
        await running.say(message("right?", address=ONE, quotes=(quoted, file)))
        await running.over()
        with_file = replace(said, text="look!", quotes=(replace(file, message=None, text=""),))
        await elsewhere(database).say(Edited(message=with_file, at=said.at + 5))
        assert "tuna" in await words(database)
        await elsewhere(database).say(Edited(message=replace(said, text="look!"), at=said.at + 6))
        assert "tuna" not in await words(database)


@pytest.mark.parametrize("how", ["edit", "delete"])
async def test_what_another_program_posted_follows_its_message(database: Database, how: str) -> None:
    """D2. An alert is words in an embed; it is overheard by one session and quoted in another."""
    crawler = Author(id="B1", name="crawler", is_bot=True)
    alert = Quote(kind="embeds", text="the code is tuna")
    said = message("", address=CHANNEL, author=crawler, direct=False, quotes=(alert,))
    quoted = replace(alert, author=crawler, at=said.at, message=said.id)
    adapter = TranscriptAdapter()
    adapter.past = [said]
    async with house(database, adapter=adapter) as running:
        await running.say(message("hello", id="t1", address=ONE, direct=False, audience=Audience.BOT))
        await running.say(message("right?", address=OTHER, quotes=(quoted,)))
        await running.over()
        assert (await words(database)).count("tuna") == 2
        becomes = replace(said, quotes=(replace(alert, text="the code is eel"),))
        change = Edited(message=becomes, at=said.at + 5) if how == "edit" else deleted(said)
        await elsewhere(database).say(change)
        stored = await words(database)
        await running.say(message("no answer", address=CHANNEL, author=crawler, audience=Audience.BOT))

    assert "tuna" not in stored
    assert stored.count("eel") == (2 if how == "edit" else 0)
    assert len(running.model.prompts) == 2, "what programs say is not answered, nor what becomes of it"
