"""A log that nobody takes any more: its disk is full, or whoever read it has gone, as a journal that is restarted."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process import process
from tests.wire.slack import SlackStage


def _full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _lost_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("opened", [_full_disk, _lost_reader])
async def test_people_are_answered_though_no_line_of_the_log_can_be_written(
    tmp_path: Path, opened: Callable[[], int], form: str
) -> None:
    errors = opened()
    async with SlackStage() as slack:
        settings = {**slack.environment(), "BACKSCROLL_LOG": form}
        async with process(tmp_path, "run", "slack", stderr=errors, **settings) as running:
            os.close(errors)
            for number in (1, 2):
                await slack.say("hello")
                await slack.until(lambda number=number: sum(one.done for one in slack.shown()) == number)
            running.send_signal(signal.SIGTERM)

            assert await running.wait() == 0


@pytest.mark.parametrize("opened", [_full_disk, _lost_reader])
async def test_a_command_that_can_not_say_why_it_fails_still_fails_as_it_should(
    tmp_path: Path, opened: Callable[[], int]
) -> None:
    errors = opened()
    async with process(tmp_path, "run", "slack", stderr=errors, SLACK_BOT_TOKEN="xoxp-1") as running:
        os.close(errors)

        assert await running.wait() == 2
