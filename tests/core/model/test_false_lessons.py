"""What a server is like is learnt from what says so, and from nothing else: a false lesson is kept for ever."""

import json
from collections.abc import AsyncIterator, Callable

import pytest

from core.errors import EmptyAnswer, ModelError, ModelRefused, ModelUnavailable, WindowTooLong
from core.model.llm import Message, Prompt
from core.model.openai import OpenAIModel
from core.seam.messages import Audience
from core.store import Database
from tests.script import house
from tests.values import BEN, message
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


@pytest.mark.parametrize("written", [0, 4_000])
async def test_thoughts_that_only_the_bill_tells_of_are_thoughts(server, make, written) -> None:
    """B12: Gemini counts them into the total alone."""
    server.faults.append(spent(prompt_tokens=900, completion_tokens=written, total_tokens=4_900))
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


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, "The maximum number of concurrent requests is reached"),
        (500, "Request dropped: maximum number of waiting requests reached"),
        (529, "Overloaded: no slot has room for this context size"),
    ],
)
async def test_a_server_with_too_much_to_do_is_not_taken_for_a_small_one(server, make, status, words) -> None:
    server.faults.append(Status(status=status, message=words, type=None))
    model = make()

    with pytest.raises(ModelUnavailable):
        await ask(model)

    assert model.context is None


@pytest.mark.parametrize(
    "words",
    [
        "`max_tokens` must be less than `2048`: its maximum is less than the `context_window` for this model",  # Groq
        "max_tokens: 4000 > 2048, which is the maximum allowed number of output tokens for this model",  # Anthropic
        "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 2048]",  # Qwen
    ],
)
async def test_a_limit_of_answers_is_not_taken_for_a_context(server, make, words) -> None:
    server.faults.append(Status(status=400, message=words, type="invalid_request_error"))
    model = make(api="chat")
    await ask(model)

    assert model.context is None
    assert "max_tokens" not in server.requests[1].body


@pytest.mark.parametrize(
    ("words", "context"),
    [
        ("invalid params, context window exceeds limit (2013)", 2_450),  # MiniMax, whose code for that is 2013
        ("context length exceeded: 5000 tokens", 2_450),
        ("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]", 30_720),  # Qwen
        ("输入长度超过模型最大上下文长度 4096", 4_096),
        ("Prompt 超长", 2_450),  # Zhipu
        ("Die Anfrage überschreitet die maximale Kontextlänge von 4096 Token.", 4_096),
    ],
)
async def test_the_size_of_a_context_is_no_other_number_and_told_in_other_languages(server, make, words, context):
    """B7: half of what was sent, answer included, where it is not told."""
    server.faults.append(Status(status=400, message=words, type="invalid_request_error"))
    model = make()

    with pytest.raises(WindowTooLong):
        await ask(model)

    assert model.context == context


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, 'some/model requires moderation. Your input was flagged for "violence".'),  # OpenRouter
        (
            400,
            "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语，感谢您的配合。",
        ),  # Zhipu
        (400, "输入文本可能包含敏感内容，请修改后重试"),
    ],
)
async def test_a_refused_question_is_known_in_whatever_form_the_provider_says_it(server, make, status, words) -> None:
    """B8: what is taken for a wrong setting is shown again, and spoils every later question."""
    server.faults.append(Status(status=status, message=words, type=None))

    with pytest.raises(ModelRefused):
        await ask(make())


async def test_a_question_that_is_called_too_long_at_any_length_shrinks_nothing_for_good(
    server: OpenAIServer, make: Callable[..., OpenAIModel], database: Database
) -> None:
    """B8: it is halved down to nothing for this one question; the next is shown all that there is."""
    long = Status(status=400, message="The input is too long.", type=None)
    server.weather = lambda request: long if "dreadful" in request.last else None
    async with house(database) as running:
        running.mind.model = make()
        for number, words in enumerate(["hi", "something dreadful", "something nice"]):
            await running.say(message(words))
            await running.adapter.until(lambda n=number: len(running.adapter.texts) > n)
        await running.over()

    assert running.mind.model.context is None
    assert "nice" in running.adapter.texts[-1]


async def test_one_odd_refusal_does_not_shrink_a_context_that_has_held_more(server, make) -> None:
    """What is said twice is believed: a server may have been started anew with less."""
    server.faults.append(spent(prompt_tokens=100_000, completion_tokens=10, total_tokens=100_010))
    model, odd = make(), Status(status=400, message="Request too large.", type=None)
    server.faults += [odd, odd]

    learnt = []
    for _ in range(3):
        with pytest.raises(ModelError):
            await ask(model)
        learnt.append(model.context)

    assert learnt == [None, None, 2_450]


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_trouble_that_a_server_calls_final_takes_nothing_out_of_the_memory(
    database: Database, server: OpenAIServer, make: Callable[..., OpenAIModel], times: int
) -> None:
    """It is no word on what was said: two such answers in a row had all of a session left out for good."""
    trouble = Status(status=500, message="The server had an error.", headers={"x-should-retry": "false"})
    async with house(database) as running:
        running.mind.model = make()
        for number in range(3):
            await running.say(message(f"fact {number}"))
            await running.over()
        await running.say(message("lunch?", author=BEN, direct=False, audience=Audience.OTHERS))
        server.faults += [trouble] * times
        for number in range(times + 1):
            await running.say(message(f"question {number}"))
            await running.over()

    shown = "\n".join(text for _, text in server.requests[-1].texts)
    said = [
        *(f"fact {number}" for number in range(3)),
        "lunch?",
        *(f"question {number}" for number in range(times + 1)),
    ]
    assert [one for one in said if one not in shown] == []
    assert sum("ask me again later" in text for text in running.adapter.texts) == times
