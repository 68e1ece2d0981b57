"""The connections to a server: as many of the library's clients as the answers under way need."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from ssl import SSLContext

import httpx2
import openai

from core.errors import ConfigurationError
from core.proxies import proxy_for

STREAMS = 100
"""How many answers share one client: for each that begins or ends, its pool walks through all of its connections."""

WHOLE = 600.0
"""Seconds that an answer in one piece may take: nothing is heard of it before it is whole."""


class Clients:
    """Clients of one server, of which each has at most so many answers under way; `first` is always there.

    Raises ConfigurationError for a key that can't be one.
    """

    def __init__(self, url: str, *, key: str | None, connect_timeout: float, streams: int = STREAMS) -> None:
        self._streams = streams
        self._door = asyncio.Lock()
        self._connect = partial(
            connected,
            url,
            key=_key(key),
            timeout=openai.Timeout(connect=connect_timeout, read=WHOLE, write=30.0, pool=10.0),
        )
        self.first = self._connect()
        self.answers = Counter({self.first: 0})
        """How many each has under way."""

    @asynccontextmanager
    async def for_an_answer(self) -> AsyncIterator[openai.AsyncOpenAI]:
        """The first client with room for one more: where there are few, their connections are used again.

        One answer begins in each pass of the loop: a thousand at once would fill it for seconds.
        """
        async with self._door:
            await asyncio.sleep(0)
        client = next((one for one, answers in self.answers.items() if answers < self._streams), None)
        client = client or self._connect()
        self.answers[client] += 1
        try:
            yield client
        finally:
            self.answers[client] -= 1

    async def close(self) -> None:
        """Lets go of the connections."""
        for client in self.answers:
            await client.close()


def connected(url: str, *, key: str, timeout: openai.Timeout | float) -> openai.AsyncOpenAI:
    """A client of this server, through the HTTP proxy that leads there, if one does. Raises ConfigurationError.

    The library itself would read every proxy of the environment, and fail over one of another kind that it never needs.
    """
    road = openai.DefaultAsyncHttpxClient(proxy=proxy_for(url), verify=_certificates(), trust_env=False)
    return openai.AsyncOpenAI(api_key=key, base_url=url, http_client=road, timeout=timeout, max_retries=0)


@cache
def _certificates() -> SSLContext:
    """Those that the environment names, or this machine trusts."""
    return httpx2.create_ssl_context()


def _key(key: str | None) -> str:
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError("OPENAI_API_KEY holds characters that no key has: copy it again, without blanks.")
    return key or "none"  # servers of one's own often need no key, but the client library does
