"""Whether something that we said is on screen: found again by the key in its metadata."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from structlog import get_logger

from bots.slack.errors import Refused
from bots.slack.pages import PAGE, Kept, Pages
from bots.slack.payloads import PLATFORM, Ourselves, Payload, is_ts
from bots.slack.replies import EVENT_TYPE, thread_of
from core.seam.messages import Reply

log = get_logger(platform=PLATFORM)

_SKEW = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A message of ours on screen: its ID, and the digest of its text.

    `loose`: it has no metadata, which only a stream cut short leaves behind, because `chat.startStream` takes none and
    everything else that we send or finish has some. Whose it is must be guessed, from where it is and from its `text`.
    """

    id: str
    digest: str = ""
    loose: bool = False
    text: str = ""


class Lookup:
    """Looks through a conversation for what a reply has become, from when it was asked for."""

    def __init__(self, pages: Pages, us: Callable[[], Awaitable[Ourselves]]) -> None:
        self._pages, self._us = pages, us

    async def first(self, reply: Reply) -> Sequence[Found]:
        """What has the reply's key, oldest first, as soon as there is any; else the stream that must be it.

        A stream above a reply to what was said before is not taken up: the two would change places.
        """
        found = await self._found(reply, lambda kept: any(_is_keyed(entry, reply) for entry in kept))
        lowest = max((float(one) for one in reply.above if is_ts(one)), default=0.0)
        below = [one for one in found if one.loose and float(one.id) > lowest]
        return [one for one in found if not one.loose] or below[-1:]

    async def all(self, reply: Reply) -> Sequence[Found]:
        """All that has the reply's key, and all streams that could be its, oldest first.

        Wherever they stand: what was said before its question may have reached us, and been answered, after it.
        """
        return await self._found(reply, lambda kept: False)

    async def _found(self, reply: Reply, enough: Callable[[Kept], bool]) -> Sequence[Found]:
        us, thread = await self._us(), thread_of(reply)

        def keep(message: Payload) -> bool:
            return us.said(message) and (
                _is_keyed(message, reply) or (thread is not None and _is_loose(message, reply))
            )

        method = "conversations.replies" if thread else "conversations.history"
        arguments = {
            "channel": reply.address.channel,
            "ts": thread,
            "oldest": f"{reply.asked_at - _SKEW:.6f}",
            "limit": PAGE,
            "include_all_metadata": True,
        }
        try:
            kept = await self._pages.read(method, arguments, keep=keep, enough=enough)
        except Refused as error:
            log.warning("look up impossible", session=reply.address.id, reason=error.code)
            return ()
        return sorted((_found(message) for message in kept), key=lambda one: float(one.id))


def key_in(message: Payload) -> str:
    """The key that one of our messages has; empty where it has none."""
    return str(_noted(message).get("key") or "")


def _found(message: Payload) -> Found:
    ts, noted = str(message["ts"]), _noted(message)
    if not noted:
        return Found(id=ts, loose=True, text=str(message.get("text") or ""))
    return Found(id=ts, digest=str(noted.get("digest", "")))


def _is_keyed(message: Payload, reply: Reply) -> bool:
    noted = _noted(message)
    return is_ts(message.get("ts")) and noted.get("key") == reply.key and noted.get("part", 0) == reply.part


def _is_loose(message: Payload, reply: Reply) -> bool:
    ts = message.get("ts")
    if message.get("metadata") or not is_ts(ts) or ts in reply.others:
        return False
    return float(ts) > reply.asked_at


def _noted(message: Payload) -> Payload:
    metadata = message.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, Mapping) else {}
