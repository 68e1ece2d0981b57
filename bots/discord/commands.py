"""Commands by Discord's own means, in our words: pure. What can't be read becomes a Rejected, never an exception."""

from bots.discord.names import name
from bots.discord.payloads import Payload, address_of, instant, rejected, snowflake
from bots.discord.ticket import LIFETIME, Ticket
from core.commands.lines import line_of
from core.commands.table import COMMANDS, Table, find
from core.seam.messages import Audience, Author, Inbound, Rejected

_COMMAND, _SUBCOMMAND = 2, 1


def interaction(payload: Payload, parent: str | None, commands: Table = COMMANDS) -> Inbound | Rejected | None:
    """The command that an INTERACTION_CREATE gives; None for interactions that are no commands of ours."""
    try:
        if payload["type"] != _COMMAND:
            return None
        (subcommand,) = payload["data"]["options"]
        if subcommand["type"] != _SUBCOMMAND:
            return None
        given = {option["name"]: str(option["value"]) for option in subcommand.get("options", ())}
        verb = str(subcommand["name"])
        member = payload.get("member")
        user = member["user"] if member else payload["user"]
        return Inbound(
            address=address_of(payload, parent),
            id=snowflake(payload["id"]),
            author=Author(id=snowflake(user["id"]), name=name(user, member), is_bot=bool(user.get("bot"))),
            text=line_of(find(verb, commands), given),
            at=instant(payload["id"]),
            audience=Audience.BOT,
            direct="guild_id" not in payload,
            verb=verb,
            ticket=_ticket(payload, verb).write(),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return rejected(payload, error)


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
