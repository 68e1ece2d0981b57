"""Every call of the model is billed, whatever became of it."""

import asyncio
from contextlib import aclosing, suppress

import pytest

from core.errors import EmptyAnswer, ModelError, ModelInterrupted, ModelUnavailable
from core.model.llm import Cause, Finish, Message, Prompt, Usage
from core.model.metered import Metered
from core.schema import calls
from core.store import Database, ledger
from core.store.ledger import Call
from tests.script import ScriptedModel, house, rows
from tests.values import message

CAUSE = Cause(workspace=1, session=2, seq=3, author="U1", purpose="answer")
PROMPT = Prompt(instructions="", messages=(Message(role="user", text="hi"),), tokens=70, conversation="c", cause=CAUSE)


class Ledger:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def record(self, call: Call) -> None:
        self.calls.append(call)


async def billed(*script, prompt: Prompt = PROMPT) -> list[Call]:
    ledger = Ledger()
    model = Metered(ScriptedModel(script), ledger.record, clock=lambda: 1_700_000_000.0)
    with suppress(ModelError):
        async with aclosing(model.stream(prompt)) as pieces:
            async for _ in pieces:
                pass
    await model.close()
    return ledger.calls


async def test_an_answer_is_billed_as_the_api_says() -> None:
    usage = Usage(shown=100, written=20, cached=80, cache_written=15, reasoning=5)

    (call,) = await billed("Hello", Finish(model="m-1", usage=usage))

    assert (call.workspace, call.session, call.seq, call.author, call.purpose) == (1, 2, 3, "U1", "answer")
    assert (call.model, call.outcome, call.at, call.estimated) == ("m-1", "answered", 1_700_000_000_000, False)
    assert (call.shown, call.cached, call.cache_written) == (100, 80, 15)
    assert (call.written, call.reasoning) == (20, 5)


@pytest.mark.parametrize(
    ("error", "words", "shown"),
    [(ModelInterrupted("cut"), "Half an answer", 70), (ModelUnavailable("away"), "", 0), (EmptyAnswer("no"), "", 70)],
)
async def test_a_call_that_failed_is_billed_for_what_was_sent_and_read(error, words, shown) -> None:
    (call,) = await billed(words, error)

    assert (call.outcome, call.shown, call.estimated) == (type(error).__name__, shown, True)
    assert (call.written > 0) == bool(words)


async def test_an_answer_without_a_word_is_billed_as_the_api_says() -> None:
    """All of it may have been thought, which costs as much as words."""
    usage = Usage(shown=100, written=4_000, reasoning=4_000)

    (call,) = await billed(usage, EmptyAnswer("no", thought=True))

    assert (call.outcome, call.shown, call.written, call.reasoning) == ("EmptyAnswer", 100, 4_000, 4_000)
    assert not call.estimated


async def test_a_call_that_was_stopped_is_billed() -> None:
    ledger = Ledger()
    model = Metered(ScriptedModel(["Hello", asyncio.Event()]), ledger.record)
    stream = model.stream(PROMPT)
    assert await anext(stream) == "Hello"
    await stream.aclose()
    await model.close()

    (call,) = ledger.calls
    assert (call.outcome, call.shown, call.written > 0) == ("stopped", 70, True)


async def test_the_doctors_question_is_put_down_to_nobody() -> None:
    nobody = Prompt(instructions="", messages=(), tokens=7, conversation="")

    assert await billed("ready", prompt=nobody) == []


async def test_two_calls_of_one_moment_are_two() -> None:
    first = await billed("a")
    second = await billed("b")

    assert first[0].call != second[0].call


async def test_answers_and_summaries_are_in_the_ledger(database: Database) -> None:
    """Each by what it was for."""
    async with house(database, "yes", "You talked about tea.") as running:
        running.mind.model = Metered(running.model, lambda call: database.write(ledger.record, call))
        await running.say(message("do you like tea?"))
        await running.answered("yes")
        await running.say(message("!summarize"))
        await running.adapter.until(lambda: running.adapter.texts[1:2] and running.adapter.texts[1].startswith("You"))
        await running.over()
        await running.mind.model.close()

    assert [(row.purpose, row.outcome) for row in await rows(database, calls)] == [
        ("answer", "answered"),
        ("summary", "answered"),
    ]
