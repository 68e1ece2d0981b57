"""Discord: every line of the log says that it is Discord's, in the core's plain words."""

from structlog.testing import capture_logs

from tests.bots.discord.conftest import listening
from tests.wire.discord import DiscordStage


async def test_lines_carry_the_platform(stage: DiscordStage) -> None:
    with capture_logs() as logs:
        async with listening(stage) as listener:
            await stage.say("hello")
            await listener.number(1)
    assert "commands registered" in {line["event"] for line in logs}
    assert {line["platform"] for line in logs} == {"discord"}
