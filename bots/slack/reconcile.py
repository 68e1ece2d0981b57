"""Some time after an uncertain delivery: one look at the conversation, and what is wrong there is put right."""

from collections.abc import Callable
from enum import Enum

from structlog import get_logger

from bots.slack.lookup import Found, Lookup
from bots.slack.payloads import PLATFORM, is_ts
from bots.slack.replies import digest
from bots.slack.screen import Screen
from core.errors import DeliveryDelayed
from core.seam.messages import Reply

log = get_logger(platform=PLATFORM)


class Kin(Enum):
    """Whether a stream without a key was begun for this reply, and not for a later one, which may still stream."""

    OURS = "ours"
    ANOTHERS = "another's"
    UNCLEAR = "unclear"


async def reconcile(
    reply: Reply, message: str, *, lookup: Lookup, screen: Screen, now: Callable[[], float], young: float
) -> None:
    """See Adapter. A message that only one person sees can't be looked up, and stays as it is; so does one whose text
    nobody remembers.

    Raises DeliveryDelayed when there is a stream of which it can only be said later whose it is.
    """
    unclear = False
    for other in (found := await lookup.all(reply)):
        if other.id == message:
            continue
        kin = kin_of(other, reply, message, now=now(), young=young) if other.loose else Kin.OURS
        unclear = unclear or kin is Kin.UNCLEAR
        if kin is Kin.OURS:
            await screen.clear(reply, other.id)
    shown = next((one for one in found if one.id == message), None)
    if shown is not None and reply.text and shown.digest != digest(reply.text):
        log.info("put right", session=reply.address.id)
        await screen.complete(reply, message, is_stream=shown.loose)
    if unclear:
        raise DeliveryDelayed("a stream is too young to tell whose it is", retry_after=young)


def kin_of(stream: Found, reply: Reply, message: str, *, now: float, young: float) -> Kin:
    """By its age and its text; `now` is in seconds since 1970, and younger than `young` seconds is too young to tell.

    What is older than the message that shows the reply, and known to be nothing else, was begun for it. What is younger
    (its request was under way for long) was begun for this reply when it shows no more than the beginning of it, and
    for a while. Where nothing at all is to be shown, there is no text to go by: what is known to be nothing else goes,
    once it is so old that a later answer that had begun with it would be known.
    """
    if is_ts(message) and float(stream.id) < float(message):
        return Kin.OURS
    is_unanswered = not reply.text and not message
    if not is_unanswered and not _letters(reply.text).startswith(_letters(stream.text)):
        return Kin.ANOTHERS
    return Kin.OURS if now - float(stream.id) > young else Kin.UNCLEAR


def _letters(text: str) -> str:
    """Slack gives a stream's Markdown back in its own writing."""
    return "".join(letter for letter in text if letter.isalnum())
