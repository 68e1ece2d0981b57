"""The inbox: everything that reaches us is stored before it is acknowledged.

The stored turn is the queue entry. Where the session is idle, this process claims it in the same breath and answers.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import time
from weakref import WeakValueDictionary

import structlog

from core import commands
from core.errors import DatabaseError
from core.memory.mind import Mind
from core.model import envelope
from core.seam.adapter import Whole
from core.seam.address import Address
from core.seam.messages import Audience, Closed, Deleted, Edited, Event, Inbound, Left, Receipt, Rejected
from core.session import Kind, Progress
from core.store import Database, changes, closings, deliveries, inbound, queue
from core.timings import Timings
from core.work.worker import Worker

log = structlog.get_logger()

_QUEUED = 3  # messages that wait behind an answer before people are shown that theirs does


class Inbox:
    """Accepts what reaches us: each message once, judged by what the one before has made of its session."""

    def __init__(self, *, database: Database, worker: Worker, mind: Mind, timings: Timings) -> None:
        self._database = database
        self._worker = worker
        self._mind = mind
        self._timings = timings
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def receive(self, event: Event) -> None:
        """T1: returns once the event is stored, known already, or nothing of ours. Acknowledge after that."""
        match event:
            case Rejected():
                log.warning("event rejected", platform=event.platform, id=event.id, reason=event.reason)
                await self._database.write(inbound.reject, event)
            case Receipt():
                await self._database.write(
                    deliveries.receive, event.address, event.key, event.shown, seconds=self._timings.lease
                )
            case Inbound():
                await self._hear(event)
            case Edited():
                async with self._door(event.message.address.id):
                    await self._edit(event)
            case Deleted():
                async with self._door(event.address.id):
                    await self._forget(event)
            case Closed():
                async with self._door(event.address.id):
                    await self._close(event)
            case Left():
                await self._leave(event)

    async def catch_up(self, missed: Sequence[Inbound]) -> int:
        """Accepts what was missed, oldest first; returns how many of them were news to us.

        What is too old is not answered: the newest such message of each session is told so, for all of them.
        """
        late: dict[str, list[Inbound]] = {}
        young = []
        for message in missed:
            if time() - message.at <= self._timings.too_late:
                young.append(message)
            elif await self._judge(message, commands.parse(message)) in (Kind.SAID, Kind.COMMAND):
                late.setdefault(message.address.id, []).append(message)
        news = sum([await self._skip(messages) for messages in late.values()])
        for message in young:
            async with self._door(message.address.id):
                news += await self._accept(message)
        return news

    async def compare(self, place: Address, known: Collection[str], found: Sequence[Inbound]) -> int:
        """Takes over what people have changed meanwhile; returns how many messages that may be.

        `known` are the messages of this place that had been stored before the history was read: those that are not in
        the whole of it have been deleted.
        """
        edited = [one for one in found if one.edited_at is not None]
        for message in edited:
            await self.receive(Edited(message=message, at=message.edited_at or 0.0))
        stand = {one.id for one in found}
        gone = [one for one in known if one not in stand] if isinstance(found, Whole) else []
        for number in gone:
            await self.receive(Deleted(address=place, id=number))
        return len(edited) + len(gone)

    async def _skip(self, late: Sequence[Inbound]) -> int:
        async with self._door(late[0].address.id):
            known = await self._database.read(inbound.known, late[0].address, [one.id for one in late])
            new = [one for one in late if one.id not in known]
            for message in new[:-1]:
                await self._store(message, Kind.SAID, None, progress=Progress.SKIPPED)
            if new:
                log.warning("skipped", session=new[-1].address.id, messages=len(new))
                await self._store(new[-1], Kind.SAID, None, missed=len(new))
        return len(new)

    def _door(self, session: str) -> asyncio.Lock:
        """One arrival at a time per session."""
        return self._doors.setdefault(session, asyncio.Lock())

    async def _hear(self, event: Inbound) -> None:
        """What follows a mention within a moment must not be passed over while another process still stores that:
        a message in a thread that nobody seems to have called us to is judged twice.
        """
        async with self._door(event.address.id):
            news = await self._accept(event)
        if not news and event.address.thread is not None and event.audience is Audience.ROOM:
            await asyncio.sleep(self._timings.race)
            async with self._door(event.address.id):
                await self._accept(event)

    async def _accept(self, event: Inbound) -> bool:
        """Whether the message was news, and something of ours."""
        verb = commands.parse(event)
        kind = await self._judge(event, verb)
        return kind is not None and await self._store(event, kind, verb)

    async def _judge(self, event: Inbound, verb: str | None) -> Kind | None:
        """What a message is to us: to be answered, to be heard, or nothing of ours."""
        asked = Kind.SAID if verb is None else Kind.COMMAND
        if event.author.is_bot or event.author.is_self:
            return None
        if event.direct or event.audience is Audience.BOT or event.verb is not None:
            return asked
        found = await self._database.read(inbound.find, event.address)
        if found is None or (live_since := found[1]) is None:
            return None
        if verb is not None:
            return asked
        in_thread = event.address.thread is not None
        said_since = event.at >= live_since  # what was said before may arrive after it, and is no question
        if in_thread and said_since and event.audience is Audience.ROOM:
            return asked
        hearing = self._mind.hearing
        return Kind.OVERHEARD if hearing == "channel" or (in_thread and hearing == "thread") else None

    async def _store(
        self, event: Inbound, kind: Kind, verb: str | None, *, progress: Progress = Progress.WAITING, missed: int = 0
    ) -> bool:
        waits = progress is Progress.WAITING and kind is not Kind.OVERHEARD
        at_once = verb is not None and commands.find(verb).at_once
        event = replace(event, quotes=self._mind.pointed(event.quotes))
        tokens = self._count(event)
        claims = None if at_once or not waits else self._worker.claimant()
        aside = self._worker.step_aside((event.address, event.id)) if at_once else None
        accepting = asyncio.create_task(
            self._database.write(
                inbound.accept,
                event,
                kind=kind,
                progress=progress,
                verb=verb,
                tokens=tokens,
                at_once=at_once,
                missed=missed,
                claimant=claims[0] if claims else None,
                others=waits and self._worker.is_full,
            )
        )
        try:
            accepted = await asyncio.shield(accepting)
        except asyncio.CancelledError:
            if aside is not None:
                aside.set_result(None)
            with suppress(DatabaseError, inbound.Duplicate):  # it is on its way, and nobody here will answer it
                left = await accepting
                if left.lease is not None:
                    await self._database.write(queue.release, left.lease, attempts=0, others=True)
            raise
        except inbound.Duplicate:
            log.debug("known already", session=event.address.id)
            accepted = None
        except Exception:
            if aside is not None:
                aside.set_result(None)
            raise
        if aside is not None:
            aside.set_result((accepted.key, accepted.turn) if accepted is not None else None)
        elif accepted is not None and waits:
            self._hand_over(accepted, claims[1] if claims else 0.0)
        return accepted is not None

    def _hand_over(self, accepted: inbound.Accepted, until: float) -> None:
        if accepted.lease is not None:
            self._worker.take(accepted.lease, [accepted.turn], until)
            return
        self._worker.heard(accepted.key, accepted.turn, accepted.waiting)
        if accepted.waiting > _QUEUED:
            self._worker.mark(accepted.key, accepted.turn)

    async def _edit(self, event: Edited) -> None:
        message = replace(event.message, quotes=self._mind.pointed(event.message.quotes))
        event = replace(event, message=message)
        verb = commands.parse(message)
        tokens, mind = self._count(message), self._mind
        called = message.audience is Audience.BOT or verb is not None
        try:
            waits = await self._database.write(
                changes.edit, event, verb=verb, tokens=tokens, fit=mind.quoted, size=mind.size
            )
        except changes.Unknown:
            if event.at - message.at < (self._timings.too_late if called else self._timings.overtaken):
                await self._accept(replace(message, edited_at=event.at))
            return
        log.info("edited", session=message.address.id)
        for key in waits:
            await self._worker.notice(key)
        if called:
            await self._accept(message)  # all that was known of it may be that it was overheard

    async def _forget(self, event: Deleted) -> None:
        waited = await self._database.write(
            changes.erase,
            event.address,
            event.id,
            seconds=self._timings.lease,
            pieces=partial(self._worker.pieces, event.address.platform),
            count=self._mind.count,
        )
        if waited is None:
            return
        log.info("deleted", session=event.address.id)
        for key in waited:
            await self._worker.notice(key)

    async def _close(self, event: Closed) -> None:
        closed = await self._database.write(closings.close, event.address, gone=event.gone, seconds=self._timings.lease)
        log.info("closed", session=event.address.id, waiting=len(closed), kept="nothing" if event.gone else "words")
        for key in closed:
            await self._worker.notice(key)

    async def _leave(self, event: Left) -> None:
        number, closed = await self._database.write(
            closings.leave, event.platform, event.workspace, seconds=self._timings.lease
        )
        log.warning(
            "removed from a workspace",
            platform=event.platform,
            workspace=event.workspace,
            closed=number,
            waiting=len(closed),
            kept="what was said there, until you delete it",
        )
        for key in closed:
            await self._worker.notice(key)

    def _count(self, message: Inbound) -> int:
        return self._mind.count(envelope.spoken(message.author, message.at, message.text, message.quotes))
