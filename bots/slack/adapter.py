"""Slack behind the seam: Socket Mode in, the Web API out."""

from asyncio import Lock, sleep
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic, time

from structlog import get_logger

from bots.slack import links
from bots.slack.admins import is_admin
from bots.slack.api import Api
from bots.slack.channels import Channels
from bots.slack.connection import Sockets
from bots.slack.doctor import bot_token_problem, examination
from bots.slack.errors import Refused
from bots.slack.events import Events
from bots.slack.files import Files
from bots.slack.history import History
from bots.slack.lookup import Lookup
from bots.slack.names import Names
from bots.slack.pages import Pages
from bots.slack.payloads import PLATFORM, Ourselves, Payload, is_ts
from bots.slack.posting import Posting
from bots.slack.reactions import Reactions
from bots.slack.reconcile import reconcile
from bots.slack.screen import Screen
from bots.slack.status import Status
from bots.slack.timings import Timings
from core.config import Settings
from core.errors import ConfigurationError, DeliveryDelayed, DeliveryUnknown, PlatformError
from core.seam.adapter import Adapter, Finding, Receive
from core.seam.address import Address
from core.seam.keeping import Sleep
from core.seam.links import Linked
from core.seam.messages import Draft, Inbound, Reply
from core.seam.ordering import Ordering
from core.seam.settings import check_addresses, tokens

log = get_logger(platform=PLATFORM)


class SlackAdapter(Adapter):
    """One Slack app in one workspace (or organisation).

    `agent_view` says that the app uses Slack's agent surface, where every top-level message of a DM roots a thread.
    `now` is in seconds since 1970, `clock` counts seconds from anywhere, `pause` awaits so many.
    """

    platform = PLATFORM
    max_text = 11_000
    """A markdown block takes 12,000 characters, and so does one call of the streaming methods."""
    preview_every = 1.0
    bridges = 60.0
    """Slack repeats what is not acknowledged at once, after 1 minute and after 5 (docs.slack.dev/apis/events-api), but
    how Socket Mode spaces them, and what becomes of an event while no socket is open, is not said: so only the first
    minute is counted on."""

    def __init__(
        self,
        *,
        bot_token: str,
        app_token: str,
        api_url: str = "https://slack.com/api/",
        agent_view: bool = True,
        timings: Timings | None = None,
        now: Callable[[], float] = time,
        clock: Callable[[], float] = monotonic,
        pause: Sleep = sleep,
    ) -> None:
        self._timings = timings = timings or Timings()
        self._now, self._pause = now, pause
        self._bot_token, self._app_token, self._api_url = bot_token, app_token, api_url
        self._agent_view = agent_view
        self._api = Api(token=bot_token, api_url=api_url, seconds=timings.call, clock=clock)
        pages = Pages(self._api)
        self._status = status = Status(self._api, every=timings.status)
        self._names = Names(self._api, timings=timings)
        self._channels = Channels(self._api, timings=timings)
        is_public = self._channels.is_public
        self._history = History(
            self._api, pages, self._names, self._ourselves, is_public, agent_view=agent_view, timings=timings, now=now
        )
        self._files = Files(self._api, api_url)
        self._lookup = Lookup(pages, self._ourselves)
        self._screen = Screen(self._api, status, edit_every=timings.edit)
        self._posting = Posting(self._api, self._lookup, self._screen, status, now=now)
        self._reactions = Reactions(self._api)
        self._order = Ordering(seconds=timings.turn)
        self._sockets: Sockets | None = None
        self._us: Ourselves | None = None
        self._asking = Lock()

    async def listen(self, receive: Receive) -> None:
        """Raises PlatformError when Slack does not accept a token, or has switched Socket Mode off."""
        us = await introduced(self._ourselves, pause=self._pause, timings=self._timings)
        events = Events(
            receive,
            us,
            self._names,
            self._channels,
            self._heard,
            order=self._order,
            agent_view=self._agent_view,
            now=self._now,
        )
        api = Api(token=self._app_token, api_url=self._api_url, seconds=self._timings.call, clock=self._api.clock)
        self._sockets = sockets = Sockets(api, take=events.take, timings=self._timings, pause=self._pause)
        try:
            await sockets.run()
        finally:
            await api.close()

    def hears(self) -> bool:
        """See Adapter: while one of the sockets is open. A network that goes away unnoticed is noticed in 20 s."""
        return self._sockets is not None and self._sockets.hears()

    async def deliver(self, reply: Reply) -> str:
        """See Adapter. Ephemeral messages can't be looked up, so a repeated one may be seen twice by its one reader."""
        return await self._posting.deliver(reply)

    async def preview(self, reply: Reply) -> Draft | None:
        """See Adapter. Its text may lag behind, or stay as it is, where Slack's limits want that."""
        return await self._posting.preview(reply)

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """See Adapter. Most apps are allowed one such call a minute, of 15 messages."""
        return await self._history.before(message, limit)

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        """See Adapter. Most apps read 15 messages a minute: a repeated call goes on where the last one had to end.

        `places` has none: an app would have to ask for the history of each channel that it is in, at one a minute.
        """
        return await self._history.since(address, after)

    async def fetch(self, address: Address, source: str, limit: int) -> bytes:
        """See Adapter. The app needs the scope files:read."""
        return await self._files.fetch(address, source, limit)

    async def link(self, address: Address, message: str) -> str | None:
        """See `links`."""
        return links.link(await self._ourselves(), address, message)

    async def linked(self, words: str) -> Linked | None:
        """See `links`."""
        return links.linked(await self._ourselves(), words, agent_view=self._agent_view)

    async def is_admin(self, address: Address, person: str, *, workspace: bool) -> bool:
        """See Adapter: Slack's admins and owners have power over all of a workspace."""
        return await is_admin(self._api, address, person)

    async def sees(self, address: Address, person: str) -> bool:
        """See `channels`."""
        return await self._channels.sees(address, person, await self._ourselves())

    async def withdraw(self, address: Address, message: str) -> None:
        """See Adapter. What only one person sees can't be taken away."""
        if is_ts(message):
            await self._screen.withdraw(address, message)

    async def reconcile(self, reply: Reply, message: str) -> None:
        """See Adapter."""
        await reconcile(
            reply, message, lookup=self._lookup, screen=self._screen, now=self._now, young=self._timings.young
        )

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """See Adapter: an hourglass."""
        await self._reactions.mark(address, message, waits=waits)

    async def presence(self, address: Address, *, is_present: bool) -> None:
        """See Adapter: the session's card, where Slack has one."""
        await self._status.presence(address, is_present=is_present)

    async def examine(self) -> Sequence[Finding]:
        """See Adapter."""
        app_api = Api(token=self._app_token, api_url=self._api_url, seconds=self._timings.call)
        try:
            return await examination(self._api, app_api, agent_view=self._agent_view)
        finally:
            await app_api.close()

    async def close(self) -> None:
        """See Adapter."""
        await self._api.close()

    def _heard(self, inbound: Inbound) -> None:
        self._posting.heard(inbound)
        self._history.heard(inbound)

    async def _ourselves(self) -> Ourselves:
        async with self._asking:
            if self._us is None:
                self._us = ourselves(await self._api.read("auth.test"))
            return self._us


def from_settings(settings: Settings) -> SlackAdapter:
    """The adapter that the settings ask for. Raises ConfigurationError, which names what is missing or wrong."""
    bot_token, app_token = tokens(
        "Slack", SLACK_BOT_TOKEN=settings.slack_bot_token, SLACK_APP_TOKEN=settings.slack_app_token
    )
    if bot_token.startswith("xapp-") or app_token.startswith("xox"):
        raise ConfigurationError(
            "SLACK_BOT_TOKEN is the bot's token (xoxb-…), SLACK_APP_TOKEN the app-level one (xapp-…): they are swapped,"
            " or one stands in the other's place"
        )
    check_addresses("http", SLACK_API_URL=settings.slack_api_url)
    return SlackAdapter(bot_token=bot_token, app_token=app_token, api_url=settings.slack_api_url)


async def introduced(ask: Callable[[], Awaitable[Ourselves]], *, pause: Sleep, timings: Timings) -> Ourselves:
    """Who we are, however long Slack is out of reach; only its own word about the token ends it, as a PlatformError."""
    wait = timings.first_pause
    while True:
        try:
            return await ask()
        except Refused as error:
            if error.is_about_token:
                raise PlatformError(bot_token_problem(error.code)) from error
            reason, asked = str(error), 0.0
        except (DeliveryDelayed, DeliveryUnknown) as error:
            reason, asked = str(error), error.retry_after or 0.0
        log.warning("out of reach", reason=reason, again_in=max(wait, asked))
        await pause(max(wait, asked))
        wait = min(2 * wait, timings.longest_pause)


def ourselves(answer: Payload) -> Ourselves:
    """The installation that `auth.test` describes; docs.slack.dev/reference/methods/auth.test."""
    is_enterprise = bool(answer.get("is_enterprise_install"))
    return Ourselves(
        workspace=str(answer.get("enterprise_id") if is_enterprise else answer.get("team_id")),
        user=str(answer.get("user_id") or ""),
        bot=str(answer.get("bot_id") or ""),
        name=str(answer.get("team") or ""),
        handle=str(answer.get("user") or ""),
        url=str(answer.get("url") or ""),
        organisation=str(answer.get("enterprise_id") or ""),
    )
