"""The worker: claims sessions, and has what waits in them answered, one turn at a time each, many at once.

Any process may claim any session whose lease has run out; claiming is also the recovery. In-process events and the
database's notifications only make that prompt, a poll guarantees it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic, time

import structlog

from core.assistant.assistant import Assistant
from core.errors import DatabaseError, DatabaseGone
from core.events import Events
from core.seam.adapter import Adapter
from core.session import Lease, Turn
from core.store import Database, arrivals, claims, queue
from core.timings import Clock, Timings
from core.work.asides import Asides
from core.work.capacity import Capacity
from core.work.courtesies import Courtesies
from core.work.leases import Held, Leases
from core.work.noticing import Noticing
from core.work.serving import Serving

log = structlog.get_logger()


class Worker:
    """Claims sessions and has their turns answered. `owner` is as in `Leases`.

    Beside that: `asides` are commands that don't queue, `courtesies` the signs on what has to wait, and `noticing`
    is told of what changes meanwhile.
    """

    def __init__(
        self,
        *,
        database: Database,
        assistant: Assistant,
        owner: str,
        adapters: Mapping[str, Adapter],
        timings: Timings,
        events: Events,
        sessions: int = claims.MOST,
        clock: Clock = time,
    ) -> None:
        self._database = database
        self._platforms = list(adapters)
        self._hearers = {name: owner for name, adapter in adapters.items() if not adapter.shared}
        self._timings = timings
        self._wake = asyncio.Event()
        self._born = monotonic()
        self._leases = Leases(database=database, owner=owner, timings=timings)
        self._capacity = Capacity(self._leases, sessions)
        self.courtesies = Courtesies(database=database, adapters=adapters)
        self.asides = Asides(database=database, assistant=assistant, wake=self.wake)
        self.noticing = Noticing(
            database=database, runs=assistant.runs, leases=self._leases, timings=timings, wake=self.wake
        )
        self._serving = Serving(
            database=database,
            assistant=assistant,
            asides=self.asides,
            courtesies=self.courtesies,
            capacity=self._capacity,
            owner=owner,
            events=events,
            timings=timings,
            clock=clock,
            wake=self.wake,
        )

    @property
    def busy(self) -> Sequence[asyncio.Task[None]]:
        """What is being answered now."""
        return [*self._leases.tasks, *self.asides.tasks]

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be begun here."""
        return self._capacity.is_full

    def hearer(self, platform: str) -> str | None:
        """Who alone can answer what is said here on this platform: this process, where it has a screen of its own."""
        return self._hearers.get(platform)

    def claimant(self) -> tuple[arrivals.Claimant, float] | None:
        """Who would answer a message that arrives now, and until when; None when somebody else must."""
        return None if self.is_full else (self._leases.claimant(), self._leases.until())

    def take(self, lease: Lease, waiting: Sequence[Turn], until: float) -> None:
        """Serves a session that was claimed with these turns by this process, which may act on it until then."""
        lease.tenure.until = until
        held = Held(lease, waiting)
        self._capacity.take(lease)
        crowded = self._capacity.is_exceeded  # by what was on its way when a suspect was claimed
        task = asyncio.create_task(self._serving.give_back(lease) if crowded else self._serving.serve(held))
        self._leases.add(held, task)
        task.add_done_callback(partial(self._served, held))

    def _served(self, held: Held, _task: asyncio.Task[None]) -> None:
        if self.is_full:
            self.wake()  # others may have waited for this place; otherwise to look for work would be in vain
        self._leases.remove(held)
        self._capacity.clear(held.lease)

    def wake(self) -> None:
        """There may be something to claim, or news of what is held."""
        self._wake.set()

    async def work(self) -> None:
        """Claims sessions and has them answered, until cancelled; what is running then goes on. Raises DatabaseGone."""
        self._capacity.claims = True
        pause = self._timings.poll
        try:
            while True:
                self._wake.clear()
                try:
                    await self.claim()
                    await self.noticing.look()
                except DatabaseGone:  # whoever starts us again finds the database that there is
                    raise
                except DatabaseError as error:
                    log.error("database unreachable", reason=str(error), again_in=pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._timings.longest_poll)
                    continue
                pause = self._timings.poll
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._timings.poll):
                        await self._wake.wait()
        finally:
            self._capacity.claims = False

    async def claim(self) -> None:
        """Takes as many sessions as may be in hand, of those that wait."""
        if not self._capacity.free:
            return
        until, patient = self._leases.until(), self._capacity.is_patient
        claimed = await self._claimed(patient=patient)
        self._capacity.want(claimed.room, patient=patient)
        for lease, waiting in claimed.sessions:
            self.take(lease, waiting, until)

    async def _claimed(self, *, patient: bool) -> claims.Claimed:
        """What the queue gives. A claim that is on its way must not be left with nobody to serve it."""
        claimant = self._leases.claimant()
        claiming = asyncio.create_task(
            self._database.write(
                claims.claim,
                owner=claimant.owner,
                lease=claimant.lease,
                platforms=self._platforms,
                limit=self._capacity.free,
                in_hand=len(self._leases),
                patient=patient,
                lived=monotonic() - self._born,
            )
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(DatabaseError):
                for lease, _ in (await claiming).sessions:
                    await self._database.write(queue.release, lease, attempts=lease.attempts - 1)
            raise

    async def renew(self) -> None:
        """Keeps the leases of what is being answered, until cancelled; needed until the end of `drain`."""
        await self._leases.renew()

    async def drain(self, seconds: float) -> None:
        """Lets running answers finish within so many seconds, and gives the rest back for anybody to claim."""
        self._capacity.drains = True
        if self.busy and seconds > 0:
            await asyncio.wait(self.busy, timeout=seconds)
        cut = self._leases.held
        left = [*self.busy, *self.courtesies.tasks]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for held in cut:
            await self._serving.give_back(held.lease)
