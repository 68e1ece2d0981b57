"""What was overheard and is for us after all, since it came late or was edited, is answered as the newest question.

Only before what still waits, while nothing behind it has been answered, does it stand where it was heard.
"""

import asyncio
from dataclasses import replace

from core.schema import checkpoints as table
from core.seam.messages import Audience, Deleted, Edited, Inbound
from core.session import Fold, SessionKey
from core.store import Database, checkpoints, places
from core.store.checkpoints import Made
from tests.core.commands.test_hindsight import Linking, hindsight, shown
from tests.core.store.test_timeouts import DAY, line, pass_time, present, time_out
from tests.script import House, TranscriptAdapter, house, memory, rows
from tests.values import BEN, HERE, message


def others(text: str) -> Inbound:
    return message(text, author=BEN, direct=False, audience=Audience.OTHERS)


def called(heard: Inbound) -> Inbound:
    return replace(heard, audience=Audience.BOT)


async def ask(running: House, said: Inbound | str) -> None:
    await running.say(message(said) if isinstance(said, str) else said)
    await running.over()


def exchange(text: str) -> list[str]:
    return [text, f"You said: {text}"]


async def fold(database: Database, first: int, last: int) -> SessionKey:
    """The record of these turns, which tells as much of them as a record does."""
    found = await database.read(places.find, HERE)
    assert found is not None
    key, text = found[0], f"record of {first}-{last}"
    made = Made(
        kind=Fold.CHECKPOINT, level=0, first=first, last=last, since=0, until=0, text=text, tokens=9, model="scripted"
    )
    planned = await database.read(checkpoints.boundary, key, first, last)
    assert await database.write(checkpoints.commit, key, [made], planned)
    return key


async def test_what_a_record_tells_of_is_told_there_no_more_and_remembered_with_its_answer(database: Database) -> None:
    async with house(database) as running:
        heard = others("who takes the minutes?")
        await ask(running, "one")
        await running.say(heard)
        await ask(running, "two")
        await ask(running, "three")
        key = await fold(database, 1, 3)
        await ask(running, called(heard))
        asked = running.model.asked()
        stale = await database.read(checkpoints.stale, key)
        told = await database.read(checkpoints.read, key, [(1, 3)], budget=24_000)
        await ask(running, "and now?")

    assert asked == [*exchange("three"), heard.text], "the record is still to be made again"
    assert running.model.asked() == [*asked, f"You said: {heard.text}", "and now?"]
    assert [(one.first, one.last) for one in stale] == [(1, 3)]
    assert [one.text for one in reversed(told)] == [*exchange("one"), *exchange("two")], "of these it is made again"
    assert [row.body for row in await rows(database, table)] == [b""]


async def test_it_stands_behind_what_was_answered_meanwhile(database: Database) -> None:
    async with house(database) as running:
        await ask(running, "one")
        heard = others("who takes the minutes?")
        await running.say(heard)
        await ask(running, "two")
        await ask(running, called(heard))
        asked = running.model.asked()
        await ask(running, "and now?")

    assert asked == [*exchange("one"), *exchange("two"), heard.text]
    assert running.model.asked() == [*asked, f"You said: {heard.text}", "and now?"]


async def test_what_a_reset_has_set_aside_is_in_view_again(database: Database) -> None:
    async with house(database) as running:
        await ask(running, "one")
        heard = others("who takes the minutes?")
        await running.say(heard)
        await ask(running, "!reset")
        await ask(running, called(heard))
        await ask(running, "and now?")

    assert running.model.asked() == [*exchange(heard.text), "and now?"]


async def test_it_keeps_its_place_before_what_still_waits(database: Database) -> None:
    async with house(database) as running:
        await ask(running, "one")
        await running.stop()
        heard = others("who takes the minutes?")
        await running.say(heard, message("two"), called(heard))
    async with house(database) as running:
        await running.over()

    assert [running.model.asked(nth)[-1] for nth in range(2)] == [heard.text, "two"]


async def test_what_is_overheard_behind_it_is_shown_before_it(database: Database) -> None:
    async with house(database) as running:
        await ask(running, "one")
        heard = others("who takes the minutes?")
        await running.say(heard, others("not me"))
        await ask(running, called(heard))
        await ask(running, "and now?")

    before = [*exchange("one"), "not me", heard.text]
    assert [running.model.asked(nth) for nth in (1, 2)] == [before, [*before, f"You said: {heard.text}", "and now?"]]


async def silent(running: House) -> Inbound:
    """What was overheard last in a session that was timed out since; its next answer is never done."""
    await ask(running, "fact")
    heard = others("who takes the minutes?")
    await running.say(heard)
    await pass_time(running.database, 9 * DAY)
    await time_out(running.database)
    running.model.script.append([asyncio.Event(), "too late"])
    return heard


async def test_where_it_woke_the_session_and_is_deleted_the_silence_goes_on(database: Database) -> None:
    async with house(database) as running:
        heard = await silent(running)
        await running.say(called(heard))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(Deleted(address=HERE, id=heard.id))
        await running.over()

    assert running.adapter.texts == ["You said: fact"], "no line stands alone"
    assert await present(database) == []


async def test_what_is_called_upon_while_a_session_wakes_keeps_it_awake(database: Database) -> None:
    async with house(database) as running:
        heard = await silent(running)
        woke = message("never mind")
        await running.say(woke)
        await running.model.until(lambda: running.model.running == 1)
        await running.say(called(heard), Deleted(address=HERE, id=woke.id))
        await running.over()

    assert sorted(running.adapter.texts[1:]) == sorted((f"You said: {heard.text}", line("9 days", "3 turns")))
    assert len(await present(database)) == 1


async def test_words_that_were_edited_before_they_came_are_those_of_the_edit(database: Database) -> None:
    """Be it told of once more behind them, or not."""
    there = replace(HERE, thread="side")
    said = message("when is the launch?", address=there, direct=False, audience=Audience.BOT)
    become = replace(said, text="when is the beta launch?", edited_at=said.at + 5)
    adapter = TranscriptAdapter()
    adapter.past = [become]
    async with house(database, adapter=adapter) as running:
        await ask(running, message("hello", address=there, author=BEN, direct=False, audience=Audience.BOT))
        await ask(running, said)
        assert running.model.asked()[-1] == become.text
        await running.say(Edited(message=become, at=said.at + 5))
        await running.over()

    assert (await memory(database, there))[-2:] == [("person", become.text), ("assistant", f"You said: {become.text}")]


async def test_that_an_earlier_answer_was_shown_it_is_told_still(database: Database) -> None:
    async with house(database, adapter=Linking()) as running:
        await ask(running, "one")
        heard = others("who takes the minutes?")
        await running.say(heard)
        await ask(running, "two")
        await ask(running, called(heard))
        told = await hindsight(running, shown(running, "You said: two"))

    assert "was shown 2 turns word for word and 1 of the messages around them that I overheard" in told
    assert "1 was erased since it was asked" in told
