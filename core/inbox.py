"""The inbox: everything that reaches us is stored before it is acknowledged, and answered in order.

The stored turn is the queue entry. Any process may claim any session whose lease has run out; in-process events only
make that prompt, a poll guarantees it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import uniform
from time import time
from weakref import WeakValueDictionary

import structlog

from core import commands, prompts
from core.address import Address
from core.assistant import ATTEMPTS, Assistant
from core.errors import BackscrollError, DatabaseError, LeaseLost, ModelUnavailable
from core.messages import Audience, Closed, Deleted, Edited, Event, Inbound, Receipt, Rejected
from core.session import Lease, SessionKey, State, Turn
from core.store import Database, inbound, queue, turns

log = structlog.get_logger()

_POLL = 1.0  # seconds; the guarantee behind every hint
_SESSIONS = 1_000  # sessions that one process answers at the same time: as many connections as the model's client has
_FIRST_BACK_OFF = 1.0  # seconds before the second attempt at a turn; doubles up to the fifth


class Inbox:
    """Accepts what reaches us, and has it answered: one turn at a time per session, many sessions at once."""

    def __init__(
        self, *, database: Database, assistant: Assistant, owner: str, platforms: Sequence[str], lease_seconds: float
    ) -> None:
        self._database = database
        self._assistant = assistant
        self._owner = owner
        self._platforms = platforms
        self._lease_seconds = lease_seconds
        self._wake = asyncio.Event()
        self._serving: dict[Lease, asyncio.Task[None]] = {}
        self._asides: dict[tuple[Address, str], asyncio.Task[None]] = {}
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._draining = False

    async def receive(self, event: Event) -> None:
        """T1: returns once the event is stored, known already, or nothing of ours. Acknowledge after that."""
        if isinstance(event, Edited | Deleted | Closed | Receipt):
            return
        if isinstance(event, Rejected):
            log.warning("event rejected", platform=event.platform, id=event.id, reason=event.reason)
            await self._database.write(inbound.reject, event)
            return
        door = self._doors.setdefault(event.address.id, asyncio.Lock())
        async with door:  # one at a time per session, so that each is judged by what the one before has made of it
            await self._accept(event)

    async def _accept(self, event: Inbound) -> None:
        verb = commands.parse(event)
        state = await self._judge(event, verb)
        if state is None:
            return
        at_once = verb is not None and commands.find(verb).at_once
        tokens = self._assistant.mind.count(prompts.spoken(event.author, event.at, event.text))
        aside = self._step_aside(event) if at_once and (event.address, event.id) not in self._asides else None
        try:
            accepted = await self._database.write(
                inbound.accept, event, state=state, verb=verb, tokens=tokens, at_once=at_once
            )
        except inbound.Duplicate:
            log.debug("known already", session=event.address.id)
            accepted = None
        except BaseException:
            if aside is not None:
                aside.set_result(None)
            raise
        if aside is not None:
            aside.set_result(accepted)
        elif accepted is not None and state is State.WAITING:
            self._wake.set()

    async def _judge(self, event: Inbound, verb: str | None) -> State | None:
        """What a message is to us: to be answered, to be heard, or nothing of ours."""
        if event.author.is_bot or event.author.is_self:
            return None
        if event.direct or event.audience is Audience.BOT or event.verb is not None:
            return State.WAITING
        found = await self._database.read(inbound.find, event.address)
        if found is None or (live_since := found[1]) is None:
            return None
        if verb is not None:
            return State.WAITING
        in_thread = event.address.thread is not None
        said_since = event.at >= live_since  # what was said before may arrive after it, and is no question
        if in_thread and said_since and event.audience is Audience.ROOM:
            return State.WAITING
        hearing = self._assistant.mind.hearing
        return State.HEARD if hearing == "channel" or (in_thread and hearing == "thread") else None

    def _step_aside(self, event: Inbound) -> asyncio.Future[tuple[SessionKey, int] | None]:
        """Has a command that does not queue answered once the future returned says where it was accepted.

        It is known before that, so that whoever serves the session leaves it alone. If we die over it, it is queued.
        """
        accepted: asyncio.Future[tuple[SessionKey, int] | None] = asyncio.get_running_loop().create_future()
        place = (event.address, event.id)
        task = self._asides[place] = asyncio.create_task(self._answer_aside(accepted))
        task.add_done_callback(lambda _: self._asides.pop(place, None))
        return accepted

    async def _answer_aside(self, accepted: asyncio.Future[tuple[SessionKey, int] | None]) -> None:
        place = await accepted
        if place is None:
            return
        key, seq = place
        try:
            question = await self._database.read(turns.waiting, key, seq)
            if question is not None:
                await self._assistant.answer(key, question, lease=None)
                _told(question, key)
        except Exception as error:  # noqa: BLE001 – it stays in the queue, and whoever claims the session answers it
            log.warning("command left to the queue", session=key.address.id, error=type(error).__name__)
        self._wake.set()

    async def work(self) -> None:
        """Claims sessions and has them answered, until cancelled; what is running then goes on: see `drain`."""
        while True:
            self._wake.clear()
            try:
                await self._claim()
            except DatabaseError as error:
                log.error("database unreachable", reason=str(error))
            await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_POLL):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _claim(self) -> None:
        free = _SESSIONS - len(self._serving)
        if free <= 0:
            return
        claiming = asyncio.create_task(
            self._database.write(
                queue.claim, owner=self._owner, lease=self._lease_seconds, platforms=self._platforms, limit=free
            )
        )
        try:
            claimed = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(DatabaseError):  # it is on its way, and must not be left claimed with nobody to serve it
                for lease, _ in await claiming:
                    await self._database.write(queue.release, lease, attempts=lease.attempts - 1)
            raise
        for lease, question in claimed:
            task = asyncio.create_task(self._serve(lease, question))
            self._serving[lease] = task
            task.add_done_callback(partial(self._served, lease))

    def _served(self, lease: Lease, _task: asyncio.Task[None]) -> None:
        del self._serving[lease]
        self._wake.set()

    async def renew(self) -> None:
        """Keeps the leases of what is being answered, until cancelled; needed until the end of `drain`."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            leases = list(self._serving)
            if not leases:
                continue
            try:
                held = await self._database.write(queue.renew, leases, lease=self._lease_seconds)
            except DatabaseError as error:
                log.error("leases not renewed", reason=str(error))
                continue
            for lease in leases:
                task = self._serving.get(lease)
                ours = (lease.key.workspace, lease.key.session, lease.fence) in held
                if task is not None and not ours and not task.done():
                    log.warning("lease lost", session=lease.key.address.id)
                    task.cancel()

    async def _serve(self, lease: Lease, question: Turn | None) -> None:
        """Answers a session's waiting turns until there are none, or until the lease must be given back."""
        log.debug("claimed", session=lease.key.address.id, attempts=lease.attempts)
        now = lease
        try:
            while question is not None:
                if not await self._attempt(now, question):
                    return
                now = replace(now, attempts=1)
                if self._draining:
                    await self._database.write(queue.release, now, attempts=0)
                    return
                question = await self._database.read(turns.next_waiting, lease.key)
            await self._database.write(queue.idle, lease)
        except LeaseLost:
            log.warning("lease lost", session=lease.key.address.id)
        except Exception as error:  # noqa: BLE001 – whatever it was, the turn stays in the queue
            await self._back_off(now, question, error)

    async def _attempt(self, lease: Lease, question: Turn) -> bool:
        aside = self._asides.get((lease.key.address, question.message or ""))
        if aside is not None:
            await asyncio.wait([aside])
            return True
        if lease.attempts > ATTEMPTS:
            log.error("given up", session=lease.key.address.id, attempts=lease.attempts - 1)
            return await self._assistant.give_up(lease, question, f"{ATTEMPTS} attempts failed")
        keeps = await self._assistant.answer(lease.key, question, lease=lease)
        _told(question, lease.key)
        return keeps

    async def _back_off(self, lease: Lease, question: Turn | None, error: Exception) -> None:
        """Gives the session back with its turn undone, to be claimed again later."""
        after = _FIRST_BACK_OFF * 2 ** (lease.attempts - 1) * uniform(0.8, 1.2)  # noqa: S311 – jitter, not a secret
        attempts = lease.attempts
        if isinstance(error, ModelUnavailable):
            after = max(after, error.retry_after or 0)
            attempts = min(attempts, ATTEMPTS - 2)  # a model that is away is no fault of the message's
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
        tasks = [*self._serving.values(), *self._asides.values()]
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        cut = dict(self._serving)
        left = [*cut.values(), *self._asides.values()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for lease in cut:
            try:
                await self._database.write(queue.release, lease, attempts=lease.attempts - 1)
            except DatabaseError:
                log.error("lease not given back; it runs out by itself", session=lease.key.address.id)


def _told(question: Turn, key: SessionKey) -> None:
    """One line for each turn that is over, and none of its words."""
    log.info("answered", session=key.address.id, command=question.verb, seconds=round(time() - question.at, 1))
