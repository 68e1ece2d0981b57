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
from math import inf
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

    `shown` is how people are told the value. `levels` are those for which they may set it; the deployment's value is
    the operator's, by `variable`, where there is one.
    """

    name: str
    help: str
    read: Callable[[str], object]
    shown: Callable[[object], str] = str
    variable: str | None = None
    levels: frozenset[Level] = frozenset({Level.WORKSPACE, Level.CHANNEL})


def _whole(what: str, allowed: range) -> Callable[[str], int]:
    def read(said: str) -> int:
        digits = said.strip().replace(",", "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and int(digits[:12]) in allowed):
            raise Wrong(f"{_brief(said)} is no number of {what}: write one from {allowed[0]:,} to {allowed[-1]:,}")
        return int(digits)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(said: str) -> str:
        word = said.strip().lower()
        if word not in words:
            raise Wrong(f"{_brief(said)} is none of {', '.join(words)}")
        return word

    return read


def _brief(said: str) -> str:
    """What somebody said, as a sentence can have it."""
    words = " ".join(said.split())
    return words if len(words) <= 60 else f"{words[:59]}…"


ADMINS = "admins"
"""In the place of an ID: those whom the platform gives power over the place."""

_PEOPLE = ("everyone", "asker", ADMINS)

People = frozenset[str] | None
"""Who may do something: IDs of people, ADMINS among them; None is everyone."""


def _people(said: str) -> People:
    """IDs, beside the asker, who always may. `evryone` is nobody's ID, and would shut all out."""
    names = {name.strip() for name in said.split(",")}
    for name in names:
        near = get_close_matches(name.lower(), _PEOPLE, n=1, cutoff=0.75)
        if near and name.lower() not in _PEOPLE:
            raise Wrong(f"{_brief(name)} is no ID; write {near[0]}")
    if "everyone" in {name.lower() for name in names}:
        return None
    named = frozenset(name for name in names if name.lower() not in {"", *_PEOPLE})
    return named | {ADMINS} if ADMINS in {name.lower() for name in names} else named


def _told(nobody: str) -> Callable[[object], str]:
    """How a list of people is shown; `nobody` where it is empty."""

    def shown(people: object) -> str:
        if people is None:
            return "everyone"
        return ", ".join(sorted(people)) if isinstance(people, frozenset) and people else nobody

    return shown


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0}
_LONGEST = range(1, 10_001)  # of a unit


def _duration(said: str) -> float:
    """In seconds; `never` has no end."""
    words = said.strip().lower()
    if words == "never":
        return inf
    digits, unit = words[:-1], words[-1:]
    if not (digits.isascii() and digits.isdigit() and int(digits[:12]) in _LONGEST and unit in _UNITS):
        raise Wrong(f"{_brief(said)} is no duration: write 30m, 12h, 7d or never")
    return int(digits) * _UNITS[unit]


def _span(seconds: object) -> str:
    """How a duration is written; what is usual, where none is set."""
    if not isinstance(seconds, float):
        return "7d in threads, 24h elsewhere"
    unit = next((unit for unit, length in _UNITS.items() if seconds % length == 0), None)
    return "never" if unit is None else f"{seconds / _UNITS[unit]:.0f}{unit}"


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
        shown=_number,
        variable="BACKSCROLL_CONTEXT_TOKENS",
    ),
    Setting(
        name="answer_tokens",
        help="The longest answer, in tokens",
        read=_whole("tokens", ANSWER_TOKENS),
        shown=_number,
        variable="BACKSCROLL_ANSWER_TOKENS",
    ),
    Setting(
        name="idle",
        help="After how long without a word to me I count a conversation as over, and forget nothing: 30m, 7d, never",
        read=_duration,
        shown=_span,
        variable="BACKSCROLL_IDLE",
    ),
    Setting(
        name="max_age",
        help="After how long I do so at the latest, however much is said",
        read=_duration,
        shown=_span,
        variable="BACKSCROLL_MAX_AGE",
    ),
    Setting(
        name="may_stop",
        help="Who may stop another's answer: everyone, asker, admins, or IDs with commas between them",
        read=_people,
        shown=_told("asker"),
        variable="BACKSCROLL_MAY_STOP",
    ),
    Setting(
        name="may_reset",
        help="Who may reset, and take that back: everyone, admins, or IDs with commas between them",
        read=_people,
        shown=_told("nobody"),
        variable="BACKSCROLL_MAY_RESET",
    ),
    Setting(
        name="may_set",
        help="Who may change these settings: everyone, admins, or IDs with commas between them",
        read=_people,
        shown=_told("nobody"),
        variable="BACKSCROLL_MAY_SET",
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
    """The effective settings of one session. `may_stop` are those who may end another's answer.

    `idle` and `max_age` are in seconds; without an `idle` it is what is usual in such a place.
    `origins` says which of them are not built in, and where they come from.
    """

    hear: Hearing = "channel"
    context_tokens: int = 24_000
    answer_tokens: int = 4_000
    idle: float | None = None
    max_age: float = inf
    may_stop: People = None
    may_reset: People = None
    may_set: People = frozenset({ADMINS})
    origins: Mapping[str, Level] = field(default_factory=dict)

    def origin(self, name: str) -> Level:
        """Where this setting's value comes from."""
        return self.origins.get(name, Level.BUILT_IN)

    def shown(self, name: str) -> str:
        """This setting's value, as people are told it."""
        return SETTINGS[name].shown(getattr(self, name))

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


def edited(settings: str | None, name: str, said: str | None) -> str:
    """What is stored for a level, with this said for a setting; None takes back what was said for it."""
    others = {one: value for one, value in _said(settings).items() if one != name}
    return json.dumps(others if said is None else {**others, name: said})


def is_set(settings: str | None, name: str) -> bool:
    """Whether something is stored for this setting there."""
    return name in _said(settings)
