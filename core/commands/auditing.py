"""Auditing: what is recorded of a command, in words of ours alone."""

from collections.abc import Mapping

import structlog

from core.commands import lines
from core.commands.lines import Given, Misfit
from core.commands.orders import Order, Said
from core.commands.table import find
from core.seam.messages import Filled, Inbound
from core.session import SessionKey
from core.store import Connection, audit, denials, inbound, places
from core.store.audit import Outcome

log = structlog.get_logger()

LOST = Said(
    text="I can't record any more who does what here, and do nothing of that kind unrecorded. Whoever runs me has to "
    "see to it: `backscroll audit --verify` tells what is wrong, and what mends it.",
    outcome=None,
)
"""What is said in place of what was not done since the audit has no beginning or end to which it could be added."""

_ABOUT = ("name", "what")
"""The parameters that name something of ours."""


def note(connection: Connection, order: Order, said: Said) -> None:
    """Records what a command did, or was denied, at the end of the transaction in which it did so.

    Raises ChainLost where it would have done something that can't be recorded.
    """
    if said.outcome is not None and (_is_recorded(order) or said.outcome is Outcome.DENIED):
        _record(connection, order, said.outcome)


def _is_recorded(order: Order) -> bool:
    """What could have been about its asker alone is, where it is not."""
    return order.command.recorded or (order.command.own and order.deed is not None)


def refuse(connection: Connection, order: Order) -> None:
    """Records that a command was not done, as whoever gave it does not see the place any more. To be called last."""
    if order.command.recorded or order.deed is not None:
        _record(connection, order, Outcome.DENIED)


def refuse_form(connection: Connection, form: Filled) -> None:
    """The same of all that was filled into a form, which fits."""
    found = places.find(connection, form.address)
    if found is None:
        return
    for order in form.orders.values():
        command, key = find(order.verb or ""), found.key
        given = lines.arguments(command, order.text)
        deed = _deed(command.name, given, is_for_workspace="workspace" in given)
        _add(connection, key, deed, Outcome.DENIED, actor=order.author.id)


def turn_away(connection: Connection, answer: Inbound, given: Given | None, *, each_time: bool) -> inbound.Stored:
    """The same of a command by somebody who is not talked with, where they are told so. See `denials.deny`."""
    accepted = denials.deny(connection, answer, each_time=each_time)
    command = None if given is None else find(given.verb)
    if given is not None and command is not None and (command.recorded or command.deed is not None):
        try:
            told = lines.arguments(command, given.line)
        except Misfit:
            told = {}
        deed = _deed(command.name, told, is_for_workspace="workspace" in told)
        _add(connection, accepted.key, deed, Outcome.DENIED, actor=answer.author.id)
    return accepted


def _record(connection: Connection, order: Order, outcome: Outcome) -> None:
    author, key = order.turn.author, order.key
    if author is None:
        return
    given = order.arguments if order.misfit is None else {}
    deed = _deed(order.command.name, given, is_for_workspace=order.is_for_workspace)
    _add(connection, key, deed, outcome, actor=author.id)


def _add(connection: Connection, key: SessionKey, deed: str, outcome: Outcome, *, actor: str) -> None:
    """What was denied is so, whether it can be recorded or not. Raises ChainLost for all else."""
    try:
        audit.record(connection, key.workspace, deed, outcome, actor=actor, session=key.session)
    except audit.ChainLost as lost:
        if outcome is not Outcome.DENIED:
            raise
        log.error("denied, and not recorded", session=key.address.id, reason=str(lost))


def _deed(name: str, given: Mapping[str, str], *, is_for_workspace: bool) -> str:
    """The command, and what of ours it is about: a place, a setting, by its name, or whose words. Never a value."""
    about = [given[one] for one in _ABOUT if one in given]
    flags = (find(name).flags & given.keys()) | ({"workspace"} if is_for_workspace else set())
    return " ".join([name, *sorted(flags), *about])
