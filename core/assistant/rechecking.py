"""Rechecking: whoever has waited for an answer may not see the place any more, by the time that it is given there."""

import structlog

from core.access import Deed
from core.access.membership import Membership
from core.assistant.waiting import Patience
from core.commands import orders
from core.commands.orders import Order
from core.delivery.outbox import Outbox
from core.delivery.previews import EXCUSES, UNSEEN
from core.errors import AccessUnknown, DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown
from core.seam.address import Address
from core.seam.messages import Author
from core.session import Lease, SessionKey, Turn
from core.store import Database, deliveries
from core.timings import Clock, Timings

log = structlog.get_logger()

_BELIEVED = 1.0  # seconds: what several messages of one person in one place are asked once for


class Unsaid(Exception):
    """The platform has not said for long whether the asker sees the place."""


class Rechecking:
    """Asks once more about those who had to wait: that they have said something was proof enough when they said it."""

    def __init__(self, *, database: Database, outbox: Outbox, timings: Timings, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._membership = Membership(outbox.adapters)
        self._patience = Patience(timings=timings, clock=clock)
        self._timings = timings
        self._clock = clock

    async def sees(self, lease: Lease, question: Turn, *, queued: bool) -> bool:
        """Whether the asker sees the place of the session now; asked where the question was `queued`, or had to wait.

        A platform that can't tell at all, for want of a scope, keeps nobody from an answer. Raises AccessUnknown where
        it is worth another try, of which people are told in time, and Unsaid where it is not any more; and Changed.
        """
        asker, place = question.author, lease.key.address
        if asker is None or question.slip.direct or not (queued or self._has_waited(question)):
            return True
        if await self._is_seen(lease.key, question):
            return True
        try:
            return await self._asked(place, asker)
        except DeliveryError as error:
            log.warning("not known who sees a place", session=place.id, reason=str(error))
            if self._patience.is_over(lease, question):
                raise Unsaid from error
            unknown = _unknown(error)
            await self._excuse(lease, question, unknown)
            raise unknown from error

    async def sees_aside(self, order: Order) -> bool:
        """The same of the asker of a command that does not queue, and had to wait until somebody heard it.

        Who stops an answer is told nothing by that. Raises a DeliveryError where it is not known now.
        """
        asked, asker = order.turn, order.turn.author
        if asker is None or asked.slip.direct or order.deed is Deed.STOP or not self._has_waited(asked):
            return True
        return await self._asked(order.key.address, asker)

    async def _asked(self, place: Address, asker: Author) -> bool:
        """Raises a DeliveryError where it is worth another try."""
        try:
            return await self._membership.sees(place, asker.id, within=_BELIEVED)
        except DeliveryRefused as error:
            log.warning("it can't be asked who sees a place", session=place.id, reason=str(error))
            return True

    def _has_waited(self, question: Turn) -> bool:
        """Since it was said, or since it reached us: a clock that is not right tells of one of them at the least."""
        return self._clock() - min(question.at, question.heard_at) > self._timings.waited

    async def _is_seen(self, key: SessionKey, question: Turn) -> bool:
        """Whether people see the beginning of its answer; a sign that it will be late is none."""
        left = await self._database.read(deliveries.unsent, key, question.seq) if question.begun else ()
        return any(one.draft is not None and one.draft.text not in ("", *EXCUSES) for one in left)

    async def _excuse(self, lease: Lease, question: Turn, unknown: AccessUnknown) -> None:
        """Says in time that the answer will be late; not where all have to see what is for one alone."""
        order = orders.order(lease.key, question)
        if not self._patience.is_late(question, unknown.retry_after) or (order is not None and order.is_private):
            return
        async with self._outbox.speech(lease, question) as speech:
            await speech.excuse(UNSEEN)
            await speech.keep()


def _unknown(error: DeliveryError) -> AccessUnknown:
    asked = error.retry_after if isinstance(error, DeliveryDelayed | DeliveryUnknown) else None
    return AccessUnknown(str(error), retry_after=asked)
