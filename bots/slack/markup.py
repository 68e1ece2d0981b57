"""Slack's written form of a message, as Markdown: mentions, channels, links, dates and the three escaped characters.

In a message's `text` Slack escapes `&`, `<` and `>` and puts everything that is not text between `<` and `>`
(docs.slack.dev/messaging/formatting-message-text). Marks in code and in quoted lines are nobody's call: they are text.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from re import MULTILINE, Match, Pattern
from re import compile as pattern

from core.seam.mentions import mention

Names = Mapping[str, str]
"""Display names of people and channels by their IDs, as far as they are known."""

_TOKEN = pattern(r"<([@#!])?([^<>|]*)(?:\|([^<>]*))?>")
_PEOPLE = pattern(r"<(?:@([UW][A-Z0-9]+)|!subteam\^([A-Z0-9]+))(?:\|[^<>]*)?>")
_NAMELESS = pattern(r"<(?:@([UW][A-Z0-9]+)(?:\|[^<>]*)?|#([CG][A-Z0-9]+)\|?)>")

_CODE = r"```[\s\S]+?```|`[^`\n]+`"
_IN_CODE = pattern(_CODE)
_ASIDE = pattern(rf"{_CODE}|^&gt;&gt;&gt;[\s\S]*|^&gt;[^\n]*", MULTILINE)
"""Code and quoted lines; three marks quote all that follows."""

_LONGEST_NAME = 80
_LAST_SECOND = 253_402_300_799  # of the year 9999: Python knows no later one


def mentioned(text: str) -> set[str]:
    """The IDs of the users and user groups that a message mentions."""
    said = (words for words, is_aside in _parts(_ASIDE, text) if not is_aside)
    return {user or group for words in said for user, group in _PEOPLE.findall(words)}


def is_quoted(text: str, user: str) -> bool:
    """Whether this user's mark stands in the text, in code or quoted lines alone."""
    return user in {name for name, _ in _PEOPLE.findall(text)} - mentioned(text)


def nameless(text: str) -> Iterator[str]:
    """The IDs of the people and channels in a text that bring no name along."""
    for found in _NAMELESS.finditer(text):
        yield found[1] or found[2]


def without_mention(text: str, user: str) -> str:
    """The text without this user's mention, as if it had never been typed."""
    mention = rf"<@{user}(?:\|[^<>]*)?>"
    text = pattern(rf"\A(?:{mention}[\s,:]*)+").sub("", text.lstrip())
    kept = list[str]()
    for words, is_aside in _parts(_ASIDE, text):
        *before, last = [words] if is_aside else pattern(mention).split(words)
        kept += [*(part.rstrip(" \t") for part in before), last]
    return "".join(kept).strip()


def readable(text: str, names: Names | None = None) -> str:
    """Markdown with the same meaning: `@Ada (U123)`, `#general`, `[label](https://…)`, and `<` as people typed it."""
    known = names or {}
    return "".join(
        unescaped(_TOKEN.sub(_typed if is_code else lambda found: _token(found, known), words))
        for words, is_code in _parts(_IN_CODE, text)
    )


def unescaped(text: str) -> str:
    """The characters that people typed; `&amp;` comes last, so that `&amp;lt;` stays `&lt;`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escaped(text: str) -> str:
    """Text in which nothing is a mention or a link to Slack; `&` comes first."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _parts(aside: Pattern[str], text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is such an aside."""
    start = 0
    for found in aside.finditer(text):
        yield text[start : found.start()], False
        yield found[0], True
        start = found.end()
    yield text[start:], False


def _typed(found: Match[str]) -> str:
    """What stands in code as it was typed, or shown when it was."""
    sigil, name, label = found[1], found[2], found[3]
    if sigil == "@":
        return f"<@{name}>"
    if sigil == "#":
        return f"#{label or name}"
    return _special(name, label or "") if sigil else label or name


def _token(found: Match[str], names: Names) -> str:
    sigil, name, label = found[1], found[2], found[3] or ""
    if sigil == "@":
        known = _line(names.get(name, ""))
        return mention(known, name) if known else mention(name)
    if sigil == "#":
        return f"#{label or _line(names.get(name, '')) or name}"
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
        return label or mention(rest)
    if kind == "date":
        return _date(rest.partition("^")[0], label)
    return label or name


def _date(seconds: str, label: str) -> str:
    """Slack shows it by each reader's own clock; the label is for programs that can't."""
    if label or not (seconds.isascii() and seconds.isdecimal() and int(seconds[:20]) <= _LAST_SECOND):
        return label or seconds
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M} UTC"


def _line(name: str) -> str:
    """A name that anybody may choose, on one line, so that it stays itself when the text around it is unescaped."""
    return escaped(" ".join(name.split())[:_LONGEST_NAME].rstrip("\u200d"))
