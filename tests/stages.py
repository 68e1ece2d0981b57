"""The stages by name."""

from tests.stage import Stage
from tests.wire.console import ConsoleStage
from tests.wire.discord import DiscordStage
from tests.wire.line import LineStage
from tests.wire.slack import SlackStage

STAGES: dict[str, type[Stage]] = {
    "slack": SlackStage,
    "discord": DiscordStage,
    "console": ConsoleStage,
    "line": LineStage,
}
