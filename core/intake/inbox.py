"""The inbox: everything that reaches us is stored before it is acknowledged."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from time import time
from weakref import WeakValueDictionary

import structlog

from core.access.membership import Membership
from core.commands import auditing, forms
from core.commands.table import find
from core.delivery.outbox import Outbox
from core.errors import DeliveryError, DeliveryRefused, NotFilled
from core.events import Events
from core.intake.acceptance import Acceptance
from core.intake.news import News
from core.intake.unstored import Unstored
from core.memory.mind import Mind
from core.policy import MEMBERS
from core.seam.adapter import Whole
from core.seam.address import Address
from core.seam.messages import Audience, Closed, Deleted, Edited, Event, Filled, Inbound, Left, Receipt, Rejected
from core.store import Database, inbound, receipts
from core.timings import Clock, Timings
from core.work.worker import Worker

log = structlog.get_logger()


class Inbox:
    """Accepts what reaches us: each message once, judged by what the one before has made of its session."""

    def __init__(
        self,
        *,
        database: Database,
        worker: Worker,
        outbox: Outbox,
        mind: Mind,
        timings: Timings,
        events: Events,
        clock: Clock = time,
    ) -> None:
        self._database = database
        self._mind = mind
        self._timings = timings
        self._clock = clock
        self._acceptance = Acceptance(
            database=database, worker=worker, mind=mind, events=events, timings=timings, clock=clock
        )
        self._news = News(
            database=database,
            worker=worker,
            outbox=outbox,
            mind=mind,
            acceptance=self._acceptance,
            events=events,
            timings=timings,
        )
        self.unstored = Unstored()
        self._membership = Membership(outbox.adapters)
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def receive(self, event: Event) -> None:
        """Returns once the event is stored, known already, or nothing of ours. Acknowledge after that."""
        with self.unstored.until_stored(event):
            await self._receive(event)

    async def _receive(self, event: Event) -> None:
        match event:
            case Rejected():
                log.warning("event rejected", platform=event.platform, id=event.id, reason=event.reason)
                await self._database.write(inbound.reject, event)
            case Receipt():
                await self._database.write(
                    receipts.receive, event.address, event.key, event.shown, seconds=self._timings.lease
                )
            case Inbound():
                await self._hear(event)
            case Filled():
                await self._fill(event)
            case Edited():
                async with self._door(event.message.address):
                    await self._news.edit(event)
            case Deleted():
                async with self._door(event.address):
                    await self._news.erase(event)
            case Closed():
                async with self._door(event.address):
                    await self._news.close(event)
            case Left():
                await self._news.leave(event)

    async def catch_up(self, missed: Sequence[Inbound]) -> int:
        """Accepts what was missed, oldest first; returns how many of them were news to us.

        What we have answered already is remembered with that, unless its author is not talked with any more. What is
        too old is not answered: the newest such message of each session is told so, for all of them.
        """
        late: dict[Address, list[Inbound]] = {}
        young, news = [], 0
        for message in missed:
            if message.answer is not None and await self._acceptance.admitting.is_unheard(message):
                continue
            if message.answer is not None or self._clock() - message.at <= self._timings.too_late:
                young.append(message)
            elif await self._acceptance.is_to_be_answered(message):
                late.setdefault(message.address, []).append(message)
        for place, messages in late.items():
            async with self._door(place):
                news += await self._acceptance.skip(messages)
        for message in young:
            async with self._door(message.address):
                news += await self._acceptance.accept(message)
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

    def _door(self, address: Address) -> asyncio.Lock:
        """One arrival at a time per session."""
        return self._doors.setdefault(address.id, asyncio.Lock())

    async def _fill(self, form: Filled) -> None:
        """All of it is taken in, or where something is wrong, nothing. Raises NotFilled."""
        orders, wrong = await self._database.read(forms.tried, self._mind, form)
        reasons = wrong or await self._unseen(form)
        if reasons:
            raise NotFilled(reasons)
        for order in orders:
            await self._hear(order)

    async def _unseen(self, form: Filled) -> Mapping[str, str]:
        """What may not be done as whoever fills it in may not see the place any more: a form outlives that.

        Asked where those may do it who see the place, or have spoken there, and not only who is named for it.
        """
        orders = {name: one for name, one in form.orders.items() if find(one.verb or "").deed is not None}
        asked = next(iter(orders.values()), None)
        if asked is None or asked.direct or not await self._is_for_those_who_see(form.address):
            return {}
        try:
            async with asyncio.timeout(self._timings.sees):
                sees = await self._membership.sees(form.address, asked.author.id)
        except DeliveryRefused:  # which nobody can find out at all
            return {}
        except (DeliveryError, TimeoutError) as error:
            log.warning("not known who sees a place", session=form.address.id, error=type(error).__name__)
            return dict.fromkeys(orders, "I can't find out just now whether you see this place. Please try again.")
        if not sees:
            await self._database.write(auditing.refuse_form, form)
        return {} if sees else dict.fromkeys(orders, "You don't see this place any more.")

    async def _is_for_those_who_see(self, place: Address) -> bool:
        people = (await self._acceptance.admitting.policy(place)).may_set
        return people is None or MEMBERS in people

    async def _hear(self, event: Inbound) -> None:
        """A message in a thread that nobody seems to have called us to is judged twice, a moment apart.

        What follows a mention must not be passed over while another process still stores that.
        """
        async with self._door(event.address):
            news = await self._acceptance.accept(event)
        if not news and event.address.thread is not None and event.audience is Audience.ROOM:
            await asyncio.sleep(self._timings.race)
            async with self._door(event.address):
                await self._acceptance.accept(event)
