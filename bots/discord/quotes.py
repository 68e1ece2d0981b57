"""What a message points at, from Discord's payloads: what it replies to or forwards, its files, embeds and polls."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Self
from urllib.parse import urlsplit

from bots.discord.markup import readable
from bots.discord.names import Names, author, line
from bots.discord.payloads import Payload, edited_at, instant, snowflake
from core.seam.evidence import UNREADABLE
from core.seam.messages import Quote

FORWARD = 1
"""The type of a reference that is no reply."""

_CARRIED = ("attachments", "embeds", "poll", "sticker_items", "message_snapshots", "components")
_UNREAD = {"image": "it is an image", "audio": "it is a recording", "video": "it is a video"}
_DEPTH = 4  # of components in one another; Discord allows less
_TEXT = 10  # the component type of words


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file: where its message is, its own ID, and the address that it had when we heard of it."""

    channel: str
    message: str
    id: str
    url: str

    def write(self) -> str:
        """As it is stored with its quote."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, source: str) -> Self:
        """Raises ValueError or TypeError where this is none."""
        return cls(**json.loads(source))


def pointed(payload: Payload, names: Names) -> tuple[Quote, ...]:
    """The quotes of one message, in the order in which people see them.

    A message is heard even if something that it points at has a form that we do not know; that is said.
    """
    found: list[Quote] = []
    for part in (_answered, _carried):
        try:
            found += part(payload, names)
        except UNREADABLE:
            found.append(Quote(kind="embeds", unread="it has a form that I don't know"))
    return tuple(found)


def carries(payload: Payload) -> bool:
    """Whether a message says something by itself without a word: a file, a forwarded message, a poll."""
    return any(payload.get(key) for key in _CARRIED)


def is_reply(payload: Payload) -> bool:
    """Whether it replies to the message that it refers to, if there is one."""
    return bool((payload.get("message_reference") or {}).get("type", 0) != FORWARD)


def _answered(payload: Payload, names: Names) -> Iterator[Quote]:
    """What it replies to, where that still stands: its words, and what it carries. The IDs are those of its channel."""
    answered = payload.get("referenced_message")
    if not answered or not is_reply(payload):
        return
    number = snowflake(answered["id"])
    members = {user["id"]: user.get("member") for user in payload.get("mentions", ())}
    by = author(answered, members.get(answered["author"]["id"]), names)
    said = Quote(
        kind="replies to",
        text=readable(answered["content"], answered, names),
        author=by,
        at=instant(number),
        message=number,
        edited_at=None if by.is_self else edited_at(answered),  # our own grow by edits
    )
    yield said
    for one in _carried(answered, names):
        is_copy = one.at is not None
        yield replace(one, author=None if is_copy else said.author, at=one.at or said.at, message=number)


def _carried(payload: Payload, names: Names) -> Iterator[Quote]:
    place, original = (_of(payload, "message_reference", name) or None for name in ("channel_id", "message_id"))
    for snapshot in payload.get("message_snapshots", ()):
        for one in _forwarded(snapshot["message"], names, {**payload, **snapshot["message"]}):
            yield replace(one, said_in=place, copied=original)
    yield from _pieces(payload, names, payload)


def _forwarded(forwarded: Payload, names: Names, around: Payload) -> Iterator[Quote]:
    """A copy, which stays as it is whatever becomes of the original; whose it was, nobody is told."""
    at = datetime.fromisoformat(forwarded["timestamp"]).timestamp() if forwarded.get("timestamp") else None
    yield Quote(kind="forwards", text=readable(forwarded["content"], forwarded, names), at=at)
    for one in _pieces(forwarded, names, around):
        yield replace(one, at=at)


def _pieces(payload: Payload, names: Names, around: Payload) -> Iterator[Quote]:
    """Files, embeds, polls and stickers of a message, which is found again by the IDs of the one around it."""
    for file in payload.get("attachments", ()):
        yield _file(file, around)
    for embed in payload.get("embeds", ()):
        quote = _embed(embed)
        if quote.text or quote.unread:
            yield replace(quote, text=readable(quote.text, payload, names))
    texts = [readable(words, payload, names) for words in _components(payload.get("components", ()), _DEPTH)]
    if texts:
        yield Quote(kind="embeds", text="\n".join(texts))
    if payload.get("poll"):
        yield Quote(kind="embeds", text=_poll(payload["poll"]), title="poll")
    for sticker in payload.get("sticker_items", ()):
        yield Quote(kind="embeds", text=line(sticker["name"]), title="sticker")


def _file(file: Payload, around: Payload) -> Quote:
    """What Discord calls an image or the like is not fetched; of that, there is at most a description in words."""
    unread = _UNREAD.get((file.get("content_type") or "").partition("/")[0])
    source = None
    if unread is None and "url" in file:
        numbers = (snowflake(around["channel_id"]), snowflake(around["id"]), snowflake(file["id"]))
        source = File(channel=numbers[0], message=numbers[1], id=numbers[2], url=file["url"]).write()
    elif unread is None:
        unread = "it could not be fetched"
    described = (file.get("description") or "") if unread else ""
    return Quote(kind="attaches", title=line(file["filename"]), text=described, source=source, unread=unread)


def _embed(embed: Payload) -> Quote:
    parts = [_of(embed, "provider", "name"), _of(embed, "author", "name"), _titled(embed), _of(embed, "description")]
    parts += [": ".join(filter(None, (_of(field, "name"), _of(field, "value")))) for field in embed.get("fields", ())]
    words = "\n".join(filter(None, (*parts, _of(embed, "footer", "text"))))
    picture = _of(embed, "image", "url") or (_of(embed, "url") if embed.get("type") == "image" else "")
    if words or not picture:
        return Quote(kind="embeds", text=words or _of(embed, "url"))
    return Quote(kind="embeds", title=urlsplit(picture).path.rpartition("/")[2], unread=_UNREAD["image"])


def _titled(embed: Payload) -> str:
    title, url = _of(embed, "title"), _of(embed, "url")
    return f"{title} ({url})" if title and url else title


def _components(components: Sequence[Payload], depth: int) -> Iterator[str]:
    """The words of a message that is built of components."""
    for one in components if depth else ():
        if one.get("type") == _TEXT and isinstance(one.get("content"), str):
            yield one["content"]
        yield from _components(one.get("components", ()), depth - 1)


def _poll(poll: Payload) -> str:
    """Question and answers, with what has been voted as far as Discord says it here."""
    votes = {count["id"]: count["count"] for count in (poll.get("results") or {}).get("answer_counts", ())}
    counted = poll.get("results") is not None
    lines = [_of(poll, "question", "text")]
    for answer in poll.get("answers", ()):
        many = votes.get(answer.get("answer_id"), 0)
        emoji = _of(answer, "poll_media", "emoji", "name")
        words = " ".join(filter(None, (emoji, _of(answer, "poll_media", "text"))))
        lines.append(f"- {words}" + (f" ({many} vote{'' if many == 1 else 's'})" if counted else ""))
    return "\n".join(lines)


def _of(part: object, *keys: str) -> str:
    """The words at the end of this path; none where there are none."""
    for key in keys:
        part = part.get(key) if isinstance(part, Mapping) else None
    return part.strip() if isinstance(part, str) else ""
