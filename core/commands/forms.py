"""The forms of commands: what is in each, who is offered one, and what of it can't be done once it is filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.commands import lines, settings, wishes
from core.commands.orders import Desk, Order, Said
from core.commands.table import find
from core.memory.mind import Mind
from core.memory.preferences import KNOWN, Unfit
from core.policy import Overrides, Wrong
from core.seam.forms import Field, Form
from core.seam.messages import Choice, Filled, Inbound
from core.store import Connection, policies

_CHANGE = "Change…"
_OFFERED: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "settings": ((_CHANGE, "set", ""), ("Change for the workspace…", "set", "workspace")),
    "preferences": ((_CHANGE, "prefer", ""),),
}
"""The commands whose answers offer forms: by which words, and what asks for each."""


def offered(order: Order) -> tuple[Choice, ...]:
    """What may be pressed beneath the answer to a command: what it lists can be changed in a form."""
    name, line, place = order.command.name, order.turn.text.lower().strip(), order.key.address
    found = ((_CHANGE, name, line),) if order.asks_for_form else _OFFERED.get(name, ())
    return tuple(Choice(label=label, verb=verb, address=place, line=line) for label, verb, line in found)


def asked(connection: Connection, desk: Desk) -> Said:
    """The answer to a command that asks for its form; where none can be shown, the words say what it misses."""
    again = offered(desk.order)
    title, fields = _FORMS[desk.order.command.name](connection, desk)
    form = Form(title=title, command=again[0].command, fields=fields)
    return Said(text=desk.order.misfit or "", outcome=None, buttons=again, form=form)


def tried(connection: Connection, deployed: Mind, form: Filled) -> tuple[Sequence[Inbound], Mapping[str, str]]:
    """What a form says in an order in which it can be done, and what of it can't be, and why, by the fields' names.

    What fits only with what stands further down, as a longer persona with a larger window, comes after that.
    `deployed` is the mind for which nothing is set.
    """
    overrides, left, done = policies.at(connection, form.address), form.orders, list[Inbound]()
    while left:
        reasons = dict[str, str]()
        for name, order in left.items():
            command = find(order.verb or "")
            try:
                overrides = _TRIED[command.name](overrides, deployed, lines.arguments(command, order.text), order)
                done.append(order)
            except (lines.Misfit, Unfit) as why:
                reasons[name] = str(why)
            except Wrong as why:
                reasons[name] = f"{why}."
        if len(reasons) == len(left):
            return done, reasons
        left = {name: left[name] for name in reasons}
    return done, {}


_Content = tuple[str, tuple[Field, ...]]
"""The title of a form, and its fields."""


def _settings(connection: Connection, desk: Desk) -> _Content:
    deployed, overrides = desk.deployed.policy, policies.of(connection, desk.key)
    if desk.order.is_for_workspace:
        policy = deployed.under(replace(overrides, channel=None))
        return "Workspace settings", settings.fields(policy, deployed, overrides.workspace)
    return "Settings of this channel", settings.fields(desk.mind.policy, deployed, overrides.channel)


def _preferences(connection: Connection, desk: Desk) -> _Content:
    return "Your preferences", wishes.fields(connection, desk.key, desk.asker)


_FORMS: Mapping[str, Callable[[Connection, Desk], _Content]] = {"set": _settings, "prefer": _preferences}


def _wish(overrides: Overrides, _deployed: Mind, given: Mapping[str, str], _order: Inbound) -> Overrides:
    if "value" in given:
        KNOWN[given["name"]].parse(given["value"])
    return overrides


_TRIED: Mapping[str, Callable[[Overrides, Mind, Mapping[str, str], Inbound], Overrides]] = {
    "set": settings.tried,
    "unset": settings.tried,
    "prefer": _wish,
}
"""What would be set after a command. Each raises Wrong, or Unfit, where it can't be done."""
