"""The model behind one method, driven by the real client against a server on loopback, on both APIs."""

import asyncio
import gc
import json
import socket
from contextlib import ExitStack, aclosing
from dataclasses import replace

import pytest

from core.errors import (
    ConfigurationError,
    EmptyAnswer,
    ModelFailed,
    ModelInterrupted,
    ModelMisconfigured,
    ModelRefused,
    ModelStalled,
    ModelUnavailable,
    OutOfCredit,
    RequestNotTaken,
    WindowTooLong,
)
from core.model.llm import Finish, Message, Prompt, Usage
from core.model.openai import OpenAIModel
from core.model.openai.reading import ChatReading, ResponsesReading
from tests.wire import openai as wire
from tests.wire.openai import KEY, MODEL, Body, Break, End, OpenAIServer, Request, Silence, Status, Weather

PROMPT = Prompt(
    instructions="Be brief.",
    messages=(
        Message(role="user", text="Ada: hello"),
        Message(role="assistant", text="Hello, Ada."),
        Message(role="user", text="Ada: and now?"),
    ),
    tokens=20,
    conversation="c-1",
)

LOOPBACK = (".127.0.0.1",)
"""Hosts whose server then passes for OpenAI's own."""


@pytest.fixture(params=["responses", "chat"])
def api(request):
    return request.param


@pytest.fixture
async def server():
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def make(server):
    made = []

    def make(**settings):
        made.append(OpenAIModel(**{"api_key": KEY, "model": MODEL, "base_url": server.url} | settings))
        return made[-1]

    yield make
    for model in made:
        await model.close()


@pytest.fixture
def model(make, api):
    return make(api=api)


async def ask(model, prompt=PROMPT):
    pieces, finish = [], None
    async with aclosing(model.stream(prompt)) as stream:
        async for piece in stream:
            assert finish is None, "nothing comes after the Finish"
            if isinstance(piece, Finish):
                finish = piece
            else:
                pieces.append(piece)
    assert finish is not None
    return pieces, finish


async def ask_on(stream, pieces=None):
    async for piece in stream:
        if pieces is not None:
            pieces.append(piece)


async def test_an_answer_comes_in_pieces_and_ends_with_the_proof_that_it_is_complete(server, model):
    pieces, finish = await ask(model)
    assert "".join(pieces) == "You said: Ada: and now?"
    assert len(pieces) > 2
    assert finish == Finish(
        model=f"{MODEL}-2026-11-01", usage=Usage(shown=10, written=5, cached=5, cache_written=2, reasoning=1)
    )


async def test_the_model_is_shown_the_instructions_and_the_messages_as_they_are(server, model):
    await ask(model)
    (request,) = server.requests
    assert request.instructions == "Be brief."
    assert request.texts == [(m.role, m.text) for m in PROMPT.messages]
    assert request.headers["Authorization"] == f"Bearer {KEY}"


async def test_a_prompt_without_instructions_sends_none(server, model):
    await ask(model, Prompt(instructions="", messages=PROMPT.messages[:1], tokens=3, conversation=""))
    assert server.requests[0].instructions == ""
    assert "instructions" not in server.requests[0].body


@pytest.mark.parametrize("usage", ["bare", "none"])
async def test_missing_usage_is_no_error(server, model, usage):
    server.usage = usage
    _, finish = await ask(model)
    assert finish.usage == (Usage(shown=10, written=5) if usage == "bare" else None)


async def test_other_servers_are_asked_to_keep_nothing_where_their_api_may_and_get_no_field_of_openais_alone(
    server, model, api
):
    """E10: whoever speaks Responses may keep answers for 30 days."""
    await ask(model)
    body = server.requests[0].body
    assert (body.get("store"), "prompt_cache_key" in body) == (False if api == "responses" else None, False)


async def test_openai_stores_nothing_and_knows_the_conversation(server, make, api):
    model = make(api=api, official_hosts=LOOPBACK)
    await ask(model)
    await ask(model, Prompt(instructions="", messages=PROMPT.messages, tokens=3, conversation=""))
    first, second = (request.body for request in server.requests)
    assert (first["store"], first["prompt_cache_key"]) == (False, "c-1")
    assert "prompt_cache_key" not in second


async def test_openai_alone_is_told_who_asks_by_a_name_that_says_nothing(server, make, api):
    asked = replace(PROMPT, person="5f2a")
    await ask(make(api=api, official_hosts=LOOPBACK), asked)
    await ask(make(api=api, official_hosts=LOOPBACK))
    await ask(make(api=api), asked)
    assert [request.body.get("safety_identifier") for request in server.requests] == ["5f2a", None, None]


async def test_no_answer_is_longer_than_a_budget_has_room_for(server, make, api):
    model = make(api=api, answer_tokens=500)
    names = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
    for most in (None, 100, 700):
        await ask(model, replace(PROMPT, most=most))
    limits = [next(request.body[name] for name in names & request.body.keys()) for request in server.requests]
    assert limits == [500, 100, 700], "what this server thinks beside an answer counts as well"
    assert model.longest(replace(PROMPT, most=100)) == 100


TALK = tuple(
    Message(role="assistant" if text.islower() else "user", text=text) for text in ("A", "a", "B", "b", "BEN", "C")
)


def talk(*stable):
    return Prompt(instructions="Be brief.", messages=TALK, tokens=20, conversation="c-1", stable=stable)


async def test_openai_is_told_where_the_stable_parts_of_a_conversation_end(server, make, api):
    """On the last message by a person in each: answers can't carry a mark, and the end has one by itself."""
    model = make(api=api, official_hosts=LOOPBACK)
    await ask(model, talk(2, 4, 5, 6))
    (request,) = server.requests
    assert request.marks == ["A", "B", "BEN"]
    assert request.body["prompt_cache_options"] == {"mode": "implicit"}
    assert request.texts == [(one.role, one.text) for one in TALK]


async def test_no_more_parts_are_marked_than_openai_keeps(server, make, api):
    model = make(api=api, official_hosts=LOOPBACK)
    await ask(model, talk(1, 2, 3, 4, 5, 6))
    await ask(model, Prompt(instructions="", messages=TALK[1:], tokens=9, conversation="c-1", stable=(1, 5)))
    assert [request.marks for request in server.requests] == [["A", "B", "BEN"], []]


async def test_what_is_asked_once_is_not_kept_in_openais_cache(server, make, api):
    """Keeping it is billed. A question that is asked once reads what was kept of the conversation before it."""
    model = make(api=api, official_hosts=LOOPBACK)
    await ask(model, talk())
    await ask(model, talk(2, 5))
    await model.examine()
    assert [request.marks for request in server.requests] == [[], ["A", "BEN"], []]
    assert [request.body["prompt_cache_options"] for request in server.requests] == [{"mode": "explicit"}] * 3


async def test_other_servers_are_told_nothing_of_openais_cache(server, make, api):
    await ask(make(api=api), talk(2, 5, 6))
    (request,) = server.requests
    assert request.marks == []
    assert "prompt_cache_options" not in request.body


@pytest.mark.parametrize("field", ["prompt_cache_breakpoint", "prompt_cache_options"])
async def test_a_model_without_breakpoints_is_asked_without_them_from_then_on(server, make, api, field):
    """Those of before GPT-5.6."""
    server.unsupported = {field}
    model = make(api=api, official_hosts=LOOPBACK)
    await ask(model, talk(2, 5, 6))
    await ask(model, talk(2, 5, 6))
    assert [bool(request.marks) for request in server.requests] == [True, False, False]


async def test_a_field_that_the_server_will_not_have_is_left_out_from_then_on(server, make, api):
    server.unsupported = {"store", "prompt_cache_key"}
    model = make(api=api, official_hosts=LOOPBACK)
    await ask(model)
    await ask(model)
    fields = [request.body.keys() & {"store", "prompt_cache_key"} for request in server.requests]
    assert fields == [{"store", "prompt_cache_key"}, {"store"}, set(), set()]


async def test_the_limit_of_an_answer_goes_by_the_name_that_the_server_takes(server, make):
    server.unsupported = {"max_tokens"}
    model = make(api="chat", answer_tokens=100)
    await ask(model)
    assert [request.body.get("max_completion_tokens") for request in server.requests] == [None, 100]
    await ask(make(api="responses", answer_tokens=100))
    assert server.requests[-1].body["max_output_tokens"] == 100


async def test_a_400_that_names_no_field_of_ours_is_not_repeated(server, model):
    server.faults.append(Status(status=400, message="Unsupported value: 'temperature'", param="temperature"))
    with pytest.raises(ModelMisconfigured, match="OPENAI_MODEL"):
        await ask(model)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (None, "responses"),
        ("https://eu.api.openai.com/v1", "responses"),
        ("https://acme.openai.azure.com/openai/v1/", "responses"),
        ("https://api.openai.com.evil.example/v1", "chat"),
        ("http://localhost:11434/v1", "chat"),
    ],
)
async def test_auto_takes_responses_where_they_are_at_home_and_chat_elsewhere(make, host, expected):
    assert make(base_url=host)._sending.first_api == expected


@pytest.mark.parametrize("first", ["responses", "chat"])
async def test_a_missing_endpoint_makes_auto_use_the_other_api_and_remember_it(server, make, first):
    server.missing = {first}
    model = make(official_hosts=LOOPBACK if first == "responses" else ())
    await ask(model)
    await ask(model)
    apis = [request.api for request in server.requests]
    assert apis == [first, *[{"responses": "chat", "chat": "responses"}[first]] * 2]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_servers_say_in_different_ways_that_an_endpoint_is_missing(server, make, status):
    server.faults.append(Status(status=status, message="Cannot POST /v1/models/chat", type=None))
    await ask(make())
    assert [request.api for request in server.requests] == ["chat", "responses"]


async def test_no_endpoint_at_all_names_the_setting(server, make, api):
    server.missing = {"responses", "chat"}
    with pytest.raises(ModelMisconfigured, match=r"neither .* OPENAI_BASE_URL"):
        await ask(make())
    with pytest.raises(ModelMisconfigured, match=f"OPENAI_API is {api}.* auto"):
        await ask(make(api=api))


async def test_an_unknown_model_is_no_missing_endpoint(server, make):
    server.faults.append(wire.NO_MODEL)
    with pytest.raises(ModelMisconfigured, match="OPENAI_MODEL"):
        await ask(make())
    ollama = Status(status=404, type="api_error", message=f'model "{MODEL}" not found, try pulling it first')
    server.faults.append(ollama)
    with pytest.raises(ModelMisconfigured, match="OPENAI_MODEL"):
        await ask(make())
    assert len(server.requests) == 2


LLAMA_TOO_LONG = Status(
    status=400, type="exceed_context_size_error", code=400, message="the request exceeds the available context size"
)
VLLM_TOO_LONG = Status(
    status=400, type="BadRequestError", message="This model's maximum context length is 4096 tokens."
)
TPM = Status(status=429, code="rate_limit_exceeded", type="tokens", message="Request too large for gpt-test on TPM")
POLICY = Status(status=400, code="content_policy_violation")
PROMPT_FLAGGED = Status(status=400, code="invalid_prompt")
AZURE_FILTER = Status(status=400, code="content_filter", message="The response was filtered")
NO_MONEY = Status(status=402, code=402, type=None, message="Insufficient credits")
GATEWAY = Status(status=529, type="overloaded_error")
FORBIDDEN = Status(status=403, code="unsupported_country_region_territory")
HARD_LIMIT = Status(status=400, code="billing_hard_limit_reached", message="Billing hard limit has been reached")
ZHIPU_NO_MONEY = Status(status=429, code="1113", type=None, message="Insufficient balance or no resource package.")
DAILY_LIMIT = Status(
    status=429, code=429, message="Rate limit exceeded: free-models-per-day. Add 10 credits to unlock."
)
TRY_AGAIN, TRY_NEVER = {"x-should-retry": "true"}, {"x-should-retry": "false"}


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (wire.RATE_LIMITED, ModelUnavailable, "429"),
        (wire.BROKEN, ModelUnavailable, "500"),
        (wire.OVERLOADED, ModelUnavailable, "503"),
        (GATEWAY, ModelUnavailable, "529"),
        (Status(status=408), ModelUnavailable, "408"),
        (Status(status=409), ModelUnavailable, "409"),
        (Status(status=401, headers=TRY_AGAIN), ModelUnavailable, "401"),
        (Status(status=500, headers=TRY_NEVER), ModelFailed, "no use"),
        (Status(status=429, headers=TRY_NEVER | {"Retry-After": "900"}), ModelUnavailable, "429"),
        (Status(status=400, code="context_length_exceeded", headers=TRY_AGAIN), WindowTooLong, "too long"),
        (wire.NO_CREDIT, OutOfCredit, "credit"),
        (NO_MONEY, OutOfCredit, "credit"),
        (HARD_LIMIT, OutOfCredit, "credit"),
        (ZHIPU_NO_MONEY, OutOfCredit, "credit"),
        (DAILY_LIMIT, ModelUnavailable, "429"),
        (wire.TOO_LONG, WindowTooLong, "too long"),
        (LLAMA_TOO_LONG, WindowTooLong, "too long"),
        (VLLM_TOO_LONG, WindowTooLong, "too long"),
        (TPM, WindowTooLong, "too long"),
        (Status(status=413, type=None), WindowTooLong, "too long"),
        (POLICY, ModelRefused, "content_policy_violation"),
        (PROMPT_FLAGGED, ModelRefused, "invalid_prompt"),
        (AZURE_FILTER, ModelRefused, "content_filter"),
        (wire.WRONG_KEY, ModelMisconfigured, "OPENAI_API_KEY"),
        (FORBIDDEN, ModelMisconfigured, "OPENAI_API_KEY.*OPENAI_MODEL"),
        (wire.NO_MODEL, ModelMisconfigured, "OPENAI_MODEL"),
        (Status(status=400, message="Bad."), RequestNotTaken, "OPENAI_BASE_URL"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else getattr(value, "code", None) or "",
)
async def test_a_refused_request_is_sorted_by_what_can_be_done_about_it(server, model, fault, error, words):
    server.faults.append(fault)
    with pytest.raises(error, match=words) as raised:
        await ask(model)
    assert raised.type is error
    assert len(server.requests) == 1, "retries belong to the turn"
    assert KEY not in str(raised.value)


def limits(*, requests, tokens):
    """What OpenAI says of its limits with every answer: what remains of each, and when it is whole again."""
    return {
        "x-ratelimit-remaining-requests": requests[0],
        "x-ratelimit-reset-requests": requests[1],
        "x-ratelimit-remaining-tokens": tokens[0],
        "x-ratelimit-reset-tokens": tokens[1],
    }


@pytest.mark.parametrize(
    "words",
    [
        "Input tokens exceed the configured limit: reduce the length; maximum context length is 128000 tokens",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",  # vLLM
        "prompt too long; exceeded max context length by 7 tokens",  # Ollama
        "the input length exceeds the context length",  # Ollama
        "the request exceeds the available context size, try increasing it",  # llama.cpp
        "Trying to keep the first 9000 tokens when context the overflows.",  # LM Studio
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096",  # TGI
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",  # xAI
        "The input token count (9) exceeds the maximum number of tokens allowed (8).",  # Gemini
        "Input is too long for requested model.",  # Bedrock
        "prompt is too long: 210000 tokens > 200000 maximum",  # Anthropic
    ],
)
@pytest.mark.parametrize("status", [400, 500])
async def test_servers_say_in_different_ways_that_a_request_is_too_long(server, model, status, words):
    server.faults.append(Status(status=status, message=words, type=None))
    with pytest.raises(WindowTooLong):
        await ask(model)


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({"Retry-After": "7"}, "", 7),
        ({"Retry-After": "900"}, "", 900),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, "", 1.5),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, "", 30),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, "", 0),
        ({"Retry-After": "Sun, 22 Nov 99999999999999 12:00:00 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, "", None),
        ({"Retry-After": "soon"}, "", None),
        ({"Retry-After": "inf"}, "", None),
        ({}, "Please try again in 11.5s. Visit", 11.5),
        ({}, "Please try again in 28ms.", 0.028),
        ({}, "Please try again in 7m12.5s.", 432.5),
        ({}, "You exceeded your current quota. Please retry in 34.5s.", 34.5),
        ({}, "You have exceeded the token rate limit of your tier. Please retry after 45 seconds.", 45),
        ({}, "Too many tokens, please wait before trying again.", None),
        (limits(requests=("0", "1m2s"), tokens=("500", "6m0s")), "", 62),
        (limits(requests=("0", "1s"), tokens=("0", "6m0s")), "", 360),
        (limits(requests=("7", "1h"), tokens=("500", "12")), "", 12),
        (limits(requests=("0", "soon"), tokens=("500", "250ms")), "", 0.25),
        ({"Retry-After": "7"} | limits(requests=("0", "1m2s"), tokens=("500", "6m0s")), "", 7),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT", "Date": "today"}, "Please try again in 2s.", 2),
        ({}, "", None),
    ],
)
async def test_the_wait_that_the_server_asks_for_is_passed_on(server, model, headers, message, expected):
    server.faults.append(Status(status=429, message=message, headers=headers))
    with pytest.raises(ModelUnavailable) as raised:
        await ask(model)
    assert raised.value.retry_after == expected


async def test_limits_that_are_no_reason_for_the_failure_are_not_waited_for(server, model):
    server.faults.append(Status(status=500, headers=limits(requests=("0", "1m2s"), tokens=("0", "6m0s"))))
    with pytest.raises(ModelUnavailable) as raised:
        await ask(model)
    assert raised.value.retry_after is None


@pytest.mark.parametrize("how", ["truncated", "malformed", "bytes", "dropped", "garbled"])
@pytest.mark.parametrize("after", [0, 2])
async def test_a_stream_that_ends_before_the_proof_is_an_interruption(server, model, how, after):
    server.faults.append(Break(how=how, after=after))
    with pytest.raises(ModelInterrupted):
        await ask(model)
    pieces, _ = await ask(model)
    assert pieces, "the next answer is none the worse"


@pytest.mark.parametrize("how", ["error", "failed"])
@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("server_error", "Sorry.", ModelInterrupted),
        ("rate_limit_exceeded", "Please try again in 3s.", ModelInterrupted),
        ("context_length_exceeded", "Too long.", WindowTooLong),
        ("invalid_prompt", "Flagged.", ModelRefused),
        ("insufficient_quota", "Pay.", OutOfCredit),
        (None, "Who knows.", ModelInterrupted),
    ],
)
async def test_an_error_in_the_middle_is_sorted_like_one_at_the_start(server, model, how, code, message, error):
    server.faults.append(Break(how=how, code=code, message=message))
    with pytest.raises(error) as raised:
        await ask(model)
    assert getattr(raised.value, "retry_after", None) == (3 if code == "rate_limit_exceeded" else None)


@pytest.mark.parametrize(
    "fault", [Silence(), Break(how="stall", after=0), Break(how="stall")], ids=["at once", "before", "between"]
)
async def test_silence_is_a_stall(server, make, api, fault):
    server.faults.append(fault)
    with pytest.raises(ModelStalled):
        await ask(make(api=api, first_seconds=0.3, silence_seconds=0.3))
    await server.until(lambda: server.requests[0].gone)


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize(
    "beat", [": still at it", "event: ping\ndata: {}", 'data: {"type": "ping"}', "data: null", 'data: {"choices": []}']
)
async def test_signs_of_life_without_a_word_are_silence(server, make, api, beat, after):
    """B10: silence is measured between pieces, and a comment is none; nor is a frame that says nothing."""
    server.faults.append(Break(how="drip", after=after, beat=f"{beat}\n\n".encode()))
    with pytest.raises(ModelStalled):
        await asyncio.wait_for(ask(make(api=api, first_seconds=0.4, silence_seconds=0.4)), 20)
    await server.until(lambda: server.requests[0].gone)


async def test_a_long_answer_takes_its_time(server, make, api):
    """B10: no limit is set to the whole of it, however short those between its pieces are."""
    server.pause = 0.05
    server.answer = lambda _: "word " * 30
    pieces, _ = await ask(make(api=api, silence_seconds=1.0, first_seconds=1.0))
    assert len(pieces) == 31


async def test_a_slow_beginning_has_a_limit_of_its_own(server, make, api):
    """B10: a local model may be silent for long before its first word, and never after it."""
    server.hold()
    asking = asyncio.create_task(ask(make(api=api, first_seconds=60, silence_seconds=20)))
    await server.until(lambda: server.requests)
    server.release()
    pieces, _ = await asking
    assert pieces


async def test_a_server_that_does_not_even_begin_meets_the_limit(server, make, api):
    server.hold()
    server.faults.append(Break(how="stall", after=0))
    with pytest.raises(ModelStalled):
        await ask(make(api=api, first_seconds=0.3, silence_seconds=0.3))


async def test_the_limit_never_cancels_the_reader(server, make):
    """A timeout around the yields would strike the consumer's own code; ours strikes between them."""
    model = make(silence_seconds=0.3)
    server.hold(after=1)
    async with aclosing(model.stream(PROMPT)) as stream:
        await anext(stream)
        loop = asyncio.get_running_loop()
        past = loop.create_future()
        loop.call_later(0.4, past.set_result, None)
        await past  # the reader's own work goes on past the deadline
        with pytest.raises(ModelStalled):
            await ask_on(stream)


async def test_a_server_that_is_not_there_is_unavailable(make, api):
    with pytest.raises(ModelUnavailable, match="OPENAI_BASE_URL") as raised:
        await ask(make(api=api, base_url="http://127.0.0.1:9/v1"))
    assert raised.type is ModelUnavailable


async def test_a_server_that_takes_no_connection_is_a_stall(make, api):
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # a queue of connections that nobody takes, and that is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        model = make(api=api, base_url=url, connect_timeout=0.3)
        with pytest.raises(ModelStalled):
            await ask(model)


async def test_a_web_page_instead_of_an_api_names_the_setting(server, model):
    server.faults.append(Body())
    with pytest.raises(ModelMisconfigured, match="OPENAI_BASE_URL"):
        await ask(model)


async def test_another_body_instead_of_a_stream_is_an_interruption(server, model):
    server.faults.append(Body(text=json.dumps({"object": "nothing"}), content_type="application/json"))
    with pytest.raises(ModelInterrupted):
        await ask(model)


async def test_an_answer_that_stops_at_its_limit_is_cut(server, model):
    server.faults.append(End(reason="length"))
    _, finish = await ask(model)
    assert finish.cut
    assert finish.usage is not None


async def test_no_room_for_any_answer_means_that_the_window_is_too_long(server, model):
    server.usage = "none"
    server.faults.append(End(reason="length", text=""))
    with pytest.raises(WindowTooLong):
        await ask(model)


async def test_a_filtered_answer_is_refused_and_cut_when_it_had_begun(server, model):
    server.faults += [End(reason="content_filter", text=""), End(reason="content_filter", text="Once upon")]
    with pytest.raises(ModelRefused):
        await ask(model)
    pieces, finish = await ask(model)
    assert ("".join(pieces), finish.cut) == ("Once upon", "filter")


async def test_the_words_of_a_refusal_are_an_answer(server, model):
    server.faults.append(End(text="I would rather not.", refusal=True))
    pieces, finish = await ask(model)
    assert ("".join(pieces), finish.cut) == ("I would rather not.", None)


@pytest.mark.parametrize("text", ["", "\n  \n"])
async def test_an_empty_answer_is_complete_and_empty(server, model, text):
    """B3: it is no outage."""
    server.faults.append(End(text=text))
    with pytest.raises(EmptyAnswer) as raised:
        await ask(model)
    assert not raised.value.thought


async def test_an_answer_that_was_all_thought_says_so(server, model):
    """B12: nothing was too long."""
    server.faults.append(End(text="", reason="length"))
    pieces = []
    with pytest.raises(EmptyAnswer, match="thinking") as raised:
        await ask_on(model.stream(PROMPT), pieces)
    assert raised.value.thought
    assert pieces == [Usage(shown=10, written=1, cached=5, cache_written=2, reasoning=1)], "what it cost is told"


async def test_a_connection_lost_after_the_proof_is_no_matter(server, model):
    server.faults.append(End(late=True))
    pieces, _ = await ask(model)
    assert pieces


async def test_hanging_up_reaches_the_server(server, model):
    server.hold(after=1)
    stream = model.stream(PROMPT)
    assert await anext(stream)
    await stream.aclose()
    await server.until(lambda: server.requests[0].gone)
    del stream
    gc.collect()  # anything that was left open would complain now


async def test_cancelling_reaches_the_server(server, make, api):
    server.hold()
    task = asyncio.create_task(ask(make(api=api)))
    await server.until(lambda: server.requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.until(lambda: server.requests[0].gone)


async def test_many_answers_run_at_once(server, make, api):
    server.hold(after=1)
    model = make(api=api)
    tasks = [asyncio.create_task(ask(model)) for _ in range(50)]
    await server.until(lambda: len(server.requests) == 50)
    server.release()
    assert {"".join(pieces) for pieces, _ in await asyncio.gather(*tasks)} == {"You said: Ada: and now?"}


async def test_the_connection_is_used_again_after_an_answer(server, model):
    for _ in range(5):
        await ask(model)
    pool = model._clients.first._client._transport._pool
    assert len(pool.connections) == 1


async def test_many_answers_are_spread_over_clients_of_which_no_more_are_made_than_needed(server, make, api):
    server.hold(after=1)
    model = make(api=api, streams=2)
    tasks = [asyncio.create_task(ask(model)) for _ in range(5)]
    await server.until(lambda: len(server.requests) == 5)
    server.release()
    await asyncio.gather(*tasks)
    for _ in range(3):
        await ask(model)
    assert list(model._clients.answers.values()) == [0, 0, 0]
    assert [len(client._client._transport._pool.connections) for client in model._clients.answers] == [2, 2, 1]


async def test_an_answer_that_comes_in_a_heap_does_not_keep_others_waiting(server, make):
    piece, end = {"delta": {"content": "word "}}, {"delta": {}, "finish_reason": "stop"}
    events = [f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in [piece] * 50 + [end]]
    server.faults.append(Body(text="".join(events), content_type="text/event-stream"))
    others = 0

    async def wait():
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(wait())
    seen = [others async for _ in make(api="chat").stream(PROMPT)]
    waiting.cancel()
    assert len(set(seen)) == 51


async def test_pieces_of_two_outputs_are_kept_apart():
    reading = ResponsesReading(MODEL)
    delta = {"type": "response.output_text.delta"}
    events = [delta | {"output_index": n, "delta": text} for n, text in [(0, "Let me "), (0, "see."), (2, "Yes.")]]
    assert "".join(piece for event in events for piece in reading.take(event)) == "Let me see.\n\nYes."


def test_a_character_whose_two_halves_come_apart_is_whole():
    """B14: servers that cut by UTF-16 send half an emoji in each of two events."""
    reading = ChatReading(MODEL)
    events = json.loads(r"""["Off \ud83d", "\ude80 we", "\ud83d", "", "\ude80", "go \ud83d"]""")
    pieces = [piece for text in events for piece in reading.take({"choices": [{"delta": {"content": text}}]})]
    assert "".join(pieces) == "Off 🚀 we🚀go "
    [*reading.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})]
    assert [piece for piece in reading.finish() if isinstance(piece, str)] == ["?"], "nothing that no text can hold"


@pytest.mark.parametrize("event", [[], "text", 7, {}, {"choices": None}, {"choices": [None, {}, {"delta": None}]}])
def test_an_event_without_what_it_should_hold_says_nothing(event):
    assert "".join(ChatReading(MODEL).take(event)) == ""
    assert "".join(ResponsesReading(MODEL).take(event)) == ""


def test_what_stands_beside_an_error_in_the_middle_is_read_too():
    with pytest.raises(OutOfCredit):
        list(ChatReading(MODEL).take({"error": "no", "code": "insufficient_quota"}))
    with pytest.raises(WindowTooLong):
        list(ChatReading(MODEL).take({"error": True, "message": "maximum context length is 4096 tokens"}))


@pytest.mark.parametrize("reason", ["error", "error_finish", "abort", "null", "None"])
def test_an_end_in_error_is_no_end(reason):
    reading = ChatReading(MODEL)
    assert [*reading.take({"choices": [{"delta": {"content": "Well"}, "finish_reason": reason}]})] == ["Well"]
    with pytest.raises(ModelInterrupted):
        list(reading.finish())


def test_a_reason_that_is_told_before_the_answer_has_come_is_no_end():
    """Open WebUI and gateways to Gemini tell one from the first chunk on: a cut answer is not whole for that."""
    reading = ChatReading(MODEL)
    for delta in ({}, {"reasoning_content": "Hm."}, {"content": "Well"}):
        assert not reading.rests, "the next chunk has all the time that it needs"
        list(reading.take({"choices": [{"delta": delta, "finish_reason": "stop"}]}))
    with pytest.raises(ModelInterrupted):
        list(reading.finish())


@pytest.mark.parametrize("url", ["example.com/v1", "ftp://example.com", "http://", "http://host:port/v1"])
def test_an_address_that_is_none_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        OpenAIModel(api_key=KEY, model=MODEL, base_url=url)


@pytest.mark.parametrize("key", ["sk-1\n", "sk 1", "sk–1"])
def test_a_key_with_characters_that_no_key_has_is_a_configuration_error(key):
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as raised:
        OpenAIModel(api_key=key, model=MODEL)
    assert key not in str(raised.value)


async def test_a_server_of_ones_own_needs_no_key(server, make, api):
    pieces, _ = await ask(make(api=api, api_key=None))
    assert pieces


@pytest.mark.parametrize("missing", [set(), {"models"}])
async def test_the_doctor_has_one_word_said_whether_or_not_models_can_be_asked_for(server, model, missing):
    """A4."""
    server.missing = missing
    (finding,) = await model.examine()
    assert finding.ok
    assert MODEL in finding.detail
    assert [request.last for request in server.requests] == ["Say: ready"]


async def test_the_doctor_asks_just_as_a_turn_does(server, model):
    """A4: a chat template may refuse what an empty question would not have."""
    await model.examine()
    await ask(model)
    doctors, turns = (request.body for request in server.requests)
    assert doctors.keys() == turns.keys()
    assert server.requests[0].instructions


async def test_the_doctor_is_not_content_with_a_server_that_refuses_every_question(server, model):
    """A4: it answers GET /models all the same."""
    server.weather = lambda _: Status(status=500, message="no workers are left")
    (finding,) = await model.examine()
    assert not finding.ok
    assert "no workers are left" in finding.detail


async def test_the_doctor_lets_a_key_be_for_answers_alone(server, model):
    """OpenAI's restricted keys may not ask for models."""
    server.untold = Status(status=403, message="Missing scopes: api.model.read")
    (finding,) = await model.examine()
    assert finding.ok


async def test_the_doctor_hangs_up_on_a_model_that_never_stops(server, model):
    server.answer = lambda _: "and so on " * 10_000
    (finding,) = await model.examine()
    assert finding.ok
    await server.until(lambda: server.requests[0].gone or server.requests[0].done)
    assert server.requests[0].gone


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (wire.WRONG_KEY, "OPENAI_API_KEY"),
        (wire.NO_MODEL, "OPENAI_MODEL"),
        (wire.NO_CREDIT, "Add some"),
        (wire.BROKEN, "later"),
    ],
)
async def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(server, model, fault, remedy):
    server.faults.append(fault)
    (finding,) = await model.examine()
    assert not finding.ok
    assert remedy in finding.remedy
    assert "It says:" in finding.detail
    assert KEY not in finding.detail


async def test_the_doctor_quotes_what_the_server_says_to_its_own_question(server, model):
    server.missing = {"models"}
    server.faults.append(Status(status=400, message="This model has no chat template."))
    (finding,) = await model.examine()
    assert "no chat template" in finding.detail
    assert finding.remedy.startswith("Check OPENAI_MODEL")


async def test_the_doctor_is_not_content_with_a_web_page(server, model):
    server.faults.append(Body())
    (finding,) = await model.examine()
    assert not finding.ok
    assert "OPENAI_BASE_URL" in finding.remedy


async def test_the_doctor_survives_a_server_that_is_not_there(make):
    (finding,) = await make(base_url="http://127.0.0.1:9/v1").examine()
    assert not finding.ok
    assert "OPENAI_BASE_URL" in finding.remedy


async def test_the_name_is_the_configured_one(model):
    assert model.name == MODEL


def asked(text, *, after=()):
    """A request as the server sees it, in answer to what was said so far."""
    said = [
        {"role": role, "content": words} for role, words in [*after, ("user", f"[Ada (U1) 2026-11-22 14:03] {text}")]
    ]
    return Request(api="chat", body={"messages": said}, headers={})


def test_the_echo_says_the_key_words_of_all_that_is_to_be_answered():
    once = asked("kw-1 please", after=[("user", "kw-0"), ("assistant", "You said kw-0."), ("user", "and a7")])
    assert wire.echo(once) == wire.echoed("and a7", "kw-1 please")
    assert wire.echoed("and a7", "kw-1 please").startswith("You said a7 kw-1. (1) (2)")


@pytest.mark.parametrize("number", [1, 7, 40])
async def test_an_answer_comes_in_as_many_pieces_as_the_test_wants(server, model, number):
    server.answer, server.chunks = wire.echo, number
    pieces, _ = await ask(model)
    assert len(pieces) == number
    assert "".join(pieces) == wire.echoed("Ada: and now?")


def test_the_weather_is_the_same_for_the_same_questions_in_any_order():
    questions = [f"question {number}" for number in range(200)] * 2
    first, second, other = Weather(seed=1, rate=0.2), Weather(seed=1, rate=0.2), Weather(seed=2, rate=0.2)

    def faults(weather, texts):
        return sorted((text, repr(weather(asked(text)))) for text in texts)

    met = faults(first, questions)
    assert met == faults(second, questions[::-1]) != faults(other, questions)
    assert 50 < first.sent.total() < 110, "about a fifth"
    assert len(first.sent) > 5


async def test_the_weather_strikes_requests_and_passes(server, model):
    server.weather = Weather(seed=1, rate=1.0, faults=[wire.BROKEN])
    with pytest.raises(ModelUnavailable):
        await ask(model)
    server.weather.rate = 0.0
    assert await ask(model)
    assert server.weather.sent == {"500": 1}
