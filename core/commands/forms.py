"""The forms of commands: what is in each, who is offered one, and what of it can't be done once it is filled in."""

from collections.abc import Callable, Mapping

from core.commands import lines, settings, wishes
from core.commands.orders import Desk, Order, Said
from core.commands.table import find
from core.memory.mind import Mind
from core.memory.preferences import KNOWN, Unfit
from core.policy import Overrides, Wrong
from core.seam.forms import Field, Form
from core.seam.messages import Choice, Filled
from core.store import Connection, policies

_OFFERED: Mapping[str, str] = {"settings": "set", "preferences": "prefer"}
"""The commands whose answers offer a form, and the command that it is the form of."""


def offered(order: Order) -> tuple[Choice, ...]:
    """What may be pressed beneath the answer to a command: what it lists can be changed in a form."""
    verb = order.command.name if order.asks_for_form else _OFFERED.get(order.command.name)
    return () if verb is None else (_asking(verb, order),)


def asked(connection: Connection, desk: Desk) -> Said:
    """The answer to a command that asks for its form; where none can be shown, the words say what it misses."""
    title, fields = _FORMS[desk.order.command.name]
    order = desk.order
    form = Form(title=title, command=_asking(order.command.name, order).command, fields=fields(connection, desk))
    return Said(text=order.misfit or "", buttons=offered(order), form=form)


def wrong(connection: Connection, deployed: Mind, form: Filled) -> Mapping[str, str]:
    """What of a form can't be done, and why, by the fields' names; `deployed` is the mind for which nothing is set."""
    overrides, reasons = policies.at(connection, form.address), dict[str, str]()
    for name, order in form.orders.items():
        command = find(order.verb or "")
        try:
            overrides = _TRIED[command.name](overrides, deployed, lines.arguments(command, order.text))
        except (lines.Misfit, Unfit) as why:
            reasons[name] = str(why)
        except Wrong as why:
            reasons[name] = f"{why}."
    return reasons


def _asking(verb: str, order: Order) -> Choice:
    return Choice(label="Change…", verb=verb, address=order.key.address)


def _settings(connection: Connection, desk: Desk) -> tuple[Field, ...]:
    return settings.fields(desk.mind.policy, desk.deployed.policy, policies.of(connection, desk.key))


def _preferences(connection: Connection, desk: Desk) -> tuple[Field, ...]:
    return wishes.fields(connection, desk.key, desk.asker)


_Fields = Callable[[Connection, Desk], tuple[Field, ...]]
_FORMS: Mapping[str, tuple[str, _Fields]] = {
    "set": ("Settings of this channel", _settings),
    "prefer": ("Your preferences", _preferences),
}
"""The title of each form, and its fields."""


def _wish(overrides: Overrides, _deployed: Mind, given: Mapping[str, str]) -> Overrides:
    if "value" in given:
        KNOWN[given["name"]].parse(given["value"])
    return overrides


_TRIED: Mapping[str, Callable[[Overrides, Mind, Mapping[str, str]], Overrides]] = {
    "set": settings.tried,
    "unset": settings.tried,
    "prefer": _wish,
}
"""What would be set after a command. Each raises Wrong, or Unfit, where it can't be done."""
