"""The worker: holds sessions, and has what waits in them answered, one turn at a time each, many at once.

Any process may claim any session whose lease has run out; claiming is also the recovery. In-process events and the
database's notifications only make that prompt, a poll guarantees it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from random import uniform
from time import time

import structlog

from core.assistant import Assistant
from core.errors import BackscrollError, DatabaseError, DeliveryError, LeaseLost, ModelUnavailable
from core.model.envelope import whole
from core.seam.address import Address
from core.session import ATTEMPTS, Lease, Progress, SessionKey, Turn
from core.store import Database, inbound, queue, turns
from core.timings import Timings
from core.work.suspects import Suspects

log = structlog.get_logger()

DEATHS = 6
"""Over how many processes that ended a message is given up. Over the last three of them it was the only one in hand."""

LOOKS_AT = 2
"""How many of a session's waiting turns are looked at: the one to answer, and whether its burst goes on."""

_RENEWED_EVERY = 1 / 4  # of a lease: two renewals may fail
_ACTS_FOR = 2 / 3  # of a lease: what is called then has ended before another process may claim the session
_TURNS_IN_A_ROW, _SECONDS_IN_A_ROW = 8, 60.0  # after these, a session makes room if others have none


@dataclass(slots=True, eq=False)
class _Held:
    """A session that this process holds: the first of its waiting turns, and the scope in which it may act."""

    lease: Lease
    waiting: Sequence[Turn]
    scope: asyncio.Timeout | None = None

    @property
    def question(self) -> Turn | None:
        """The turn that is being answered."""
        return self.waiting[0] if self.waiting else None


class Worker:
    """Claims sessions and has their turns answered.

    `owner` is `host:boot/space:pid@start:`; each claim adds its own number.
    """

    def __init__(
        self,
        *,
        database: Database,
        assistant: Assistant,
        owner: str,
        platforms: Sequence[str],
        timings: Timings,
        sessions: int = queue.MOST,
    ) -> None:
        self._database = database
        self._assistant = assistant
        self._owner = owner
        self._numbers = count(1)
        self._platforms = platforms
        self._timings = timings
        self._sessions = sessions
        self._wake = asyncio.Event()
        self._serving: dict[_Held, asyncio.Task[None]] = {}
        self._suspects = Suspects()
        self._holding: dict[SessionKey, _Held] = {}
        self._asides: dict[tuple[Address, str], asyncio.Task[None]] = {}
        self._courtesies: set[asyncio.Task[None]] = set()
        self._working = self._draining = False

    @property
    def busy(self) -> Sequence[asyncio.Task[None]]:
        """What is being answered now."""
        return [*self._serving.values(), *self._asides.values()]

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be begun here."""
        in_hand = len(self._serving)
        return not self._working or self._draining or in_hand >= self._sessions or self._suspects.is_full(in_hand)

    def claimant(self) -> tuple[inbound.Claimant, float] | None:
        """Who would answer a message that arrives now, and until when; None when somebody else must."""
        if self.is_full:
            return None
        return inbound.Claimant(owner=self._name(), lease=self._timings.lease), self._until()

    def take(self, lease: Lease, waiting: Sequence[Turn], until: float) -> None:
        """Serves a session that was claimed with these turns by this process, which may act on it until then."""
        lease.tenure.until = until
        held = _Held(lease, waiting)
        self._suspects.take(lease)
        crowded = len(self._serving) >= self._suspects.room  # by what was on its way when a suspect was claimed
        task = asyncio.create_task(self._give_back(lease) if crowded else self._serve(held))
        self._serving[held] = task
        self._holding[lease.key] = held
        task.add_done_callback(partial(self._served, held))

    def wake(self) -> None:
        """There may be something to claim, or news of what is held."""
        self._wake.set()

    def heard(self, key: SessionKey, turn: Turn, waiting: int) -> None:
        """A turn is one of so many that wait; if it directly follows what is being answered, it may join that."""
        held = self._holding.get(key)
        if held is None:
            self._wake.set()
        elif held.question is not None and waiting == LOOKS_AT and self._is_burst(held.question, turn):
            self._assistant.again(key, held.question.seq, unseen=True)

    def step_aside(self, place: tuple[Address, str]) -> "asyncio.Future[tuple[SessionKey, Turn] | None] | None":
        """Has a command that does not queue answered once the future returned says where it was accepted.

        It is known before that, so that whoever serves the session leaves it alone. If we die over it, it is queued.
        None when this process is at it already.
        """
        if place in self._asides:
            return None
        accepted: asyncio.Future[tuple[SessionKey, Turn] | None] = asyncio.get_running_loop().create_future()
        task = self._asides[place] = asyncio.create_task(self._answer_aside(accepted))
        task.add_done_callback(lambda _: self._asides.pop(place, None))
        return accepted

    async def _answer_aside(self, accepted: "asyncio.Future[tuple[SessionKey, Turn] | None]") -> None:
        found = await accepted
        if found is None:
            return
        key, question = found
        try:
            if await self._database.read(turns.waiting, key, question.seq) is not None:
                await self._assistant.answer(key, question, lease=None)
                _told(question, key)
        except Exception as error:  # noqa: BLE001 – it stays in the queue, and whoever claims the session answers it
            log.warning("command left to the queue", session=key.address.id, error=type(error).__name__)
        self._wake.set()

    async def work(self) -> None:
        """Claims sessions and has them answered, until cancelled; what is running then goes on: see `drain`."""
        self._working = True
        try:
            while True:
                self._wake.clear()
                try:
                    await self._claim()
                    if self._holding:
                        await self._look()
                except DatabaseError as error:
                    log.error("database unreachable", reason=str(error))
                await self._rest()
        finally:
            self._working = False

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._timings.poll):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _claim(self) -> None:
        in_hand, patient = len(self._serving), self._suspects.patient
        free = min(self._sessions, self._suspects.room) - in_hand
        if free <= 0:
            return
        until = self._until()
        claiming = asyncio.create_task(
            self._database.write(
                queue.claim,
                owner=self._name(),
                lease=self._timings.lease,
                platforms=self._platforms,
                limit=free,
                in_hand=in_hand,
                patient=patient,
            )
        )
        try:
            claimed = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(DatabaseError):  # it is on its way, and must not be left claimed with nobody to serve it
                for lease, _ in (await claiming).sessions:
                    await self._database.write(queue.release, lease, attempts=lease.attempts - 1)
            raise
        self._suspects.want(claimed.room, patient=patient)
        for lease, waiting in claimed.sessions:
            self.take(lease, waiting, until)

    async def _look(self) -> None:
        """Takes notice of what has been changed or stopped elsewhere in the sessions that are held here."""
        new = await self._database.read(queue.news)
        for held in list(self._serving):
            if held.lease.fenced in new:
                await self.notice(held.lease.key)

    async def notice(self, key: SessionKey) -> None:
        """Looks at the waiting turns of a session again: what is being answered may have changed, or is to stop."""
        held = self._holding.get(key)
        if held is None:
            self._wake.set()
            return
        if held.question is None:
            return
        question = held.question
        try:
            seen = await self._database.write(queue.look, held.lease)
        except LeaseLost:
            self._lose(held)
            return
        now = await self._database.read(turns.waiting, key, question.seq)
        if seen.stop is not None and question.seq < seen.stop:
            self._assistant.stop(key, seen.stop)
        elif now is None or _says(now) != _says(question):
            self._assistant.again(key, question.seq)
        elif len(seen.waiting) > 1 and self._is_burst(*seen.waiting[:2]):
            self._assistant.again(key, question.seq, unseen=True)

    def _served(self, held: _Held, _task: asyncio.Task[None]) -> None:
        if self.is_full:
            self._wake.set()  # others may have waited for this place; otherwise to look for work would be in vain
        del self._serving[held]
        self._suspects.clear(held.lease)
        if self._holding.get(held.lease.key) is held:
            del self._holding[held.lease.key]

    async def renew(self) -> None:
        """Keeps the leases of what is being answered, until cancelled; needed until the end of `drain`."""
        while True:
            await asyncio.sleep(self._timings.lease * _RENEWED_EVERY)
            serving = list(self._serving)
            if not serving:
                continue
            until = self._until()
            try:
                async with asyncio.timeout(self._timings.lease * _RENEWED_EVERY):
                    ours = await self._database.write(
                        queue.renew, [held.lease for held in serving], lease=self._timings.lease
                    )
            except (DatabaseError, TimeoutError) as error:
                log.error("leases not renewed", reason=str(error) or "no answer in time")
                continue
            for held in serving:
                if held.lease.fenced not in ours:
                    self._lose(held)
                elif held in self._serving:
                    held.lease.tenure.until = until
                    if held.scope is not None and not held.scope.expired():
                        held.scope.reschedule(until)

    def _lose(self, held: _Held) -> None:
        task = self._serving.get(held)
        if task is not None and not task.done():
            log.warning("lease lost", session=held.lease.key.address.id)
            task.cancel()

    async def _serve(self, held: _Held) -> None:
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
            await self._give_back(held.lease)
        except LeaseLost:
            log.warning("lease lost", session=held.lease.key.address.id)
        except Exception as error:  # noqa: BLE001 – whatever it was, the turn stays in the queue
            await self._back_off(held.lease, held.question, error)

    async def _answer_all(self, held: _Held) -> None:
        begun, answered = time(), 0
        while (question := await self._joined(held)) is not None:
            try:
                if not await self._attempt(held.lease, question):
                    return
            except queue.Changed:
                log.info("question changed", session=held.lease.key.address.id)
            else:
                held.lease = replace(held.lease, attempts=1, deaths=0, stop=None)
                self._suspects.clear(held.lease)
                answered += 1
            if self._makes_room or (self.is_full and _long_enough(answered, time() - begun)):
                await self._database.write(queue.release, held.lease, attempts=0)
                return
            held.waiting = await self._database.read(turns.first_waiting, held.lease.key, LOOKS_AT)
        await self._database.write(queue.idle, held.lease)
        self._wake.set()  # something may have arrived since

    @property
    def _makes_room(self) -> bool:
        """Whether what is answered here is to be less: nothing more is, or a suspect waits to be answered apart."""
        return self._draining or self._suspects.is_crowded(len(self._serving))

    async def _joined(self, held: _Held) -> Turn | None:
        """The turn to answer now; the newest message of a burst stands for all of it."""
        while len(held.waiting) > 1 and self._is_burst(held.waiting[0], held.waiting[1]):
            first, second = held.waiting[:2]
            with suppress(queue.Changed):
                await self._database.write(queue.merge, held.lease, first, second)
            held.waiting = await self._database.read(turns.first_waiting, held.lease.key, LOOKS_AT)
        return held.question

    async def _attempt(self, lease: Lease, question: Turn) -> bool:
        aside = self._asides.get((lease.key.address, question.message or ""))
        if aside is not None:
            await asyncio.wait([aside])
            return True
        if question.envelope.marked and question.message is not None:
            self._courtesy(self._assistant.mark(lease.key.address, question.message, waits=False))
        if lease.attempts > ATTEMPTS or lease.deaths >= DEATHS:
            log.error("given up", session=lease.key.address.id, attempts=lease.attempts - 1, deaths=lease.deaths)
            why = f"{DEATHS} processes ended over it" if lease.deaths >= DEATHS else f"{ATTEMPTS} attempts failed"
            return await self._assistant.give_up(lease, question, why)
        keeps = await self._assistant.answer(lease.key, question, lease=lease)
        _told(question, lease.key)
        return keeps

    async def _back_off(self, lease: Lease, question: Turn | None, error: Exception) -> None:
        """Gives the session back with its turn undone, to be claimed again later."""
        after = self._timings.back_off * 2 ** (lease.attempts - 1) * uniform(0.8, 1.2)  # noqa: S311 – jitter, not a secret
        attempts = lease.attempts
        if isinstance(error, DeliveryError):
            attempts = min(attempts, ATTEMPTS - 1)  # the outbox gives up by itself
        if isinstance(error, ModelUnavailable | DatabaseError):
            attempts = min(attempts, ATTEMPTS - 2)  # what is away is no fault of the message's
        if isinstance(error, ModelUnavailable):
            after = max(after, min(error.retry_after or 0, self._timings.longest_wait))
        reason = f"{type(error).__name__}: {error}" if isinstance(error, BackscrollError) else type(error).__name__
        log.warning(
            "to be tried again",
            session=lease.key.address.id,
            attempt=lease.attempts,
            seconds=round(after, 1),
            reason=reason,
            exc_info=None if isinstance(error, BackscrollError) else error,
        )
        failed = (question.seq, reason) if question is not None else None
        try:
            await self._database.write(queue.release, lease, attempts=attempts, after=after, error=failed)
        except DatabaseError:
            log.error("lease not given back; it runs out by itself", session=lease.key.address.id)
            return
        asyncio.get_running_loop().call_later(after, self._wake.set)

    async def drain(self, seconds: float) -> None:
        """Lets running answers finish within so many seconds, and gives the rest back for anybody to claim."""
        self._draining = True
        if self.busy and seconds > 0:
            await asyncio.wait(self.busy, timeout=seconds)
        cut = list(self._serving)
        left = [*self.busy, *self._courtesies]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for held in cut:
            await self._give_back(held.lease)

    async def _give_back(self, lease: Lease) -> None:
        """So that anybody may go on at once; that it was begun here is no failed attempt."""
        try:
            await self._database.write(queue.release, lease, attempts=lease.attempts - 1, others=True)
        except DatabaseError:
            log.error("lease not given back; it runs out by itself", session=lease.key.address.id)
        self._wake.set()

    def pieces(self, platform: str, text: str, asker: str | None) -> Sequence[str]:
        """An answer's words as the messages that they become on this platform."""
        return self._assistant.pieces(platform, text, asker)

    def mark(self, key: SessionKey, turn: Turn) -> None:
        """Shows that this message has to wait for its turn."""
        self._courtesy(self._mark(key, turn))

    async def _mark(self, key: SessionKey, turn: Turn) -> None:
        if turn.message is None:
            return
        await self._assistant.mark(key.address, turn.message, waits=True)
        if not await self._database.write(queue.marked, key, turn.seq):
            await self._assistant.mark(key.address, turn.message, waits=False)  # it was quicker

    def _courtesy(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._courtesies.add(task)
        task.add_done_callback(self._forgotten)

    def _forgotten(self, task: asyncio.Task[None]) -> None:
        self._courtesies.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("courtesy not done", error=type(error).__name__)

    def _is_burst(self, question: Turn, following: Turn) -> bool:
        return _is_burst(question, following, within=self._timings.burst)

    def _name(self) -> str:
        return f"{self._owner}{next(self._numbers)}"

    def _until(self) -> float:
        """Until when this process may act on what it claims or renews now; read before the database is asked."""
        return asyncio.get_running_loop().time() + self._timings.lease * _ACTS_FOR


def _says(question: Turn) -> tuple[float | None, list[str]]:
    """What tells two versions of a turn apart: itself, and the messages that it points at."""
    return question.edited_at, [whole(quote.text) for quote in question.quotes if quote.message is not None]


def _may_join(question: Turn) -> bool:
    return question.progress is Progress.WAITING and question.verb is None and not question.begun


def _is_burst(question: Turn, following: Turn, *, within: float) -> bool:
    """Whether the same person has gone on talking within so many seconds."""
    missed = question.envelope.missed or following.envelope.missed
    both_talk = _may_join(question) and following.verb is None and not missed
    same = question.author is not None and following.author is not None and question.author.id == following.author.id
    since = question.at if question.envelope.since is None else question.envelope.since
    return both_talk and same and 0 <= following.at - since <= within


def _long_enough(answered: int, seconds: float) -> bool:
    return answered >= _TURNS_IN_A_ROW or seconds >= _SECONDS_IN_A_ROW


def _told(question: Turn, key: SessionKey) -> None:
    """One line for each turn that is over, and none of its words."""
    log.info("answered", session=key.address.id, command=question.verb, seconds=round(time() - question.at, 1))
