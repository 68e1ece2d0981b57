"""Our clock and Slack's: what is said before a command, and behind it, is so also where they differ."""

from time import time
from typing import Any

import pytest

from bots.slack import SlackAdapter
from core.timings import Timings
from tests.talk import Running
from tests.test_off_the_record import echo, texts, words_in
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage


class Elsewhen(SlackStage):
    """Slack, heard by a machine whose clock is so many seconds ahead."""

    def __init__(self, ahead: float) -> None:
        super().__init__()
        self._ahead = ahead

    def adapter(self, **options: Any) -> SlackAdapter:
        return super().adapter(now=lambda: time() + self._ahead, **options)


@pytest.fixture
def dialect() -> str:
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


async def test_what_was_said_before_a_slash_command_is_forgotten_by_it(url: str) -> None:
    async with (
        Elsewhen(-20.0) as stage,
        OpenAIServer(answer=echo) as model,
        Running(url, model, stage, timings=Timings(erase=0.05)),
    ):
        await stage.say("the code is tuna")
        await stage.until(lambda: "You said: the code is tuna" in texts(stage))
        stage.slash("forget me yes")
        said = stage.server.workspace.messages
        await stage.until(lambda: any("I have forgotten you" in one.seen for one in said))

    assert "tuna" not in await words_in(url)


async def test_what_is_said_behind_a_button_that_was_pressed_is_off_the_record_by_it(url: str) -> None:
    async with Elsewhen(20.0) as stage, OpenAIServer(answer=echo) as model, Running(url, model, stage):
        await stage.say("hello")
        await stage.until(lambda: "You said: hello" in texts(stage))
        stage.slash("off-the-record")
        said = stage.server.workspace.messages
        await stage.until(lambda: any("For which session" in one.seen and one.blocks for one in said))
        stage.choose(next(one for one in said if "For which session" in one.seen and one.blocks), 0)
        await stage.until(lambda: any("We are off the record" in text for text in texts(stage)))
        await stage.say("salmon")
        await stage.until(lambda: "You said: salmon" in texts(stage))

    assert "salmon" not in await words_in(url)
