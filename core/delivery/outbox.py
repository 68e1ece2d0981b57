"""The outbox: what is stored to be said arrives on screen, once and for good, or is certain never to.

A delivery is a promise: its intent is committed before the call, its receipt after it, and a call with an unknown
outcome is repeated only as one that looks first.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import time

import structlog

from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.office import Office
from core.delivery.posting import Posting
from core.delivery.speech import Speech, speaking
from core.errors import DeliveryError, LeaseLost
from core.events import Answered, Delivered, Events, Refused
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.seam.messages import Choice
from core.session import Answer, Fate, Lease, Progress, SessionKey, Turn, Validity
from core.store import Database, answering, deliveries, notices, queue, receipts, unrecorded
from core.store.deliveries import Delivery
from core.store.receipts import Arrival
from core.store.states import DeliveryState
from core.timings import Timings

log = structlog.get_logger()


class Outbox:
    """Everything that we say leaves here."""

    def __init__(
        self,
        *,
        database: Database,
        adapters: Mapping[str, Adapter],
        timings: Timings,
        events: Events,
        count: Callable[[str], int],
        clock: Callable[[], float] = time,
    ) -> None:
        self._database = database
        self._office = Office(database=database, adapters=adapters, timings=timings, count=count)
        self._timings = timings
        self._posting = Posting(self._office, clock)
        self._events = events
        self._clock = clock
        self.adapters = adapters

    def speech(self, lease: Lease, question: Turn) -> AbstractAsyncContextManager[Speech]:
        """An answer that people may watch as it grows."""
        return speaking(self._office, lease, question)

    async def answer(self, errand: Errand, decided: Answer) -> Fate:
        """Stores what was decided and delivers it; where somebody has stored an answer already, that one.

        Raises Changed, and what `deliver` raises.
        """
        store = answering.answer if errand.cause.validity is Validity.STANDS else unrecorded.answer
        try:
            await self._database.write(store, errand.key, errand.cause, decided, lease=errand.lease)
        except answering.AlreadyAnswered:
            return await self.deliver(replace(errand, stored=None))
        return await self.deliver(replace(errand, decided=bool(decided.parts)))

    async def notify(self, lease: Lease, notice: Turn) -> Fate:
        """Delivers a notice of our own: its words are stored as messages, and go the way of an answer."""
        buttons = _buttons(lease.key, notice)
        private = notice.author is not None
        errand = Errand(
            key=lease.key, cause=notice, lease=lease, private=private, command=notices.VERB, buttons=buttons
        )
        if notice.progress is Progress.ANSWERED:
            return await self.deliver(errand)
        parts = composing.pieces(self._office.adapter(lease.key.address), notice, notice.text)
        fresh = None if notice.begun else answering.stored(parts)
        return await self.answer(replace(errand, stored=fresh), Answer(parts=parts))

    async def deliver(self, errand: Errand) -> Fate:
        """Puts what is stored on screen, ends the turn, and returns what has become of the lease.

        Raises LeaseLost, or DeliveryUnknown after too many calls of unknown outcome; when that has gone on for too
        long, the reply is given up.
        """
        address, seq, command = errand.key.address, errand.seq, errand.command
        if errand.decided:
            self._events.tell(Answered(address=address, seq=seq, command=command, seconds=self._since(errand)))
        parts = await self._left(errand)
        last = await self._post(errand, parts)
        if last is not None:
            stands, fate = True, await self._end(errand, last)
        else:
            stands = not parts and await self._stands(errand)
            fate = await self._finish(errand)
        if errand.cause.validity is not Validity.STANDS:
            await self._database.write(unrecorded.settle, errand.key, seq)
        if stands:
            self._events.tell(Delivered(address=address, seq=seq, command=command, seconds=self._since(errand)))
        elif parts:
            self._events.tell(Refused(address=address, seq=seq, command=command))
        return fate

    def _since(self, errand: Errand) -> float:
        # a notice may stand behind what is said in the next moment
        return max(0.0, self._clock() - errand.cause.heard_at)

    async def _left(self, errand: Errand) -> Sequence[Delivery]:
        """What is still to be posted."""
        left = errand.stored
        if left is None:
            left = await self._database.read(deliveries.unsent, errand.key, errand.seq)
        return [one for one in left if one.state is not DeliveryState.DRAFT]

    async def _post(self, errand: Errand, parts: Sequence[Delivery]) -> Arrival | None:
        """Posts all of them; returns the last one's arrival, which is not stored yet, or None where there is none."""
        arrived = None
        for one in parts:
            if arrived is not None:
                await self._record(errand, arrived)
            arrived = await self._posting.post(errand, one, last=one is parts[-1])
            if arrived is None:
                return None
        return arrived

    async def _stands(self, errand: Errand) -> bool:
        """Whether all of it has arrived already, as seen by somebody whose lease was over by then."""
        return await self._database.read(deliveries.have_arrived, errand.key, errand.seq)

    async def _finish(self, errand: Errand) -> Fate:
        says_nothing = errand.stored is not None and not errand.stored
        return await self._database.write(
            queue.finish,
            errand.key,
            errand.seq,
            lease=errand.lease,
            seconds=self._timings.lease,
            doubtful=errand.doubtful and says_nothing,
        )

    async def _record(self, errand: Errand, arrived: Arrival) -> None:
        standing = await self._database.write(
            receipts.record, errand.key, errand.seq, arrived, seconds=self._timings.lease
        )
        await self._settle(errand.key.address, arrived.message, standing)

    async def _end(self, errand: Errand, arrived: Arrival) -> Fate:
        try:
            standing, fate = await self._database.write(
                receipts.record_last, errand.key, errand.seq, arrived, lease=errand.lease, seconds=self._timings.lease
            )
        except LeaseLost:  # whoever owns the session now must know that this message is on screen
            await self._record(errand, replace(arrived, doubtful=True))
            raise
        await self._settle(errand.key.address, arrived.message, standing)
        return fate

    async def _settle(self, address: Address, posted: str, standing: str) -> None:
        """Of two messages that say the same, the one that was recorded stands, and ours goes."""
        if posted == standing:
            return
        log.warning("reply was there already", session=address.id)
        try:
            await self._office.adapter(address).withdraw(address, posted)
        except DeliveryError as error:
            log.warning("not withdrawn yet", session=address.id, reason=str(error))  # reconciling will


def _buttons(key: SessionKey, notice: Turn) -> tuple[Choice, ...]:
    """What may be pressed beneath a notice: where a conversation goes on, that it does not."""
    if not notices.is_waking(notice):
        return ()
    return (Choice(label="Start clean", verb="reset", address=key.address),)
