"""The policy of one session: what is set nearest holds, and each value says where it comes from.

What is set for a workspace and for a channel is stored as it was said, and read here, so that a value which a newer
release has stored, or a hand, harms nothing: it is passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf

import structlog

from core.policy.admission import Names
from core.policy.limits import Limits
from core.policy.table import REASONING, SETTINGS, Answers, Hearing, Level, Memory
from core.policy.values import ADMINS, People, Wrong, brief

log = structlog.get_logger()

_ALLOWED = ("model", "reasoning", "cheaper_model")
"""What people may set to the operator's own value, and to what the operator names beside it."""

_BUILT_IN_ZONE = "UTC"
_OVERHEARD = 30 * 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What is set for a session's workspace and for its channel, as it is stored: JSON, or None for nothing."""

    workspace: str | None = field(default=None, repr=False)
    channel: str | None = field(default=None, repr=False)


NOTHING = Overrides()

LOST = "lost"
"""In place of what is stored for a level and can't be opened any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The effective settings of one session. `may_stop` are those who may end another's answer.

    Whoever is to be talked with is in each of the lists of `allow`, and in none of `deny`. Where something `is_lost`,
    nobody knows who is, nor what may be spent.

    `idle`, `max_age` and how long something is kept are in seconds; without an `idle` it is what is usual in such a
    place. `allowed` are the models, and how hard they think, that people may choose beside the operator's own.

    `said` is what was set for each level. A budget is set for a level's own reach: all that are set hold, not only the
    nearest.
    """

    hear: Hearing = "channel"
    answers: Answers = "follow"
    persona: str = field(default="", repr=False)
    context_tokens: int = 24_000
    answer_tokens: int = 4_000
    model: str = ""
    reasoning: str = "auto"
    idle: float | None = None
    max_age: float = inf
    retention: float = inf
    retention_overheard: float = _OVERHEARD
    memory: Memory = "full"
    zone: str = _BUILT_IN_ZONE
    budget: Limits = ()
    budget_person: Limits = ()
    cheaper_model: str = ""
    allow: tuple[Names, ...] = ()
    deny: Names = frozenset()
    guests: bool = True
    external: bool = False
    may_read: People = None
    may_stop: People = None
    may_reset: People = None
    may_set: People = frozenset({ADMINS})
    said: Mapping[Level, Mapping[str, object]] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()
    is_lost: bool = False

    def origin(self, name: str) -> Level:
        """Where this setting's value comes from."""
        said = {level: values[name] for level, values in self.said.items() if name in values}
        if SETTINGS[name].bounded:
            said = {level: value for level, value in said.items() if value == getattr(self, name)}
        return max(said, default=Level.BUILT_IN)

    def exceeds(self, name: str, value: object) -> bool:
        """Whether this is more than may be set nearer than all that is set here. What is built in bounds nothing."""
        is_set = SETTINGS[name].bounded and self.origin(name) > Level.BUILT_IN
        return is_set and SETTINGS[name].join(getattr(self, name), value) != value

    @property
    def workspace_zone(self) -> str:
        """The zone of the whole workspace, whatever is set for one of its channels."""
        return str(self.said.get(Level.WORKSPACE, {}).get("zone", _BUILT_IN_ZONE))

    def shown(self, name: str) -> str:
        """This setting's value, as people are told it."""
        return SETTINGS[name].shown(getattr(self, name))

    def under(self, overrides: Overrides) -> "Policy":
        """The same, but for what is set for the workspace, and before that, for the channel."""
        if overrides == NOTHING:
            return self
        stored = {Level.WORKSPACE: overrides.workspace, Level.CHANNEL: overrides.channel}
        policy = self
        for level, settings in stored.items():
            policy = replace(policy, is_lost=True) if settings == LOST else policy
            values = _stored(level, settings)
            policy = policy.with_values(level, {one: value for one, value in values.items() if self.allows(one, value)})
        return policy

    def allows(self, name: str, value: object) -> bool:
        """Whether people may set this, under this policy of the deployment's."""
        if name not in _ALLOWED or value == getattr(self, name):
            return True
        return value in self.allowed and (name == "reasoning") == (value in REASONING)

    def choices(self, name: str) -> tuple[str, ...]:
        """What people may choose from for this setting, under this policy of the deployment's; none where they write.

        Where there is but the operator's own value, they may write what is refused with the reason.
        """
        if name not in _ALLOWED:
            return SETTINGS[name].choices
        own, others = getattr(self, name), sorted(one for one in self.allowed if self.allows(name, one))
        choices = tuple(dict.fromkeys((own, *others)))
        return choices if own and len(choices) > 1 else ()

    def read(self, name: str, said: str) -> object:
        """The value that somebody wants to set, under this policy of the deployment's. Raises Wrong."""
        value = SETTINGS[name].read(said)
        if not self.allows(name, value):
            others = ", ".join(sorted(one for one in self.allowed if self.allows(name, one)))
            others = others or "nothing else (BACKSCROLL_MODELS)"
            raise Wrong(f"{brief(said)} is not allowed: beside {self.shown(name)}, my operator allows {others}")
        return value

    def with_values(self, level: Level, values: Mapping[str, object]) -> "Policy":
        """The same, but for these values, which come from this level."""
        if not values:
            return self
        said = {**self.said, level: {**self.said.get(level, {}), **values}}
        joined = {name: self._joined(name, value) for name, value in values.items()}
        return replace(self, **joined, said=said)  # type: ignore[arg-type]  # each is what its setting reads

    def _joined(self, name: str, value: object) -> object:
        """What comes of a value that is set nearer; what is built in holds only where nothing is."""
        if self.origin(name) is Level.BUILT_IN:
            return value
        return SETTINGS[name].join(getattr(self, name), value)


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
    if settings == LOST:
        return {}
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
    """Whether something is stored for this setting there; anything may be, where that is lost."""
    return settings == LOST or name in _said(settings)
