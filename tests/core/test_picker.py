"""A command that can't know its thread asks its asker, and nobody else, which one is meant."""

from collections.abc import AsyncIterator

import pytest

from tests.talk import Running
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import Message


@pytest.fixture
async def stage() -> AsyncIterator[SlackStage]:
    async with SlackStage() as stage:
        yield stage


@pytest.fixture
def dialect() -> str:
    return "sqlite"


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: SlackStage, place: str) -> list[str]:
    return [shown.text for shown in stage.shown(place) if shown.done]


def private(stage: SlackStage) -> list[Message]:
    return [message for message in stage.server.workspace.messages if message.only_for]


async def test_reset_from_the_channel_resets_the_thread_that_is_chosen(url: str, stage: SlackStage) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage):
        await stage.say("about tea", place="tea")
        await stage.until(lambda: texts(stage, "tea") == ["You said: about tea"])
        await stage.say("about coffee", place="coffee")
        await stage.until(lambda: texts(stage, "coffee") == ["You said: about coffee"])

        stage.slash("reset")
        await stage.until(lambda: private(stage))
        (menu,) = private(stage)
        assert menu.only_for == stage.user("ada")
        stage.choose(menu, 1)
        await stage.until(lambda: any("2 turns aside" in text for text in texts(stage, "tea")))

        await stage.say("still there?", place="coffee")
        await stage.until(lambda: texts(stage, "coffee")[-1] == "You said: still there?")
        assert len(model.requests[-1].texts) == 3, "the other thread remembers"


async def test_times_are_told_in_the_zone_that_is_set(url: str, stage: SlackStage) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage, backscroll_may_set="everyone"):
        await stage.say("about tea", place="tea")
        await stage.until(lambda: texts(stage, "tea") == ["You said: about tea"])
        await stage.say("!set zone Asia/Tokyo", place="tea")
        await stage.until(lambda: len(texts(stage, "tea")) == 2)
        stage.slash("reset")
        await stage.until(lambda: any("Which session" in message.seen for message in private(stage)))

    (actions,) = [block for block in private(stage)[-1].blocks if block["type"] == "actions"]
    assert "Asia/Tokyo · about tea" in actions["elements"][0]["options"][0]["text"]["text"]


@pytest.mark.parametrize("verb", ["reset", "summarize", "status"])
async def test_without_a_session_there_is_nothing_to_choose_and_only_the_asker_hears_it(
    url: str, stage: SlackStage, verb: str
) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage):
        stage.slash(verb)
        await stage.until(lambda: private(stage))

        assert "no session in this channel yet" in private(stage)[0].seen
        assert all(message.only_for for message in stage.server.workspace.messages)
        assert not model.requests


async def test_summarize_from_the_channel_is_asked_which_thread_before_any_model_is(
    url: str, stage: SlackStage
) -> None:
    async with OpenAIServer(answer=echo) as model, Running(url, model, stage):
        await stage.say("about tea", place="tea")
        await stage.until(lambda: texts(stage, "tea") == ["You said: about tea"])
        stage.slash("summarize")
        await stage.until(lambda: private(stage))

        assert len(model.requests) == 1
        stage.choose(private(stage)[0], 0)
        await stage.until(lambda: len(texts(stage, "tea")) == 2)
