"""How a reply gets on screen: streamed where Slack lets us, else posted and edited, else posted once it is whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from structlog import get_logger

from bots.slack import forms
from bots.slack.api import Api, Bucket
from bots.slack.charts import Charts
from bots.slack.errors import Refused
from bots.slack.lookup import Lookup
from bots.slack.payloads import PLATFORM
from bots.slack.privately import Privately
from bots.slack.replies import (
    EDIT,
    STREAM,
    Arguments,
    digest,
    is_direct,
    message,
    plainly,
    thread_of,
)
from bots.slack.screen import Screen
from bots.slack.status import Status
from bots.slack.ticket import Ticket
from core.errors import DeliveryDelayed, DeliveryRefused
from core.seam.cache import Recent
from core.seam.forms import LATE
from core.seam.messages import Draft, Inbound, Reply

log = get_logger(platform=PLATFORM)

_STREAMS_A_MINUTE = 20
"""chat.startStream is Tier 2, 20 calls a minute and workspace; docs.slack.dev/apis/web-api/rate-limits."""


class Posting:
    """Replies on their way to the screen. What it remembers are hints: a new process does without them."""

    def __init__(
        self,
        api: Api,
        lookup: Lookup,
        screen: Screen,
        status: Status,
        *,
        streams_a_minute: int = _STREAMS_A_MINUTE,
        now: Callable[[], float],
    ) -> None:
        self._api, self._lookup, self._screen, self._status = api, lookup, screen, status
        self._charts = Charts(api)
        self._privately = Privately(api, self._charts, now=now)
        self._streams = Bucket(streams_a_minute, api.clock)
        self._cannot_stream = False
        self._in_doubt: Recent[None] = Recent()

    def heard(self, inbound: Inbound) -> None:
        """Notes what decides where something for one person's eyes is shown."""
        self._privately.heard(inbound)

    async def deliver(self, reply: Reply) -> str:
        """Puts the whole text on screen for good; returns the message's ID."""
        shown = await self._delivered(reply)
        if reply.last:
            await self._status.clear(reply)
        return shown

    async def _delivered(self, reply: Reply) -> str:
        if reply.draft is not None:
            return await self._completed(reply, reply.draft.id, is_stream=reply.draft.note == STREAM)
        if reply.form is not None and forms.is_awaited(reply):
            shown = await forms.opened(self._api, reply, reply.form)
            if shown is not None:
                return shown
            reply = replace(reply, text=LATE)
        if reply.private or reply.choices:
            shown = await self._privately.show(reply)
            if shown is not None:
                return shown
        if reply.attempt > 1 or _name(reply) in self._in_doubt:
            shown = await self._found(reply)
            if shown is not None:
                return shown
        return await self._post(reply)

    async def preview(self, reply: Reply) -> Draft | None:
        """Shows the text so far, if Slack's limits allow it now; whatever is skipped comes with the delivery.

        When this message may be on screen already and nobody knows where, it is left to the delivery to look: a
        look-up is too dear for a courtesy.
        """
        if reply.private:
            return None
        if not reply.text:
            await self._status.show(reply)
            return reply.draft
        if reply.draft is not None:
            return await self._screen.grow(reply, reply.draft)
        if reply.attempt > 1 or _name(reply) in self._in_doubt:
            return None
        return await self._start_stream(reply) or await self._start_post(reply)

    async def _post(self, reply: Reply) -> str:
        lane = reply.address.channel
        with self._doubting(reply):
            posted = await self._charts.show("chat.postMessage", reply, message(reply), plainly(reply), lane=lane)
        self._privately.replied(reply.address)
        return str(posted.get("ts", ""))

    async def _found(self, reply: Reply) -> str | None:
        """The message that this reply has become already. Of several the oldest stays, as everybody would choose it."""
        found = await self._lookup.first(reply)
        if not found:
            return None
        shown, *others = found
        for other in others:
            await self._screen.clear(reply, other.id)
        whole = shown.id
        if shown.digest != digest(reply.text):
            whole = await self._completed(reply, shown.id, is_stream=shown.loose)
        self._in_doubt.forget(_name(reply))
        return whole

    async def _completed(self, reply: Reply, ts: str, *, is_stream: bool) -> str:
        """The message that shows the whole reply: this one, or where it can be edited no more, one in its place."""
        if await self._screen.complete(reply, ts, is_stream=is_stream):
            return ts
        found = await self._lookup.all(reply)  # an earlier attempt may have posted it
        whole = next((one.id for one in found if one.id != ts and one.digest == digest(reply.text)), None)
        if whole is None:
            whole = await self._post(reply)
        await self._screen.clear(reply, ts)
        return whole

    async def _start_stream(self, reply: Reply) -> Draft | None:
        arguments = None if reply.passing else _stream_arguments(reply)  # a stream that lands late has no key
        if arguments is None or self._cannot_stream or self._api.wait("chat.startStream") or not self._streams.take():
            return None
        try:
            with self._doubting(reply):
                started = await self._api.write("chat.startStream", arguments)
        except (DeliveryDelayed, Refused) as error:
            self._cannot_stream = isinstance(error, Refused) and error.is_lasting
            log.info("no stream", session=reply.address.id, reason=str(error))
            return None
        ts = str(started.get("ts", ""))
        self._privately.replied(reply.address)
        return self._screen.begun(Draft(id=ts, text=reply.text, note=STREAM))

    async def _start_post(self, reply: Reply) -> Draft | None:
        try:
            ts = await self._post(reply)
        except DeliveryDelayed:
            return None
        return self._screen.begun(Draft(id=ts, text=reply.text, note=EDIT))

    @contextmanager
    def _doubting(self, reply: Reply) -> Iterator[None]:
        """Notes that a message may be on screen, until it is certain. A cancelled call leaves it open too."""
        self._in_doubt.note(_name(reply), None)
        try:
            yield
        except (DeliveryDelayed, DeliveryRefused):
            self._in_doubt.forget(_name(reply))
            raise
        self._in_doubt.forget(_name(reply))


def _name(reply: Reply) -> str:
    return f"{reply.key}/{reply.part}"


def _stream_arguments(reply: Reply) -> Arguments | None:
    """A stream is an answer in a thread, outside DMs to one person; docs.slack.dev/reference/methods."""
    thread = thread_of(reply)
    if thread is None or (reply.asker is None and not is_direct(reply.address)):
        return None
    arguments: Arguments = {
        "channel": reply.address.channel,
        "thread_ts": thread,
        "markdown_text": reply.text,
    }
    if reply.asker is not None:
        arguments["recipient_user_id"] = reply.asker.id
        arguments["recipient_team_id"] = Ticket.read(reply.ticket).team or reply.address.workspace
    return arguments
