"""Discord's marks in what people write, as Markdown: mentions, channels, roles, emoji, times and commands."""

import re
from datetime import UTC, datetime
from itertools import chain, pairwise, zip_longest

from bots.discord.names import Names, line, name
from bots.discord.payloads import Payload
from core.seam.mentions import mention

_MARK = re.compile(
    r"(?P<code>```.*?```|``.*?``|`[^`\n]*`)|<@!?(?P<user>\d+)>|<@&(?P<role>\d+)>|<#(?P<channel>\d+)>"
    r"|<a?:(?P<emoji>\w+):\d+>|<t:(?P<moment>-?\d{1,14})(?::[A-Za-z])?>|</(?P<command>[^:<>]+):\d+>",
    re.DOTALL,
)
_OWN = "\x00"
_ADDRESSED = re.compile(rf"\A{_OWN}[ \t]*[,:](?=\s|\Z)")  # `@bot, reset` and `@bot: reset`


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
                return mention(known[user], user) if user in known else mention(user)
            case ("role", role):
                return mention(names.role(role) or role)
            case ("channel", channel):
                return f"#{line(names.channel(channel) or channel)}"
            case ("emoji", emoji):
                return f":{emoji}:"
            case ("moment", moment):
                return _moment(int(moment)) or found[0]
            case ("command", command):
                return f"/{command}"
        return found[0]

    return _without_us(_MARK.sub(written, content.replace(_OWN, "")))


def _moment(seconds: int) -> str | None:
    """Discord shows it by each reader's own clock; None where it is no time that Python knows."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return None


def _without_us(text: str) -> str:
    """What stood on both sides of our mention is joined by a space, or by the end of the line if it stood there."""
    text = _ADDRESSED.sub("", text.lstrip(), count=1)
    pieces = [piece for part in text.split(_OWN) if (piece := part.strip(" \t"))]
    spaces = ["" if one.endswith("\n") or other.startswith("\n") else " " for one, other in pairwise(pieces)]
    return "".join(chain.from_iterable(zip_longest(pieces, spaces, fillvalue=""))).strip()
