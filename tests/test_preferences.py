"""Preferences, on every platform: told to the bot, they come with that person's own questions, and nobody else's."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.stage import Shown, Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage

DRY = "quotes 1]\n> [prefers]\n>> tone: dry\n\n"


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=lambda request: f"Well: {request.last.split()[-1]}") as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """Conversations run on SQLite; that both databases behave alike is the store's tests' matter."""
    return "sqlite"


async def said(stage: Stage, words: str) -> Shown:
    """The bot's newest message, once it says this."""
    await stage.until(lambda: stage.shown() and stage.shown()[-1].done and words in stage.shown()[-1].text)
    return stage.shown()[-1]


async def listed(stage: Stage, words: str) -> None:
    """Until the newest list of settings, which may be several messages, has this line."""
    await stage.until(lambda: stage.shown()[-1].done and "`may_set`" in stage.shown()[-1].text)
    assert words in "\n".join(one.text for one in stage.shown()[-2:])


async def ask(stage: Stage, model: OpenAIServer, text: str, author: str = "ada") -> list[str]:
    """What the model is shown when this person asks this."""
    await stage.say(text, author=author)
    await said(stage, f"Well: {text}")
    return [text for role, text in model.requests[-1].texts if role == "user"]


async def test_what_a_person_prefers_comes_with_their_own_questions_until_it_is_taken_back(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await ask(stage, model, "one")
        await stage.say("!prefer tone dry")
        await said(stage, "From your next message on, your tone is")
        two = await ask(stage, model, "two")
        three = await ask(stage, model, "three")
        bens = await ask(stage, model, "four", author="ben")
        await stage.say("!prefer tone")
        await said(stage, "I know nothing of your tone any more")
        five = await ask(stage, model, "five")

    assert two[-1].endswith(f"{DRY}two")
    assert three[-1].endswith(f"{DRY}three")
    assert not any("prefers" in text for text in (*two[:-1], *three[:-1], *five))
    if stage.overhears:  # at a console there is but one person
        assert not any("prefers" in text for text in bens)


async def test_they_are_shown_to_their_owner_alone(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await ask(stage, model, "one")
        await stage.say("!prefer zone europe/berlin")
        told = await said(stage, "your zone is")
        await stage.say("!preferences")
        mine = await said(stage, "Europe/Berlin")
        await stage.say("!prefer zone Berlin")
        wrong = await said(stage, "Did you mean `Europe/Berlin`")
        await stage.say("!preferences", author="ben")
        bens = await said(stage, "how you wish to be answered")

    assert ("Europe/Berlin" in bens.text) == (not stage.overhears)
    assert {one.private for one in (told, mine, wrong, bens)} == {stage.platform == "slack"}, "where it can be"


async def test_a_zone_that_somebody_prefers_holds_in_all_that_they_alone_are_told(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await ask(stage, model, "one")
        await stage.say("!prefer zone europe/berlin")
        await said(stage, "your zone is")
        await stage.say("!settings")
        await listed(stage, "- `zone`: Europe/Berlin (set by you). ")
        await stage.say("!status")
        status = (await said(stage, "I remember 2 turns")).text
        assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d Europe/Berlin", status)
        await stage.say("!prefer zone")
        await said(stage, "I know nothing of your zone any more")
        await stage.say("!settings")
        await listed(stage, "- `zone`: UTC (built in). ")


async def test_by_slacks_own_command_nobody_is_asked_which_thread_they_mean(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage, Running(url, model, stage):
        await stage.say("and one more", place="side")
        await ask(stage, model, "one")
        stage.slash("prefer tone dry")
        told = await said(stage, "your tone is `dry`")
        two = await ask(stage, model, "two")

    assert told.private
    assert two[-1].endswith(f"{DRY}two")


async def test_by_discords_own_command_what_is_said_of_them_is_private(url: str, model: OpenAIServer) -> None:
    async def give(verb: str, **given: str) -> None:
        payload = stage.interaction(verb, await stage.place("main"), "ada")
        options = [{"type": 3, "name": name, "value": value} for name, value in given.items()]
        payload["data"]["options"][0]["options"] = options
        await stage.gateway.dispatch("INTERACTION_CREATE", payload)

    async with DiscordStage() as stage, Running(url, model, stage):
        await ask(stage, model, "one")
        await give("prefer", name="tone", value="dry")
        told = await said(stage, "your tone is `dry`")
        two = await ask(stage, model, "two")
        await give("preferences")
        mine = await said(stage, "- tone: `dry`")
        await give("prefer", name="tone")
        gone = await said(stage, "I know nothing of your tone any more")

    assert all(one.private for one in (told, mine, gone))
    assert two[-1].endswith(f"{DRY}two")


async def test_in_discords_direct_messages_a_person_has_preferences_of_their_own(url: str, model: OpenAIServer) -> None:
    """They are all one workspace, which no server is."""
    async with DiscordStage() as stage, Running(url, model, stage):
        await stage.direct("ada alone")
        await ask(stage, model, "one")
        await stage.say("!prefer tone dry", place="ada alone")
        await stage.until(lambda: any("your tone is" in one.text for one in stage.shown("ada alone")))
        there = await ask(stage, model, "two")
        await stage.say("three", place="ada alone")
        await stage.until(lambda: stage.shown("ada alone")[-1].text == "Well: three")

    assert not any("prefers" in text for text in there)
    assert model.requests[-1].last.endswith(f"{DRY}three")
