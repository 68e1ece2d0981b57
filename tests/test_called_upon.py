"""What was overheard and is for us after all, since it came late or was edited, is answered as the newest question.

Only while nothing behind it has been answered does it stand where it was heard.
"""

from dataclasses import replace

from core.schema import checkpoints as table
from core.seam.messages import Audience, Inbound
from core.session import Fold, SessionKey
from core.store import Database, checkpoints, places
from core.store.checkpoints import Made
from tests.script import House, house, rows
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
