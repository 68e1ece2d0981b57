"""The Discord adapter: a gateway that hears and a REST client that speaks, behind the three verbs of the seam."""

from asyncio import sleep, timeout
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, time

import structlog

from bots.discord import files, registration
from bots.discord.admins import is_admin
from bots.discord.api import BAD_TOKEN, Api
from bots.discord.connection import Gateway
from bots.discord.doctor import examination
from bots.discord.errors import asking, calling
from bots.discord.events import Events
from bots.discord.gate import Gate
from bots.discord.history import History
from bots.discord.library import ConnectionClosed, HTTPException, LoginFailure, PrivilegedIntentsRequired, Redirect
from bots.discord.lookup import Lookup
from bots.discord.names import Names
from bots.discord.payloads import DIRECT, PLATFORM
from bots.discord.places import Places
from bots.discord.posting import Posting
from bots.discord.reactions import Reactions
from bots.discord.render import render
from bots.discord.screen import Screen
from bots.discord.timings import Timings
from core.config import Settings
from core.errors import DeliveryDelayed, PlatformError, where
from core.seam.adapter import Adapter, Finding, Receive
from core.seam.address import Address
from core.seam.keeping import Keeper, Sleep
from core.seam.messages import Draft, Inbound, Reply
from core.seam.settings import check_addresses, tokens

log = structlog.get_logger(platform=PLATFORM)

CLOSED = {
    4004: BAD_TOKEN,
    4010: "Discord refused our shard (4010): this version runs one shard",
    4011: "Discord requires sharding for this many servers (4011): this version runs one shard",
    4012: "Discord no longer speaks this gateway version (4012): update Backscroll",
    4013: "Discord does not know the intents that we ask for (4013): update Backscroll",
    4014: "Discord refused the message content intent (4014): switch on MESSAGE CONTENT INTENT for the application of "
    "DISCORD_TOKEN, on the Bot page of https://discord.com/developers",
}
"""Close codes that no reconnecting mends (topics/opcodes-and-status-codes), and what does."""


class DiscordAdapter(Adapter):
    """One Discord application. The addresses are Discord's own unless they are given.

    Without the message content intent it still answers mentions, replies to its messages and direct messages; what
    else people say in a thread arrives empty then, and is not passed on. `now` is in seconds since 1970,
    `clock` counts seconds from anywhere, `pause` awaits so many.
    """

    platform = PLATFORM
    max_text = 1900  # of 2,000 in a unit that Discord does not name
    preview_every = 1.2  # five edits in five seconds is the commonly observed bucket
    rings = False  # every write says whom it may mention, see `replies.mentions`
    bridges = 0.0  # a session that was lost is not replayed, and how long one lives is Discord's secret

    def __init__(
        self,
        *,
        token: str,
        api_url: str | None = None,
        gateway_url: str | None = None,
        cdn_url: str | None = None,
        now: Callable[[], float] = time,
        clock: Callable[[], float] = monotonic,
        pause: Sleep = sleep,
        timings: Timings | None = None,
    ) -> None:
        self._timings = timings = timings or Timings()
        self._token = token.strip()
        self._redirect = Redirect(api=api_url, gateway=gateway_url, cdn=cdn_url)
        self._api = Api(self._token, self._redirect)
        self._screen = Screen(self._api)
        self._reactions = Reactions(self._api)
        self._posting = Posting(self._api, Lookup(self._api), self._screen, now=now, timings=timings)
        self._history = History(self._api, timings=timings)
        self._gate = Gate(self._api, clock=clock, pause=pause)
        self._clock, self._pause = clock, pause
        self._open: tuple[Gateway, Places] | None = None

    async def listen(self, receive: Receive) -> None:
        """Keeps a gateway connection until cancelled; an end that the library did not mend itself is mended here."""
        failures = 0
        while True:
            begun = self._clock()
            try:
                await self._hear(await self._prepared(), receive)
            except PlatformError:
                raise
            except Exception as error:  # noqa: BLE001  # discord.py's loop ends by whatever its parsing meets
                failures = 1 if self._clock() - begun > self._timings.long_life else failures + 1
                pause = min(2.0**failures, self._timings.longest_pause)
                log.warning("connection lost", error=type(error).__name__, where=where(error), again_in=pause)
                await self._pause(pause)

    async def deliver(self, reply: Reply) -> str:
        """See `posting`."""
        return await self._posting.deliver(reply)

    async def preview(self, reply: Reply) -> Draft | None:
        """See `posting`."""
        return await self._posting.preview(reply)

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """See `history`."""
        async with asking(self._timings.patience):
            me = await self._api.me()
        names = self._open[1].names(message.address.workspace) if self._open else Names(me=me)
        return await self._history.before(message, limit, names)

    async def fetch(self, address: Address, source: str, limit: int) -> bytes:
        """See `files`."""
        return await files.fetch(self._api, source, limit, patience=self._timings.patience)

    def hears(self) -> bool:
        """Whether a gateway session is open. A line that went dead without a word is noticed within a minute."""
        return self._open is not None and self._open[0].hears

    async def places(self, since: float) -> Sequence[Address]:
        """See `places`: channels and active threads. Direct channels and archived threads are not told to bots."""
        return (await self._known()).spoken(since)

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        """See `history`. The gateway knows which role is ours: a server's history is read while it is open.

        Where the gateway has told that nobody has spoken since, nothing is read.
        """
        if address.workspace != DIRECT and (await self._known()).is_quiet(address, after):
            return []
        return await self._history.since(address, after, await self._names(address))

    async def is_admin(self, address: Address, person: str, *, workspace: bool) -> bool:
        """See `admins`: who may manage the channel, or the server."""
        async with asking(self._timings.patience):
            return await is_admin(self._api, address, person, workspace=workspace)

    async def withdraw(self, address: Address, message: str) -> None:
        """See `screen`."""
        async with calling(self._timings.patience):
            await self._screen.withdraw(address, message)

    async def reconcile(self, reply: Reply, message: str) -> None:
        """See `lookup`."""
        await self._posting.reconcile(reply, message)

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """See `reactions`."""
        async with calling(self._timings.patience):
            await self._reactions.mark(address, message, waits=waits)

    def render(self, text: str) -> str:
        """See `render`."""
        return render(text)

    async def examine(self) -> Sequence[Finding]:
        """Token, intents, session starts and servers, by reading alone."""
        return await examination(self._api)

    async def close(self) -> None:
        """Closes the REST connections, which outlive `listen` so that what is being answered can be said."""
        await self._api.close()

    async def _known(self) -> Places:
        """What the gateway has told, once it has told everything: it goes through the servers after it is open."""
        if self._open is not None and self._open[0].hears:
            gateway, places = self._open
            with suppress(TimeoutError):
                async with timeout(self._timings.told):
                    await gateway.told()
                    return places
        raise DeliveryDelayed("Discord's gateway has not told everything yet", retry_after=self._timings.told)

    async def _names(self, address: Address) -> Names:
        if address.workspace != DIRECT:
            return (await self._known()).names(address.workspace)
        async with asking(self._timings.patience):
            return Names(me=await self._api.me())

    async def _prepared(self) -> Gateway:
        """A client that may connect, knows its intents, and has told Discord our commands."""
        await self._api.client()
        await self._register()
        content = await self._api.may_read()
        if not content:
            log.warning(
                "mentions only",
                reason="the message content intent is off; switch on MESSAGE CONTENT INTENT on the Bot page of "
                "https://discord.com/developers to have threads read without a mention",
            )
        if self._redirect.lacks_gateway:
            self._redirect.gateway = (await self._api.gateway())["url"]
        return Gateway(self._redirect, content=content, gates=self._gate)

    async def _hear(self, gateway: Gateway, receive: Receive) -> None:
        places = Places(self._api, gateway, me=await self._api.me(), pauses=self._timings.again, pause=self._pause)
        keeper = Keeper(receive, platform=PLATFORM, pauses=self._timings.again, pause=self._pause)
        events = Events(self._api, gateway, places, keeper, timings=self._timings)
        async with events.hearing():
            self._open = gateway, places
            try:
                await gateway.start(self._token)
            except LoginFailure as error:
                raise PlatformError(BAD_TOKEN) from error
            except PrivilegedIntentsRequired as error:
                raise PlatformError(CLOSED[4014]) from error
            except ConnectionClosed as error:
                if error.code in CLOSED:
                    raise PlatformError(CLOSED[error.code]) from error
                raise
        raise ConnectionError("the gateway connection ended")

    async def _register(self) -> None:
        """Tells Discord our commands where it does not know them; without them, mentions still work."""
        try:
            overwrite = registration.overwrite(await self._api.commands())
            if overwrite is not None:
                await self._api.commands(overwrite)
                log.info("commands registered")
        except HTTPException as error:
            log.warning("commands not registered", status=error.status, code=error.code)


def from_settings(settings: Settings) -> DiscordAdapter:
    """The adapter that the settings ask for. Raises ConfigurationError, which names what is missing or wrong."""
    (token,) = tokens("Discord", DISCORD_TOKEN=settings.discord_token)
    check_addresses("http", DISCORD_API_URL=settings.discord_api_url, DISCORD_CDN_URL=settings.discord_cdn_url)
    check_addresses("ws", DISCORD_GATEWAY_URL=settings.discord_gateway_url)
    return DiscordAdapter(
        token=token,
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        cdn_url=settings.discord_cdn_url,
    )
