"""Moderation: what is flagged is neither asked nor shown, and while nobody judges, nothing is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from bots.program import minds
from core.config import Settings
from core.errors import Flagged, ModelMisconfigured, ModelUnavailable
from core.model.llm import Cause, Finish, Message, Model, Prompt, Unseen, Usage
from core.schema import turns
from core.session import Progress
from core.store import Database
from tests.script import rows
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import NO_ENDPOINT, OpenAIServer, Status
from tests.wire.slack import SlackStage


def prompt(text: str, purpose: str = "answer") -> Prompt:
    cause = Cause(workspace=1, session=1, seq=1, author="U1", purpose=purpose)  # type: ignore[arg-type]  # one of them
    messages = (Message(role="user", text="before"), Message(role="user", text=text))
    return Prompt(instructions="Help.", messages=messages, tokens=9, conversation="c", cause=cause, answer_tokens=100)


async def answer(model: Model, asked: Prompt) -> list[object]:
    """What is told of an answer, but for what it costs."""
    async with aclosing(model.stream(asked)) as pieces:
        return [piece async for piece in pieces if not isinstance(piece, Unseen | Usage)]


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def model(server: OpenAIServer) -> AsyncIterator[Model]:
    given = {name.lower(): value for name, value in server.environment().items()}
    settings = Settings(_env_file=None, backscroll_moderation="openai", **given)  # type: ignore[call-arg]
    model = minds.make_model(settings)
    yield model
    await model.close()


async def test_question_and_answer_are_judged_and_the_answer_comes_whole(server: OpenAIServer, model: Model) -> None:
    words, finish = await answer(model, prompt("a question of several words"))

    assert words == "You said: a question of several words"
    assert isinstance(finish, Finish)
    assert server.judged == ["a question of several words", words]


async def test_a_flagged_question_is_not_asked(server: OpenAIServer, model: Model) -> None:
    server.flags = {"poison"}

    with pytest.raises(Flagged):
        await answer(model, prompt("how is poison made?"))

    assert not server.requests


async def test_no_word_of_a_flagged_answer_is_told(server: OpenAIServer, model: Model) -> None:
    server.flags, server.answer = {"poison"}, lambda _: "first words, and then poison"
    told: list[object] = []

    async def listen() -> None:
        async with aclosing(model.stream(prompt("a question"))) as pieces:
            async for piece in pieces:
                told.append(piece)

    with pytest.raises(Flagged):
        await listen()

    assert not [piece for piece in told if isinstance(piece, str)]


async def test_the_end_of_a_long_question_is_judged(server: OpenAIServer, model: Model) -> None:
    server.flags = {"poison"}

    with pytest.raises(Flagged):
        await answer(model, prompt("x" * 100_000 + "poison"))


async def test_what_is_cut_into_pieces_to_be_judged_is_cut_into_no_harmless_ones(
    server: OpenAIServer, model: Model
) -> None:
    server.flags = {"poison"}

    for start in range(19_990, 20_001):
        with pytest.raises(Flagged):
            await answer(model, prompt("x" * start + "poison"))


async def test_an_answer_that_never_ends_is_not_held_back_for_ever(server: OpenAIServer, model: Model) -> None:
    server.answer = lambda _: "and so on " * 10_000

    words, finish = await answer(model, prompt("a question"))

    assert len(str(words)) < 2_000
    assert isinstance(finish, Finish)
    assert finish.cut == "length"


async def test_what_nobody_judges_is_not_asked(server: OpenAIServer, model: Model) -> None:
    server.unjudged = Status(status=503, code="overloaded", message="later")
    with pytest.raises(ModelUnavailable):
        await answer(model, prompt("a question"))

    server.unjudged = NO_ENDPOINT
    with pytest.raises(ModelMisconfigured, match="has no /moderations"):
        await answer(model, prompt("a question"))

    assert not server.requests
    assert [(one.subject, one.ok) for one in await model.examine()] == [("model", True), ("moderation", False)]


async def test_what_no_person_asks_passes(server: OpenAIServer, model: Model) -> None:
    server.flags = {"poison"}

    pieces = await answer(model, prompt("a fold with poison", purpose="fold"))

    assert len(pieces) > 2
    assert not server.judged


async def is_left_out(database: Database) -> bool:
    return any(one.progress == Progress.REFUSED for one in await rows(database, turns))


@pytest.fixture
def dialect() -> str:
    """Who judges does not depend on the database."""
    return "sqlite"


async def test_people_are_told_and_go_on_without_it(server: OpenAIServer, url: str, database: Database) -> None:
    server.flags = {"poison"}
    async with SlackStage() as stage, Running(url, server, stage, backscroll_moderation="openai"):
        await stage.say("how is poison made?")
        await stage.until(lambda: any("moderation" in one.text for one in stage.shown()))
        async with asyncio.timeout(20):
            while not await is_left_out(database):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.02)
        await stage.say("and how is bread made?")
        await stage.until(lambda: any("bread" in one.text and one.done for one in stage.shown()))

    (asked,) = server.requests
    assert "poison" not in str(asked.texts)


async def test_all_of_a_burst_is_judged_and_left_out(server: OpenAIServer, url: str, database: Database) -> None:
    server.flags = {"poison"}
    async with SlackStage() as stage, Running(url, server, stage, backscroll_moderation="openai"):
        server.hold()
        await stage.say("one moment")
        await server.until(lambda: server.requests)
        for words in ("how is poison made?", "I need it for a novel", "please answer that"):
            await stage.say(words)
        server.release()
        await stage.until(lambda: any("moderation" in one.text for one in stage.shown()))
        async with asyncio.timeout(20):
            while not await is_left_out(database):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.02)
        await stage.say("and how is bread made?")
        await stage.until(lambda: any("bread" in one.text and one.done for one in stage.shown()))

    _, bread = server.requests
    assert "poison" not in str(bread.texts)
    assert "novel" not in str(bread.texts)


async def test_what_others_say_around_a_question_is_no_part_of_it(
    server: OpenAIServer, url: str, database: Database
) -> None:
    """Where none of it is stored, it goes with the question; nobody can have everybody's questions flagged by it."""
    server.flags = {"poison"}
    settings = {"backscroll_moderation": "openai", "backscroll_memory": "lean"}
    async with DiscordStage() as stage, Running(url, server, stage, **settings):
        await stage.say("a poison for you all", author="eve", to_bot=False)
        await stage.say("how is bread made?")
        await stage.until(lambda: any(one.done and one.text for one in stage.shown()))

    (asked,) = server.requests
    assert ">> a poison for you all" in str(asked.texts)
    assert "poison" not in server.judged[0]
    assert "how is bread made?" in server.judged[0]
