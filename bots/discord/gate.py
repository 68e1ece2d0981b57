"""The gates before every connection and every IDENTIFY: neither too many, nor too soon.

Discord allows 1,000 IDENTIFYs in 24 hours, over all shards and replicas, and resets the bot's token at the next one
(events/gateway). discord.py does not look, and reconnects without a pause.
"""

from asyncio import sleep
from collections import deque
from collections.abc import Callable
from time import monotonic

import structlog

from bots.discord.api import Api
from bots.discord.errors import Trouble
from bots.discord.payloads import PLATFORM
from core.seam.keeping import Sleep
from core.seam.quiet import bounded

log = structlog.get_logger(platform=PLATFORM)

FLOOR = 5
"""Session starts that are left alone, for other replicas and for whoever mends this."""

_BETWEEN = 5.0  # seconds between two IDENTIFYs (max_concurrency is 1 for one shard)
_LONGEST = 40.0  # discord.py gives a connection 60 seconds, this pause included
_A_DAY = 1_000  # IDENTIFYs
_PLENTY, _SCARCE = 60.0, 900.0  # seconds in which one makes the pause before the next one longer
_CONNECTIONS, _WITHIN = 5, 60.0  # so many connections in so many seconds need no pause


class NoStarts(Exception):
    """So few sessions may be started that none is, before `retry_after` seconds are over."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"no session is started for {retry_after:.0f} s")
        self.retry_after = retry_after


class Gate:
    """Holds a client back as long as Discord would mind."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = monotonic, pause: Sleep = sleep) -> None:
        self._api = api
        self._clock, self._pause = clock, pause
        self._connected: deque[float] = deque(maxlen=_CONNECTIONS)
        self._identified: deque[float] = deque(maxlen=16)

    async def before_connect(self) -> None:
        """Returns when a socket may be opened."""
        if len(self._connected) == _CONNECTIONS and self._clock() - self._connected[0] < _WITHIN:
            await self._pause(_BETWEEN)
        self._connected.append(self._clock())

    async def before_identify(self, *, initial: bool) -> None:
        """Returns when an IDENTIFY may be sent. Raises NoStarts when it would risk the token.

        Each makes the pause before the next one longer: for a minute, and where few are left of the day's, or Discord
        does not say how many, for a quarter of an hour.
        """
        remembered = _SCARCE
        try:
            limit = (await self._api.gateway()).get("session_start_limit") or {}
        except Trouble as error:
            log.warning("session starts unknown", error=type(error).__name__)
        else:
            remaining, seconds = limit.get("remaining", FLOOR), limit.get("reset_after", 0) / 1000
            if remaining < FLOOR:
                log.error(
                    "no session is started",
                    reason=f"Discord allows {remaining} more, and resets DISCORD_TOKEN when they are used up",
                    again_in=bounded(seconds),
                    remedy="see what reconnects so often",
                )
                raise NoStarts(seconds)
            if remaining > limit.get("total", _A_DAY) / 2:
                remembered = _PLENTY
        if not initial:
            recent = sum(self._clock() - when < remembered for when in self._identified)
            await self._pause(min(_BETWEEN * 2 ** max(0, recent - 1), _LONGEST))
        self._identified.append(self._clock())
