"""What we say, as the arguments of Slack's methods: pure functions from a Reply."""

from collections.abc import Sequence
from hashlib import sha256
from re import MULTILINE
from re import compile as pattern
from typing import Any

from bots.slack.commands import BUTTON, PICKER
from bots.slack.markup import escaped
from core.seam.address import Address
from core.seam.messages import Choice, Reply

Arguments = dict[str, Any]

EVENT_TYPE = "backscroll_reply"
STREAM, EDIT = "stream", "edit"
"""How a draft is being written."""

NO_PREVIEWS = {"unfurl_links": False, "unfurl_media": False}
"""Nobody looks at what a link leads to but who opens it. A stream and an edit show no previews by themselves."""

_FALLBACK = 3_900
"""`text` of chat.update over 4,000 characters is msg_too_long; docs.slack.dev/reference/methods/chat.update."""
_EDITED, _SECTION = 4_000, 3_000
"""Characters of chat.update's `text`, and of a section's; docs.slack.dev/reference/block-kit/blocks/section-block."""
_OPTIONS, _LABEL, _VALUE = 100, 75, 150
"""Options of a menu, characters of an option's text and of its value; docs.slack.dev/reference/block-kit."""

_MARKS = pattern(r"```\w*\n?|\*\*|__|~~|^#{1,6} +", MULTILINE)
_LINK = pattern(r"!?\[([^\[\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)")
"""No part of it reads over the bracket that another could begin with, so that a thousand `[` are read once."""


def message(reply: Reply) -> Arguments:
    """Text for notifications and screen readers, the Markdown that is seen, and the key that finds it again."""
    return {
        "channel": reply.address.channel,
        "thread_ts": thread_of(reply),
        "text": fallback(reply),
        "blocks": blocks(reply),
        "metadata": metadata(reply),
        **NO_PREVIEWS,
    }


def thread_of(reply: Reply) -> str | None:
    """Where it goes: the conversation's thread, or in a plain DM the thread in which it was asked."""
    return reply.address.thread or reply.reply_to


def is_direct(address: Address) -> bool:
    """Whether only one person and the bot are there."""
    return address.channel.startswith("D")


def blocks(reply: Reply) -> list[Arguments]:
    """A `markdown` block takes standard Markdown, 12,000 characters in all; docs.slack.dev/reference/block-kit."""
    seen: list[Arguments] = [{"type": "markdown", "text": reply.text}] if reply.text else []
    return seen + (picker(reply.choices) if reply.choices else []) + _buttons(reply.buttons)


def _buttons(choices: Sequence[Choice]) -> list[Arguments]:
    """What may be pressed; as in a menu, each value is the whole command."""
    buttons = [
        {
            "type": "button",
            "action_id": f"{BUTTON}_{number}",
            "text": {"type": "plain_text", "text": short(choice.label, _LABEL), "emoji": False},
            "value": choice.command,
        }
        for number, choice in enumerate(choices)
    ]
    return [{"type": "actions", "block_id": BUTTON, "elements": buttons}] if buttons else []


def picker(choices: Sequence[Choice]) -> list[Arguments]:
    """A menu of sessions; each value is the whole command, so that no state is kept while people think."""
    options = [
        {"text": {"type": "plain_text", "text": short(choice.label, _LABEL) or "…", "emoji": False}, "value": value}
        for choice in choices
        if len(value := choice.command) <= _VALUE
    ][:_OPTIONS]
    if not options:
        return []
    menu = {
        "type": "static_select",
        "action_id": PICKER,
        "placeholder": {"type": "plain_text", "text": "Choose a session"},
        "options": options,
    }
    return [{"type": "actions", "block_id": PICKER, "elements": [menu]}]


def metadata(reply: Reply) -> Arguments:
    """Found again by `key` and `part`; `digest` tells whether the whole text is on screen. Other apps can read it.

    `thread` is the session's, for Slack's receipt names none. Only flat values are allowed, and no nulls.
    """
    payload = {"key": reply.key, "part": reply.part, "digest": digest(reply.text), "thread": reply.address.thread}
    return {"event_type": EVENT_TYPE, "event_payload": without_nothing(payload)}


def unfinished(reply: Reply) -> Arguments:
    """The metadata of a message that does not show its text yet."""
    noted = metadata(reply)
    return {**noted, "event_payload": {**noted["event_payload"], "digest": ""}}


def digest(text: str) -> str:
    """Enough of a hash to tell two versions of one message apart."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fallback(reply: Reply) -> str:
    """The text without its Markdown, escaped, short enough for every method; only the asker's mention is one."""
    plain = _LINK.sub(r"\1", _MARKS.sub("", reply.text)).strip() or "…"
    words = short(plain, _FALLBACK)
    while len(sure := escaped(words)) > _FALLBACK:
        words = short(plain, len(words) - (len(sure) - _FALLBACK + 4) // 5)
    if reply.asker is None:
        return sure
    return sure.replace(escaped(f"<@{reply.asker.id}>"), f"<@{reply.asker.id}>")


def plainly(reply: Reply) -> Arguments:
    """The same message without blocks, for a place that will not have them."""
    return {**message(reply), "blocks": None, "text": escaped(reply.text), "mrkdwn": False}


def content(reply: Reply) -> Arguments:
    """What an edit makes of a message."""
    return {"text": fallback(reply), "blocks": blocks(reply), "metadata": metadata(reply)}


def plain_content(reply: Reply) -> Arguments:
    """The same in plain words, for a place that will not have our blocks; the old ones go by an empty list.

    What is too long for an edit's text stands in blocks of the simplest kind.
    """
    words, sections = escaped(reply.text), list[Arguments]()
    if len(words) > _EDITED:
        pieces = [reply.text[start : start + _SECTION] for start in range(0, len(reply.text), _SECTION)]
        words, sections = fallback(reply), [_section(piece) for piece in pieces]
    return {"text": words, "blocks": sections, "metadata": metadata(reply)}


def _section(words: str) -> Arguments:
    return {"type": "section", "text": {"type": "plain_text", "text": words, "emoji": False}}


def without_nothing(arguments: Arguments) -> Arguments:
    """The arguments that have a value; Slack takes an explicit null for a wrong type."""
    return {name: value for name, value in arguments.items() if value is not None}


def short(text: str, limit: int) -> str:
    """The text, or its beginning, in so many characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
