"""What looks like a setting and is none: a wrong name, told with the nearest one, or a line of `.env`, by its number.

Either is silent by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream  # pydantic-settings brings it along, and reads `.env` by it
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from core import config

_OURS = "BACKSCROLL"
"""What begins like this is meant for us; what begins like our other settings may be another program's."""

_OTHERS = frozenset(
    {
        *("DATABASE_DIRECT_URL", "DATABASE_MIGRATION_URL", "DATABASE_PRIVATE_URL", "DATABASE_PUBLIC_URL"),
        *("DATABASE_TEST_URL", "DISCORD_USER_TOKEN"),
        *("OPENAI_ADMIN_KEY", "OPENAI_API_BASE", "OPENAI_API_TYPE", "OPENAI_API_VERSION"),
        *("OPENAI_CHAT_MODEL", "OPENAI_IMAGE_MODEL"),
        *("SLACK_API_KEY", "SLACK_API_TOKEN", "SLACK_CLI_TOKEN", "SLACK_CONFIG_TOKEN", "SLACK_USER_TOKEN"),
    }
)
"""Other programs' well-known names that look like one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misspelt:
    """A variable that looks like a setting and is none; `meant` is the nearest setting, where one is near."""

    name: str
    meant: str | None

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return f"Write {self.meant}, or remove it." if self.meant else "See .env.example, or remove it."


def misspelt_settings() -> Sequence[Misspelt]:
    """What the environment or `.env` sets that nobody reads, by name; other programs' own names are left alone.

    And the lines of `.env` that set nothing.
    """
    sources = EnvSettingsSource(config.Settings), DotEnvSettingsSource(config.Settings)
    given = {name.upper() for source in sources for name in source.env_vars}
    settings = {name.upper() for name in config.Settings.model_fields}
    found = [Misspelt(name=name, meant=_nearest(name, settings)) for name in sorted(given - settings - _OTHERS)]
    return [*_no_settings(), *(one for one in found if one.meant or one.name.startswith(f"{_OURS}_"))]


def _no_settings() -> Sequence[Misspelt]:
    """By their numbers alone: `OPENAI_API_KEY: sk-…` holds a secret."""
    try:
        written = Path(".env").read_text(encoding="utf-8")
    except (OSError, UnicodeError):  # it is read as a whole before, which says why it can't be
        return []
    lines = parse_stream(StringIO(written))
    odd = [one.original for one in lines if one.error or (one.key is not None and one.value is None)]
    unread = [one.line + one.string[: -len(one.string.lstrip())].count("\n") for one in odd]  # behind empty lines
    return [Misspelt(name=f"line {line} of .env", meant="NAME=VALUE") for line in unread]


def _nearest(name: str, settings: Iterable[str]) -> str | None:
    """The setting that this name is most like: behind the head that both have, or as a whole if its head is unknown."""
    head = f"{name.partition('_')[0]}_"
    rests = sorted(setting.removeprefix(head) for setting in settings if setting.startswith(head))
    if rests:
        return next((head + rest for rest in get_close_matches(name.removeprefix(head), rests, n=1)), None)
    return next(iter(get_close_matches(name, sorted(settings), n=1, cutoff=0.9)), None)
