"""Previews: what is on screen of an answer while it grows, and the calls that put it there.

A preview is a courtesy: any of them may fail or be skipped. But the first one of each message puts something on screen,
so its intent is stored before the call, and what it has become after it.
"""

import asyncio
from dataclasses import replace

import structlog

from core.delivery import composing
from core.delivery.guard import settled
from core.delivery.office import Office
from core.errors import DeliveryDelayed, DeliveryRefused
from core.seam.messages import Draft
from core.session import Lease, Turn
from core.store import deliveries

log = structlog.get_logger()

LATE = "_My model can't be reached at the moment. Your message is kept, and I answer it as soon as I can._"
"""What is on screen in place of an answer that has to wait."""

UNSURE = (
    "_I can't be sure at the moment what is left of the budget here. Your message is kept, and I answer it as soon as "
    "I can._"
)
"""The same, where it waits for that."""

UNSEEN = (
    "_I can't find out at the moment whether you still see this conversation. Your message is kept, and I answer it as "
    "soon as I can._"
)
"""The same, where it waits for that."""

LOOK = "_…_"
"""The same, where it is to be learnt whether anything may be said there."""

EXCUSES = (LATE, UNSURE, UNSEEN, LOOK)
"""What any answer may take the place of."""


class Previews:
    """The messages of one answer that are growing on screen, one call at a time."""

    def __init__(self, office: Office, lease: Lease, question: Turn) -> None:
        self._office, self._lease, self._question = office, lease, question
        self._adapter = office.adapter(lease.key.address)
        self._composing = composing.Composing(self._adapter, question)
        self._part = 0
        self._call: asyncio.Task[None] | None = None
        self._uncertain: set[int] = set()
        self.intended: set[int] = set()
        """The parts of which something may be on screen, or on its way there."""
        self.drafts: dict[int, Draft] = {}
        """The parts that are known to be on screen."""
        self.refused = False
        """Whether a part was refused: whatever follows would be, too, until the answer is whole."""
        self.doubtful = question.begun
        """Whether a call may still change what is on screen after it was given up: by us, or by who began this."""

    def take_up(self, part: int, draft: Draft | None) -> None:
        """What an earlier attempt left on screen; without a draft nobody knows, and the delivery will have to look."""
        self.intended.add(part)
        if draft is not None:
            self.drafts[part] = draft
        else:
            self._uncertain.add(part)

    @property
    def length(self) -> int:
        """How many messages there may be on screen."""
        return 1 + max((*self.drafts, *self._uncertain), default=-1)

    async def snapshot(self, text: str) -> None:
        """Shows the whole text so far, in as many messages as it takes."""
        pieces = await self._composing.pieces(settled(text))
        while self._part < len(pieces):
            await self.show(self._part, pieces[self._part])
            if self._part == len(pieces) - 1 or self._part not in self.drafts:
                break  # a part that may not be on screen yet must not be seen below the next one
            self._part += 1
            await self.turn()

    async def turn(self) -> None:
        """Waits until the next preview may be made in this channel."""
        await self._office.pace.turn(self._lease.key.address.channel_address, self._adapter.preview_every)

    async def show(self, part: int, text: str) -> None:
        """One preview. It is not cancelled half-way: a message may be on its way to the screen."""
        draft = self.drafts.get(part)
        if part in self._uncertain or (text and self.refused):
            return
        if draft is not None and draft.text not in EXCUSES and (draft.text == text or len(draft.text) > len(text)):
            return  # when an answer is tried again, nothing on screen shrinks
        self._call = asyncio.create_task(self._preview(part, text, draft))
        self._call.add_done_callback(self._ended)
        await asyncio.shield(self._call)

    async def end(self) -> None:
        """Waits for a call that is under way, and takes back the intents of which nothing was shown."""
        if self._call is not None:
            await asyncio.wait([self._call])
        nothing = self.intended - self.drafts.keys() - self._uncertain
        if nothing:
            await self._office.database.write(deliveries.forget, self._lease.key, self._question.seq, nothing)
            self.intended -= nothing

    def _ended(self, call: asyncio.Task[None]) -> None:
        """Nobody need be there any more who would hear of its failure."""
        if not call.cancelled() and (error := call.exception()) is not None:
            log.info("preview failed", session=self._lease.key.address.id, error=type(error).__name__)

    async def _preview(self, part: int, text: str, draft: Draft | None) -> None:
        database, key, seq = self._office.database, self._lease.key, self._question.seq
        if text and part not in self.intended:
            await database.write(deliveries.intend_draft, self._lease, self._question, part)
            self.intended.add(part)
        whole = composing.reply(key, self._question, part, text)
        reply = replace(whole, draft=draft, last=False, passing=text in EXCUSES)
        until = self._lease.tenure.until
        if until is not None and asyncio.get_running_loop().time() >= until:
            return  # we stood still, and have not been told yet: whoever goes on must not be overwritten
        try:
            async with asyncio.timeout_at(until):
                shown = await self._adapter.preview(reply)
        except Exception as error:  # noqa: BLE001 – a preview is a courtesy, whatever went wrong with it
            log.info("preview failed", session=key.address.id, error=type(error).__name__)
            self.refused = self.refused or (bool(text) and isinstance(error, DeliveryRefused))
            if text and not isinstance(error, DeliveryDelayed | DeliveryRefused):
                self.doubtful = True
                if draft is None:
                    self._uncertain.add(part)  # it may be on screen: the delivery will look
            return
        if shown is not None:
            self.drafts[part] = shown
            if draft is None or draft.id != shown.id:
                await database.write(deliveries.record_draft, key, seq, part, shown)
