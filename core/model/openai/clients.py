"""The connections to a server: as many of the library's clients as the answers under way need."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import openai

from core.errors import ConfigurationError

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
            openai.AsyncOpenAI,
            api_key=_key(key),
            base_url=url,
            timeout=openai.Timeout(connect=connect_timeout, read=WHOLE, write=30.0, pool=10.0),
            max_retries=0,
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


def _key(key: str | None) -> str:
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError("OPENAI_API_KEY holds characters that no key has: copy it again, without blanks.")
    return key or "none"  # servers of one's own often need no key, but the client library does
