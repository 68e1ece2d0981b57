"""The outbox: growing answers on screen, and final texts that always arrive.

A preview is a courtesy: the newest snapshot of the whole text, at most one call per message and per channel in each
interval, and any of them may be skipped. A delivery is a promise: its intent is committed before the call, its receipt
after it, and a call with an unknown outcome is repeated only as one that looks first.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from time import time

import structlog

from core.delivery.guard import guard, settled
from core.delivery.markdown import split
from core.errors import (
    BackscrollError,
    DeliveryDelayed,
    DeliveryError,
    DeliveryRefused,
    DeliveryUnknown,
    LeaseLost,
)
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.seam.messages import Choice, Draft, Reply
from core.session import ATTEMPTS, Lease, SessionKey, Turn
from core.store import Database, deliveries, doubts, queue, receipts
from core.store.receipts import Arrival
from core.timings import Timings

log = structlog.get_logger()

_UNKNOWN_TRIES = 5  # calls with an unknown outcome before the session backs off

LATE = "_My model can't be reached at the moment. Your message is kept, and I answer it as soon as I can._"
"""What is on screen in place of an answer that has to wait."""

WITHDRAWN = "_(withdrawn)_"
"""What a message becomes that was on screen already, and of which the answer in the end had no need."""


class Pace:
    """One place that spaces previews: each channel gets at most one in each interval, shared by its sessions."""

    def __init__(self) -> None:
        self._free: dict[Address, float] = {}
        self._most = 1000

    async def turn(self, channel: Address, every: float) -> None:
        """Waits until this channel may be previewed in again."""
        now = asyncio.get_running_loop().time()
        if len(self._free) > self._most:
            self._free = {place: when for place, when in self._free.items() if when > now}
            self._most = max(1000, 2 * len(self._free))  # seldom, however many channels are busy
        slot = max(now, self._free.get(channel, 0.0))
        self._free[channel] = slot + every
        if slot > now:
            await asyncio.sleep(slot - now)


class Speech:
    """One answer while it grows: `say` takes the newest whole text and returns at once."""

    def __init__(self, outbox: "Outbox", adapter: Adapter, lease: Lease, question: Turn) -> None:
        self._outbox, self._adapter, self._lease, self._question = outbox, adapter, lease, question
        self._text = ""
        self._changed = asyncio.Event()
        self._part = 0
        self._growing: asyncio.Task[None] | None = None
        self._call: asyncio.Task[None] | None = None
        self._intended: set[int] = set()
        self._uncertain: set[int] = set()
        self.drafts: dict[int, Draft] = {}
        self.doubtful = question.begun
        """Whether a call may still change what is on screen after it was given up: by us, or by who began this."""

    def take_up(self, part: int, draft: Draft | None) -> None:
        """What an earlier attempt left on screen; without a draft nobody knows, and `deliver` will have to look."""
        self._intended.add(part)
        if draft is not None:
            self.drafts[part] = draft
        else:
            self._uncertain.add(part)

    def begin(self) -> None:
        """Previews start; `end` must follow."""
        self._growing = asyncio.create_task(self._grow())

    def say(self, text: str) -> None:
        """The whole text so far."""
        if text:
            self._text = text
            self._changed.set()

    def closed(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """The answer's parts, and a word in place of every message on screen that has become one too many."""
        on_screen = 1 + max((*self.drafts, *self._uncertain), default=-1)
        return parts + (WITHDRAWN,) * (on_screen - len(parts))

    @property
    def shown(self) -> tuple[str, ...]:
        """What people see of the answer now, message by message; a sign that it is late is none of it."""
        return tuple(self.drafts[part].text for part in sorted(self.drafts) if self.drafts[part].text not in ("", LATE))

    @property
    def unseen(self) -> bool:
        """Whether nothing of the answer is on screen, or on its way there."""
        return not self._intended

    def stored(self, parts: tuple[str, ...]) -> Sequence[deliveries.Delivery]:
        """The answer's parts as they have just been stored, with what is on screen of them."""
        return stored(parts, self._intended)

    def beneath(self, sentence: str) -> tuple[str, ...]:
        """The sentence as an answer's parts: under what is on screen already, which stays."""
        shown = self.shown
        if not shown:
            return self.closed((sentence,))
        last = f"{shown[-1]}\n\n{sentence}"
        whole = [*shown[:-1], last] if len(last) <= self._adapter.max_text else [*shown, sentence]
        return self.closed(tuple(whole))

    async def excuse(self) -> None:
        """Says in place of silence that the answer will be late, where nothing of it is on screen yet."""
        await self.end()
        if not self.drafts and not self._uncertain:
            await self._show(0, LATE)

    async def keep(self) -> None:
        """Stores what is on screen now, for whoever tries this answer again."""
        await self.end()
        key, seq = self._lease.key, self._question.seq
        for part, draft in self.drafts.items():
            await self._outbox.database.write(deliveries.record_draft, key, seq, part, draft)

    async def _grow(self) -> None:
        """Shows snapshots until cancelled."""
        while True:
            if not self._text:
                await self._show(0, "")
                await self._wait(self._outbox.timings.working)
                continue
            self._changed.clear()
            await self._outbox.pace.turn(self._lease.key.address.channel_address, self._adapter.preview_every)
            await self._snapshot(self._text)
            await self._changed.wait()

    async def end(self) -> None:
        """No more previews; returns when a call that is under way has ended, so that what is on screen is known."""
        if self._growing is None:
            return
        self._growing.cancel()
        await asyncio.wait([self._growing])
        if self._call is not None and not self._call.done():
            await asyncio.wait([self._call])
        nothing = self._intended - self.drafts.keys() - self._uncertain
        if nothing:
            await self._outbox.database.write(deliveries.forget, self._lease.key, self._question.seq, nothing)
            self._intended -= nothing
        if not self._growing.cancelled() and (error := self._growing.exception()) is not None:
            log.info("previews ended", session=self._lease.key.address.id, error=type(error).__name__)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _snapshot(self, text: str) -> None:
        safe = settled(text)
        pieces = self._outbox.pieces(self._adapter, self._question, safe)
        while self._part < len(pieces):
            await self._show(self._part, pieces[self._part])
            if self._part == len(pieces) - 1 or self._part not in self.drafts:
                break  # a part that may not be on screen yet must not be seen below the next one
            self._part += 1
            await self._outbox.pace.turn(self._lease.key.address.channel_address, self._adapter.preview_every)

    async def _show(self, part: int, text: str) -> None:
        """One preview. It is not cancelled half-way: a message may be on its way to the screen."""
        draft = self.drafts.get(part)
        if part in self._uncertain:
            return
        if draft is not None and draft.text != LATE and (draft.text == text or len(draft.text) > len(text)):
            return  # when an answer is tried again, nothing on screen shrinks
        self._call = asyncio.create_task(self._preview(part, text, draft))
        await asyncio.shield(self._call)

    async def _preview(self, part: int, text: str, draft: Draft | None) -> None:
        database, key, seq = self._outbox.database, self._lease.key, self._question.seq
        if text and part not in self._intended:
            await database.write(deliveries.intend_draft, self._lease, seq, part)
            self._intended.add(part)
        reply = self._outbox.reply(key, self._question, part=part, text=text, draft=draft, last=False)
        until = self._lease.tenure.until
        if until is not None and asyncio.get_running_loop().time() >= until:
            return  # we stood still, and have not been told yet: whoever goes on must not be overwritten
        try:
            async with asyncio.timeout_at(until):
                now_shown = await self._adapter.preview(reply)
        except Exception as error:  # noqa: BLE001 – a preview is a courtesy, whatever went wrong with it
            log.info("preview failed", session=key.address.id, error=type(error).__name__)
            if text and not isinstance(error, DeliveryDelayed | DeliveryRefused):
                self.doubtful = True
                if draft is None:
                    self._uncertain.add(part)  # it may be on screen: `deliver` will look
            return
        if now_shown is not None:
            self.drafts[part] = now_shown
            if draft is None or draft.id != now_shown.id:
                await database.write(deliveries.record_draft, key, seq, part, now_shown)


def stored(parts: tuple[str, ...], intended: Collection[int] = ()) -> Sequence[deliveries.Delivery]:
    """An answer's parts as `answering.answer` has just stored them: the first is about to be sent.

    Of those that are intended, something may be on screen already.
    """
    return [
        deliveries.Delivery(
            part=part,
            stage=deliveries.Stage.READY if part else deliveries.Stage.SENDING,
            tries=(part == 0) + (part in intended),
            text=text,
            draft=None,
        )
        for part, text in enumerate(parts)
    ]


class Outbox:
    """Everything that we say leaves here."""

    def __init__(self, *, database: Database, adapters: Mapping[str, Adapter], timings: Timings) -> None:
        self.database = database
        self.adapters = adapters
        self.pace = Pace()
        self.timings = timings
        self._arrived: dict[str, float] = {}  # when a reply was last certain to be on each platform's screen

    @asynccontextmanager
    async def speech(self, lease: Lease, question: Turn) -> AsyncIterator[Speech]:
        """An answer that people may watch as it grows; what an earlier attempt left on screen is taken up again."""
        speech = Speech(self, self.adapters[lease.key.address.platform], lease, question)
        if question.begun:
            for left in await self.database.read(deliveries.unsent, lease.key, question.seq):
                speech.take_up(left.part, left.draft)
        speech.begin()
        try:
            yield speech
        finally:
            await speech.end()

    def pieces(self, adapter: Adapter, question: Turn, text: str) -> tuple[str, ...]:
        """The text as messages of this platform: rendered, split at its limit, and guarded against pings."""
        return self.messages(adapter, text, question.author.id if question.author else None)

    def messages(self, adapter: Adapter, text: str, asker: str | None) -> tuple[str, ...]:
        """The same, by the ID of the person whom the text may mention.

        Each message is guarded as well, where that is needed: it may begin within what was code in the whole.
        """
        rendered = adapter.render(text)
        if not adapter.rings:
            return tuple(split(rendered, adapter.max_text))
        return tuple(guard(piece, asker) for piece in split(guard(rendered, asker), adapter.max_text))

    def reply(
        self,
        key: SessionKey,
        question: Turn,
        *,
        part: int,
        text: str,
        draft: Draft | None = None,
        last: bool = True,
        attempt: int = 1,
        private: bool = False,
        choices: tuple[Choice, ...] = (),
    ) -> Reply:
        """One visible message in answer to this question."""
        return Reply(
            key=deliveries.key_of(key.address, question.message or str(question.seq), part),
            address=key.address,
            text=text,
            asked_at=question.at,
            part=part,
            last=last,
            attempt=attempt,
            asker=question.author,
            reply_to=question.envelope.reply_to,
            private=private,
            choices=choices,
            draft=draft,
            ticket=question.envelope.ticket,
        )

    async def deliver(
        self,
        key: SessionKey,
        question: Turn,
        *,
        lease: Lease | None,
        stored: Sequence[deliveries.Delivery] | None = None,
        drafts: Mapping[int, Draft] | None = None,
        doubtful: bool = False,
        private: bool = False,
        choices: tuple[Choice, ...] = (),
    ) -> bool:
        """Puts the stored answer on screen, ends the turn, and returns whether the lease is kept for another one.

        `stored` is what this process has stored of it a moment ago: the intent to post its first part stands, and
        no call has been made on it. With `doubtful` something on screen may still change, so it is reconciled later.
        Raises LeaseLost, or DeliveryUnknown after too many calls of unknown outcome; when that has gone on for too
        long, the reply is given up.
        """
        fresh = stored is not None
        left = await self.database.read(deliveries.unsent, key, question.seq) if stored is None else stored
        parts = [one for one in left if one.stage is not deliveries.Stage.DRAFT]
        for one in parts:
            intended = fresh and one.stage is deliveries.Stage.SENDING
            reply = self.reply(
                key,
                question,
                part=one.part,
                text=one.text,
                draft=(drafts or {}).get(one.part, one.draft),
                last=one is parts[-1],
                attempt=one.tries if intended else one.tries + 1,
                private=private,
                choices=choices if one is parts[-1] else (),
            )
            began = asyncio.get_running_loop().time()
            try:
                posted = await self._post(key, question.seq, reply, intended=intended, lease=lease)
            except DeliveryRefused as error:
                log.warning("reply refused", session=key.address.id, reason=str(error))
                await self.database.write(deliveries.refuse, key, question.seq, str(error))
                break
            except DeliveryUnknown as error:
                if lease is None or not self._is_hopeless(lease, question, began):
                    raise
                log.error("reply given up", session=key.address.id, reason=str(error))
                await self.database.write(deliveries.refuse, key, question.seq, str(error))
                break
            posted = replace(posted, doubtful=posted.doubtful or doubtful or not fresh)
            if reply.last:
                return await self._end(key, question.seq, posted, lease)
            await self._record(key, question.seq, posted)
        return await self.database.write(queue.finish, key, question.seq, lease=lease, seconds=self.timings.lease)

    def _is_hopeless(self, lease: Lease, question: Turn, began: float) -> bool:
        """Whether a reply that has been tried since `began` is to be tried no more.

        A platform that is away takes nobody's replies, and is waited for; where others arrive, it is this one.
        """
        others_arrive = self._arrived.get(lease.key.address.platform, began) > began
        return lease.attempts >= ATTEMPTS and (others_arrive or time() - question.at >= self.timings.patience)

    async def _record(self, key: SessionKey, seq: int, arrived: Arrival) -> None:
        standing = await self.database.write(receipts.record, key, seq, arrived, seconds=self.timings.lease)
        await self._settle(key.address, arrived.message, standing)

    async def _end(self, key: SessionKey, seq: int, arrived: Arrival, lease: Lease | None) -> bool:
        try:
            standing, keeps = await self.database.write(
                receipts.record_last, key, seq, arrived, lease=lease, seconds=self.timings.lease
            )
        except LeaseLost:  # whoever owns the session now must know that this message is on screen
            await self._record(key, seq, replace(arrived, doubtful=True))
            raise
        await self._settle(key.address, arrived.message, standing)
        return keeps

    async def _settle(self, address: Address, posted: str, standing: str) -> None:
        """Of two messages that say the same, the one that was recorded stands, and ours goes."""
        if posted == standing:
            return
        log.warning("reply was there already", session=address.id)
        try:
            await self.adapters[address.platform].withdraw(address, posted)
        except DeliveryError as error:
            log.warning("not withdrawn yet", session=address.id, reason=str(error))  # reconciling will

    async def _post(self, key: SessionKey, seq: int, reply: Reply, *, intended: bool, lease: Lease | None) -> Arrival:
        """Calls the platform until the message is certainly on screen, or certainly never will be."""
        adapter = self.adapters[key.address.platform]
        if not intended:
            reply = await self._intend(key, seq, reply, lease)
        unknown = 0
        while True:
            if reply.attempt > 1 and reply.draft is None:
                reply = await self.database.read(doubts.neighbours, reply, key, seq)
            try:
                message = await adapter.deliver(reply)
            except DeliveryDelayed as error:
                if lease is None:
                    raise  # beside the queue nobody waits: whoever claims the session says it
                log.info("reply delayed", session=key.address.id, seconds=error.retry_after)
                await asyncio.sleep(min(error.retry_after, self.timings.longest_delay))
            except DeliveryRefused:
                raise
            except Exception as error:
                unknown += 1
                own = str(error) if isinstance(error, BackscrollError) else None  # others' words may be people's
                log.warning("reply uncertain", session=key.address.id, error=type(error).__name__, reason=own)
                if unknown >= _UNKNOWN_TRIES or lease is None:
                    raise DeliveryUnknown(f"no certain answer in {unknown} calls") from error
                await asyncio.sleep(self.timings.repeat * 2 ** (unknown - 1))
                reply = await self._intend(key, seq, replace(reply, attempt=reply.attempt + 1), lease)
            else:
                self._arrived[key.address.platform] = asyncio.get_running_loop().time()
                return Arrival(part=reply.part, message=message, doubtful=unknown > 0)

    async def _intend(self, key: SessionKey, seq: int, reply: Reply, lease: Lease | None) -> Reply:
        known = await self.database.write(deliveries.intend, key, seq, reply.part, lease=lease)
        return reply if reply.draft is not None else replace(reply, draft=known)
