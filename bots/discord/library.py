"""The door to discord.py: the only file that imports it, and the only one that reaches into its private parts.

discord.py keeps its endpoints in class attributes. They are left alone: each client's own `request`, `ws_connect` and
`get_from_cdn` are wrapped instead, so that two adapters in one process can talk to two servers.

Its parsers turn a gateway event into objects inside the loop that reads the socket, where one unexpected payload ends
the connection and costs an IDENTIFY (1,000 a day, then Discord resets the token). So every parser is guarded, and the
events that we hear are taken as they came off the wire.
"""

import logging
import re
import threading
import warnings
from asyncio import Event
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, TraceConfig, TraceRequestEndParams

from bots.discord.payloads import PLATFORM, Payload
from core.config import proxy_for

with warnings.catch_warnings():
    # discord.py 2.7.1 imports audioop for voice, which Python 3.11 and 3.12 call deprecated; 3.13 uses audioop-lts
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord
    from discord.asset import Asset
    from discord.gateway import DiscordWebSocket, KeepAliveHandler
    from discord.http import HTTPClient, Route

log = structlog.get_logger(platform=PLATFORM)

ConnectionClosed = discord.ConnectionClosed
Forbidden = discord.Forbidden
Guild = discord.Guild
HTTPException = discord.HTTPException
LoginFailure = discord.LoginFailure
NotFound = discord.NotFound
PrivilegedIntentsRequired = discord.PrivilegedIntentsRequired
RateLimited = discord.RateLimited
Thread = discord.Thread

Talkable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
"""Where people talk; a forum has nothing but threads, which are called posts there."""

Json = Any
"""Whatever Discord answered; whoever reads it knows the endpoint."""

Tap = Callable[[Payload], None]

FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
"""Where Discord keeps what people attach (reference); nothing that a message names is fetched from anywhere else."""

_REFUSALS: Mapping[int, type[HTTPException]] = {HTTPStatus.FORBIDDEN: Forbidden, HTTPStatus.NOT_FOUND: NotFound}

LONGEST_WAIT = 30.0
"""How long a request may wait for a rate limit inside the library, in seconds; its smallest setting."""


class Gates(Protocol):
    """What is awaited before a client connects and identifies; it may raise to prevent it."""

    async def before_connect(self) -> None:
        """Before each socket, also those on which a session is resumed."""

    async def before_identify(self, *, initial: bool) -> None:
        """Before each IDENTIFY; `initial` is the first of a client."""


class Redirect:
    """Where Discord is: its own addresses, or a compatible server, a proxy, a test.

    An API address without a version gets the one that we speak, and one without a path gets Discord's.
    Each address is reached by its own proxy, or by none, while the library knows one for all.
    """

    def __init__(self, *, api: str | None = None, gateway: str | None = None, cdn: str | None = None) -> None:
        self.api = _versioned(api) if api else Route.BASE
        self.gateway = gateway
        """None is Discord's; with another API, it is what that API says."""
        self.cdn = (cdn or Asset.BASE).rstrip("/")
        for url in (self.api, gateway or str(DiscordWebSocket.DEFAULT_GATEWAY), self.cdn):
            proxy_for(url)  # one that is no use is said before anything connects

    @property
    def lacks_gateway(self) -> bool:
        """Whether the API is another one and nobody has said where its gateway is."""
        return self.gateway is None and self.api != Route.BASE

    def apply(self, http: HTTPClient) -> None:
        """Makes this client's requests, sockets and downloads go there."""
        request, connect, download = http.request, http.ws_connect, http.get_from_cdn

        async def redirected(route: Route, **options: object) -> Json:
            route.url = self.api + route.url.removeprefix(Route.BASE)
            http.proxy = proxy_for(route.url)  # read by the library before it awaits anything, here and below
            return await request(route, **options)  # type: ignore[arg-type]  # handed through

        async def connected(url: str, *, compress: int = 0) -> ClientWebSocketResponse:
            url = self.socket(url)
            http.proxy = proxy_for(url)
            return await connect(url, compress=compress)

        async def downloaded(url: str) -> bytes:
            url = self.cdn + url.removeprefix(Asset.BASE) if url.startswith(Asset.BASE) else url
            http.proxy = proxy_for(url)
            return await download(url)

        http.request, http.ws_connect, http.get_from_cdn = (  # type: ignore[method-assign]  # ours, see above
            redirected,
            connected,
            downloaded,
        )

    def file(self, url: str) -> str:
        """Where this file is: on Discord's own hosts, or on the server in their place. Raises ValueError elsewhere."""
        asked, here = urlsplit(url), urlsplit(self.cdn)
        path = f"{asked.path}?{asked.query}"
        if asked.scheme == "https" and asked.netloc in FILE_HOSTS:
            return self.cdn + path if self.cdn != Asset.BASE else f"https://{asked.netloc}{path}"
        is_here = asked[:2] == here[:2] and asked.path.startswith(f"{here.path}/")
        if not is_here or ".." in asked.path.split("/"):
            raise ValueError("not one of Discord's files")
        return f"{here.scheme}://{here.netloc}{path}"

    def socket(self, url: str) -> str:
        """The socket to open for this one; a session is resumed at the address that the server named for it."""
        default = str(DiscordWebSocket.DEFAULT_GATEWAY)
        if self.gateway is None or not url.startswith(default):
            return url
        return self.gateway.partition("?")[0] + url.removeprefix(default)


class Uncertain(ClientError):
    """Discord answered an edit with a server error: it may have been made, or be made later."""


def _edits_once() -> TraceConfig:
    """Keeps the library from repeating an edit after a 5xx, of which nobody would learn.

    The first may still be made after a newer one. A post is repeated with the same nonce, and so does no harm.
    """

    async def seen(_session: object, _context: object, ended: TraceRequestEndParams) -> None:
        if ended.method == "PATCH" and ended.response.status >= 500:
            raise Uncertain(f"Discord answered an edit with {ended.response.status}")

    config = TraceConfig()
    config.on_request_end.append(seen)
    return config


class Client(discord.Client):
    """A client that keeps nothing it can do without: no members, no messages, no mentions by accident."""

    def __init__(self, redirect: Redirect, *, content: bool = False) -> None:
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # a voice is not missed here
        super().__init__(
            intents=discord.Intents(
                guilds=True, guild_messages=True, dm_messages=True, **({"message_content": True} if content else {})
            ),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=LONGEST_WAIT,
            http_trace=_edits_once(),
        )
        redirect.apply(self.http)
        self._redirect = redirect

    async def call(
        self, method: str, path: str, *, json: object = None, query: Payload | None = None, **parameters: str
    ) -> Json:
        """One REST request: `path` with its parameters in braces, as discord.py counts rate limits by them."""
        options: dict[str, Any] = {}
        if json is not None:
            options["json"] = json
        if query is not None:
            options["params"] = query
        return await self.http.request(Route(method, path, **parameters), **options)

    async def download(self, url: str, limit: int) -> bytes:
        """At most the first `limit` bytes of a file; nothing of ours is sent along, and no redirect is followed.

        Raises ValueError where the address is not Discord's.
        """
        address = self._redirect.file(url)
        session: ClientSession = self.http._HTTPClient__session  # type: ignore[attr-defined]  # noqa: SLF001
        data = bytearray()
        async with session.get(
            address, proxy=proxy_for(str(address)), allow_redirects=False, headers={"Accept-Encoding": "identity"}
        ) as response:
            if response.status != HTTPStatus.OK:
                refusal: dict[int, type[HTTPException]] = {
                    HTTPStatus.FORBIDDEN: Forbidden,
                    HTTPStatus.NOT_FOUND: NotFound,
                }
                raise refusal.get(response.status, HTTPException)(response, "file refused")
            while len(data) < limit and (more := await response.content.read(limit - len(data))):
                data += more
        return bytes(data)

    def tap(self, taps: Mapping[str, Tap], *, also: Mapping[str, Tap]) -> None:
        """Hands these events to the taps as they came, and keeps every other parser from ending the connection.

        Those of `also` are for the library's cache as well, once they were tapped.
        """
        parsers = self._connection.parsers
        for event, parse in parsers.items():
            parsers[event] = _guarded(event, taps.get(event, parse))
            if event in also:
                parsers[event] = _both(_guarded(event, also[event]), parsers[event])


class Gateway(Client):
    """A client that listens, and passes the gates first."""

    def __init__(self, redirect: Redirect, *, content: bool, gates: Gates) -> None:
        super().__init__(redirect, content=content)
        self._gates = gates
        self._socket: ClientWebSocketResponse | None = None
        self._open = False
        self._awaited: set[str] = set()  # servers that READY has named, and of which nothing more is known yet
        self._told = Event()
        connect = self.http.ws_connect

        async def connected(url: str, *, compress: int = 0) -> ClientWebSocketResponse:
            self._open = False
            await gates.before_connect()
            self._socket = await connect(url, compress=compress)
            return self._socket

        self.http.ws_connect = connected  # type: ignore[method-assign]  # ours, see above
        parsers = self._connection.parsers
        for event, then in (("READY", self._begun), ("RESUMED", self._resumed), ("GUILD_CREATE", self._known)):
            parsers[event] = _both(parsers[event], then)

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

    def _begun(self, payload: Json) -> None:
        self._awaited = {guild["id"] for guild in payload["guilds"]}
        self._told.clear()
        self._open = True

    def _resumed(self, _: Json) -> None:
        self._open = True

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
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_ready(self) -> None:
        """Called by the library, more than once in a life."""
        self._told.set()
        log.info("ready", guilds=len(self.guilds))


def where(error: BaseException) -> str:
    """The line that raised it, for the log. Not its traceback: the frames hold tokens and what people said."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else ""


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


def _versioned(api: str) -> str:
    api = api.rstrip("/")
    if re.search(r"/v\d+$", api):
        return api
    path = "/v10" if re.match(r"https?://[^/]+/", api) else "/api/v10"
    return api + path


class _WithoutTokens(logging.Filter):
    """Takes interaction tokens out of the addresses that discord.py logs when it meets a rate limit."""

    _token = re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/?\s]+")

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                self._token.sub(r"\1…", argument) if isinstance(argument, str) else argument for argument in record.args
            )
        return True


logging.getLogger("discord.http").addFilter(_WithoutTokens())
