"""Slack: every line of the log says that it is Slack's, in the core's plain words."""

from structlog.testing import capture_logs

from bots.slack import SlackAdapter
from tests.bots.slack.ear import asked
from tests.wire.slack import SlackStage


async def test_lines_carry_the_platform(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.fail("chat.postMessage", "invalid_blocks")
    with capture_logs() as logs:
        await adapter.deliver(await asked(stage))
    assert [(line["event"], line["platform"]) for line in logs] == [("without blocks", "slack")]
