"""Discord's marks in what people write, and the names that people read: written out, so that a model can read them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest

from bots.discord.payloads import Payload, snowflake
from core.seam.messages import Author

_MARK = re.compile(
    r"(?P<code>```.*?```|``.*?``|`[^`\n]*`)|<@!?(?P<user>\d+)>|<@&(?P<role>\d+)>|<#(?P<channel>\d+)>"
    r"|<a?:(?P<emoji>\w+):\d+>|</(?P<command>[^:<>]+):\d+>",
    re.DOTALL,
)
_OWN = "\x00"
_ADDRESSED = re.compile(rf"\A{_OWN}[ \t]*[,:](?=\s|\Z)")  # `@bot, reset` and `@bot: reset`


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the payload itself does not say: who we are, which roles are our own, what channels and roles are called."""

    me: str
    my_roles: frozenset[str] = frozenset()
    channel: Callable[[str], str | None] = lambda _: None
    role: Callable[[str], str | None] = lambda _: None


def readable(content: str, payload: Payload, names: Names) -> str:
    """The text with Discord's marks written out, and our own mention taken out; code is left as it is."""
    known = {user["id"]: name(user, user.get("member")) for user in payload.get("mentions", ())}

    def written(found: re.Match[str]) -> str:
        match found.lastgroup, found[found.lastgroup or 0]:
            case ("user", user) if user == names.me:
                return _OWN
            case ("role", role) if role in names.my_roles:
                return _OWN
            case ("user", user):
                return f"@{known[user]} ({user})" if user in known else f"@{user}"
            case ("role", role):
                return f"@{line(names.role(role) or role)}"
            case ("channel", channel):
                return f"#{line(names.channel(channel) or channel)}"
            case ("emoji", emoji):
                return f":{emoji}:"
            case ("command", command):
                return f"/{command}"
        return found[0]

    return _without_us(_MARK.sub(written, content.replace(_OWN, "")))


def author(payload: Payload, member: Payload | None, names: Names) -> Author:
    """Who has said this. Raises what a payload that can't be read raises."""
    user = payload["author"]
    return Author(
        id=snowflake(user["id"]),
        name=name(user, member),
        is_bot=bool(user.get("bot") or payload.get("webhook_id")),
        is_self=user["id"] == names.me,
    )


def name(user: Payload, member: Payload | None) -> str:
    """The name that people see: the server's own, else the person's, else the account's."""
    nick = member.get("nick") if member else None
    return line(nick or user.get("global_name") or user["username"])


def line(words: str) -> str:
    """The words on one line."""
    return " ".join(words.split())


def _without_us(text: str) -> str:
    """What stood on both sides of our mention is joined by a space, or by the end of the line if it stood there."""
    text = _ADDRESSED.sub("", text.lstrip(), count=1)
    pieces = [piece for part in text.split(_OWN) if (piece := part.strip(" \t"))]
    spaces = ["" if one.endswith("\n") or other.startswith("\n") else " " for one, other in pairwise(pieces)]
    return "".join(chain.from_iterable(zip_longest(pieces, spaces, fillvalue=""))).strip()
