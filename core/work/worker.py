"""The worker: claims sessions, and has what waits in them answered, one turn at a time each, many at once.

Any process may claim any session whose lease has run out; claiming is also the recovery. In-process events and the
database's notifications only make that prompt, a poll guarantees it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import time

import structlog

from core.assistant.assistant import Assistant
from core.errors import DatabaseError, LeaseLost
from core.events import Events
from core.model.envelope import whole
from core.seam.adapter import Adapter
from core.session import Lease, SessionKey, Turn
from core.store import Database, inbound, queue, turns
from core.timings import Clock, Timings
from core.work.asides import Asides
from core.work.bursts import is_burst
from core.work.capacity import Capacity
from core.work.courtesies import Courtesies
from core.work.leases import Held, Leases
from core.work.serving import LOOKS_AT, Serving

log = structlog.get_logger()


class Worker:
    """Claims sessions and has their turns answered. `owner` is as in `Leases`."""

    def __init__(
        self,
        *,
        database: Database,
        assistant: Assistant,
        owner: str,
        adapters: Mapping[str, Adapter],
        timings: Timings,
        events: Events,
        sessions: int = queue.MOST,
        clock: Clock = time,
    ) -> None:
        self._database = database
        self._runs = assistant.runs
        self._platforms = list(adapters)
        self._timings = timings
        self._wake = asyncio.Event()
        self._leases = Leases(database=database, owner=owner, timings=timings)
        self._capacity = Capacity(self._leases, sessions)
        self.courtesies = Courtesies(database=database, adapters=adapters)
        self.asides = Asides(database=database, assistant=assistant, wake=self.wake)
        self._serving = Serving(
            database=database,
            assistant=assistant,
            asides=self.asides,
            courtesies=self.courtesies,
            capacity=self._capacity,
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

    def claimant(self) -> tuple[inbound.Claimant, float] | None:
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

    def heard(self, key: SessionKey, turn: Turn, waiting: int) -> None:
        """A turn is one of so many that wait; if it directly follows what is being answered, it may join that."""
        held = self._leases.of(key)
        if held is None:
            self.wake()
        elif held.question is not None and waiting == LOOKS_AT and self._is_burst(held.question, turn):
            self._runs.again_unseen(key, held.question.seq)

    async def work(self) -> None:
        """Claims sessions and has them answered, until cancelled; what is running then goes on: see `drain`."""
        self._capacity.claims = True
        try:
            while True:
                self._wake.clear()
                try:
                    await self.claim()
                    await self._look()
                except DatabaseError as error:
                    log.error("database unreachable", reason=str(error))
                await self._rest()
        finally:
            self._capacity.claims = False

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._timings.poll):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def claim(self) -> None:
        """Takes as many sessions as may be in hand, of those that wait."""
        if not self._capacity.free:
            return
        until, patient = self._leases.until(), self._capacity.is_patient
        claimed = await self._claimed(patient=patient)
        self._capacity.want(claimed.room, patient=patient)
        for lease, waiting in claimed.sessions:
            self.take(lease, waiting, until)

    async def _claimed(self, *, patient: bool) -> queue.Claimed:
        """What the queue gives. A claim that is on its way must not be left with nobody to serve it."""
        claimant = self._leases.claimant()
        claiming = asyncio.create_task(
            self._database.write(
                queue.claim,
                owner=claimant.owner,
                lease=claimant.lease,
                platforms=self._platforms,
                limit=self._capacity.free,
                in_hand=len(self._leases),
                patient=patient,
            )
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(DatabaseError):
                for lease, _ in (await claiming).sessions:
                    await self._database.write(queue.release, lease, attempts=lease.attempts - 1)
            raise

    async def _look(self) -> None:
        """Takes notice of what has been changed or stopped elsewhere in the sessions that are held here."""
        if not len(self._leases):
            return
        new = await self._database.read(queue.news)
        for held in self._leases.held:
            if held.lease.fenced in new:
                await self.notice(held.lease.key)

    async def notice(self, key: SessionKey) -> None:
        """Looks at the waiting turns of a session again: what is being answered may have changed, or is to stop."""
        held = self._leases.of(key)
        if held is None:
            self.wake()
        elif held.question is not None:
            await self._notice(held, held.question)

    async def _notice(self, held: Held, question: Turn) -> None:
        key = held.lease.key
        try:
            seen = await self._database.write(queue.look, held.lease)
        except LeaseLost:
            self._leases.lose(held)
            return
        now = await self._database.read(turns.waiting, key, question.seq)
        if seen.stop is not None and question.seq < seen.stop:
            self._runs.stop(key, seen.stop)
        elif now is None or _says(now) != _says(question):
            self._runs.again(key, question.seq)
        elif len(seen.waiting) > 1 and self._is_burst(*seen.waiting[:2]):
            self._runs.again_unseen(key, question.seq)

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

    def _is_burst(self, question: Turn, following: Turn) -> bool:
        return is_burst(question, following, within=self._timings.burst)


def _says(question: Turn) -> tuple[float | None, list[str]]:
    """What tells two versions of a turn apart: itself, and the messages that it points at."""
    return question.edited_at, [whole(quote.text) for quote in question.quotes if quote.message is not None]
