"""Streams of servers that keep to no dialect: what is half is never passed off as whole, what is whole is read once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp import web

from core.errors import (
    EmptyAnswer,
    ModelError,
    ModelInterrupted,
    ModelMisconfigured,
    ModelUnavailable,
    OutOfCredit,
    WindowTooLong,
)
from core.model.llm import Message, Prompt, Unseen
from core.model.openai import OpenAIModel
from core.model.openai.answer import TAIL
from tests.wire.openai import KEY, MODEL, Body, OpenAIServer, Status

QUESTION = Prompt(instructions="Be brief.", messages=(Message(role="user", text="hi"),), tokens=20, conversation="c")
DONE = "data: [DONE]\n\n"


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def model(server: OpenAIServer) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, answer_tokens=50)
    yield model
    await model.close()


async def ask(model: OpenAIModel) -> str:
    return "".join([piece async for piece in model.stream(QUESTION) if isinstance(piece, str)])


def frame(value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


def said(words: str, reason: str | None = None) -> str:
    return frame({"choices": [{"index": 0, "delta": {"content": words}, "finish_reason": reason}]})


def stream(*frames: str) -> Body:
    return Body(text="".join(frames), content_type="text/event-stream")


TROUBLE: dict[str, object] = {
    "vllm": {"object": "error", "message": "boom", "type": "InternalServerError", "code": 500},
    "fastchat": {"text": "**NETWORK ERROR DUE TO HIGH TRAFFIC.**", "error_code": 50001},
    "openrouter": {"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "boom"}}]},
    "fastapi": {"detail": "boom"},
    "errors": {"errors": [{"message": "boom"}]},
    "gateway": {"code": 500, "msg": "boom"},
    "minimax": {"choices": None, "base_resp": {"status_code": 1000, "status_msg": "boom"}},
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
async def test_half_an_answer_before_trouble_is_half_though_done_is_said(server, model, trouble) -> None:
    """B2."""
    server.faults.append(stream(said("Half an"), frame(trouble), DONE))

    with pytest.raises(ModelInterrupted):
        await ask(model)


async def test_how_long_its_thoughts_are_is_told_while_a_model_thinks(server, model) -> None:
    """They cost, also where nobody waits for their end."""
    aside = [frame({"choices": [{"index": 0, "delta": {"reasoning_content": "x" * 250}}]})] * 4
    within = [said("<think>" + "x" * 500), said("</think>"), said("well", "stop")]
    server.faults.append(stream(*aside, *within, DONE))

    told = [piece async for piece in model.stream(QUESTION)]

    unseen = [piece.characters for piece in told if isinstance(piece, Unseen)]
    assert unseen[:2] == [500, 1_000]
    assert 1_500 <= unseen[-1] <= 1_600
    assert [piece for piece in told if isinstance(piece, str)] == ["well"]


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
async def test_trouble_after_the_proof_is_no_matter(server, model, trouble) -> None:
    server.faults.append(stream(said("All of it", "stop"), frame(trouble), DONE))

    assert await ask(model) == "All of it"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"message": "No auth credentials found", "code": 401}}, ModelMisconfigured),
        ({"error": {"message": "Insufficient credits", "code": 402}}, OutOfCredit),
        ({"object": "error", "message": "This model's maximum context length is 4096 tokens."}, WindowTooLong),
    ],
)
async def test_what_stands_behind_a_200_is_sorted_as_if_the_status_said_it(server, model, body, error) -> None:
    """B5: a wrong key is no outage of ten minutes."""
    server.faults.append(Body(text=json.dumps(body), content_type="application/json"))

    with pytest.raises(ModelError) as raised:
        await ask(model)

    assert raised.type is error


@pytest.mark.parametrize("text", ["[" * 100_000, '{"error":' * 100_000, '{"error": "' + "[" * 100_000 + '"}'])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_what_is_nested_too_deeply_to_be_read_is_the_servers_trouble(server, model, text, kind) -> None:
    """Python's own reader gives up with another error than over what is no JSON."""
    bodies = (Body(text=text, content_type=kind), stream(said("Half an"), f"data: {text}\n\n", DONE))
    for refused in (*bodies, Status(status=503, message="[" * 3_000)):
        server.faults.extend([refused] * 3)
        with pytest.raises(ModelUnavailable):
            await ask(model)
        server.faults.clear()


def whole_beside(delta: dict[str, str], words: str, reason: str | None = None) -> str:
    return frame({"choices": [{"delta": delta, "message": {"content": words}, "finish_reason": reason}]})


async def test_what_is_repeated_as_a_whole_beside_the_pieces_is_said_once(server, model) -> None:
    """Perplexity has both in each frame; others an empty piece and the whole in the last."""
    both = whole_beside({"content": "Hel"}, "Hel") + whole_beside({"content": "lo"}, "Hello")
    server.faults += [stream(both, whole_beside({}, "Hello", "stop"), DONE), stream(whole_beside({}, "Hello", "stop"))]

    assert [await ask(model), await ask(model)] == ["Hello", "Hello"]


ENDLESS = {
    "marked": said("<think>") + said("Hm, " * 25_000) * 2,
    "apart": frame({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm, " * 25_000}}]}) * 2,
    "responses": frame({"type": "response.reasoning_text.delta", "delta": "Hm, " * 25_000}) * 2,
}


@pytest.mark.parametrize("thoughts", ENDLESS.values(), ids=ENDLESS)
async def test_a_model_that_never_stops_thinking_is_held_to_its_limit(server, thoughts) -> None:
    """B13, where nothing of it is on screen, and no limit is kept by the server."""
    api = "responses" if "response." in thoughts else "chat"
    model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, answer_tokens=4_000, api=api)
    server.faults.append(stream(thoughts, said("too late", "stop"), DONE))

    with pytest.raises(EmptyAnswer, match="thinking") as raised:
        await ask(model)
    await model.close()

    assert raised.value.thought


def choice(index: int, words: str, reason: str | None = None) -> dict:
    return {"index": index, "delta": {"content": words}, "finish_reason": reason}


async def test_of_several_answers_the_first_is_read(server, model) -> None:
    """What their frames hold in turn would be a salad of both."""
    server.faults.append(
        stream(
            frame({"choices": [choice(0, "One "), choice(1, "Two ")]}),
            frame({"choices": [choice(1, "others", "stop")]}),
            frame({"choices": [choice(0, "answer", "stop")]}),
            DONE,
        )
    )
    assert await ask(model) == "One answer"

    server.faults.append(stream(frame({"choices": [choice(1, "Hi", "stop")]}), DONE))
    assert await ask(model) == "Hi", "whatever number it has"


async def test_what_a_server_says_after_the_end_is_not_listened_to_for_long() -> None:
    """A gateway's signs of life go on as long as it likes."""

    async def lives(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(said("All of it", "stop").encode())
        with suppress(ConnectionError):
            while True:
                await answer.write(frame({"choices": [], "usage": None}).encode())
                await asyncio.sleep(TAIL / 10)
        return answer

    app = web.Application()
    app.router.add_post("/v1/chat/completions", lives)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model = OpenAIModel(api_key=KEY, model=MODEL, base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    async with asyncio.timeout(TAIL * 3):
        assert await ask(model) == "All of it"
    await model.close()
    await runner.cleanup()
