"""What a server is like is learnt from what says so, and from nothing else: a false lesson is kept for ever."""

import json
from collections.abc import AsyncIterator, Callable

import pytest

from core.errors import EmptyAnswer, ModelError, WindowTooLong
from core.llm import Message, Prompt
from core.openai import OpenAIModel
from core.store import Database
from tests.script import house
from tests.values import message
from tests.wire.openai import KEY, MODEL, Body, End, OpenAIServer

QUESTION = Prompt(instructions="Be brief.", messages=(Message(role="user", text="hi"),), tokens=900, conversation="c")


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def make(server: OpenAIServer) -> AsyncIterator[Callable[..., OpenAIModel]]:
    made: list[OpenAIModel] = []

    def make(**settings: str) -> OpenAIModel:
        wanted: dict = {"api_key": KEY, "model": MODEL, "base_url": server.url, "answer_tokens": 4_000}
        made.append(OpenAIModel(**wanted | settings))
        return made[-1]

    yield make
    for model in made:
        await model.close()


async def ask(model: OpenAIModel) -> str:
    return "".join([piece async for piece in model.stream(QUESTION) if isinstance(piece, str)])


def spent(**usage: int) -> Body:
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "length"}
    return Body(text=f"data: {json.dumps({'choices': [choice], 'usage': usage})}\n\n", content_type="text/event-stream")


async def test_an_answer_without_a_word_says_nothing_of_the_context(server, make) -> None:
    """B12: the server may have thought where nobody is shown it; each such answer would halve the context for good."""
    server.usage = "none"
    server.faults.append(End(reason="length", text=""))
    model = make()

    with pytest.raises(WindowTooLong):
        await ask(model)

    assert model.context is None


async def test_thoughts_that_only_the_total_tells_of_are_thoughts(server, make) -> None:
    """B12: Gemini counts them into nothing else."""
    server.faults.append(spent(prompt_tokens=900, completion_tokens=0, total_tokens=4_900))
    model = make()

    with pytest.raises(EmptyAnswer, match="thinking") as raised:
        await ask(model)
    await ask(model)

    assert raised.value.thought
    assert model.context is None
    assert server.requests[1].body["max_tokens"] > 4_000, "the model that thinks is given room for it"


async def test_a_complete_answer_without_a_word_is_asked_for_at_most_twice(database: Database) -> None:
    error: ModelError = WindowTooLong("no room", answered=True)
    async with house(database, error, error, "not asked for") as running:
        await running.say(message("hi"))
        await running.adapter.until(lambda: running.adapter.texts)
        await running.over()

    assert len(running.model.prompts) == 2
