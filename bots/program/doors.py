"""The doors: which platforms can be run, and how the adapter of each is made.

Each client library takes a quarter of a second to load, so it is loaded by those who need it: a process that is started
again after a crash has people waiting.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import import_module

from core.config import Settings
from core.seam.adapter import Adapter


class Platform(StrEnum):
    """The table of doors, by the platforms' names: `bots.NAME` has a `from_settings`, which makes its adapter."""

    SLACK = "slack"
    DISCORD = "discord"
    CONSOLE = "console"


def adapter(platform: str, settings: Settings) -> Adapter:
    """The adapter of this platform. Raises ConfigurationError when it lacks its settings."""
    from_settings: Callable[[Settings], Adapter] = import_module(f"bots.{Platform(platform)}").from_settings
    return from_settings(settings)


def adapters(settings: Settings, named: Sequence[Platform]) -> dict[str, Adapter]:
    """The adapters to run: of the platforms that are named, else of all that are configured, else the console's."""
    chosen = dict.fromkeys(map(str, named or settings.platforms or [Platform.CONSOLE]))
    return {platform: adapter(platform, settings) for platform in chosen}
