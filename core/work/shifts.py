"""Shifts: what one process does at a time, whichever is free, and another one goes on with where it has ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog

from core.errors import DatabaseError, LeaseLost
from core.store import Database, chores
from core.timings import Timings

log = structlog.get_logger()

T = TypeVar("T")

_NO_ANSWER = "no answer in time"


class Shifts:
    """Does chores under a lease in the database. `owner` is this process's name, which no other one has."""

    def __init__(self, *, database: Database, owner: str, timings: Timings) -> None:
        self.owner = owner
        self._database = database
        self._timings = timings

    async def once(
        self,
        name: str,
        place: str,
        do: Callable[[], Awaitable[float | None]],
        *,
        every: float,
        after_failure: float,
    ) -> float:
        """Does it, unless it is not due yet or another process is at it; returns in how many seconds to ask again.

        It is due for anybody again in `every` seconds, or in as many as `do` returns; where it was cut off, at once.
        Raises LeaseLost when another process may have taken it over meanwhile, a DatabaseError, and what `do` raises.
        """
        until = self._until()
        left = await self._take(name, place)
        if left:
            return min(left, every)  # who is at it may end any moment
        after = 0.0
        try:
            async with self._held(name, place, until):
                again = await do()
                after = every if again is None else again
        except Exception:
            after = after_failure
            raise
        finally:
            await self._leave(name, place, after)
        return after

    async def _take(self, name: str, place: str) -> float:
        lease = self._timings.lease
        try:
            return await self._whole(self._database.write(chores.take, name, place, owner=self.owner, lease=lease))
        except asyncio.CancelledError:
            await self._leave(name, place, 0.0)
            raise

    @asynccontextmanager
    async def _held(self, name: str, place: str, until: float) -> AsyncIterator[None]:
        """The scope in which this process may act: renewed while it lasts, and ended where that fails for too long."""
        try:
            async with asyncio.timeout_at(until) as scope:
                renewing = asyncio.create_task(self._renew(name, place, scope))
                try:
                    yield
                finally:
                    renewing.cancel()
                    await asyncio.wait([renewing])
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise LeaseLost("not renewed in time") from error

    async def _renew(self, name: str, place: str, scope: asyncio.Timeout) -> None:
        lease = self._timings.lease
        every, ours = self._timings.renewed_every, True
        while ours:
            await asyncio.sleep(every)
            until = self._until()
            try:
                async with asyncio.timeout(every):
                    ours = await self._database.write(chores.extend, name, place, owner=self.owner, lease=lease)
            except (DatabaseError, TimeoutError) as error:
                log.error("chore not held", chore=name, place=place, reason=str(error) or _NO_ANSWER)
                continue
            if not scope.expired():
                scope.reschedule(until if ours else asyncio.get_running_loop().time())

    async def _leave(self, name: str, place: str, after: float) -> None:
        try:
            async with asyncio.timeout(self._timings.renewed_every):
                await self._whole(self._database.write(chores.leave, name, place, owner=self.owner, after=after))
        except (DatabaseError, TimeoutError) as error:
            reason = str(error) or _NO_ANSWER
            log.error("chore not given back; its lease runs out", chore=name, place=place, reason=reason)

    async def _whole(self, writing: Coroutine[object, object, T]) -> T:
        """What is on its way to the database comes to its end, also where we are ended meanwhile: else nobody knows."""
        task = asyncio.create_task(writing)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=self._timings.renewed_every)
            raise

    def _until(self) -> float:
        """Until when this process may act on what it takes or renews now; read before the database is asked."""
        return asyncio.get_running_loop().time() + self._timings.acts_for
