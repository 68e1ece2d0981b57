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
from tests.wire.openai import KEY, MODEL, Body, End, OpenAIServer, Status

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


FLAGGED = (
    "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a "
    "different prompt: https://platform.openai.com/docs/guides/reasoning#advice-on-prompting"
)
PAGE = "<html><body>Unsupported browser: enable the parameter `stream`</body></html>"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, FLAGGED),
        (400, "Bad request: https://example.com/guides/reasoning says that this is not supported"),
        (400, "Content filter: the last message was blocked, its system message too"),
        (400, "Invalid content: 'please stream it to the store'"),
        (403, PAGE),
        (500, "Internal error: unexpected end of stream"),
        (500, "failed to open key store: unexpected EOF"),
        (500, "unexpected token in reasoning parser"),
        (500, "upstream failed 3 times in a row"),
        (500, "the worker died after the first message"),
    ],
)
async def test_what_is_no_refusal_of_a_field_or_a_role_teaches_nothing(server, make, status, words) -> None:
    """Asked without `store`, a provider keeps answers for 30 days (E10); without `stream`, nobody sees them grow."""
    server.faults.append(Status(status=status, message=words, type=None))
    model = make(api="responses", effort="low")

    with pytest.raises(ModelError):
        await ask(model)
    await ask(model)

    asked, again = (request.body for request in server.requests)
    assert again == asked


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("Unrecognized request argument supplied: store", "store"),
        ("Unsupported parameter: 'store' is not supported with this model.", "store"),
        ("store is not implemented", "store"),
        ("No such parameter: store", "store"),
        ("Field 'store' is forbidden", "store"),
        ("body.store: Extra inputs are not permitted", "store"),
        ('Invalid JSON payload received. Unknown name "store": Cannot find field.', "store"),
        ("Additional properties are not allowed ('store' was unexpected)", "store"),
        ("Unsupported value: 'reasoning' does not support 'low' with this model.", "reasoning"),
        ("max_output_tokens can only be used with other models", "max_output_tokens"),
        ("不支持的参数: max_output_tokens", "max_output_tokens"),
        ("Unbekanntes Feld: max_output_tokens", "max_output_tokens"),
    ],
)
async def test_servers_say_in_different_ways_which_field_they_will_not_have(server, make, words, field) -> None:
    """B5."""
    server.faults.append(Status(status=400, message=words, type=None))
    await ask(make(api="responses", effort="low"))

    asked, again = (request.body for request in server.requests)
    assert asked.keys() - again.keys() == {field}
