"""Off the record by every other way: by edits, quotes and commands, and by answers that came late."""

import asyncio
from dataclasses import replace
from time import time

import pytest
from sqlalchemy import update

from core.chores.unrecorded import Returning
from core.errors import PlaceGone
from core.schema import deliveries
from core.schema import unrecorded as table
from core.seam.messages import Audience, Closed, Edited, Inbound, Left, Quote
from core.store import Connection, Database, dead, doubts, exporting, places, unrecorded
from tests.script import Fault, House, TranscriptAdapter, house, rows
from tests.test_forgetting import said, stored
from tests.values import BEN, HERE, message

THREAD = replace(HERE, thread="t1")
OURS = replace(BEN, is_self=True)


def at(minutes: float, text: str, **facts: object) -> Inbound:
    """Said so many minutes after the hour."""
    return message(text, at=_then(minutes), **facts)


def _then(minutes: float) -> float:
    return 1_700_000_000.0 + 60 * minutes


def to_others(minutes: float, text: str, **facts: object) -> Inbound:
    return at(minutes, text, direct=False, author=BEN, audience=Audience.OTHERS, **facts)


async def whole(running: House, text: str, minutes: float, **facts: object) -> str:
    return await said(running, text, at=_then(minutes), **facts)


async def off(running: House) -> None:
    """From minute 1 to minute 5."""
    await whole(running, "!off the record 5m", 1)
    await whole(running, "!on the record", 5)


SALMON = Quote(kind="replies to", text="salmon", author=BEN, at=_then(2), message="heard")


async def nothing_of_it(running: House, database: Database, *words: str) -> None:
    assert [one for one in words if one in str(running.model.prompts)] == []
    assert [one for one in words if one in await stored(database)] == []


async def test_an_edit_brings_no_quote_of_it(database: Database) -> None:
    async with house(database) as running:
        await off(running)
        await whole(running, "look", 6, id="look")
        await running.say(Edited(message=at(6, "look at that", id="look", quotes=(SALMON,)), at=_then(7)))
        await whole(running, "and?", 8)

    assert "it was said off the record" in str(running.model.prompts[-1])
    await nothing_of_it(running, database, "salmon")


async def test_a_command_brings_no_quote_of_it(database: Database) -> None:
    """While it is so, and later."""
    async with house(database) as running:
        await whole(running, "!off the record 5m", 1)
        await whole(running, "!status", 3, quotes=(SALMON,))
        await whole(running, "!on the record", 5, quotes=(SALMON,))
        await whole(running, "hello", 6)
        await whole(running, "!summarize", 7, quotes=(SALMON,))

    await nothing_of_it(running, database, "salmon")


async def test_a_thread_that_hangs_on_it_brings_no_quote_of_it(database: Database) -> None:
    async with house(database) as running:
        await off(running)
        hangs = replace(SALMON, kind="hangs on")
        await whole(running, "what is that?", 6, quotes=(hangs,), address=THREAD, audience=Audience.BOT)

    await nothing_of_it(running, database, "salmon")


async def test_what_a_thread_has_sent_to_its_channel_is_read_by_no_other_thread(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.past = [to_others(minute, text, address=THREAD) for minute, text in ((2, "salmon"), (7, "bread"))]
    async with house(database, adapter=adapter) as running:
        for minute, text in ((1, "!off the record 5m"), (5, "!on the record")):
            await whole(running, text, minute, address=THREAD)
        there = replace(HERE, thread="t2")
        await whole(running, "what was said?", 8, address=there, direct=False, audience=Audience.BOT)

    assert "bread" in str(running.model.prompts[-1])
    await nothing_of_it(running, database, "salmon")


async def test_what_was_said_before_and_edited_then_is_known_no_more(database: Database) -> None:
    """What was said to us, overheard, or quoted; the old words are on no screen, and the new ones off the record."""
    async with house(database) as running:
        await whole(running, "hello", 0, id="said")
        await running.say(to_others(0.2, "herring", id="heard"))
        await whole(running, "what is that?", 0.4, quotes=(replace(SALMON, text="herring", at=_then(0.2)),))
        await whole(running, "!off the record 5m", 1)
        await running.say(Edited(message=at(0, "salmon", id="said"), at=_then(2)))
        await running.say(Edited(message=to_others(0.2, "tuna", id="heard"), at=_then(2)))
        await whole(running, "!on the record", 5)
        await whole(running, "and?", 6)

    assert "herring" not in str(running.model.prompts[-1])
    assert "herring" not in await stored(database)
    await nothing_of_it(running, database, "salmon", "tuna")


async def test_what_is_edited_then_in_a_thread_beside_it_is_kept(database: Database) -> None:
    async with house(database) as running:
        await whole(running, "!off the record 5m", 1)
        await whole(running, "tuan", 4, id="said", address=THREAD, audience=Audience.BOT, direct=False)
        await running.say(Edited(message=at(4, "tuna", id="said", address=THREAD), at=_then(4.5)))
        await whole(running, "!on the record", 5)
        await whole(running, "and?", 6, address=THREAD)

    assert "tuna" in str(running.model.prompts[-1])


async def test_what_was_edited_before_the_command_was_done_is_taken_out_by_its_time(database: Database) -> None:
    async with house(database) as running:
        await whole(running, "hello", 0, id="said")
        await running.say(Edited(message=at(0, "salmon", id="said"), at=_then(2)))
        assert "salmon" in await stored(database)
        await off(running)
        await whole(running, "and?", 6)

    await nothing_of_it(running, database, "salmon")


async def test_a_question_is_off_the_record_that_is_edited_while_it_is_answered(database: Database) -> None:
    never = asyncio.Event()
    async with house(database, [never], "Salmon.") as running:
        await running.say(at(0.5, "fish", id="asked"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(at(1, "!off the record 5m"))
        await running.say(Edited(message=at(0.5, "salmon", id="asked"), at=_then(2)))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.over()
        await running.unserved()

    assert [one for one in ("fish", "salmon", "Salmon") if one in await stored(database)] == []


async def test_a_question_that_waits_off_the_record_is_exported_to_nobody(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, "Hi.", [go, "fine"]) as running:
        await whole(running, "hello", 0)
        await whole(running, "!off the record 5m", 1)
        await running.say(at(2, "the code is tuna"))
        await running.model.until(lambda: running.model.running)
        found = await database.read(places.find, HERE)
        assert found is not None
        exported = await database.read(exporting.said, found[0], exporting.FIRST)
        go.set()
        await running.over()

    assert [turn.text for turn in exported if "tuna" in turn.text] == []
    assert "hello" in [turn.text for turn in exported]


async def test_a_mention_that_is_edited_in_then_is_answered_off_the_record(database: Database) -> None:
    async with house(database, "Hello.", "Salmon.") as running:
        await whole(running, "hello", 0)
        await running.say(to_others(0.5, "you there", id="there"))
        await whole(running, "!off the record 5m", 1)
        called = at(0.5, "salmon", id="there", author=BEN, direct=False, audience=Audience.BOT)
        await running.say(Edited(message=called, at=_then(2)), Edited(message=called, at=_then(2)))
        await running.over()
        await running.unserved()

    assert running.adapter.texts[2:] == ["Salmon."]
    assert [one for one in ("you there", "salmon", "Salmon") if one in await stored(database)] == []


@pytest.mark.parametrize(
    "end",
    [
        Closed(address=HERE, gone=True),
        Closed(address=HERE, gone=False),
        Left(platform=HERE.platform, workspace=HERE.workspace),
    ],
)
async def test_nobody_is_told_of_its_end_in_a_place_that_is_closed(database: Database, end: Closed | Left) -> None:
    """The notice would be refused, and stand among the dead letters."""
    adapter = TranscriptAdapter()
    async with house(database, adapter=adapter) as running:
        await off_for_ever(running)
        await running.say(end)
        await database.write(be_over)
        adapter.faults.append(Fault(error=PlaceGone("no such channel")))
        await Returning(database=database, wake=running.worker.wake).look()
        await running.over()
        await running.unserved()

    assert await database.read(unrecorded.over) == []
    assert await database.read(dead.listed, 10) == []
    assert len(adapter.texts) == 2


async def off_for_ever(running: House) -> None:
    await said(running, "hello", at=time() - 60)
    await said(running, "!off the record 24h", at=time())


def be_over(connection: Connection) -> None:
    connection.execute(update(table).values(until=table.c.since + 1))


@pytest.mark.parametrize("days_later", [False, True])
async def test_an_answer_that_came_when_it_was_over_is_not_learnt_from_the_screen(
    database: Database, *, days_later: bool
) -> None:
    """Not where somebody replies to it, and not where a thread reads what was said before, however late."""
    go = asyncio.Event()
    adapter = TranscriptAdapter()
    async with house(database, ["Salm", go, "on."], adapter=adapter) as running:
        await whole(running, "!off the record 5m", 1)
        await running.say(at(2, "salmon"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(at(3, "!on the record"))
        go.set()
        await adapter.until(lambda: len(adapter.texts) == 3)
        await running.over()
        late = next(number for number, reply in adapter.screen.items() if reply.text == "Salmon.")
        if days_later:
            await database.write(doubts.forget)
            assert await rows(database, deliveries) == []
        adapter.past = [at(4, "Salmon.", id=late, author=OURS)]
        quote = Quote(kind="replies to", text="Salmon.", author=OURS, at=_then(4), message=late)
        await whole(running, "what is that?", 6, quotes=(quote,))
        await whole(running, "and that?", 7, address=THREAD, direct=False, audience=Audience.BOT)

    assert "Salmon" not in str(running.model.prompts[-2:])
    assert [one for one in ("salmon", "Salmon") if one in await stored(database)] == []
