"""Slack behind the seam: Socket Mode in, the Web API out."""

from asyncio import Lock, sleep
from collections.abc import Sequence
from dataclasses import replace
from time import time

from structlog import get_logger

from bots.slack.calls import Calls, Refused
from bots.slack.examine import bot_token_problem, examination
from bots.slack.order import Order
from bots.slack.reading import Names, Reading
from bots.slack.sockets import Sockets
from bots.slack.translate import PLATFORM, Ourselves, Payload, View, translate
from bots.slack.writing import Writing
from core.adapter import Adapter, Finding, Receive
from core.errors import DeliveryDelayed, DeliveryError, PlatformError
from core.messages import Draft, Inbound, Reply

log = get_logger(platform=PLATFORM)

_LONGEST_WAIT = 30.0


class SlackAdapter(Adapter):
    """One Slack app in one workspace (or organisation).

    `agent_view` says that the app uses Slack's agent surface, where every top-level message of a DM roots a thread.
    `seconds` is how long a call of the Web API may take.
    """

    platform = PLATFORM
    max_text = 11_000
    """A markdown block takes 12,000 characters, and so does one call of the streaming methods."""
    preview_every = 1.0

    def __init__(
        self,
        *,
        bot_token: str,
        app_token: str,
        api_url: str = "https://slack.com/api/",
        agent_view: bool = True,
        seconds: float = 10.0,
    ) -> None:
        self._bot_token, self._app_token, self._api_url = bot_token, app_token, api_url
        self._agent_view, self._seconds = agent_view, seconds
        self._calls = Calls(token=bot_token, api_url=api_url, seconds=seconds)
        self._names = Names(self._calls)
        self._reading = Reading(self._calls, self._names, self._ourselves, agent_view=agent_view)
        self._writing = Writing(self._calls, self._reading)
        self._order = Order()
        self._us: Ourselves | None = None
        self._asking = Lock()

    async def listen(self, receive: Receive) -> None:
        """Raises PlatformError when Slack does not accept a token, or has switched Socket Mode off."""
        us = await self._introduced()

        async def take(payload: Payload) -> None:
            view = View(us=us, agent_view=self._agent_view, now=time())
            arrived = translate(payload, view)
            if isinstance(arrived, Inbound):
                self._writing.heard(arrived)
                await self._in_order(arrived, receive)
            elif arrived is not None:
                await receive(arrived)

        sockets = Sockets(bot_token=self._bot_token, app_token=self._app_token, api_url=self._api_url, take=take)
        await sockets.run()

    async def deliver(self, reply: Reply) -> str:
        """See Adapter. Ephemeral messages can't be looked up, so a repeated one may be seen twice by its one reader."""
        return await self._writing.deliver(reply)

    async def preview(self, reply: Reply) -> Draft | None:
        """See Adapter. Its text may lag behind, or stay as it is, where Slack's limits want that."""
        return await self._writing.preview(reply)

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """See Adapter. Most apps are allowed one such call a minute, of 15 messages."""
        return await self._reading.before(message, limit)

    async def examine(self) -> Sequence[Finding]:
        """See Adapter."""
        app_calls = Calls(token=self._app_token, api_url=self._api_url, seconds=self._seconds)
        try:
            return await examination(self._calls, app_calls, agent_view=self._agent_view)
        finally:
            await app_calls.close()

    async def close(self) -> None:
        """See Adapter."""
        await self._calls.close()

    async def _in_order(self, inbound: Inbound, receive: Receive) -> None:
        """All who wait look their names up at once, so that nobody waits for more than the one look-up."""
        async with self._order.line(inbound.address.id) as turn:
            named = await self._named(inbound)
            await turn()
            await receive(named)

    async def _named(self, inbound: Inbound) -> Inbound:
        name = await self._names.name(inbound.author.id)
        return replace(inbound, author=replace(inbound.author, name=name)) if name else inbound

    async def _introduced(self) -> Ourselves:
        """Who we are, however long Slack is out of reach; only a definite no ends it."""
        wait = 1.0
        while True:
            try:
                return await self._ourselves()
            except Refused as error:
                raise PlatformError(bot_token_problem(error.code)) from error
            except DeliveryError as error:
                log.warning("out of reach", reason=str(error), again_in=wait)
                await sleep(max(wait, error.retry_after if isinstance(error, DeliveryDelayed) else 0))
                wait = min(2 * wait, _LONGEST_WAIT)

    async def _ourselves(self) -> Ourselves:
        async with self._asking:
            if self._us is None:
                self._us = ourselves(await self._calls.read("auth.test"))
            return self._us


def ourselves(answer: Payload) -> Ourselves:
    """The installation that `auth.test` describes; docs.slack.dev/reference/methods/auth.test."""
    is_enterprise = bool(answer.get("is_enterprise_install"))
    return Ourselves(
        workspace=str(answer.get("enterprise_id") if is_enterprise else answer.get("team_id")),
        user=str(answer.get("user_id") or ""),
        bot=str(answer.get("bot_id") or ""),
        name=str(answer.get("team") or ""),
    )
