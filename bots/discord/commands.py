"""Commands by Discord's own means, in our words: pure. What can't be read becomes a Rejected, never an exception."""

from bots.discord.forms import here
from bots.discord.links import link
from bots.discord.members import standing
from bots.discord.names import Names, name
from bots.discord.payloads import Payload, address_of, instant, rejected, snowflake, token_of
from bots.discord.ticket import LIFETIME, Ticket
from core.commands.lines import Given, asks_for_form, line_of
from core.commands.table import COMMANDS, Table, find
from core.seam.address import Address
from core.seam.evidence import UNREADABLE
from core.seam.messages import Audience, Author, Inbound, Rejected

_SUBCOMMAND, _MESSAGE = 1, 3
_COMMAND, COMPONENT = 2, 3
"""Kinds of interaction: a command of the application, and a button or menu of ours."""
_NAMELESS = Names(me="")


def interaction(
    payload: Payload, parent: str | None, commands: Table = COMMANDS, names: Names = _NAMELESS
) -> Inbound | Rejected | None:
    """The command that an INTERACTION_CREATE gives; None for interactions that are no commands of ours."""
    try:
        found = _pressed(payload) if payload["type"] == COMPONENT else _said(payload, parent, commands)
        if found is None:
            return None
        address, given = found
        member = payload.get("member")
        user = member["user"] if member else payload["user"]
        return Inbound(
            address=address,
            id=snowflake(payload["id"]),
            author=Author(id=snowflake(user["id"]), name=name(user, member), is_bot=bool(user.get("bot"))),
            text=given.line,
            at=instant(payload["id"]),
            audience=Audience.BOT,
            direct="guild_id" not in payload,
            verb=given.verb,
            standing=standing(payload, address),
            public=names.public(address),
            ticket=_ticket(payload, given).write(),
        )
    except UNREADABLE as error:
        return rejected(payload, error)


def _said(payload: Payload, parent: str | None, commands: Table) -> tuple[Address, Given] | None:
    """What a command of the application says, and where."""
    if payload["type"] != _COMMAND:
        return None
    address, data = address_of(payload, parent), payload["data"]
    given = _chosen(data, address, commands) if data.get("type") == _MESSAGE else _typed(data, commands)
    return None if given is None else (address, given)


def _pressed(payload: Payload) -> tuple[Address, Given] | None:
    """What a button or a menu of ours says; it names its session itself."""
    choice = here(str(payload["data"].get("custom_id")), payload)
    return None if choice is None else (choice.address, Given(verb=choice.verb, line=choice.line))


def _typed(data: Payload, commands: Table) -> Given | None:
    """What `/session VERB …` says."""
    (subcommand,) = data["options"]
    if subcommand["type"] != _SUBCOMMAND:
        return None
    given = {option["name"]: str(option["value"]) for option in subcommand.get("options", ())}
    verb = str(subcommand["name"])
    return Given(verb=verb, line=line_of(find(verb, commands), given))


def _chosen(data: Payload, address: Address, commands: Table) -> Given | None:
    """What an entry in a message's menu says: the command that goes by this name there, and the link to the message."""
    for command in commands.values():
        if command.link is not None and command.menu == data["name"]:
            there = link(address, snowflake(data["target_id"]))
            return Given(verb=command.name, line=line_of(command, {command.link.name: there}))
    return None


def private(verb: str, line: str) -> bool:
    """Whether the answer to this command is for the asker alone."""
    return (verb in COMMANDS and COMMANDS[verb].private) or asks_for_form(verb, line)


def _ticket(payload: Payload, given: Given) -> Ticket:
    awaited = payload["type"] == COMPONENT and asks_for_form(given.verb, given.line)
    return Ticket(
        app=snowflake(payload["application_id"]),
        token=token_of(payload),
        until=instant(payload["id"]) + LIFETIME,
        private=private(given.verb, given.line),
        awaits=snowflake(payload["id"]) if awaited else "",
        fields=tuple(map(str, payload["data"].get("values", ()))) if awaited else (),
    )
