"""Discord's payloads in our words: pure, and total. What can't be read becomes a Rejected, never an exception.

Payloads are read as they came off the wire, so that the gateway and the history are read by the same lines, and a
thread that the library has not cached is no special case.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import chain, pairwise, zip_longest
from typing import Any

from bots.discord.ticket import LIFETIME, Ticket
from core.address import Address
from core.commands import COMMANDS
from core.messages import Audience, Author, Inbound, Rejected

Payload = Mapping[str, Any]

PLATFORM = "discord"
DIRECT = "@me"
THREADS = frozenset({10, 11, 12})
"""Channel types: announcement, public and private thread; a forum post is a public thread."""

_SAID = frozenset({0, 19})  # message types DEFAULT and REPLY; the others are the system's, or answers to interactions
_STARTER = 21  # the first message of a thread that was started from a message; that message is the referenced one
_FORWARD = 1  # the type of a reference that is no reply
_COMMAND, _SUBCOMMAND = 2, 1
_EPOCH = 1_420_070_400_000  # Discord's, in milliseconds
_DIGITS = 20  # of a 64-bit ID

_MARK = re.compile(
    r"(?P<code>```.*?```|``.*?``|`[^`\n]*`)|<@!?(?P<user>\d+)>|<@&(?P<role>\d+)>|<#(?P<channel>\d+)>"
    r"|<a?:(?P<emoji>\w+):\d+>|</(?P<command>[^:<>]+):\d+>",
    re.DOTALL,
)
_SECRETS = frozenset({"token", "response_url", "trigger_id", "ticket"})
_OWN = "\x00"
_ADDRESSED = re.compile(rf"\A{_OWN}[ \t]*[,:](?=\s|\Z)")  # `@bot, reset` and `@bot: reset`


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the payload itself does not say: who we are, which roles are our own, what channels and roles are called."""

    me: str
    my_roles: frozenset[str] = frozenset()
    channel: Callable[[str], str | None] = lambda _: None
    role: Callable[[str], str | None] = lambda _: None


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
    return inbound if inbound.text or inbound.audience is Audience.BOT else None


def said(payload: Payload, address: Address, names: Names) -> Inbound:
    """One message by anybody, our own included; raises when it can't be read."""
    author = payload["author"]
    return Inbound(
        address=address,
        id=snowflake(payload["id"]),
        author=Author(
            id=snowflake(author["id"]),
            name=_name(author, payload.get("member")),
            is_bot=bool(author.get("bot") or payload.get("webhook_id")),
            is_self=author["id"] == names.me,
        ),
        text=_text(payload, names),
        at=instant(payload["id"]),
        audience=Audience.BOT if _to_us(payload, names) else Audience.ROOM,
        direct=address.workspace == DIRECT,
        reply_to=payload["id"],
        edited_at=edited_at(payload),
    )


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
    return inbound if inbound.text else None


def interaction(payload: Payload, parent: str | None) -> Inbound | Rejected | None:
    """The command that an INTERACTION_CREATE gives; None for interactions that are no commands of ours."""
    try:
        if payload["type"] != _COMMAND:
            return None
        (subcommand,) = payload["data"]["options"]
        if subcommand["type"] != _SUBCOMMAND:
            return None
        arguments = {option["name"]: option["value"] for option in subcommand.get("options", ())}
        member = payload.get("member")
        user = member["user"] if member else payload["user"]
        return Inbound(
            address=address_of(payload, parent),
            id=snowflake(payload["id"]),
            author=Author(id=snowflake(user["id"]), name=_name(user, member), is_bot=bool(user.get("bot"))),
            text=str(arguments.get("text", "")).strip(),
            at=instant(payload["id"]),
            audience=Audience.BOT,
            direct="guild_id" not in payload,
            verb=str(subcommand["name"]),
            ticket=_ticket(payload, str(subcommand["name"])).write(),
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
        if "referenced_message" in payload or reference.get("type", 0) == _FORWARD:
            return None
        return snowflake(reference.get("channel_id", payload["channel_id"])), snowflake(reference["message_id"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # `message` meets the same flaw, and says so


def private(verb: str) -> bool:
    """Whether the answer to this command is for the asker alone."""
    return verb in COMMANDS and COMMANDS[verb].private


def instant(number: str) -> float:
    """When this ID was made, in seconds since 1970: the upper 42 bits are milliseconds since 2015 (reference)."""
    return ((int(number) >> 22) + _EPOCH) / 1000


def snowflake_at(seconds: float) -> str:
    """The ID that everything made after this instant is above."""
    return str(max(0, int(seconds * 1000) - _EPOCH) << 22)


def snowflake(value: object) -> str:
    """The value, if it is an ID. Raises ValueError."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= _DIGITS):
        raise ValueError("not a snowflake")
    return value


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
    is_reply = (payload.get("message_reference") or {}).get("type", 0) != _FORWARD
    return bool(answered and is_reply and answered["author"]["id"] == names.me)


def _text(payload: Payload, names: Names) -> str:
    parts = [_readable(payload["content"], payload, names)]
    for snapshot in payload.get("message_snapshots", ()):
        forwarded = snapshot["message"]
        parts.append("\n".join(f"> {line}" for line in _readable(forwarded["content"], forwarded, names).splitlines()))
    parts += [f"[file: {_line(file['filename'])}]" for file in payload.get("attachments", ())]
    parts += [f"[sticker: {_line(sticker['name'])}]" for sticker in payload.get("sticker_items", ())]
    return "\n".join(part for part in parts if part)


def _readable(content: str, payload: Payload, names: Names) -> str:
    """The text with Discord's marks written out, and our own mention taken out; code is left as it is."""
    known = {user["id"]: _name(user, user.get("member")) for user in payload.get("mentions", ())}

    def written(found: re.Match[str]) -> str:
        match found.lastgroup, found[found.lastgroup or 0]:
            case ("user", user) if user == names.me:
                return _OWN
            case ("role", role) if role in names.my_roles:
                return _OWN
            case ("user", user):
                return f"@{known[user]} ({user})" if user in known else f"@{user}"
            case ("role", role):
                return f"@{_line(names.role(role) or role)}"
            case ("channel", channel):
                return f"#{_line(names.channel(channel) or channel)}"
            case ("emoji", emoji):
                return f":{emoji}:"
            case ("command", command):
                return f"/{command}"
        return found[0]

    return _without_us(_MARK.sub(written, content.replace(_OWN, "")))


def _without_us(text: str) -> str:
    """What stood on both sides of our mention is joined by a space, or by the end of the line if it stood there."""
    text = _ADDRESSED.sub("", text.lstrip(), count=1)
    pieces = [piece for part in text.split(_OWN) if (piece := part.strip(" \t"))]
    spaces = ["" if one.endswith("\n") or other.startswith("\n") else " " for one, other in pairwise(pieces)]
    return "".join(chain.from_iterable(zip_longest(pieces, spaces, fillvalue=""))).strip()


def _name(user: Payload, member: Payload | None) -> str:
    nick = member.get("nick") if member else None
    return _line(nick or user.get("global_name") or user["username"])


def _line(name: str) -> str:
    return " ".join(name.split())


def _ticket(payload: Payload, verb: str) -> Ticket:
    return Ticket(
        app=snowflake(payload["application_id"]),
        token=payload["token"],
        until=instant(payload["id"]) + LIFETIME,
        private=private(verb),
    )
