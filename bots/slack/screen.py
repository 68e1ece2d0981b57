"""What becomes of a message of ours that is on screen: it grows, is completed, or is withdrawn.

A stream is a delta API: text appended twice is on screen twice. So it is continued only by the process that knows for
certain what it shows; after any doubt it is stopped, and the whole text is put in its place.
"""

from structlog import get_logger

from bots.slack.api import Api, Bucket
from bots.slack.errors import Refused
from bots.slack.payloads import PLATFORM
from bots.slack.replies import EDIT, STREAM, Arguments, content, metadata, plain_content, unfinished
from bots.slack.status import Status
from core.errors import DeliveryDelayed
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.messages import Draft, Reply

log = get_logger(platform=PLATFORM)

_EDITS_A_MINUTE = 40
"""chat.update is Tier 3, 50 calls a minute; the rest is kept for final texts."""
_LEFT = "edit_window_closed"
"""The message stands, and may be edited no more by the workspace's settings (docs.slack.dev: chat.update)."""
_GONE = {"message_not_found", "cant_update_message", _LEFT}
"""Nothing can be done about this message any more: people have deleted it, or may edit it no more."""
_STREAMING = "streaming_state_conflict"
_STOPPED = "stopped_by_user"


class Screen:
    """Our messages by their IDs. What it remembers are hints: a new process does without them."""

    def __init__(self, api: Api, status: Status, *, edit_every: float, edits_a_minute: int = _EDITS_A_MINUTE) -> None:
        self._api, self._status = api, status
        self._edits = Bucket(edits_a_minute, api.clock)
        self._edit_every = edit_every
        self._streamed: Recent[str] = Recent()
        self._streams_of_ours: Recent[None] = Recent()
        self._edited_at: Recent[float] = Recent()

    def begun(self, draft: Draft) -> Draft:
        """A message that we have just put there."""
        if draft.note == STREAM:
            self._streamed.note(draft.id, draft.text)
            self._streams_of_ours.note(draft.id, None)
        else:
            self._edited_at.note(draft.id, self._api.clock())
        return draft

    async def grow(self, reply: Reply, draft: Draft) -> Draft:
        """Shows the text so far in the draft, as far as Slack's limits allow it now."""
        if draft.note != STREAM:
            return await self._edit(reply, draft)
        shown = self._streamed.get(draft.id)
        if shown is not None:
            return await self._append(reply, draft, shown)
        return draft if draft.id in self._streams_of_ours else await self._taken_over(reply, draft)

    async def complete(self, reply: Reply, ts: str, *, is_stream: bool) -> bool:
        """Makes this message the reply. It is complete too when a person has deleted it meanwhile.

        False where it has to stay as it is, though it stands: it can be edited no more.
        """
        if is_stream and await self._stop(reply, ts):
            return True
        try:
            await self._update(reply, ts)
        except Refused as error:
            if error.code == _STREAMING:
                await self._stop(reply, ts)
                await self._update(reply, ts)
            elif error.code not in _GONE:
                raise
            return error.code != _LEFT
        return True

    async def withdraw(self, address: Address, ts: str) -> None:
        """Takes the message away; it is well when it is gone already."""
        place = {"channel": address.channel, "ts": ts}
        try:
            try:
                await self._api.write("chat.delete", place)
            except Refused as error:
                if error.code != _STREAMING:
                    raise
                await self._api.write("chat.stopStream", place)
                await self._api.write("chat.delete", place)
        except Refused as error:
            if error.code != "message_not_found":
                raise
        self._streamed.forget(ts)

    async def clear(self, reply: Reply, ts: str) -> None:
        """Takes away what the reply needs no more; where Slack will not have that, it stays."""
        try:
            await self.withdraw(reply.address, ts)
        except Refused as error:
            log.warning("not withdrawn", session=reply.address.id, reason=error.code)
        else:
            log.info("withdrawn", session=reply.address.id, reason="another message shows this reply")

    async def _append(self, reply: Reply, draft: Draft, shown: str) -> Draft:
        if not reply.text.startswith(shown):
            return draft
        if reply.text != shown:
            self._streamed.forget(draft.id)
            rest = reply.text[len(shown) :]
            try:
                place = {"channel": reply.address.channel, "ts": draft.id}
                await self._api.write("chat.appendStream", {**place, "markdown_text": rest})
            except DeliveryDelayed:
                self._streamed.note(draft.id, shown)
                return Draft(id=draft.id, text=shown, note=STREAM)
            except Refused as error:
                log.info("stream over", session=reply.address.id, reason=error.code)
                if error.code == _STOPPED or error.code in _GONE:
                    return draft
                return await self._edit(reply, Draft(id=draft.id, text=draft.text, note=EDIT))  # it has expired
            self._streamed.note(draft.id, reply.text)
        return Draft(id=draft.id, text=reply.text, note=STREAM)

    async def _taken_over(self, reply: Reply, draft: Draft) -> Draft:
        """Another process has begun this stream, and nobody knows what it shows: from now on the message is edited."""
        place = {"channel": reply.address.channel, "ts": draft.id, "session_status": "processing"}
        try:
            await self._api.write("chat.stopStream", {**place, "metadata": unfinished(reply)})
        except DeliveryDelayed:
            return draft
        except Refused as error:
            log.info("stream over", session=reply.address.id, reason=error.code)
        return await self._edit(reply, Draft(id=draft.id, text=draft.text, note=EDIT))

    async def _edit(self, reply: Reply, draft: Draft) -> Draft:
        now = self._api.clock()
        edited_at = self._edited_at.get(draft.id)
        if reply.text == draft.text or (edited_at is not None and now - edited_at < self._edit_every):
            return draft
        if self._api.wait("chat.update") or not self._edits.take():
            return draft
        self._edited_at.note(draft.id, now)
        try:
            await self._update(reply, draft.id)
        except (DeliveryDelayed, Refused) as error:
            log.info("no edit", session=reply.address.id, reason=str(error))
            return draft
        return Draft(id=draft.id, text=reply.text, note=EDIT)

    async def _stop(self, reply: Reply, ts: str) -> bool:
        """Ends a stream with what is still missing; False when the whole text has to be put in its place."""
        shown = self._streamed.forget(ts)
        known = shown is not None and reply.text.startswith(shown)
        rest = reply.text[len(shown) :] if shown is not None and known else ""
        noted = metadata(reply) if known else unfinished(reply)
        try:
            await self._api.write(
                "chat.stopStream", {**_end_of_stream(reply, ts), "metadata": noted, "markdown_text": rest or None}
            )
        except DeliveryDelayed:
            if shown is not None:
                self._streamed.note(ts, shown)
            raise
        except Refused as error:
            log.info("stream over", session=reply.address.id, reason=error.code)
            await self._status.idle(reply)
            return False
        return known

    async def _update(self, reply: Reply, ts: str) -> None:
        place = {"channel": reply.address.channel, "ts": ts}
        await self._api.show("chat.update", {**place, **content(reply)}, {**place, **plain_content(reply)})


def _end_of_stream(reply: Reply, ts: str) -> Arguments:
    """Slack shows that we are done, unless another message of the same answer follows."""
    return {"channel": reply.address.channel, "ts": ts, "session_status": None if reply.last else "processing"}
