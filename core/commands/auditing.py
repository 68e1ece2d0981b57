"""Auditing: what is recorded of a command, in words of ours alone."""

from core.commands.orders import Order, Said
from core.store import Connection, audit
from core.store.audit import Outcome

_ABOUT = ("name", "what")
"""The parameters that name something of ours."""


def note(connection: Connection, order: Order, said: Said) -> None:
    """Records what a command did, or was denied, at the end of the transaction in which it did so."""
    author, key, outcome = order.turn.author, order.key, said.outcome
    if author is None or outcome is None or not (order.command.recorded or outcome is Outcome.DENIED):
        return
    audit.record(connection, key.workspace, _deed(order), outcome, actor=author.id, session=key.session)


def _deed(order: Order) -> str:
    """The command, and what of ours it is about: a setting, by its name, or whose words. Never a value."""
    told = [order.command.name]
    if order.is_for_workspace:
        told.append("workspace")
    if order.misfit is None:
        told += [order.arguments[one] for one in _ABOUT if one in order.arguments]
    return " ".join(told)
