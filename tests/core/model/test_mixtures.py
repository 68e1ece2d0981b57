"""Twenty thousand streams by chance: never half an answer for a whole one, never a whole one for half.

B2. Each is asked for through the real client; all but some hundred come out of memory, below it, instead of a socket.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import httpx2
import pytest
from aiohttp import web

from core.errors import ModelInterrupted
from core.model.llm import Finish, Message, Prompt
from core.model.openai import OpenAIModel
from tests.wire.mixtures import Mixture
from tests.wire.openai import KEY, MODEL

PROMPT = Prompt(instructions="", messages=(Message(role="user", text="when?"),), tokens=3, conversation="c-1")
BLOCKS, BLOCK = 20, 1_000


class Memory:
    """What lies below the client instead of the network. `requests` counts what was asked of it."""

    def __init__(self) -> None:
        self.mixture = Mixture(0)
        self.requests = 0

    async def answer(self, _: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        return httpx2.Response(200, headers={"Content-Type": self.mixture.type}, stream=Body(self.mixture))


class Body(httpx2.AsyncByteStream):
    """A mixture as it arrives."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.mixture.chunks:
            yield chunk
        if self.mixture.dropped:
            raise httpx2.ReadError("The connection is gone.")


@asynccontextmanager
async def models(url):
    """One model for each API."""
    made = {api: OpenAIModel(api_key=KEY, model=MODEL, base_url=url, api=api) for api in ("chat", "responses")}
    yield made
    for model in made.values():
        await model.close()


async def hear(model) -> tuple[str, Finish | None]:
    """All that a model says, and its Finish; none if it broke off."""
    words, finish = "", None
    with suppress(ModelInterrupted):
        async with aclosing(model.stream(PROMPT)) as stream:
            async for piece in stream:
                if isinstance(piece, Finish):
                    finish = piece
                else:
                    assert isinstance(piece, str), "there is no thought in the text"
                    words += piece
    return words, finish


def wrong(mixture: Mixture, words: str, finish: Finish | None) -> str:
    """What is wrong about what was heard of this; nothing if all is well."""
    if not mixture.text.startswith(words.strip()):
        return "words that nobody has said"
    if finish is None:
        return "a whole answer taken for half a one" if mixture.verdict == "whole" else ""
    if mixture.verdict == "half":
        return "half an answer taken for a whole one"
    if words.strip() != mixture.text:
        return "words are missing"
    return "" if bool(finish.cut) == mixture.limited else "the wrong reason"


@pytest.mark.parametrize("block", range(BLOCKS))
async def test_only_a_whole_answer_is_taken_for_one(monkeypatch, block):
    memory, found = Memory(), []
    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", lambda _, request: memory.answer(request))
    async with models("http://127.0.0.1:1/v1") as made:
        for number in range(block * BLOCK, (block + 1) * BLOCK):
            memory.mixture, memory.requests = Mixture(number), 0
            fault = wrong(memory.mixture, *await hear(made[memory.mixture.api]))
            if fault or memory.requests != 1:
                found.append(f"{number}: {fault or 'asked more than once'}: {memory.mixture}")
    assert not found, f"{len(found)} of {BLOCK}, for example {found[0]}"


@asynccontextmanager
async def server(mixtures: list[Mixture]) -> AsyncIterator[str]:
    """A server on loopback that sends these one after the other, and where it is."""

    async def send(http: web.Request) -> web.StreamResponse:
        mixture = mixtures.pop(0)
        response = web.StreamResponse(headers={"Content-Type": mixture.type})
        await response.prepare(http)
        for chunk in filter(None, mixture.chunks):
            await response.write(chunk)
        if not mixture.dropped:
            await response.write_eof()
        elif http.transport is not None:
            http.transport.close()
        return response

    app = web.Application()
    app.router.add_post("/v1/{path:.*}", send)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


async def test_it_is_so_over_a_socket_too():
    mixtures, found = [Mixture(number) for number in range(300)], []
    left = list(mixtures)
    async with server(left) as url, models(url) as made:
        for number, mixture in enumerate(mixtures, 1):
            fault = wrong(mixture, *await hear(made[mixture.api]))
            if fault or len(left) != len(mixtures) - number:
                found.append(f"{number - 1}: {fault or 'asked more than once'}: {mixture}")
    assert not found, f"{len(found)}, for example {found[0]}"


def test_the_mixtures_are_of_every_kind():
    """Else the rest would hold nothing."""
    kinds = {(mixture.api, mixture.verdict) for mixture in map(Mixture, range(2_000))}
    assert len(kinds) == 6
