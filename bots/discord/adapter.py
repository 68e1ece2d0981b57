"""The Discord adapter: a gateway that hears and a REST client that speaks, behind the three verbs of the seam."""

from asyncio import sleep
from collections.abc import Callable, Sequence
from time import monotonic, time

import structlog

from bots.discord import slash, translate
from bots.discord.examination import examination
from bots.discord.failures import Trouble, delivery_error
from bots.discord.gate import Gate
from bots.discord.hearing import Ear, Sleep
from bots.discord.library import (
    ConnectionClosed,
    Gateway,
    HTTPException,
    LoginFailure,
    PrivilegedIntentsRequired,
    Redirect,
    where,
)
from bots.discord.render import render
from bots.discord.rest import BAD_TOKEN, Rest
from bots.discord.speaking import Speaker
from bots.discord.translate import PLATFORM
from core.adapter import Adapter, Finding, Receive
from core.errors import DeliveryDelayed, DeliveryUnknown, PlatformError
from core.messages import Draft, Inbound, Reply

log = structlog.get_logger(platform=PLATFORM)

PATIENCE = 90.0
"""How long one delivery may take, in seconds: the library's five tries of a 5xx (25 s), rate limits, slow answers."""

LONGEST_PAUSE = 300.0
"""Between two gateway connections that failed, in seconds: 288 a day, while 1,000 are allowed."""

LONG_LIFE = 600.0
"""A connection that lived this long was a good one: the pauses begin anew, in seconds."""

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
    else people say in a thread arrives empty then, and is not passed on.
    """

    platform = translate.PLATFORM
    max_text = 1900  # of 2,000 in a unit that Discord does not name
    preview_every = 1.2  # five edits in five seconds is the commonly observed bucket

    def __init__(
        self,
        *,
        token: str,
        api_url: str | None = None,
        gateway_url: str | None = None,
        cdn_url: str | None = None,
        now: Callable[[], float] = time,
        pause: Sleep = sleep,
        patience: float = PATIENCE,
    ) -> None:
        self._token = token.strip()
        self._redirect = Redirect(api=api_url, gateway=gateway_url, cdn=cdn_url)
        self._rest = Rest(self._token, self._redirect)
        self._speaker = Speaker(self._rest, now=now, patience=patience)
        self._gate = Gate(self._rest, pause=pause)
        self._pause = pause

    async def listen(self, receive: Receive) -> None:
        """Keeps a gateway connection until cancelled; an end that the library did not mend itself is mended here."""
        failures = 0
        while True:
            begun = monotonic()
            try:
                await self._hear(await self._gateway(), receive)
            except PlatformError:
                raise
            except Exception as error:  # noqa: BLE001  # discord.py's loop ends by whatever its parsing meets
                failures = 1 if monotonic() - begun > LONG_LIFE else failures + 1
                pause = min(2.0**failures, LONGEST_PAUSE)
                log.warning("connection lost", error=type(error).__name__, where=where(error), again_in=pause)
                await self._pause(pause)

    async def deliver(self, reply: Reply) -> str:
        """See `speaking`."""
        return await self._speaker.deliver(reply)

    async def preview(self, reply: Reply) -> Draft | None:
        """See `speaking`."""
        return await self._speaker.preview(reply)

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """The talk since our own last answer here. Where we may not read the history, Discord shows us none."""
        address = message.address
        try:
            names = translate.Names(me=await self._rest.me())
            found = await self._rest.history(
                address.thread or address.channel, max(1, min(limit, 100)), before=message.id
            )
        except (*Trouble, PlatformError) as error:
            trouble = delivery_error(error)
            if isinstance(trouble, DeliveryUnknown):
                trouble = DeliveryDelayed(str(trouble), retry_after=5.0)
            raise trouble from error
        heard: list[Inbound] = []
        for payload in found:
            said = translate.earlier(payload, address, names)
            if said is not None and said.author.is_self:
                break
            if said is not None:
                heard.append(said)
        return heard[::-1]

    def render(self, text: str) -> str:
        """See `render`."""
        return render(text)

    async def examine(self) -> Sequence[Finding]:
        """Token, intents, session starts and servers, by reading alone."""
        return await examination(self._rest)

    async def close(self) -> None:
        """Closes the REST connections, which outlive `listen` so that what is being answered can be said."""
        await self._rest.close()

    async def _gateway(self) -> Gateway:
        """A client that may connect, knows its intents, and has told Discord our commands."""
        await self._rest.client()
        await self._register()
        content = await self._rest.may_read()
        if not content:
            log.warning(
                "mentions only",
                reason="the message content intent is off; switch on MESSAGE CONTENT INTENT on the Bot page of "
                "https://discord.com/developers to have threads read without a mention",
            )
        if self._redirect.lacks_gateway:
            self._redirect.gateway = (await self._rest.gateway())["url"]
        return Gateway(self._redirect, content=content, gates=self._gate)

    async def _hear(self, gateway: Gateway, receive: Receive) -> None:
        ear = Ear(self._rest, gateway, receive, me=await self._rest.me(), pause=self._pause)
        async with ear.hearing():
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
            overwrite = slash.overwrite(await self._rest.commands())
            if overwrite is not None:
                await self._rest.commands(overwrite)
                log.info("commands registered")
        except HTTPException as error:
            log.warning("commands not registered", status=error.status, code=error.code)
