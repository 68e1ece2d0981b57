"""Serving: a session's waiting turns are answered one after the other, until there are none or others have waited long.

Whatever goes wrong with one, it stays in the queue, and the session is given back to be claimed again.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from math import inf
from random import uniform

import structlog

from core.assistant.assistant import Assistant
from core.errors import AccessUnknown, BackscrollError, DatabaseError, DeliveryError, LeaseLost, ModelUnavailable
from core.events import Events, GaveUp, QuestionChanged
from core.session import ATTEMPTS, DEATHS, Fate, Lease, Turn
from core.store import Database, hearers, queue, upcoming
from core.timings import Clock, Timings
from core.work.asides import Asides
from core.work.bursts import is_burst
from core.work.capacity import Capacity
from core.work.courtesies import Courtesies
from core.work.leases import Held

log = structlog.get_logger()

LOOKS_AT = 2
"""How many of a session's waiting turns are looked at: the one to answer, and whether its burst goes on."""

_TURNS_IN_A_ROW, _SECONDS_IN_A_ROW = 8, 60.0  # after these, a session makes room if others have none

_LONGEST_TROUBLE = 60.0  # seconds between two tries of a turn whose answer finds no room in the database

_NO_TROUBLE = (-inf, -inf)  # since when, and when last, an answer could not be stored, by the event loop's clock


class Serving:
    """Serves sessions that were claimed by this `owner`; `wake` is called when there may be something to claim."""

    def __init__(
        self,
        *,
        database: Database,
        assistant: Assistant,
        asides: Asides,
        courtesies: Courtesies,
        capacity: Capacity,
        owner: str,
        events: Events,
        timings: Timings,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._assistant = assistant
        self._asides = asides
        self._courtesies = courtesies
        self._capacity = capacity
        self._owner = owner
        self._events = events
        self._timings = timings
        self._clock = clock
        self._wake = wake
        self._trouble = _NO_TROUBLE

    async def serve(self, held: Held) -> None:
        """Answers a session's waiting turns until there are none, or until the lease must be given back."""
        log.debug("claimed", session=held.lease.key.address.id, attempts=held.lease.attempts)
        try:
            async with asyncio.timeout_at(held.lease.tenure.until) as held.scope:
                try:
                    await self._answer_all(held)
                finally:
                    held.scope = None
        except TimeoutError:
            log.warning("lease not renewed in time", session=held.lease.key.address.id)
            await self.give_back(held.lease)
        except LeaseLost:
            log.warning("lease lost", session=held.lease.key.address.id)
        except Exception as error:  # noqa: BLE001 – whatever it was, the turn stays in the queue
            await self._back_off(held.lease, held.question, error)

    async def give_back(self, lease: Lease) -> None:
        """So that anybody may go on at once; that it was begun here is no failed attempt."""
        try:
            await self._database.write(queue.release, lease, attempts=lease.attempts - 1, others=True)
        except DatabaseError:
            log.error("lease not given back; it runs out by itself", session=lease.key.address.id)
        self._wake()

    async def _answer_all(self, held: Held) -> None:
        begun, done = self._clock(), 0
        while (question := await self._joined(held)) is not None:
            if await self._is_for_another(question):
                tells = done > 0  # else we have only looked, and those who are told would do no more
                await self._database.write(queue.release, held.lease, attempts=held.lease.attempts - 1, others=tells)
                return
            try:
                if await self._attempt(held.lease, question, queued=done > 0) is Fate.GIVEN_BACK:
                    return
            except queue.Changed:
                self._events.tell(QuestionChanged(address=held.lease.key.address, seq=question.seq))
            else:
                self._trouble = _NO_TROUBLE
                held.lease = replace(held.lease, attempts=1, deaths=0, stop=None)
                self._capacity.clear(held.lease)
                done += 1
            if self._makes_room(done, self._clock() - begun):
                await self._database.write(queue.release, held.lease, attempts=0)
                return
            await self._look_again(held)
        await self._database.write(queue.idle, held.lease)
        self._wake()  # something may have arrived since

    async def _is_for_another(self, question: Turn) -> bool:
        """Whether it is to be answered where it was said, which is not here, and somebody is there to answer it."""
        hearer = question.slip.hearer
        if hearer is None or hearer == self._owner:
            return False
        return await self._database.read(hearers.is_there, owner=hearer, within=self._timings.silent)

    def _makes_room(self, done: int, seconds: float) -> bool:
        """Whether a session of which so much was answered is given back, although something waits there."""
        long_enough = done >= _TURNS_IN_A_ROW or seconds >= _SECONDS_IN_A_ROW
        return self._capacity.makes_room or (self._capacity.is_full and long_enough)

    async def _joined(self, held: Held) -> Turn | None:
        """The turn to answer now; the newest message of a burst stands for all of it."""
        while len(held.waiting) > 1 and is_burst(*held.waiting[:2], within=self._timings.burst):
            first, second = held.waiting[:2]
            with suppress(queue.Changed):
                await self._database.write(queue.merge, held.lease, first, second)
            await self._look_again(held)
        return held.question

    async def _look_again(self, held: Held) -> None:
        """What waits now, and what is set by now: a change holds from the next answer on."""
        found = await self._database.read(upcoming.next_waiting, held.lease.key, LOOKS_AT)
        held.waiting = found.waiting
        held.lease = replace(held.lease, overrides=found.overrides)

    async def _attempt(self, lease: Lease, question: Turn, *, queued: bool) -> Fate:
        aside = self._asides.of((lease.key.address, question.message or ""))
        if aside is not None:
            await asyncio.wait([aside])
            return Fate.KEPT
        self._courtesies.take_back(lease.key, question)
        if lease.attempts > ATTEMPTS or lease.deaths >= DEATHS:
            return await self._give_up(lease, question)
        return await self._assistant.answer(lease, question, queued=queued)

    async def _give_up(self, lease: Lease, question: Turn) -> Fate:
        address, attempts, deaths = lease.key.address, lease.attempts - 1, lease.deaths
        why = f"{DEATHS} processes ended over it" if deaths >= DEATHS else f"{ATTEMPTS} attempts failed"
        fate = await self._assistant.give_up(lease, question, why)
        self._events.tell(GaveUp(address=address, seq=question.seq, attempts=attempts, deaths=deaths))
        return fate

    async def _back_off(self, lease: Lease, question: Turn | None, error: Exception) -> None:
        """Gives the session back with its turn undone, to be claimed again later."""
        after = self._pause(lease, error)
        known = isinstance(error, BackscrollError)
        reason = f"{type(error).__name__}: {error}" if known else type(error).__name__
        log.warning(
            "to be tried again",
            session=lease.key.address.id,
            attempt=lease.attempts,
            seconds=round(after, 1),
            reason=reason,
            exc_info=None if known else error,
        )
        failed = (question.seq, reason) if question is not None else None
        try:
            await self._database.write(queue.release, lease, attempts=_counted(lease, error), after=after, error=failed)
        except DatabaseError:
            log.error("lease not given back; it runs out by itself", session=lease.key.address.id)
            return
        asyncio.get_running_loop().call_later(after, self._wake)

    def _pause(self, lease: Lease, error: Exception) -> float:
        """In how many seconds the turn is tried again."""
        after: float = self._timings.back_off * 2 ** (lease.attempts - 1) * uniform(0.8, 1.2)  # noqa: S311 – jitter, not a secret
        if isinstance(error, ModelUnavailable | AccessUnknown):
            after = max(after, min(error.retry_after or 0, self._timings.longest_wait))
        if isinstance(error, DatabaseError):  # the model may have been paid for what could not be stored
            now = asyncio.get_running_loop().time()
            since, last = self._trouble
            self._trouble = (now if now - last > 2 * _LONGEST_TROUBLE else since, now)
            after = max(after, min(now - self._trouble[0], _LONGEST_TROUBLE))
        return after


def _counted(lease: Lease, error: Exception) -> int:
    """How many attempts count after one that failed like this."""
    if isinstance(error, ModelUnavailable | AccessUnknown | DatabaseError):
        return min(lease.attempts, ATTEMPTS - 2)  # what is away is no fault of the message's
    if isinstance(error, DeliveryError):
        return min(lease.attempts, ATTEMPTS - 1)  # the outbox gives up by itself
    return lease.attempts
