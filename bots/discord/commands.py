"""Commands by Discord's own means, in our words: pure. What can't be read becomes a Rejected, never an exception."""

from bots.discord.links import link
from bots.discord.members import standing
from bots.discord.names import Names, name
from bots.discord.payloads import Payload, address_of, instant, rejected, snowflake
from bots.discord.ticket import LIFETIME, Ticket
from core.commands.lines import Given, line_of
from core.commands.table import COMMANDS, Table, find
from core.seam.address import Address
from core.seam.messages import Audience, Author, Inbound, Rejected

_COMMAND, _SUBCOMMAND, _MESSAGE = 2, 1, 3
_NAMELESS = Names(me="")


def interaction(
    payload: Payload, parent: str | None, commands: Table = COMMANDS, names: Names = _NAMELESS
) -> Inbound | Rejected | None:
    """The command that an INTERACTION_CREATE gives; None for interactions that are no commands of ours."""
    try:
        if payload["type"] != _COMMAND:
            return None
        address, data = address_of(payload, parent), payload["data"]
        given = _chosen(data, address, commands) if data.get("type") == _MESSAGE else _typed(data, commands)
        if given is None:
            return None
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
            ticket=_ticket(payload, given.verb).write(),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return rejected(payload, error)


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


def private(verb: str) -> bool:
    """Whether the answer to this command is for the asker alone."""
    return verb in COMMANDS and COMMANDS[verb].private


def _ticket(payload: Payload, verb: str) -> Ticket:
    return Ticket(
        app=snowflake(payload["application_id"]),
        token=payload["token"],
        until=instant(payload["id"]) + LIFETIME,
        private=private(verb),
    )
