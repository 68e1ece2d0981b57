"""A session's own turns come before what was overheard around them, however much that is."""

import asyncio
from dataclasses import replace

import pytest

from core.seam.messages import Audience, Inbound
from core.session import OVERHEARD_BEFORE_QUESTION, Kind, Turn
from core.store import Database, inbound, places, remembered
from tests.script import House, house
from tests.values import BEN, HERE, message

EXCHANGES = 10


def chatter(text: str) -> Inbound:
    return message(text, author=BEN, direct=False, audience=Audience.OTHERS)


async def exchanges(running: House, number: int = EXCHANGES) -> list[str]:
    """That many questions and their answers, as the model is shown them afterwards."""
    said = []
    for nth in range(number):
        await running.say(message(f"question {nth}", direct=False, audience=Audience.BOT))
        await running.over()
        said += [f"question {nth}", f"You said: question {nth}"]
    return said


async def overheard(database: Database, number: int) -> None:
    """So many lines of chatter, each as it is stored when it is heard."""
    for start in range(0, number, 500):
        lines = [chatter(f"line {nth}") for nth in range(start, min(start + 500, number))]
        storing = (database.write(inbound.accept, one, kind=Kind.OVERHEARD, verb=None, tokens=12) for one in lines)
        await asyncio.gather(*storing)


async def read(database: Database, budget: int = 24_000) -> list[Turn]:
    found = await database.read(places.find, HERE)
    assert found is not None
    return await database.read(remembered.newest, found[0], budget=budget)


@pytest.mark.parametrize("lines", [400, 10_000])
async def test_ten_exchanges_stand_in_the_window_whatever_was_said_since(database: Database, lines: int) -> None:
    """D1. What is not shown costs no budget, and is not even read."""
    async with house(database) as running:
        own = await exchanges(running)
        await overheard(database, lines)
        await running.say(message("and now?", direct=False, audience=Audience.BOT))
        await running.over()

    asked = running.model.asked()
    assert asked[: len(own)] == own
    assert asked[-1] == "and now?"
    assert len(asked) == len(own) + OVERHEARD_BEFORE_QUESTION + 1
    assert len(await read(database)) <= len(own) + 2 + 2 * OVERHEARD_BEFORE_QUESTION, "the rest is passed over"


async def test_long_lines_of_chatter_take_no_room_from_own_turns(database: Database) -> None:
    async with house(database, budget=1_200) as running:
        own = await exchanges(running)
        await running.say(*(chatter(f"{nth} " + "long words " * 40) for nth in range(15)))
        await running.say(message("and now?", direct=False, audience=Audience.BOT))
        await running.over()

    asked = running.model.asked()
    assert [line for line in asked if "long words" not in line] == [*own, "and now?"]
    assert asked[-2].startswith("14 long"), "what room is left has the newest of what was overheard"
    assert running.model.prompts[-1].tokens <= 1_200


async def test_chatter_between_all_exchanges_is_read_past_each_time(database: Database) -> None:
    async with house(database) as running:
        own = list[str]()
        for nth in range(4):
            await overheard(database, 100) if nth else None
            await running.say(message(f"question {nth}", direct=False, audience=Audience.BOT))
            await running.over()
            own += [f"question {nth}", f"You said: question {nth}"]

    asked = running.model.asked()
    assert [line for line in asked if not line.startswith("line")] == own[:-1]
    assert len(asked) == len(own) - 1 + 3 * OVERHEARD_BEFORE_QUESTION
    assert asked[-2] == "line 99"


@pytest.mark.parametrize("lines", [1, 100])
async def test_what_was_overheard_while_a_question_waits_stands_behind_its_answer(
    database: Database, lines: int
) -> None:
    """Else it would stand before it in its own window, and behind it in every later one."""
    go = asyncio.Event()
    async with house(database, [go, "First."], "Second.") as running:
        await running.say(message("the first", direct=False, audience=Audience.BOT))
        await running.model.until(lambda: running.model.running)
        await running.say(chatter("before"), message("the second", direct=False, audience=Audience.BOT))
        await overheard(database, lines)
        go.set()
        await running.over()
        await running.say(message("and now?", direct=False, audience=Audience.BOT))
        await running.over()

    second, third = running.model.asked(1), running.model.asked(2)
    assert second == ["the first", "First.", "before", "the second"]
    assert third[:5] == [*second, "Second."]
    assert third[-2:] == [f"line {lines - 1}", "and now?"]


async def test_what_was_overheard_and_then_called_upon_is_not_passed_over(database: Database) -> None:
    async with house(database) as running:
        await exchanges(running, 1)
        called = chatter("later called upon")
        await overheard(database, 50)
        await running.say(called)
        await overheard(database, 100)
        await running.say(replace(called, audience=Audience.BOT))
        await running.over()
        await running.say(message("and now?", direct=False, audience=Audience.BOT))
        await running.over()

    asked = [line for line in running.model.asked() if not line.startswith("line")]
    assert asked == [
        "question 0",
        "You said: question 0",
        "later called upon",
        "You said: later called upon",
        "and now?",
    ]


async def test_a_window_of_a_release_that_did_not_note_what_chatter_follows_is_whole(database: Database) -> None:
    async with house(database) as running:
        own = await exchanges(running, 3)
        await overheard(database, 300)
        await database.write(lambda connection: connection.exec_driver_sql("UPDATE turns SET follows = NULL"))
        await overheard(database, 100)

    assert [turn.text for turn in reversed(await read(database)) if turn.kind is not Kind.OVERHEARD] == own


async def test_a_small_budget_ends_within_own_turns_and_shows_nothing_older(database: Database) -> None:
    async with house(database, budget=300) as running:
        await running.say(message("the first", direct=False, audience=Audience.BOT))
        await running.over()
        await running.say(chatter("too old"))
        own = await exchanges(running)
        await running.say(message("and now?", direct=False, audience=Audience.BOT))
        await running.over()

    asked = running.model.asked()
    assert asked[:-1] == own[-len(asked) + 1 :]
    assert len(await read(database, 300)) < len(own)
