"""The line that says that the bot is thinking: a courtesy, so its failures are noted and nothing else."""

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.payloads import PLATFORM
from bots.slack.replies import Arguments, thread_of
from core.errors import DeliveryError
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.messages import Reply

log = get_logger(platform=PLATFORM)

_ASSISTANT, _SESSIONS = "assistant.threads.setStatus", "agents.sessions.setStatus"


class Status:
    """What Slack shows beside a conversation while nothing of the answer is there yet; said `every` so many seconds.

    `assistant.threads.setStatus` clears itself when we post, but is to be retired; `agents.sessions.setStatus` has to
    be set back by us (docs.slack.dev/ai). The second is used where the first is gone.
    """

    def __init__(self, api: Api, *, every: float) -> None:
        self._api, self._every = api, every
        self._without: set[str] = set()
        self._shown: Recent[tuple[str, float]] = Recent()

    async def show(self, reply: Reply) -> None:
        """Says that we are at work, and again after a while: Slack takes it back."""
        thread, session, now = thread_of(reply), reply.address.id, self._api.clock()
        shown = self._shown.get(session)
        if thread is None or (shown is not None and now - shown[1] < self._every):
            return
        place = {"channel_id": reply.address.channel, "thread_ts": thread}
        asker = reply.asker.id if reply.asker else None
        self._shown.note(session, ("", now))
        if await self._tried(_ASSISTANT, {**place, "status": "is thinking …"}):
            self._shown.note(session, (_ASSISTANT, now))
        elif await self._tried(_SESSIONS, {**place, "status": "processing", "initiator_user_id": asker}):
            self._shown.note(session, (_SESSIONS, now))

    async def clear(self, reply: Reply) -> None:
        """After the last message of an answer: takes back what does not clear itself."""
        shown = self._shown.forget(reply.address.id)
        if shown is not None and shown[0] == _SESSIONS:
            await self.idle(reply)

    async def idle(self, reply: Reply) -> None:
        """After a stop: Slack leaves a stopped session in `processing` until we say otherwise."""
        thread = thread_of(reply)
        if thread is not None:
            place = {"channel_id": reply.address.channel, "thread_ts": thread}
            await self._tried(_SESSIONS, {**place, "status": "active"})

    async def presence(self, address: Address, *, is_present: bool) -> None:
        """Whether the session's card is among those that go on; only threads have one. Once Slack lets us have none,
        it is not asked again.
        """
        if address.thread is not None:
            place = {"channel_id": address.channel, "thread_ts": address.thread}
            await self._tried(_SESSIONS, {**place, "status": "active" if is_present else "closed"})

    async def _tried(self, method: str, arguments: Arguments) -> bool:
        if method in self._without:
            return False
        try:
            await self._api.write(method, arguments)
        except Refused as error:
            if error.is_lasting:
                self._without.add(method)
            log.info("without status", method=method, reason=error.code)
            return False
        except DeliveryError as error:
            log.debug("no status", method=method, reason=str(error))
            return False
        return True
