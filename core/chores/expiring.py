"""Expiring: words that have been kept for as long as is set are taken out, a few turns in each transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from core.memory.retention import Ends, ends
from core.policy import Policy
from core.session import SessionKey
from core.store import Database, expiring, forgetting
from core.store.engine.sql import micro
from core.store.expiring import FIRST, Old, Oldest, Place, Times
from core.timings import Timings

log = structlog.get_logger()

_AT_ONCE = 1_000  # turns that are looked at in one transaction
_REJECTED = 30 * 86_400.0  # seconds; for whoever looks into what could not be read


class Expiring:
    """Goes through all sessions, under the deployment's policy and what is set for each.

    Time is the database's own, as a process with a wrong clock would take out what is young. `wake` is called when
    somebody who holds a session is to look again.
    """

    def __init__(
        self, *, database: Database, policy: Policy, timings: Timings, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._policy = policy
        self._timings = timings
        self._wake = wake

    async def sweep(self) -> None:
        """Takes out all that is old by now, or will be before the next time. Raises a DatabaseError.

        What is out by then stays out, and the rest goes the next time.
        """
        turns = 0
        async for key, times in self._old():
            turns += await self._expire(key, times)
        await self._drop_rejected()
        if turns:
            log.info("kept long enough", turns=turns)

    async def count(self) -> list[tuple[SessionKey, Old]]:
        """What `sweep` would take out, of each session of which it would."""
        found = {key: times async for key, times in self._old()}
        return [(key, await self._database.read(expiring.count, key, times)) for key, times in found.items()]

    async def _old(self) -> AsyncIterator[tuple[SessionKey, Times]]:
        """The sessions in which something is old, and what of them is; a long one may come several times."""
        place: Place | None = FIRST
        while place is not None:
            found, place = await self._database.read(expiring.page, after=place, most=_AT_ONCE)
            for one in found:
                times = self._times(one)
                if any(map(_is_before, one.times, times)):
                    yield one.key, times
            await asyncio.sleep(self._timings.between)

    def _times(self, one: Oldest) -> Times:
        over = self._ends(self._policy.under(one.overrides), one.now)
        return Times(*(None if end is None else micro(end) for end in over))

    def _ends(self, policy: Policy, now: float) -> Ends:
        return ends(policy, now, ahead=self._timings.expire)

    async def _drop_rejected(self) -> None:
        seconds = min(self._policy.retention_overheard, _REJECTED)
        await self._database.write(expiring.drop_rejected, seconds=seconds)

    async def _expire(self, key: SessionKey, times: Times) -> int:
        turns = 0
        while True:
            step = await self._database.write(forgetting.expire, key, times)
            if step.told:
                self._wake()
            if not step.turns:
                return turns
            turns += step.turns
            await asyncio.sleep(self._timings.between)


def _is_before(oldest: int | None, end: int | None) -> bool:
    return oldest is not None and end is not None and oldest < end
