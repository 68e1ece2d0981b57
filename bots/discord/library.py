"""The door to discord.py: the only file that imports it, and with `connection` the only one in its private parts.

discord.py keeps its endpoints in class attributes. They are left alone: each client's own `request`, `ws_connect` and
`get_from_cdn` are wrapped instead, so that two adapters in one process can talk to two servers.
"""

import logging
import re
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse

from bots.discord.answers import ALL, BOT, Quieted, Uncertain, heeding, page
from bots.discord.payloads import PLATFORM, Payload
from bots.discord.timings import Timings
from core.proxies import proxy_for
from core.seam.quiet import Quiet, bounded

with warnings.catch_warnings():
    # discord.py 2.7.1 imports audioop for voice, which Python 3.11 and 3.12 call deprecated; 3.13 uses audioop-lts
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord
    from discord.asset import Asset
    from discord.backoff import ExponentialBackoff
    from discord.gateway import DiscordWebSocket
    from discord.gateway import KeepAliveHandler as KeepAliveHandler
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
Voiced = discord.VoiceChannel | discord.StageChannel
"""What people connect to: who may not, does not read what is written there either."""

Talkable = discord.TextChannel | Voiced | discord.Thread
"""Where people talk; a forum has nothing but threads, which are called posts there."""

Json = Any
"""Whatever Discord answered; whoever reads it knows the endpoint."""

DEFAULT_GATEWAY = str(DiscordWebSocket.DEFAULT_GATEWAY)

FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
"""Where Discord keeps what people attach (reference); nothing that a message names is fetched from anywhere else."""

_UNREADABLE = (AttributeError, RecursionError, TypeError, ValueError)
"""What the library fails by over a page that it takes for an answer of Discord's."""

_REFUSALS: Mapping[int, type[HTTPException]] = {HTTPStatus.FORBIDDEN: Forbidden, HTTPStatus.NOT_FOUND: NotFound}

_PAUSE = 6  # the longest before another try to connect: 2**6 seconds
_STOOD = 10.0  # seconds after which a line was a good one

LONGEST_WAIT = 30.0
"""How long a request may wait for a rate limit inside the library, in seconds; its smallest setting."""


class Pauses(ExponentialBackoff[bool]):
    """The pauses before another try to connect: longer each time, up to a minute, and short again once a line stood.

    discord.py 2.7.1 lets them grow to 17 minutes, and forgets a failure only after 34 minutes without one: where the
    line fails now and then, nobody is heard for ever longer.
    """

    def __init__(self, base: int = 1, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(base)
        self._max, self._clock = _PAUSE, clock
        self._over = clock()

    def delay(self) -> float:
        """How long the pause is that begins now, in seconds."""
        if self._clock() - self._over > _STOOD:
            self._exp = 0
        seconds = super().delay()
        self._over = self._clock() + seconds
        return seconds


vars(discord.client)[ExponentialBackoff.__name__] = Pauses  # there is no setting for it


class Redirect:
    """Where Discord is: its own addresses, or a compatible server, a proxy, a test; and when it wants no requests.

    An API address without a version gets the one that we speak, and one without a path gets Discord's.
    Each address is reached by its own proxy, or by none, while the library knows one for all. A request that is told
    nothing for `silence` seconds ends: the library would wait for five minutes.
    """

    def __init__(
        self,
        *,
        api: str | None = None,
        gateway: str | None = None,
        cdn: str | None = None,
        clock: Callable[[], float] = monotonic,
        silence: float = Timings().silence,
    ) -> None:
        self._quiet = Quiet(clock)
        self._silence = ClientTimeout(total=None, sock_connect=silence, sock_read=silence)
        self.api = _versioned(api) if api else Route.BASE
        self.gateway = gateway
        """None is Discord's; with another API, it is what that API says."""
        self.learnt: str | None = None
        """What that API has said."""
        self.cdn = (cdn or Asset.BASE).rstrip("/")
        for url in (self.api, gateway or DEFAULT_GATEWAY, self.cdn):
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
            async with self._listening_to(route):
                http.proxy = proxy_for(route.url)  # read by the library before it awaits anything, here and below
                options["timeout"] = self._silence
                answer = await request(route, **options)  # type: ignore[arg-type]  # handed through
            if isinstance(answer, str) and answer:
                raise Uncertain("not Discord, but a page answered", everywhere=True)
            return answer

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

    @asynccontextmanager
    async def _listening_to(self, route: Route) -> AsyncIterator[None]:
        """One request: not made where none is wanted, and of what it raises only Discord's own word is its refusal."""
        key = f"{route.key} {route.major_parameters}"
        by_ticket = route.path.startswith(("/webhooks/", "/interactions/"))
        if left := max(self._quiet.left(key), self._quiet.left(ALL if by_ticket else BOT)):
            raise Quieted(left)
        try:
            try:
                yield
            except HTTPException as error:
                if (foreign := await page(error.response)) is not None:
                    raise foreign from error
                raise
            except _UNREADABLE as error:
                raise Uncertain("not Discord, but something unreadable answered", everywhere=True) from error
        except Quieted as error:
            self._quiet.keep(error.retry_after, key if error.scope is None else error.scope)
            raise
        except Uncertain as error:
            if error.retry_after is not None:
                self._quiet.keep(bounded(error.retry_after), ALL if error.everywhere else key)
            raise

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
        gateway = self.gateway or self.learnt
        if gateway is None or not url.startswith(DEFAULT_GATEWAY):
            return url
        return gateway.partition("?")[0] + url.removeprefix(DEFAULT_GATEWAY)


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
            http_trace=heeding(LONGEST_WAIT),
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
                raise _REFUSALS.get(response.status, HTTPException)(response, "file refused")
            while len(data) < limit and (more := await response.content.read(limit - len(data))):
                data += more
        return bytes(data)


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
