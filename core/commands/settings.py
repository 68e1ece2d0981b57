"""Settings: what people are told of a policy, and how they change it."""

from collections.abc import Mapping
from dataclasses import replace

from core.access import Denial, shut_out
from core.memory.mind import Mind
from core.policy import LOST, NOTHING, SETTINGS, Level, Limit, Overrides, Policy, Setting, Wrong, edited, is_set
from core.seam.address import Address
from core.seam.forms import TAKEN_BACK, Field
from core.seam.messages import Author, Inbound, Standing
from core.session import SessionKey, Slip
from core.store import Connection, folds, policies

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
    lost = f"{Denial.UNREADABLE.value}\n\n" if policy.is_lost else ""
    return lost + "\n".join(
        f"- `{name}`: {policy.shown(name)} ({ORIGINS[policy.origin(name)]}). {SETTINGS[name].help}" for name in SETTINGS
    )


def fields(policy: Policy, deployed: Policy, stored: str | None) -> tuple[Field, ...]:
    """What can be set, each with what holds; `stored` is what is set where a form sets it.

    `deployed` is the policy for which nothing is set.
    """
    return tuple(_field(setting, policy, deployed.choices(setting.name), stored) for setting in SETTINGS.values())


def _field(setting: Setting, policy: Policy, choices: tuple[str, ...], stored: str | None) -> Field:
    value = getattr(policy, setting.name)
    taken_back = (TAKEN_BACK,) if choices and is_set(stored, setting.name) else ()
    return Field(
        name=setting.name,
        label=f"{setting.name} · {ORIGINS[policy.origin(setting.name)]}",
        value=value if isinstance(value, str) else setting.shown(value),
        hint=setting.help,
        choices=choices + taken_back,
        most=setting.most,
        lines=setting.lines,
    )


def tried(overrides: Overrides, deployed: Mind, given: Mapping[str, str], order: Inbound) -> Overrides:
    """What would be set after this order was given, with these arguments. Raises Wrong where it can't be done."""
    setting, said, level = SETTINGS[given["name"]], given.get("value"), _level(given)
    before = overrides.workspace if level is Level.WORKSPACE else overrides.channel
    after = _with(overrides, level, edited(before, setting.name, said))
    _, mind = _become(deployed, after, level, setting, said)
    if setting.name in _SHUT_OUT:
        _require_asker(mind.policy, order.address, order.author, direct=order.direct, standing=order.standing)
    return after


def change(
    connection: Connection, key: SessionKey, deployed: Mind, given: Mapping[str, str], *, asker: Author, slip: Slip
) -> tuple[bool, str]:
    """Sets what a command was given, or without a value takes it back; whether that was done, and what is said to it.

    `deployed` is the mind for which nothing is set. Nobody shuts themselves out, as far as the `slip` of the asker's
    turn tells what they are.
    """
    setting, said = SETTINGS[given["name"]], given.get("value")
    level = _level(given)
    scope = policies.WORKSPACE if level is Level.WORKSPACE else key.address.channel_address.id
    before = policies.locked(connection, key, scope)
    if said is None and not is_set(before, setting.name):
        return False, f"`{setting.name}` is not set for {_PLACES[level]}."
    after = edited(before, setting.name, said)
    try:
        value, mind = _become(deployed, _with(policies.of(connection, key), level, after), level, setting, said)
        if setting.name in _SHUT_OUT:
            _require_asker(mind.policy, key.address, asker, direct=slip.direct, standing=slip.standing)
    except Wrong as wrong:
        return False, f"{wrong}."
    policies.keep(connection, key, scope, after)
    if setting.name in _TAKES_ROOM:
        # before the next question finds that not all it needs has room
        folds.mark(connection, key)
        folds.mark_around(connection, key, everywhere=level is Level.WORKSPACE)
    done = f"`{setting.name}` is {setting.shown(value)}" if said is not None else f"`{setting.name}` is no longer set"
    beside = _beside(mind.policy, setting.name, level) + _unpriced(mind, value)
    gone = " What else was set there could not be read any more, and is gone." if before == LOST else ""
    return True, f"{done} for {_PLACES[level]}, from the next answer on.{beside}{gone}"


def _level(given: Mapping[str, str]) -> Level:
    return Level.WORKSPACE if "workspace" in given else Level.CHANNEL


def _become(deployed: Mind, after: Overrides, level: Level, setting: Setting, said: str | None) -> tuple[object, Mind]:
    """The value that was said, None where it is taken back, and the mind that answers then. Raises Wrong."""
    value = None if said is None else deployed.policy.read(setting.name, said)
    _require_within(deployed.policy.under(_farther(after, level)), setting, value)
    mind = deployed.under(after)
    if said is not None and setting.name in _TAKES_ROOM:
        _require_room(mind)
    return value, mind


def _with(overrides: Overrides, level: Level, settings: str) -> Overrides:
    if level is Level.WORKSPACE:
        return replace(overrides, workspace=settings)
    return replace(overrides, channel=settings)


def _farther(overrides: Overrides, level: Level) -> Overrides:
    """What of this is set farther off than at this level."""
    return replace(overrides, channel=None) if level is Level.CHANNEL else NOTHING


def _require_within(farther: Policy, setting: Setting, value: object) -> None:
    """Raises Wrong where the value, if there is one, is more than what is set farther off."""
    if value is not None and farther.exceeds(setting.name, value):
        most, origin = farther.shown(setting.name), ORIGINS[farther.origin(setting.name)]
        raise Wrong(f"{setting.shown(value)} is too long: `{setting.name}` may be {most} at most, {origin}")


_SHUT_OUT = ("allow", "deny", "guests", "external")
"""What may keep people from talking with us."""

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


def _require_asker(policy: Policy, place: Address, asker: Author, *, direct: bool, standing: Standing) -> None:
    """Raises Wrong where the asker would not be talked with any more."""
    if shut_out(policy, place, asker, direct=direct, standing=standing) is not None:
        raise Wrong("That would shut you out, so that you could not take it back")


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
