"""One gateway connection: discord.py keeps it, and we take the events that we hear before discord.py reads them.

discord.py's parsers turn a gateway event into objects inside the loop that reads the socket, where one unexpected
payload ends the connection and costs an IDENTIFY (1,000 a day, then Discord resets the token). So every parser is
guarded, and the events that we hear are taken as they came off the wire.
"""

import threading
from asyncio import Event, Timeout, get_running_loop, timeout
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import structlog
from aiohttp import ClientWebSocketResponse

from bots.discord.library import DEFAULT_GATEWAY, Client, Json, KeepAliveHandler, Redirect, Talkable
from bots.discord.payloads import PLATFORM, Payload
from bots.discord.timings import Timings
from core.errors import where

log = structlog.get_logger(platform=PLATFORM)

Tap = Callable[[Payload], None]


class Gates(Protocol):
    """What is awaited before a client connects and identifies; it may raise to prevent it."""

    async def before_connect(self) -> None:
        """Before each socket, also those on which a session is resumed."""

    async def before_identify(self, *, initial: bool) -> None:
        """Before each IDENTIFY; `initial` is the first of a client."""


class AddressLost(Exception):
    """No session was begun or resumed at an address that can be asked for anew."""


class Gateway(Client):
    """A client that listens, and passes the gates first. A session has `within` seconds to begin, or be resumed."""

    def __init__(self, redirect: Redirect, *, content: bool, gates: Gates, within: float = Timings().begun) -> None:
        super().__init__(redirect, content=content)
        self._gates, self._redirect, self._within = gates, redirect, within
        self._deadline: Timeout | None = None
        self._socket: ClientWebSocketResponse | None = None
        self._open = False
        self._awaited: set[str] = set()  # servers that READY has named, and of which nothing more is known yet
        self._told = Event()
        self._tried = ""
        self._failed: set[str] = set()  # addresses of sockets over which no session was begun or resumed
        connect = self.http.ws_connect

        async def connected(url: str, *, compress: int = 0) -> ClientWebSocketResponse:
            address = self._trusted(url)
            self._open = False
            self._expect(self._within)
            await gates.before_connect()
            self._socket = await connect(address, compress=compress)
            return self._socket

        self.http.ws_connect = connected  # type: ignore[method-assign]  # ours, see above
        parsers = self._connection.parsers
        for event, then in (("READY", self._begun), ("RESUMED", self._resumed), ("GUILD_CREATE", self._known)):
            parsers[event] = _both(parsers[event], then)

    def tap(self, taps: Mapping[str, Tap], *, also: Mapping[str, Tap]) -> None:
        """Hands these events to the taps as they came, and keeps every other parser from ending the connection.

        Those of `also` are for the library's cache as well, once they were tapped.
        """
        parsers = self._connection.parsers
        for event, parse in parsers.items():
            parsers[event] = _guarded(event, taps.get(event, parse))
            if event in also:
                parsers[event] = _both(_guarded(event, also[event]), parsers[event])

    @property
    def hears(self) -> bool:
        """Whether a session is open and its socket stands; a line that went dead is noticed within a minute."""
        return self._open and self._socket is not None and not self._socket.closed

    async def told(self) -> None:
        """Returns when the cache holds every server of this session; those in an outage are not waited for long."""
        await self._told.wait()

    def note(self, payload: Payload) -> None:
        """Keeps the cache's newest message of a channel up to date, as the parser that we replace would."""
        guild = self.get_guild(int(payload.get("guild_id") or 0))
        channel = guild.get_channel_or_thread(int(payload["channel_id"])) if guild else None
        if isinstance(channel, Talkable):
            channel.last_message_id = max(int(payload["id"]), channel.last_message_id or 0)

    def talkable(self) -> Iterator[Talkable]:
        """Every channel and active thread that the gateway has told of."""
        for guild in self.guilds:
            here: list[Talkable] = [*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.threads]
            yield from here

    def _trusted(self, url: str) -> str:
        """The socket to open for this one: where the last one had no session, its address is not tried once more.

        The library tries to resume at the address that the session was given for as long as it lives. Raises
        AddressLost where an API has named the usual address, and can be asked for another one.
        """
        if self._tried and not self._open:
            self._failed.add(self._tried)
        self._tried, mark, query = url.partition("?")
        if self._tried not in self._failed:
            return url
        if DEFAULT_GATEWAY in self._failed and self._redirect.lacks_gateway:
            raise AddressLost("the gateway that the API has named")
        self._tried = DEFAULT_GATEWAY
        return DEFAULT_GATEWAY + mark + query

    def _begun(self, payload: Json) -> None:
        self._failed.clear()
        self._awaited = {guild["id"] for guild in payload["guilds"]}
        self._told.clear()
        self._open = True
        self._bear()

    def _resumed(self, _: Json) -> None:
        self._open = True
        self._bear()

    def _expect(self, seconds: float | None) -> None:
        """A session, in so many seconds; None where there is one, or nobody is asked for it now."""
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(None if seconds is None else get_running_loop().time() + seconds)

    async def connect(self, *, reconnect: bool = True) -> None:
        """Called by the library. Raises TimeoutError where no session comes of a socket, though that stands."""
        async with timeout(None) as self._deadline:
            await super().connect(reconnect=reconnect)

    def _bear(self) -> None:
        """There is a session. From now on a frame that is no JSON, or nested too deeply to be read, does not end it."""
        self._expect(None)
        receive = self.ws.received_message

        async def received(frame: str | bytes) -> None:
            try:
                await receive(frame)
            except (ValueError, RecursionError) as error:
                log.warning("frame unreadable", error=type(error).__name__, where=where(error))

        self.ws.received_message = received  # type: ignore[method-assign]  # ours, see the module

    def _known(self, payload: Json) -> None:
        self._awaited.discard(payload["id"])
        if not self._awaited:
            self._told.set()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Called by the library."""
        await self._gates.before_identify(initial=initial)

    async def close(self) -> None:
        """Ends the connection, and the socket and heartbeat thread of one that was still being opened.

        discord.py 2.7.1 forgets those when it is cancelled or refused between HELLO and READY, and, soon after that,
        the task that waits for the last servers.
        """
        if (waiting := self._connection._ready_task) is not None:  # noqa: SLF001 – see the module
            waiting.cancel()
        await super().close()
        if self._socket is not None and not self._socket.closed:
            await self._socket.close()
        for thread in threading.enumerate():
            if isinstance(thread, KeepAliveHandler) and thread.ws.socket is self._socket:
                thread.stop()

    def dispatch(self, event: str, /, *args: object, **kwargs: object) -> None:
        """Called by the library, which may come to an event of a client that is closed, and fails over that."""
        if event == "disconnect":
            self._expect(None)
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_ready(self) -> None:
        """Called by the library, more than once in a life."""
        self._told.set()
        log.info("ready", guilds=len(self.guilds))


def _both(first: Callable[[Any], None], then: Callable[[Any], None]) -> Callable[[Any], None]:
    def both(payload: Json) -> None:
        first(payload)
        then(payload)

    return both


def _guarded(event: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
    def guarded(payload: Json) -> None:
        try:
            parse(payload)
        except Exception as error:  # noqa: BLE001  # whatever it is, the connection is worth more than one event
            log.warning("event unreadable", discord_event=event, error=type(error).__name__, where=where(error))

    return guarded
