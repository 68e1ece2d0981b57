"""Posting: one message is put on screen, by as many calls as it takes, each of which is intended before it is made."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.office import Office
from core.errors import BackscrollError, DeliveryDelayed, DeliveryRefused, DeliveryUnknown, WordsRefused
from core.seam.messages import Reply
from core.session import ATTEMPTS
from core.store import answers, deliveries, doubts
from core.store.deliveries import Delivery
from core.store.receipts import Arrival

log = structlog.get_logger()

NOT_TAKEN = "I can't say here what I have to say: a filter of this place does not let it through."
"""What is said where other words are not taken."""

_UNKNOWN_TRIES = 5  # calls with an unknown outcome before the session backs off


class Posting:
    """Calls the platforms, and knows which of them take what they are given."""

    def __init__(self, office: Office, clock: Callable[[], float]) -> None:
        self._office = office
        self._clock = clock
        self._arrived: dict[str, float] = {}  # when a reply was last certain to be on each platform's screen

    async def post(self, errand: Errand, part: Delivery, *, last: bool) -> Arrival | None:
        """Puts one part on screen; None where it and what follows will never be there, which is stored."""
        began = asyncio.get_running_loop().time()
        try:
            arrived = await self._call(errand, errand.reply(part, last=last), intended=errand.is_intended(part))
        except WordsRefused as error:
            return await self._instead(errand, part, error, last=last)
        except DeliveryRefused as error:
            await self._refused(errand, error)
            return None
        except DeliveryUnknown as error:
            if not self._is_hopeless(errand, began):
                raise
            log.error("reply given up", session=errand.key.address.id, reason=str(error))
            await self._office.database.write(deliveries.refuse, errand.key, errand.seq, str(error))
            return None
        self._office.shut.forget(errand.key.address)
        return replace(arrived, doubtful=arrived.doubtful or errand.doubtful or errand.stored is None)

    async def _instead(self, errand: Errand, part: Delivery, refusal: WordsRefused, *, last: bool) -> Arrival | None:
        """An honest sentence in the place of words that are not taken, on screen and in memory."""
        log.warning("words refused", session=errand.key.address.id, reason=str(refusal))
        reply = replace(errand.reply(part, last=last), text=NOT_TAKEN, chart=None)
        await self._office.database.write(
            answers.instead,
            errand.key,
            errand.seq,
            part.part,
            NOT_TAKEN,
            pieces=partial(composing.messages, self._office.adapter(reply.address)),
            count=self._office.count,
        )
        try:
            return await self._call(errand, reply, intended=False)
        except DeliveryRefused as error:
            await self._refused(errand, error)
            return None

    async def _refused(self, errand: Errand, error: DeliveryRefused) -> None:
        """Memory keeps what people see of the answer, and the next one is not asked for before we know that it is
        taken here.
        """
        address = errand.key.address
        log.warning("reply refused", session=address.id, reason=str(error))
        self._office.shut.note(address)
        database, adapter = self._office.database, self._office.adapter(address)
        await database.write(deliveries.refuse, errand.key, errand.seq, str(error))
        await database.write(
            answers.cut_short,
            errand.key,
            errand.seq,
            drafts={part: draft.text for part, draft in errand.drafts.items()},
            pieces=partial(composing.messages, adapter),
            count=self._office.count,
        )

    def _is_hopeless(self, errand: Errand, began: float) -> bool:
        """Whether a reply that has been tried since `began` is to be tried no more.

        A platform that is away takes nobody's replies, and is waited for; where others arrive, it is this one.
        """
        if errand.lease is None or errand.lease.attempts < ATTEMPTS:
            return False
        others_arrive = self._arrived.get(errand.key.address.platform, began) > began
        return others_arrive or self._clock() - errand.cause.heard_at >= self._office.timings.patience

    async def _call(self, errand: Errand, reply: Reply, *, intended: bool) -> Arrival:
        """Calls the platform until the message is certainly on screen, or certainly never will be."""
        adapter, session = self._office.adapter(reply.address), reply.address.id
        if not intended:
            reply = await self._intend(errand, await self._as_stored(errand, reply))
        unknown = 0
        while True:
            if reply.attempt > 1 and reply.draft is None:
                reply = await self._office.database.read(doubts.neighbours, reply, errand.key, errand.seq)
            try:
                message = await adapter.deliver(reply)
            except DeliveryDelayed as error:
                if errand.lease is None:
                    raise  # beside the queue nobody waits: whoever claims the session says it
                log.info("reply delayed", session=session, seconds=error.retry_after)
                await asyncio.sleep(min(error.retry_after, self._office.timings.longest_delay))
                reply = await self._as_stored(errand, reply)
            except DeliveryRefused:
                raise
            except Exception as error:
                unknown += 1
                own = str(error) if isinstance(error, BackscrollError) else None  # others' words may be people's
                log.warning("reply uncertain", session=session, error=type(error).__name__, reason=own)
                if unknown >= _UNKNOWN_TRIES or errand.lease is None:
                    raise DeliveryUnknown(f"no certain answer in {unknown} calls") from error
                await asyncio.sleep(self._pause(error, unknown))
                reply = await self._as_stored(errand, replace(reply, attempt=reply.attempt + 1))
                reply = await self._intend(errand, reply)
            else:
                self._arrived[reply.address.platform] = asyncio.get_running_loop().time()
                return Arrival(part=reply.part, message=message, doubtful=unknown > 0)

    def _pause(self, error: Exception, unknown: int) -> float:
        """Before a call is repeated that has had no certain answer so often: longer where the server wants that."""
        timings = self._office.timings
        asked = (error.retry_after or 0.0) if isinstance(error, DeliveryUnknown) else 0.0
        grown: float = timings.repeat * 2 ** (unknown - 1)
        return max(grown, min(asked, timings.longest_delay))

    async def _as_stored(self, errand: Errand, reply: Reply) -> Reply:
        """The reply with its words as they are by now, after a wait: somebody may have been forgotten meanwhile."""
        left = await self._office.database.read(deliveries.unsent, errand.key, errand.seq)
        words = next((one.text for one in left if one.part == reply.part), "")
        return replace(reply, text=words) if words else reply

    async def _intend(self, errand: Errand, reply: Reply) -> Reply:
        known = await self._office.database.write(
            deliveries.intend, errand.key, errand.seq, reply.part, lease=errand.lease
        )
        return reply if reply.draft is not None else replace(reply, draft=known)
