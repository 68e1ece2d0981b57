"""What the model was shown for an answer is known afterwards, turn by turn."""

import asyncio

import pytest

from core.seam.messages import Audience, Deleted
from core.session import Answer, Kind, Seqs, ShownPart
from core.store import Database, answering, inbound, places, shown
from tests.script import house
from tests.values import BEN, HERE, message


async def of(database: Database, seq: int) -> Seqs | None:
    found = await database.read(places.find, HERE)
    assert found is not None
    return await database.read(shown.of, found[0], seq)


@pytest.mark.parametrize("seqs", [None, (), ((1, 1),), ((-19, 4), (6, 6), (8, 40)), ((-5, -2),)])
async def test_what_an_answer_was_shown_is_stored_with_it(database: Database, seqs: Seqs | None) -> None:
    asked = await database.write(inbound.accept, message(), kind=Kind.SAID, verb=None, tokens=7)
    decided = Answer(parts=("yes",), memory="yes", tokens=3, model="m", shown_seqs=seqs)
    await database.write(answering.answer, asked.key, asked.turn, decided, lease=None)

    assert await of(database, asked.turn.seq) == seqs


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (ShownPart("instructions", 350), ShownPart("turns", 9), ShownPart("question", 7)),
        (
            ShownPart("old summary", 90, (-20, 40)),
            ShownPart("checkpoints", 80, (41, 41)),
            ShownPart("state", 5, (-20, 41)),
        ),
    ],
)
async def test_the_parts_of_a_window_are_stored_with_its_answer(
    database: Database, parts: tuple[ShownPart, ...]
) -> None:
    asked = await database.write(inbound.accept, message(), kind=Kind.SAID, verb=None, tokens=7)
    decided = Answer(parts=("yes",), memory="yes", tokens=3, model="m", shown_seqs=(), shown_parts=parts)
    await database.write(answering.answer, asked.key, asked.turn, decided, lease=None)
    known = await database.read(shown.hindsight, asked.key, asked.turn.seq)

    assert known is not None
    assert known.parts == parts


async def test_it_is_what_stood_before_the_question_and_nothing_that_was_left_out(database: Database) -> None:
    async with house(database, "One.", "Two.", "Three.") as running:
        for text in ("first", "!status", "second", "third"):
            await running.say(message(text))
            await running.over()

    assert [await of(database, seq) for seq in (1, 3, 4)] == [(), ((1, 1),), ((1, 1), (3, 3))]
    assert await of(database, 2) is None, "no model has written what a command says"


async def test_it_is_known_of_an_answer_that_was_stopped(database: Database) -> None:
    async with house(database, "One.", ["half ", asyncio.Event()]) as running:
        await running.say(message("first"))
        await running.answered("One.")
        await running.say(message("second"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "half")
        await running.say(message("!stop"))
        await running.answered("One.", "half", "Stopped.")

    assert await of(database, 2) == ((1, 1),)


async def test_a_summary_that_is_made_again_is_shown_something_else(database: Database) -> None:
    aside = message("the code is 1234", author=BEN, direct=False, audience=Audience.OTHERS)
    async with house(database, "One.", "About a code.", "About nothing.", "Yes.") as running:
        for one in (message("first"), aside, message("!summarize")):
            await running.say(one)
            await running.over()
        assert await of(database, 3) == ((1, 2),)
        await running.say(Deleted(address=HERE, id=aside.id), message("and?"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "Yes.")
        await running.over()

    assert await of(database, 3) == ((1, 1),)
