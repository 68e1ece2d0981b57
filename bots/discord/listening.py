"""Listening: one gateway connection after the other, and what they have told so far."""

from asyncio import timeout
from collections.abc import Callable
from contextlib import suppress

import structlog

from bots.discord import registration
from bots.discord.api import BAD_TOKEN, Api
from bots.discord.connection import Gateway
from bots.discord.errors import wait
from bots.discord.events import Events
from bots.discord.gate import Gate, NoStarts
from bots.discord.library import ConnectionClosed, LoginFailure, PrivilegedIntentsRequired, Redirect
from bots.discord.names import Names
from bots.discord.payloads import PLATFORM
from bots.discord.places import Places
from bots.discord.responses import Responses
from bots.discord.timings import Timings
from core.errors import DeliveryDelayed, PlatformError, where
from core.seam.adapter import Receive
from core.seam.keeping import Keeper, Sleep
from core.seam.quiet import bounded

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


class Listening:
    """Listens until it is cancelled.

    `now` is in seconds since 1970, `clock` counts them from anywhere, `pause` awaits so many.
    """

    def __init__(
        self,
        api: Api,
        responses: Responses,
        redirect: Redirect,
        *,
        token: str,
        now: Callable[[], float],
        clock: Callable[[], float],
        pause: Sleep,
        timings: Timings,
    ) -> None:
        self._now = now
        self._api, self._responses = api, responses
        self._redirect = redirect
        self._token = token
        self._gate = Gate(api, clock=clock, pause=pause)
        self._clock, self._pause = clock, pause
        self._timings = timings
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
                asked = bounded(error.retry_after) if isinstance(error, NoStarts) else wait(error)
                pause = max(min(2.0**failures, self._timings.longest_pause), asked)
                log.warning("connection lost", error=type(error).__name__, where=where(error), again_in=pause)
                await self._pause(pause)

    def hears(self) -> bool:
        """Whether a gateway session is open. A line that went dead without a word is noticed within a minute."""
        return self._open is not None and self._open[0].hears

    async def places(self) -> Places:
        """What the gateway has told, once it has told everything: it goes through the servers after it is open."""
        if self._open is not None and self._open[0].hears:
            gateway, places = self._open
            with suppress(TimeoutError):
                async with timeout(self._timings.told):
                    await gateway.told()
                    return places
        raise DeliveryDelayed("Discord's gateway has not told everything yet", retry_after=self._timings.told)

    def names(self, workspace: str) -> Names | None:
        """What was told of a server; None before anything was."""
        return self._open[1].names(workspace) if self._open is not None else None

    async def _prepared(self) -> Gateway:
        """A client that may connect, knows its intents, and has told Discord our commands."""
        await self._api.client()
        await registration.register(self._api)
        content = await self._api.may_read()
        if not content:
            log.warning(
                "mentions only",
                reason="the message content intent is off; switch on MESSAGE CONTENT INTENT on the Bot page of "
                "https://discord.com/developers to have threads read without a mention",
            )
        if self._redirect.lacks_gateway:
            self._redirect.learnt = (await self._api.gateway())["url"]
        return Gateway(self._redirect, content=content, gates=self._gate, within=self._timings.begun)

    async def _hear(self, gateway: Gateway, receive: Receive) -> None:
        places = Places(self._api, gateway, me=await self._api.me(), pauses=self._timings.again, pause=self._pause)
        keeper = Keeper(receive, platform=PLATFORM, pauses=self._timings.again, pause=self._pause)
        events = Events(self._api, self._responses, gateway, places, keeper, timings=self._timings, now=self._now)
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
