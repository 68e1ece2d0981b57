"""The outbox: what is stored to be said arrives on screen, once and for good, or is certain never to.

A delivery is a promise: its intent is committed before the call, its receipt after it, and a call with an unknown
outcome is repeated only as one that looks first.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from time import time

import structlog

from core.delivery import composing
from core.delivery.office import Office
from core.delivery.speech import Speech, speaking
from core.errors import BackscrollError, DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown, LeaseLost
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.seam.messages import Choice, Draft, Reply
from core.session import ATTEMPTS, Answer, Lease, SessionKey, State, Turn
from core.store import Database, answering, deliveries, doubts, queue, receipts
from core.store.deliveries import Delivery, Stage
from core.store.receipts import Arrival
from core.timings import Timings

log = structlog.get_logger()

_UNKNOWN_TRIES = 5  # calls with an unknown outcome before the session backs off


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is to be delivered: all that is stored of what a turn causes, and what is known of the way there.

    The `cause` is the turn that is answered, or a notice of our own.

    Without a `lease` it is a command that is answered beside the queue. `stored` is what this process has stored a
    moment ago: the intent to post its first part stands, and no call has been made on it; None where it must be read,
    because somebody may have begun already. `drafts` is what is on screen of it by now. With `doubtful` something on
    screen may still change, so it is reconciled later. `private` is for the asker's eyes alone, who may pick one of the
    `choices`.
    """

    key: SessionKey
    cause: Turn
    lease: Lease | None
    stored: Sequence[Delivery] | None = None
    drafts: Mapping[int, Draft] = field(default_factory=dict)
    doubtful: bool = False
    private: bool = False
    choices: tuple[Choice, ...] = ()

    @property
    def seq(self) -> int:
        """The turn's."""
        return self.cause.seq

    def is_intended(self, part: Delivery) -> bool:
        """Whether the intent of the first call for this part is stored already."""
        return self.stored is not None and part.stage is Stage.SENDING

    def reply(self, part: Delivery, *, last: bool) -> Reply:
        """The part as it is handed to the platform."""
        return replace(
            composing.reply(self.key, self.cause, part.part, part.text),
            draft=self.drafts.get(part.part, part.draft),
            last=last,
            attempt=part.tries if self.is_intended(part) else part.tries + 1,
            private=self.private,
            choices=self.choices if last else (),
        )


class Outbox:
    """Everything that we say leaves here."""

    def __init__(self, *, database: Database, adapters: Mapping[str, Adapter], timings: Timings) -> None:
        self._database = database
        self._office = Office(database=database, adapters=adapters, timings=timings)
        self._timings = timings
        self._arrived: dict[str, float] = {}  # when a reply was last certain to be on each platform's screen
        self.adapters = adapters

    def speech(self, lease: Lease, question: Turn) -> AbstractAsyncContextManager[Speech]:
        """An answer that people may watch as it grows."""
        return speaking(self._office, lease, question)

    async def answer(self, errand: Errand, decided: Answer) -> bool:
        """Stores what was decided and delivers it; where somebody has stored an answer already, that one.

        Raises Changed, and what `deliver` raises.
        """
        try:
            await self._database.write(answering.answer, errand.key, errand.cause, decided, lease=errand.lease)
        except answering.AlreadyAnswered:
            errand = replace(errand, stored=None)
        return await self.deliver(errand)

    async def notify(self, lease: Lease, notice: Turn) -> bool:
        """Delivers a notice of our own: its words are stored as messages, and go the way of an answer."""
        errand = Errand(key=lease.key, cause=notice, lease=lease)
        if notice.state is State.ANSWERED:
            return await self.deliver(errand)
        parts = composing.pieces(self._office.adapter(lease.key.address), notice, notice.text)
        fresh = None if notice.begun else answering.stored(parts)
        return await self.answer(replace(errand, stored=fresh), Answer(parts=parts))

    async def deliver(self, errand: Errand) -> bool:
        """Puts what is stored on screen, ends the turn, and returns whether the lease is kept for another one.

        Raises LeaseLost, or DeliveryUnknown after too many calls of unknown outcome; when that has gone on for too
        long, the reply is given up.
        """
        left = errand.stored
        if left is None:
            left = await self._database.read(deliveries.unsent, errand.key, errand.seq)
        parts = [one for one in left if one.stage is not Stage.DRAFT]
        for one in parts:
            arrived = await self._say(errand, one, last=one is parts[-1])
            if arrived is None:
                break
            if one is parts[-1]:
                return await self._end(errand, arrived)
            await self._record(errand, arrived)
        return await self._database.write(
            queue.finish, errand.key, errand.seq, lease=errand.lease, seconds=self._timings.lease
        )

    async def _say(self, errand: Errand, part: Delivery, *, last: bool) -> Arrival | None:
        """Puts one part on screen; None where it and what follows will never be there, which is stored."""
        began = asyncio.get_running_loop().time()
        try:
            arrived = await self._post(errand, errand.reply(part, last=last), intended=errand.is_intended(part))
        except DeliveryRefused as error:
            log.warning("reply refused", session=errand.key.address.id, reason=str(error))
            await self._database.write(deliveries.refuse, errand.key, errand.seq, str(error))
            return None
        except DeliveryUnknown as error:
            if not self._is_hopeless(errand, began):
                raise
            log.error("reply given up", session=errand.key.address.id, reason=str(error))
            await self._database.write(deliveries.refuse, errand.key, errand.seq, str(error))
            return None
        return replace(arrived, doubtful=arrived.doubtful or errand.doubtful or errand.stored is None)

    def _is_hopeless(self, errand: Errand, began: float) -> bool:
        """Whether a reply that has been tried since `began` is to be tried no more.

        A platform that is away takes nobody's replies, and is waited for; where others arrive, it is this one.
        """
        if errand.lease is None or errand.lease.attempts < ATTEMPTS:
            return False
        others_arrive = self._arrived.get(errand.key.address.platform, began) > began
        return others_arrive or time() - errand.cause.at >= self._timings.patience

    async def _post(self, errand: Errand, reply: Reply, *, intended: bool) -> Arrival:
        """Calls the platform until the message is certainly on screen, or certainly never will be."""
        adapter, session = self._office.adapter(reply.address), reply.address.id
        if not intended:
            reply = await self._intend(errand, reply)
        unknown = 0
        while True:
            if reply.attempt > 1 and reply.draft is None:
                reply = await self._database.read(doubts.neighbours, reply, errand.key, errand.seq)
            try:
                message = await adapter.deliver(reply)
            except DeliveryDelayed as error:
                if errand.lease is None:
                    raise  # beside the queue nobody waits: whoever claims the session says it
                log.info("reply delayed", session=session, seconds=error.retry_after)
                await asyncio.sleep(min(error.retry_after, self._timings.longest_delay))
            except DeliveryRefused:
                raise
            except Exception as error:
                unknown += 1
                own = str(error) if isinstance(error, BackscrollError) else None  # others' words may be people's
                log.warning("reply uncertain", session=session, error=type(error).__name__, reason=own)
                if unknown >= _UNKNOWN_TRIES or errand.lease is None:
                    raise DeliveryUnknown(f"no certain answer in {unknown} calls") from error
                await asyncio.sleep(self._timings.repeat * 2 ** (unknown - 1))
                reply = await self._intend(errand, replace(reply, attempt=reply.attempt + 1))
            else:
                self._arrived[reply.address.platform] = asyncio.get_running_loop().time()
                return Arrival(part=reply.part, message=message, doubtful=unknown > 0)

    async def _intend(self, errand: Errand, reply: Reply) -> Reply:
        known = await self._database.write(deliveries.intend, errand.key, errand.seq, reply.part, lease=errand.lease)
        return reply if reply.draft is not None else replace(reply, draft=known)

    async def _record(self, errand: Errand, arrived: Arrival) -> None:
        standing = await self._database.write(
            receipts.record, errand.key, errand.seq, arrived, seconds=self._timings.lease
        )
        await self._settle(errand.key.address, arrived.message, standing)

    async def _end(self, errand: Errand, arrived: Arrival) -> bool:
        try:
            standing, keeps = await self._database.write(
                receipts.record_last, errand.key, errand.seq, arrived, lease=errand.lease, seconds=self._timings.lease
            )
        except LeaseLost:  # whoever owns the session now must know that this message is on screen
            await self._record(errand, replace(arrived, doubtful=True))
            raise
        await self._settle(errand.key.address, arrived.message, standing)
        return keeps

    async def _settle(self, address: Address, posted: str, standing: str) -> None:
        """Of two messages that say the same, the one that was recorded stands, and ours goes."""
        if posted == standing:
            return
        log.warning("reply was there already", session=address.id)
        try:
            await self._office.adapter(address).withdraw(address, posted)
        except DeliveryError as error:
            log.warning("not withdrawn yet", session=address.id, reason=str(error))  # reconciling will
