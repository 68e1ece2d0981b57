"""What becomes of messages after they were said, in our words: edited, deleted, or gone with their place."""

from collections.abc import Sequence
from datetime import datetime

from bots.discord import messages, quotes
from bots.discord.names import Names
from bots.discord.payloads import PLATFORM, THREADS, Payload, address_of, rejected, snowflake
from core.seam.messages import Closed, Deleted, Edited, Inbound, Left, Rejected

_CATEGORY = 4  # a heading above channels; nobody speaks there


def is_edit(payload: Payload) -> bool:
    """Whether somebody may have changed this message: a MESSAGE_UPDATE also tells of previews, pins and threads.

    It has `edited_timestamp` ever after, so that the preview of a link in an edited message is told as the same edit
    once more: with the same time.
    """
    return all(isinstance(payload.get(key), str) for key in ("edited_timestamp", "content")) and "author" in payload


def edited(payload: Payload, parent: str | None, names: Names) -> Edited | Rejected | None:
    """What a MESSAGE_UPDATE says; None when nobody but us has changed anything, or when we may not read into what.

    `parent` is the channel around the thread that it was said in, None outside threads.
    """
    if not is_edit(payload):
        return None
    heard = messages.message(payload, parent, names) or messages.by_another(payload, parent, names)
    if not isinstance(heard, Inbound):
        return heard
    if not payload["content"] and not quotes.carries(payload):
        return None  # without the message content intent this is all that we are shown
    try:
        at = datetime.fromisoformat(payload["edited_timestamp"]).timestamp()
    except (ValueError, OverflowError) as error:
        return rejected(payload, error)
    return Edited(message=heard, at=at)


def deleted(payload: Payload, parent: str | None) -> Sequence[Deleted]:
    """The messages that a MESSAGE_DELETE or a MESSAGE_DELETE_BULK tells of. Raises KeyError, TypeError, ValueError."""
    address = address_of(payload, parent)
    numbers = payload["ids"] if "ids" in payload else [payload["id"]]
    return [Deleted(address=address, id=snowflake(number)) for number in numbers]


def left(payload: Payload) -> Left | None:
    """The server that has removed us, by a GUILD_DELETE; one that is in an outage has not. Raises KeyError, ValueError.

    It says nothing of what was deleted there.
    """
    if payload.get("unavailable"):
        return None
    return Left(platform=PLATFORM, workspace=snowflake(payload["id"]))


def closed(payload: Payload) -> Closed | None:
    """The place that a THREAD_DELETE or a CHANNEL_DELETE tells of. Raises KeyError, TypeError, ValueError."""
    if payload["type"] == _CATEGORY:
        return None
    parent = payload["parent_id"] if payload["type"] in THREADS else None
    return Closed(address=address_of({**payload, "channel_id": payload["id"]}, parent), gone=True)
