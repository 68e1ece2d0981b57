"""What is for one person's eyes: shown by the ticket of their command, or as a message that only they see."""

from collections.abc import Callable

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.charts import Charts
from bots.slack.errors import Refused
from bots.slack.markup import escaped
from bots.slack.payloads import PLATFORM, is_ts
from bots.slack.replies import NO_PREVIEWS, blocks, fallback, is_direct, thread_of
from bots.slack.ticket import Ticket
from core.errors import DeliveryRefused
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.messages import Inbound, Reply

log = get_logger(platform=PLATFORM)

_SAME = 0.002
_GONE = "user_not_in_channel"


class Privately:
    """Replies for their asker alone. What it remembers are hints: a new process does without them."""

    def __init__(self, api: Api, charts: Charts, *, now: Callable[[], float]) -> None:
        self._api, self._charts, self._now = api, charts, now
        self._replied: Recent[None] = Recent()

    def heard(self, inbound: Inbound) -> None:
        """Notes a thread that somebody has replied in: only there does Slack show what is for one person's eyes."""
        if is_ts(inbound.id) and inbound.address.thread not in (None, inbound.id):
            self._replied.note(inbound.address.id, None)

    def replied(self, address: Address) -> None:
        """The same, by us."""
        self._replied.note(address.id, None)

    async def show(self, reply: Reply) -> str | None:
        """The ID of what is shown by the ticket, else as an ephemeral message; None when only a plain post is left.

        Whom it is for may have left the channel since: those who are there still are not shown it in their place.
        """
        thread, ticket = thread_of(reply), Ticket.read(reply.ticket)
        body = {"text": fallback(reply), "blocks": blocks(reply)}
        if ticket.url and self._now() < ticket.until:
            answer = {
                **body,
                **NO_PREVIEWS,
                "response_type": "ephemeral",
                "replace_original": False,
                "thread_ts": thread,
            }
            if await self._api.respond(ticket.url, answer):
                return f"response:{reply.key}"
        if reply.asker is None or is_direct(reply.address):
            return None
        try:
            shown_in = None if self._is_bare(reply) else thread
            place = {"channel": reply.address.channel, "user": reply.asker.id, "thread_ts": shown_in}
            plain = {**place, "text": escaped(reply.text)}
            posted = await self._charts.show("chat.postEphemeral", reply, {**place, **body}, plain)
        except DeliveryRefused as error:
            log.info("not privately", session=reply.address.id, reason=str(error))
            return f"nobody:{reply.key}" if isinstance(error, Refused) and error.code == _GONE else None
        return str(posted.get("message_ts", ""))

    def _is_bare(self, reply: Reply) -> bool:
        """Whether the thread is no more than the question, as far as we know. An ephemeral message would be shown to
        nobody there, because "ephemeral messages in threads are only shown if there is already an active thread"
        (docs.slack.dev/reference/methods/chat.postEphemeral). `asked_at` is kept in milliseconds.
        """
        root = reply.address.thread
        if not is_ts(root) or reply.address.id in self._replied:
            return False
        return abs(float(root) - reply.asked_at) < _SAME
