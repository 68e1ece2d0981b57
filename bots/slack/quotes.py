"""What a message points at, from Slack's record of it: forwarded messages, previews and other apps' posts, and files.

Slack keeps what is forwarded, and what a link or an app shows, among a message's `attachments`, and puts the files of a
forwarded message there as well. No reference describes a forwarded message; its shape is from what apps are sent.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bots.slack.blocks import parts, written
from bots.slack.markup import readable
from bots.slack.members import standing
from bots.slack.payloads import Payload, View, is_ts
from core.seam.messages import Author, Quote

_GONE = {
    "tombstone": "it was deleted",
    "hidden_by_limit": "Slack hides files that are over the workspace's limit",
    "external": "it is kept outside of Slack",
    "quip": "it is a canvas",
    "canvas": "it is a canvas",
    "list": "it is a list",
}
"""Modes of files that have no bytes to be fetched; docs.slack.dev/reference/objects/file-object."""
_REFUSED = {"file_not_found": "it was deleted", "access_denied": "Slack does not show it to me"}
_MEDIA = {"image": "it is an image", "audio": "it is a recording", "video": "it is a video"}


def pointed(message: Payload, channel: str, view: View) -> tuple[Quote, ...]:
    """What a message of this channel points at, in the order in which people see it."""
    found = list[Quote]()
    for attachment in parts(message.get("attachments")):
        found += _attached(attachment, channel, view)
    return (*found, *map(attaches, parts(message.get("files"))))


def attaches(file: Payload, author: Author | None = None, at: float | None = None) -> Quote:
    """A file, with the note by which it is fetched, or why it can't be read."""
    title = str(file.get("title") or file.get("name") or file.get("id") or "")
    unread = _REFUSED.get(str(file.get("file_access"))) or _GONE.get(str(file.get("mode"))) or _media(file)
    source = None if unread else note(file)
    if source is None:
        unread = unread or "Slack does not say where it is"
    return Quote(kind="attaches", title=title, author=author, at=at, source=source, unread=unread)


def note(file: Payload) -> str | None:
    """What a file is fetched by: its address, or its ID where Slack wants to be asked for the rest (Slack Connect)."""
    url = file.get("url_private_download") or file.get("url_private")
    if isinstance(url, str) and url and file.get("file_access") != "check_file_info":
        return json.dumps({"url": url})
    return json.dumps({"id": str(file["id"])}) if file.get("id") else None


def held(message: Payload) -> tuple[tuple[str, bool], ...]:
    """The files that are in a message: their IDs, and whether people have deleted them since."""
    files = parts(message.get("files"))
    return tuple((str(file.get("id")), file.get("mode") == "tombstone") for file in files)


def _media(file: Payload) -> str | None:
    return _MEDIA.get(str(file.get("mimetype") or "").partition("/")[0])


def _attached(attachment: Payload, channel: str, view: View) -> Iterator[Quote]:
    is_share = bool(attachment.get("is_share"))
    quote = (
        _said(attachment, channel, view) if is_share or attachment.get("is_msg_unfurl") else _shown(attachment, view)
    )
    if is_share:
        quote = replace(quote, kind="forwards")
    files = parts(attachment.get("files"))
    if quote.text or quote.title or not files:
        yield quote
    theirs = (attaches(file, quote.author, quote.at) for file in files)
    known = {name: getattr(quote, name) for name in ("message", "said_in", "copied", "standing")}
    yield from (replace(one, **known) for one in theirs)


def _said(attachment: Payload, channel: str, view: View) -> Quote:
    """A message of Slack's that is quoted whole; one of another channel is a copy, and stays as it is."""
    ts, text, place = attachment.get("ts"), attachment.get("text"), attachment.get("channel_id")
    blocks = (written(_blocks(one)) for one in parts(attachment.get("message_blocks")))
    words = text or "\n".join(filter(None, blocks)) or attachment.get("fallback") or ""
    author = _author(attachment, view)
    return Quote(
        kind="embeds",
        text=readable(str(words), view.names).strip(),
        author=author,
        at=float(ts) if is_ts(ts) else None,
        message=ts if is_ts(ts) and place == channel else None,
        copied=ts if is_ts(ts) and place != channel else None,
        said_in=str(place) if place else None,
        standing=standing(author.id, {}, view.us.workspace, view),
    )


def _author(attachment: Payload, view: View) -> Author:
    name = str(attachment.get("author_id") or attachment.get("bot_id") or "unknown")
    given = attachment.get("author_name") or attachment.get("author_subname")
    return Author(id=name, name=str(view.names.get(name) or given or name))


def _blocks(message_block: Payload) -> Iterable[object] | None:
    message = message_block.get("message")
    return message.get("blocks") if isinstance(message, Mapping) else None


def _shown(attachment: Payload, view: View) -> Quote:
    """What an app or a page shows; what Slack gives to those who can't see it only where there is nothing else."""
    title = str(attachment.get("title") or attachment.get("service_name") or "")
    fields = [f"{field.get('title') or ''}: {field.get('value') or ''}" for field in parts(attachment.get("fields"))]
    lines = [str(attachment.get(name) or "") for name in ("pretext", "author_name", "text")]
    words = "\n".join(filter(None, (*lines, *fields, written(attachment.get("blocks")))))
    if not words and not attachment.get("title"):
        words = str(attachment.get("fallback") or "")
    return Quote(kind="embeds", text=readable(words, view.names).strip(), title=readable(title))
