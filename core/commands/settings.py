"""Settings: what people are told of a policy, and how they change it."""

from collections.abc import Mapping
from dataclasses import replace

from core.memory.mind import Mind
from core.policy import SETTINGS, Level, Limit, Overrides, Policy, Wrong, edited, is_set
from core.session import SessionKey
from core.store import Connection, policies

ORIGINS: Mapping[Level, str] = {
    Level.BUILT_IN: "built in",
    Level.DEPLOYMENT: "set by my operator",
    Level.WORKSPACE: "set for the workspace",
    Level.CHANNEL: "set for this channel",
    Level.PERSON: "set by you",
}
"""Where a value comes from, in people's words."""

_PLACES = {Level.WORKSPACE: "all of the workspace", Level.CHANNEL: "this channel"}


def listed(policy: Policy) -> str:
    """Every effective value, with where it comes from: a list in Markdown."""
    return "\n".join(
        f"- `{name}`: {policy.shown(name)} ({ORIGINS[policy.origin(name)]}). {SETTINGS[name].help}" for name in SETTINGS
    )


def change(connection: Connection, key: SessionKey, deployed: Mind, given: Mapping[str, str]) -> str:
    """Sets what a command was given, or without a value takes it back; what is said to it.

    `deployed` is the mind for which nothing is set.
    """
    setting, said = SETTINGS[given["name"]], given.get("value")
    level = Level.WORKSPACE if "workspace" in given else Level.CHANNEL
    scope = policies.WORKSPACE if level is Level.WORKSPACE else key.address.channel_address.id
    before = policies.locked(connection, key.workspace, scope)
    if said is None and not is_set(before, setting.name):
        return f"`{setting.name}` is not set for {_PLACES[level]}."
    after = edited(before, setting.name, said)
    try:
        value = None if said is None else deployed.policy.read(setting.name, said)
        mind = deployed.under(_with(policies.of(connection, key), level, after))
        if said is not None and setting.name in _TAKES_ROOM:
            _require_room(mind)
    except Wrong as wrong:
        return f"{wrong}."
    policies.keep(connection, key.workspace, scope, after)
    done = f"`{setting.name}` is {setting.shown(value)}" if said is not None else f"`{setting.name}` is no longer set"
    beside = _beside(mind.policy, setting.name, level) + _unpriced(mind, value)
    return f"{done} for {_PLACES[level]}, from the next answer on.{beside}"


def _with(overrides: Overrides, level: Level, settings: str) -> Overrides:
    if level is Level.WORKSPACE:
        return replace(overrides, workspace=settings)
    return replace(overrides, channel=settings)


_TAKES_ROOM = ("persona", "context_tokens", "model")
"""What may leave the conversation too little of the window."""


def _require_room(mind: Mind) -> None:
    """Raises Wrong where the instructions would leave the conversation less than half of the window."""
    if mind.fixed > mind.policy.context_tokens // 2:
        raise Wrong(
            f"My instructions take {mind.fixed:,} tokens, and may take half of what I am shown: "
            f"`context_tokens` must be at least {2 * mind.fixed:,}"
        )
    if mind.fixed > mind.limit // 2:
        raise Wrong(
            f"My instructions would take {mind.fixed:,} tokens, and may take half of the {mind.limit:,} that my model "
            "has room for"
        )


def _unpriced(mind: Mind, value: object) -> str:
    """What a budget of money does where nobody knows what the model costs."""
    is_money = isinstance(value, tuple) and any(isinstance(one, Limit) and one.unit == "usd" for one in value)
    if not is_money or mind.prices.of(mind.model.name) is not None:
        return ""
    return f" I don't know what {mind.model.name} costs: it counts as the dearest model whose price I know."


def _beside(policy: Policy, name: str, level: Level) -> str:
    """What holds here, where that is not what was changed."""
    origin = policy.origin(name)
    return "" if origin is level else f" Here it is {policy.shown(name)}, {ORIGINS[origin]}."
