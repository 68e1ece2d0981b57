"""The backscroll: a session that is born in the middle of a conversation knows what was said before."""

from collections.abc import AsyncIterator

import pytest

from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.wire.openai import OpenAIServer, Request


@pytest.fixture(params=[name for name, stage in STAGES.items() if stage.lasts])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """In a console nobody talks before the bot is there."""
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
def dialect() -> str:
    return "sqlite"


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage) -> list[str]:
    return [shown.text for shown in stage.shown() if shown.done]


def said(request: Request) -> list[str]:
    return [text.partition("] ")[2] if role == "user" else text for role, text in request.texts]


async def test_what_was_said_before_the_first_mention_is_known_and_who_said_it(url: str, stage: Stage) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage):
        await stage.say("the build is red", author="ada", to_bot=False)
        await stage.say("since the merge this morning", author="ben", to_bot=False)
        await stage.say("what is wrong?", author="ada")
        await stage.until(lambda: texts(stage) == ["You said: what is wrong?"])

        assert said(model.requests[0]) == ["the build is red", "since the merge this morning", "what is wrong?"]
        first, second, _ = (text for _, text in model.requests[0].texts)
        assert first.partition(" (")[0] != second.partition(" (")[0], "each is named"


async def test_it_is_read_once_and_not_again_after_a_reset(url: str, stage: Stage) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage):
        await stage.say("long ago", author="ben", to_bot=False)
        await stage.say("one")
        await stage.until(lambda: texts(stage) == ["You said: one"])
        await stage.command("reset")
        await stage.until(lambda: any("3 turns aside" in text for text in texts(stage)))
        await stage.say("two")
        await stage.until(lambda: texts(stage)[-1] == "You said: two")

        assert said(model.requests[0]) == ["long ago", "one"]
        assert said(model.requests[1]) == ["two"]


async def test_off_means_that_nothing_is_read(url: str, stage: Stage) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage, backscroll_hear="off"):
        await stage.say("not for you", author="ben", to_bot=False)
        await stage.say("hello")
        await stage.until(lambda: texts(stage) == ["You said: hello"])

        assert said(model.requests[0]) == ["hello"]
