"""B8: what was answered once, and a provider refuses later, takes no fact with it that was said beside it.

A stricter filter, or another model after `set model`, refuses what the one before it has read.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from core.errors import ModelRefused
from core.model.llm import Piece, Prompt
from core.seam.messages import Audience
from core.session import Progress
from core.store import Database
from tests.script import House, ScriptedModel, TranscriptAdapter, remembered
from tests.values import message


class Strict(ScriptedModel):
    """Refuses, once it is strict, whatever has poison in it."""

    is_strict = False

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        if self.is_strict and any("poison" in one.text for one in prompt.messages):
            self.prompts.append(prompt)
            raise ModelRefused("The provider will not answer this (400, content_filter).")
        async for piece in super().stream(prompt):
            yield piece


@asynccontextmanager
async def talked(database: Database, *said: str) -> AsyncIterator[tuple[House, Strict]]:
    """All of that is said and answered, and then the provider becomes strict."""
    model = Strict()
    async with House(database, model, TranscriptAdapter()) as running:
        for words in said:
            await running.say(message(words))
            await running.over()
        model.is_strict = True
        model.prompts.clear()
        yield running, model


async def ask(running: House, words: str) -> str:
    """The answer."""
    await running.say(message(words))
    await running.over()
    return running.adapter.texts[-1]


async def test_what_is_refused_later_is_found_and_all_else_is_remembered(database: Database) -> None:
    facts = [f"fact {number}" for number in range(9)]
    async with talked(database, *facts[:4], "poison", *facts[4:]) as (running, model):
        assert await ask(running, "well?") == "You said: well?"
        assert len(model.prompts) < 10, "it is looked for by halves"
        before = len(model.prompts)
        assert await ask(running, "and now?") == "You said: and now?"

    assert len(model.prompts) == before + 1, "it is left out for good"
    assert [one for one in model.asked() if "You said" not in one] == [*facts, "well?", "and now?"]


async def test_of_what_was_overheard_no_more_is_left_out_than_what_is_refused(database: Database) -> None:
    heard = [message(words, audience=Audience.OTHERS, direct=False) for words in ("one", "poison", "two", "three")]
    async with talked(database, "before") as (running, model):
        await running.say(*heard)
        assert await ask(running, "well?") == "You said: well?"
        assert await ask(running, "and now?") == "You said: and now?"

    asked = model.asked()
    assert asked[:2] == ["before", "You said: before"]
    assert [word in str(asked) for word in ("one", "two", "three", "poison")] == [True, True, True, False]


async def test_a_question_that_is_refused_itself_costs_nothing_that_was_said_before(database: Database) -> None:
    async with talked(database, "one", "two", "three") as (running, model):
        assert "declined" in await ask(running, "poison?")
        assert await ask(running, "well?") == "You said: well?"

    assert [one for one in model.asked() if "You said" not in one] == ["one", "two", "three", "well?"]


async def test_where_too_much_is_refused_the_question_is_answered_alone(database: Database) -> None:
    said = [words for number in range(6) for words in (f"poison {number}", f"fact {number}")]
    async with talked(database, *said) as (running, model):
        assert await ask(running, "well?") == "You said: well?"
        assert len(model.prompts) < 25

    assert model.asked() == ["well?"]
    assert {turn.progress for turn in await remembered(database) if turn.text == "well?"} == {Progress.DONE}
