"""Leases: the sessions that this process holds, each renewed until it is served, and let go where it is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import structlog

from core.errors import DatabaseError
from core.session import Lease, SessionKey, Turn
from core.store import Database, arrivals, queue
from core.timings import Timings

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Held:
    """A session that this process holds: the first of its waiting turns, and the scope in which it may act."""

    lease: Lease
    waiting: Sequence[Turn]
    scope: asyncio.Timeout | None = None

    @property
    def question(self) -> Turn | None:
        """The turn that is being answered."""
        return self.waiting[0] if self.waiting else None


class Leases:
    """What is held here, and the task that serves each. `owner` is `host:boot/space:pid@start:`.

    Each claim adds its own number to that: so a claimant is told from every other one, of this process as well.
    """

    def __init__(self, *, database: Database, owner: str, timings: Timings) -> None:
        self._database = database
        self._owner = owner
        self._timings = timings
        self._numbers = count(1)
        self._serving: dict[Held, asyncio.Task[None]] = {}
        self._holding: dict[SessionKey, Held] = {}

    def __len__(self) -> int:
        """How many sessions are in hand."""
        return len(self._serving)

    @property
    def held(self) -> Sequence[Held]:
        """What is in hand now. A session that was claimed anew while it was in hand is there twice."""
        return list(self._serving)

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """What serves them."""
        return list(self._serving.values())

    def of(self, key: SessionKey) -> Held | None:
        """This session, where it is in hand."""
        return self._holding.get(key)

    def add(self, held: Held, serving: asyncio.Task[None]) -> None:
        """This session is in hand from now on."""
        self._serving[held] = serving
        self._holding[held.lease.key] = held

    def remove(self, held: Held) -> None:
        """It is in hand no more."""
        del self._serving[held]
        if self._holding.get(held.lease.key) is held:
            del self._holding[held.lease.key]

    def claimant(self) -> arrivals.Claimant:
        """A new claimant's name, and for how long it claims."""
        return arrivals.Claimant(owner=f"{self._owner}{next(self._numbers)}", lease=self._timings.lease)

    def until(self) -> float:
        """Until when this process may act on what it claims or renews now; read before the database is asked."""
        return asyncio.get_running_loop().time() + self._timings.acts_for

    async def renew(self) -> None:
        """Keeps what is in hand, until cancelled."""
        while True:
            await asyncio.sleep(self._timings.renewed_every)
            if held := self.held:
                await self._renew(held)
            del held  # while it sleeps, nothing of a session that is idle by now stays

    async def _renew(self, held: Sequence[Held]) -> None:
        until, leases = self.until(), [one.lease for one in held]
        try:
            async with asyncio.timeout(self._timings.renewed_every):
                ours = await self._database.write(queue.renew, leases, lease=self._timings.lease)
        except (DatabaseError, TimeoutError) as error:
            log.error("leases not renewed", reason=str(error) or "no answer in time")
            return
        for one in held:
            self._renewed(one, until) if one.lease.fenced in ours else self.lose(one)

    def _renewed(self, held: Held, until: float) -> None:
        if held not in self._serving:
            return
        held.lease.tenure.until = until
        if held.scope is not None and not held.scope.expired():
            held.scope.reschedule(until)

    def lose(self, held: Held) -> None:
        """Ends what is done under a lease that another process has taken over."""
        task = self._serving.get(held)
        if task is not None and not task.done():
            log.warning("lease lost", session=held.lease.key.address.id)
            task.cancel()
