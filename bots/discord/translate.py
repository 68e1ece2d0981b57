"""Discord's payloads in our words: pure, and total. What can't be read becomes a Rejected, never an exception.

Payloads are read as they came off the wire, so that the gateway and the history are read by the same lines, and a
thread that the library has not cached is no special case.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from bots.discord import pointing
from bots.discord.marks import Names, author, name, readable
from bots.discord.payloads import Payload, instant, snowflake
from bots.discord.ticket import LIFETIME, Ticket
from core.commands.table import COMMANDS, Table, find, line_of
from core.seam.address import Address
from core.seam.messages import Audience, Author, Inbound, Quote, Rejected

PLATFORM = "discord"
DIRECT = "@me"
THREADS = frozenset({10, 11, 12})
"""Channel types: announcement, public and private thread; a forum post is a public thread."""

_SAID = frozenset({0, 19})  # message types DEFAULT and REPLY; the others are the system's, or answers to interactions
_STARTER = 21  # the first message of a thread that was started from a message; that message is the referenced one
_COMMAND, _SUBCOMMAND = 2, 1
_SECRETS = frozenset({"token", "response_url", "trigger_id", "ticket"})


def message(payload: Payload, parent: str | None, names: Names) -> Inbound | Rejected | None:
    """What a MESSAGE_CREATE says; None when no person said it, or when it says nothing to us.

    `parent` is the channel around the thread that it was said in, None outside threads.
    """
    try:
        if payload["type"] not in _SAID or not _by_person(payload):
            return None
        inbound = said(payload, address_of(payload, parent), names)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return rejected(payload, error)
    return inbound if inbound.text or inbound.audience is Audience.BOT or pointing.carries(payload) else None


def said(payload: Payload, address: Address, names: Names) -> Inbound:
    """One message by anybody, our own included; raises when it can't be read."""
    return Inbound(
        address=address,
        id=snowflake(payload["id"]),
        author=author(payload, payload.get("member"), names),
        text=readable(payload["content"], payload, names),
        at=instant(payload["id"]),
        audience=Audience.BOT if _to_us(payload, names) else Audience.ROOM,
        direct=address.workspace == DIRECT,
        reply_to=payload["id"],
        edited_at=edited_at(payload),
        quotes=(*_title(payload, address, names), *pointing.quotes(payload, names)),
    )


def _title(payload: Payload, address: Address, names: Names) -> tuple[Quote, ...]:
    """What a forum post is called, which stands above its first message: that has the number of the post's thread."""
    if not payload["id"] == payload.get("channel_id") == address.thread:
        return ()
    title = names.channel(payload["id"])
    return (Quote(kind="is under", title=title),) if title else ()


def edited_at(payload: Payload) -> float | None:
    """When a person last changed the message, in seconds since 1970, where Discord says so."""
    at = payload.get("edited_timestamp")
    if not isinstance(at, str):
        return None
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None


def earlier(payload: Payload, address: Address, names: Names) -> Inbound | None:
    """One message of a channel's history; None for what nobody said, or what can't be read."""
    try:
        if payload["type"] == _STARTER:
            payload = payload["referenced_message"]
        if payload["type"] not in _SAID:
            return None
        inbound = said(payload, address, names)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return inbound if inbound.text or pointing.carries(payload) else None


def by_another(payload: Payload, parent: str | None, names: Names) -> Inbound | None:
    """What another program said, as it may be remembered by who has looked back; None for what is anybody else's."""
    try:
        address = address_of(payload, parent)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    found = earlier(payload, address, names)
    return found if found is not None and found.author.is_bot and not found.author.is_self else None


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


def rejected(payload: Payload, error: Exception) -> Rejected:
    """An event that can't be read, with the payload for whoever looks at it, but without what answers in our name."""
    text = json.dumps(payload, default=repr)
    kept = json.dumps(json.loads(text, object_hook=_without_secrets))
    given = payload.get("id") if isinstance(payload, Mapping) else None
    return Rejected(
        platform=PLATFORM,
        id=given if isinstance(given, str) and given else sha256(text.encode()).hexdigest()[:32],
        reason=f"{type(error).__name__}: {error}"[:200],
        payload=kept,
    )


def _without_secrets(part: Payload) -> Payload:
    return {name: value for name, value in part.items() if name not in _SECRETS}


def unresolved(payload: Payload) -> tuple[str, str] | None:
    """Channel and ID of the message that a person replies to, when Discord did not look it up for us."""
    try:
        reference = payload.get("message_reference")
        if reference is None or payload["type"] not in _SAID or not _by_person(payload):
            return None
        if "referenced_message" in payload or not pointing.is_reply(payload):
            return None
        return snowflake(reference.get("channel_id", payload["channel_id"])), snowflake(reference["message_id"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # `message` meets the same flaw, and says so


def private(verb: str) -> bool:
    """Whether the answer to this command is for the asker alone."""
    return verb in COMMANDS and COMMANDS[verb].private


def address_of(payload: Payload, parent: str | None) -> Address:
    """Where this comes from; `parent` is the channel around the thread, None outside threads. Raises ValueError."""
    place = snowflake(payload["channel_id"])
    workspace = snowflake(payload["guild_id"]) if payload.get("guild_id") else DIRECT
    if parent is None:
        return Address(platform=PLATFORM, workspace=workspace, channel=place)
    return Address(platform=PLATFORM, workspace=workspace, channel=snowflake(parent), thread=place)


def _by_person(payload: Payload) -> bool:
    return not (payload.get("webhook_id") or payload["author"].get("bot") or payload["author"].get("system"))


def _to_us(payload: Payload, names: Names) -> bool:
    if any(user["id"] == names.me for user in payload.get("mentions", ())):
        return True
    if not names.my_roles.isdisjoint(payload.get("mention_roles", ())):
        return True
    answered = payload.get("referenced_message")
    return bool(answered and pointing.is_reply(payload) and answered["author"]["id"] == names.me)


def _ticket(payload: Payload, verb: str) -> Ticket:
    return Ticket(
        app=snowflake(payload["application_id"]),
        token=payload["token"],
        until=instant(payload["id"]) + LIFETIME,
        private=private(verb),
    )
