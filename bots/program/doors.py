"""The doors: which platforms can be run, and how the adapter of each is made.

Each client library takes a quarter of a second to load, so it is loaded by those who need it: a process that is started
again after a crash has people waiting.
"""

import os
import select
import stat
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import import_module
from io import UnsupportedOperation
from pathlib import Path

from core.config import Settings
from core.errors import ConfigurationError
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


def chosen(settings: Settings, named: Sequence[Platform]) -> Sequence[str]:
    """The platforms to run: those that are named, else all that are configured, else the console.

    Raises ConfigurationError where there would be nobody at that: a service whose settings are missing.
    """
    platforms = named or settings.platforms
    if not platforms and not _is_anybody_there():
        raise ConfigurationError(
            "no platform is configured, and there is neither a terminal nor input for the console: set SLACK_BOT_TOKEN"
            " and SLACK_APP_TOKEN, or DISCORD_TOKEN, in the environment or in"
            f" {Path('.env').absolute()}; see .env.example"
        )
    return list(dict.fromkeys(map(str, platforms or [Platform.CONSOLE])))


def _is_anybody_there() -> bool:
    """Whether standard input is a terminal, or has something to read, or somebody who may still write."""
    if sys.stdin is None:  # it was closed before we began
        return False
    try:
        source = sys.stdin.fileno()
    except UnsupportedOperation:  # whoever calls us gives us a stream of their own
        return True
    kind = os.fstat(source)
    if os.isatty(source):
        return True
    if stat.S_ISREG(kind.st_mode):
        return kind.st_size > 0
    if stat.S_ISCHR(kind.st_mode):  # /dev/null, as supervisors give it
        return False
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    return not any(event & select.POLLHUP and not event & select.POLLIN for _, event in waiting.poll(0))
