"""The policy: the effective settings of one session, each with the level that it comes from.

What can be set at all is one table, `SETTINGS`: how a value is read, and for what it can be set. What is set for a
workspace and for a channel is stored as it was said, and read here, so that a value which a newer release has stored,
or a hand, harms nothing: it is passed over.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import IntEnum
from functools import lru_cache
from typing import Literal

import structlog

log = structlog.get_logger()

Hearing = Literal["thread", "channel", "off"]

CONTEXT_TOKENS = range(500, 2_000_001)
ANSWER_TOKENS = range(16, 1_000_001)
"""What may be set for these."""


class Wrong(ValueError):
    """This can't be set; the message says why, and what would be right."""


class Level(IntEnum):
    """For what a setting is set. A greater one goes before a smaller one."""

    BUILT_IN = 0
    DEPLOYMENT = 1
    WORKSPACE = 2
    CHANNEL = 3
    PERSON = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something that can be set: `help` is one line, `read` makes the value of what was said, or raises Wrong.

    `levels` are those for which people may set it; the deployment's value is the operator's, by `variable`.
    """

    name: str
    help: str
    read: Callable[[str], object]
    variable: str
    levels: frozenset[Level] = frozenset({Level.WORKSPACE, Level.CHANNEL})


def _whole(what: str, allowed: range) -> Callable[[str], int]:
    def read(said: str) -> int:
        digits = said.strip().replace(",", "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and int(digits[:12]) in allowed):
            raise Wrong(f"{said} is no number of {what}: write one from {allowed[0]:,} to {allowed[-1]:,}")
        return int(digits)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(said: str) -> str:
        word = said.strip().lower()
        if word not in words:
            raise Wrong(f"{said} is none of {', '.join(words)}")
        return word

    return read


_PEOPLE = ("everyone", "asker")


def _people(said: str) -> frozenset[str] | None:
    """IDs, beside the asker, who always may; None is everyone. `evryone` is nobody's ID, and would shut all out."""
    names = {name.strip() for name in said.split(",")}
    for name in names:
        near = get_close_matches(name.lower(), _PEOPLE, n=1, cutoff=0.75)
        if near and name.lower() not in _PEOPLE:
            raise Wrong(f"{name} is no ID; write {near[0]}")
    if "everyone" in {name.lower() for name in names}:
        return None
    return frozenset(name for name in names if name.lower() not in {"", "asker"})


def _table(*settings: Setting) -> Mapping[str, Setting]:
    return {setting.name: setting for setting in settings}


SETTINGS = _table(
    Setting(
        name="hear",
        help="What a new session is told of the talk before it",
        read=_one_of("channel", "thread", "off"),
        variable="BACKSCROLL_HEAR",
    ),
    Setting(
        name="context_tokens",
        help="How many tokens of instructions and conversation the model is shown",
        read=_whole("tokens", CONTEXT_TOKENS),
        variable="BACKSCROLL_CONTEXT_TOKENS",
    ),
    Setting(
        name="answer_tokens",
        help="The longest answer, in tokens",
        read=_whole("tokens", ANSWER_TOKENS),
        variable="BACKSCROLL_ANSWER_TOKENS",
    ),
    Setting(
        name="may_stop",
        help="Who may stop another's answer: everyone, asker, or IDs with commas between them",
        read=_people,
        variable="BACKSCROLL_MAY_STOP",
    ),
)
"""Every setting by its name, which is that of its field in a `Policy`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What is set for a session's workspace and for its channel, as it is stored: JSON, or None for nothing."""

    workspace: str | None = field(default=None, repr=False)
    channel: str | None = field(default=None, repr=False)


NOTHING = Overrides()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The effective settings of one session. `may_stop` are those who may end another's answer; None is everyone.

    `origins` says which of them are not built in, and where they come from.
    """

    hear: Hearing = "channel"
    context_tokens: int = 24_000
    answer_tokens: int = 4_000
    may_stop: frozenset[str] | None = None
    origins: Mapping[str, Level] = field(default_factory=dict)

    def origin(self, name: str) -> Level:
        """Where this setting's value comes from."""
        return self.origins.get(name, Level.BUILT_IN)

    def under(self, overrides: Overrides) -> "Policy":
        """The same, but for what is set for the workspace, and before that, for the channel."""
        if overrides == NOTHING:
            return self
        workspace = self.with_values(Level.WORKSPACE, _stored(Level.WORKSPACE, overrides.workspace))
        return workspace.with_values(Level.CHANNEL, _stored(Level.CHANNEL, overrides.channel))

    def with_values(self, level: Level, values: Mapping[str, object]) -> "Policy":
        """The same, but for these values, which come from this level."""
        origins = {**self.origins, **dict.fromkeys(values, level)}
        return replace(self, **values, origins=origins)  # type: ignore[arg-type]  # each is what its setting reads


@lru_cache(1024)
def _stored(level: Level, settings: str | None) -> Mapping[str, object]:
    """The values that are stored for a level; what can't be read there, or be set there, is passed over."""
    values = dict[str, object]()
    for name, said in _said(settings).items():
        setting = SETTINGS.get(name)
        if setting is None or level not in setting.levels:
            log.warning("a stored setting is not known", name=name, level=level.name.lower())
            continue
        try:
            values[name] = setting.read(said)
        except Wrong:
            log.warning("a stored setting can't be read", name=name, level=level.name.lower())
    return values


def _said(settings: str | None) -> Mapping[str, str]:
    """What is set, by name, as it was said."""
    try:
        found = json.loads(settings or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        log.warning("stored settings can't be read")
        return {}
    return {str(name): str(said) for name, said in found.items()}
