"""Slack's written form of a message, as Markdown: mentions, channels, links and the three escaped characters.

In a message's `text` Slack escapes `&`, `<` and `>` and puts everything that is not text between `<` and `>`
(docs.slack.dev/messaging/formatting-message-text).
"""

from re import Match
from re import compile as pattern

_TOKEN = pattern(r"<([@#!])?([^<>|]*)(?:\|([^<>]*))?>")
_PEOPLE = pattern(r"<(?:@([UW][A-Z0-9]+)|!subteam\^([A-Z0-9]+))(?:\|[^<>]*)?>")


def mentioned(text: str) -> set[str]:
    """The IDs of the users and user groups that a message mentions."""
    return {user or group for user, group in _PEOPLE.findall(text)}


def without_mention(text: str, user: str) -> str:
    """The text without this user's mention, as if it had never been typed."""
    mention = rf"<@{user}(?:\|[^<>]*)?>"
    text = pattern(rf"\A(?:{mention}[\s,:]*)+").sub("", text.lstrip())
    *before, last = pattern(mention).split(text)
    return "".join([*(part.rstrip(" \t") for part in before), last]).strip()


def readable(text: str) -> str:
    """Markdown with the same meaning: `@U123`, `#general`, `[label](https://…)`, and `<` as people typed it."""
    return unescaped(_TOKEN.sub(_token, text))


def unescaped(text: str) -> str:
    """The characters that people typed; `&amp;` comes last, so that `&amp;lt;` stays `&lt;`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escaped(text: str) -> str:
    """Text in which nothing is a mention or a link to Slack; `&` comes first."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _token(found: Match[str]) -> str:
    sigil, name, label = found[1], found[2], found[3] or ""
    if sigil == "@":
        return f"@{name}"
    if sigil == "#":
        return f"#{label or name}"
    if sigil == "!":
        return _special(name, label)
    bare = name.removeprefix("mailto:").removeprefix("tel:")
    if label in ("", name, bare) or name in (f"http://{label}", f"https://{label}"):
        return bare
    return f"[{label}]({name})"


def _special(name: str, label: str) -> str:
    if name in ("here", "channel", "everyone"):
        return f"@{name}"
    kind, _, rest = name.partition("^")
    if kind == "subteam":
        return label or f"@{rest}"
    return label or name
