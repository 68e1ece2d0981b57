"""Dialogues about an earlier answer: by its link, on every platform, it is told what the model was shown for it."""

from collections.abc import AsyncIterator

import pytest

from core.seam.address import Address
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.test_conversations import answered, echo, texts
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        server.answer = echo
        yield server


@pytest.fixture
def dialect() -> str:
    """Conversations run on SQLite; that both databases behave alike is the tests' of the command."""
    return "sqlite"


async def link(stage: Stage, text: str, place: str = "main") -> str:
    """The link to the bot's message that says this, as people copy it; some other one where there are none."""
    if not stage.has_links:
        return "https://example.org/1"
    shown = next(one for one in stage.shown(place) if one.text == text)
    adapter = stage.adapter()
    found = await adapter.link(Address.parse(stage.session(place)), shown.id)
    await adapter.close()
    assert found is not None
    return found


async def talk(stage: Stage) -> None:
    """Two questions and their answers."""
    await stage.say("one")
    await answered(stage, "You said: one")
    await stage.say("two", author="ben")
    await answered(stage, "You said: one", "You said: two")


async def told(stage: Stage, words: str) -> str:
    """Waits until the bot has said something with these words, and gives all of it."""
    await stage.until(lambda: any(words in text for text in texts(stage)))
    return next(text for text in texts(stage) if words in text)


async def test_a_link_to_an_answer_tells_what_was_shown_for_it(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await talk(stage)
        await stage.say(f"!context {await link(stage, 'You said: two')}")
        if not stage.has_links:
            await told(stage, "This link leads to no message here.")
            return
        said = await told(stage, "For this answer")

    assert "was shown 2 turns word for word, since " in said
    assert len(model.requests) == 2, "no matter for the model"


async def test_what_was_shown_elsewhere_is_told_there_alone(url: str, stage: Stage, model: OpenAIServer) -> None:
    if not stage.has_links:
        pytest.skip("this platform can't")
    async with Running(url, model, stage):
        await talk(stage)
        await stage.say("three", place="other")
        await answered(stage, "You said: three", place="other")
        await stage.say(f"!context {await link(stage, 'You said: three', 'other')}")
        await told(stage, "This link leads to another conversation;")


async def test_the_menu_of_an_answer_tells_what_was_shown_for_it(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage, Running(url, model, stage):
        await talk(stage)
        shown = next(one for one in stage.shown() if one.text == "You said: two")
        stage.shortcut("session_context", stage.server.workspace.find(CHANNEL, shown.id), stage.user("ben"))
        said = await told(stage, "For this answer")

    assert "was shown 2 turns word for word, since " in said
    assert [one.private for one in stage.shown() if one.text == said] == [True]


async def test_so_does_discords(url: str, model: OpenAIServer) -> None:
    async with DiscordStage() as stage, Running(url, model, stage):
        question = await stage.say("one")
        await answered(stage, "You said: one")
        await stage.menu("What was shown for this", stage.shown()[0].id, author="ben")
        said = await told(stage, "For this answer")
        await stage.menu("What was shown for this", question)
        await told(stage, "The message at this link is none of my answers")

    assert "was shown its question alone" in said
    assert [one.private for one in stage.shown()] == [False, True, True]


async def test_a_slash_command_of_slacks_finds_its_thread_by_the_link(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage, Running(url, model, stage):
        await talk(stage)
        stage.slash(f"context {await link(stage, 'You said: one')}")
        said = await told(stage, "For this answer")

    assert "was shown its question alone" in said
    assert [one.private for one in stage.shown() if one.text == said] == [True]


async def test_slack_sends_a_link_in_brackets(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage, Running(url, model, stage):
        await talk(stage)
        copied = (await link(stage, "You said: one")).replace("&", "&amp;")
        await stage.write(f"!context <{copied}>", to_bot=False)
        said = await told(stage, "For this answer")

    assert "its question alone" in said


async def test_what_was_shown_is_a_chart_where_there_are_charts_and_bars_elsewhere(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await talk(stage)
        await stage.say("!context")
        now = await told(stage, "With your next question")
        await stage.say(f"!context {await link(stage, 'You said: two')}")
        then = await told(stage, "For this answer") if stage.has_links else ""

    assert ("█" in now) is not stage.draws
    assert ("█" in then) is (stage.has_links and not stage.draws)
    if isinstance(stage, SlackStage):
        blocks = [block for message in stage.server.workspace.messages for block in message.blocks]
        first, second = [block["chart"] for block in blocks if block["type"] == "data_visualization"]
        assert first["axis_config"]["categories"] == ["instructions", "turns", "room"]
        assert second["axis_config"]["categories"] == ["instructions", "turns", "question"]
        assert all(point["value"] > 0 for point in second["series"][0]["data"])
