"""Speech: an answer while it grows, and how it ends beside what people have seen of it already."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from core.delivery.office import Office
from core.delivery.previews import EXCUSES, LATE, LOOK, Previews
from core.seam.messages import Draft
from core.session import Lease, Turn
from core.store import answering, deliveries
from core.store.deliveries import Delivery
from core.store.withdrawals import ASIDE

log = structlog.get_logger()

_LEAVES = 5  # looks of what takes messages away that are waited for, and looks of ours between two of them

WITHDRAWN = "_(withdrawn)_"
"""What a message becomes that was on screen already, and of which the answer in the end had no need."""


@asynccontextmanager
async def speaking(office: Office, lease: Lease, question: Turn) -> AsyncIterator["Speech"]:
    """An answer that people may watch as it grows; what an earlier attempt left on screen is taken up again."""
    previews = Previews(office, lease, question)
    if question.begun:
        for left in await _stays(office, lease, question):
            previews.take_up(left.part, left.draft)
    speech = Speech(office, lease, question, previews)
    try:
        yield speech
    finally:
        await speech.end()


async def _stays(office: Office, lease: Lease, question: Turn) -> Sequence[Delivery]:
    """What an earlier attempt left on screen, once what is to leave it has left it.

    A platform knows what it is given twice by its key: what comes in the place of a message that it still shows would
    become that message, and be taken away with it.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + _LEAVES * office.timings.reconcile
    while True:
        left = await office.database.read(deliveries.unsent, lease.key, question.seq)
        stays = [one for one in left if one.part < ASIDE]
        if len(stays) == len(left) or clock() >= until:
            return stays
        await asyncio.sleep(office.timings.reconcile / _LEAVES)


class Speech:
    """One answer while it grows: `say` takes the newest whole text and returns at once. `end` must follow."""

    def __init__(self, office: Office, lease: Lease, question: Turn, previews: Previews) -> None:
        self._office, self._lease, self._question = office, lease, question
        self._previews = previews
        self._text = ""
        self._seen: Callable[[str], str] = str
        self._changed = asyncio.Event()
        self._growing = asyncio.create_task(self._grow())

    @property
    def drafts(self) -> Mapping[int, Draft]:
        """What is on screen, by its part."""
        return self._previews.drafts

    @property
    def doubtful(self) -> bool:
        """Whether a call may still change what is on screen after it was given up: by us, or by who began this."""
        return self._previews.doubtful

    @property
    def shown(self) -> tuple[str, ...]:
        """What people see of the answer now, message by message; a sign that it is late is none of it."""
        texts = [draft.text for _, draft in sorted(self.drafts.items(), key=lambda one: one[0])]
        return tuple(text for text in texts if text not in ("", *EXCUSES))

    @property
    def unseen(self) -> bool:
        """Whether nothing of the answer is on screen, or on its way there."""
        return not self._previews.intended

    def say(self, text: str, seen: Callable[[str], str] = str) -> None:
        """The whole text so far, and what people see of it: that is asked only as often as it is shown."""
        if text:
            self._text, self._seen = text, seen
            self._changed.set()

    async def end(self) -> None:
        """No more previews; returns when a call that is under way has ended, so that what is on screen is known."""
        self._growing.cancel()
        await asyncio.wait([self._growing])
        await self._previews.end()
        if not self._growing.cancelled() and (error := self._growing.exception()) is not None:
            log.info("previews ended", session=self._lease.key.address.id, error=type(error).__name__)

    def closed(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """The answer's parts, and a word in place of every message on screen that has become one too many."""
        return parts + (WITHDRAWN,) * (self._previews.length - len(parts))

    def beneath(self, sentence: str) -> tuple[str, ...]:
        """The sentence as an answer's parts: under what is on screen already, which stays."""
        shown = self.shown
        if not shown:
            return self.closed((sentence,))
        last = f"{shown[-1]}\n\n{sentence}"
        room = self._office.adapter(self._lease.key.address).max_text
        whole = [*shown[:-1], last] if len(last) <= room else [*shown, sentence]
        return self.closed(tuple(whole))

    def stored(self, parts: tuple[str, ...]) -> Sequence[deliveries.Delivery]:
        """The answer's parts as they have just been stored, with what is on screen of them."""
        return answering.stored(parts, self._previews.intended)

    async def is_taken(self) -> bool:
        """Whether what we say is taken in this place. Where it was not, the last time, a sign is put where the answer
        will be: it is cheaper than an answer that nobody may see.
        """
        if self._lease.key.address not in self._office.shut or self._previews.length:
            return True
        await self.end()
        await self._previews.show(0, LOOK)
        if self._previews.refused:
            log.warning("model not asked", session=self._lease.key.address.id, reason="nothing that we say is taken")
            return False
        self._growing = asyncio.create_task(self._grow())
        return True

    async def excuse(self, words: str = LATE) -> None:
        """Says in place of silence, by one of `EXCUSES`, that the answer will be late; not beneath a part of it."""
        await self.end()
        if not self._previews.length:
            await self._previews.show(0, words)

    async def keep(self) -> None:
        """Stores what is on screen now, for whoever tries this answer again."""
        await self.end()
        key, seq = self._lease.key, self._question.seq
        for part, draft in self.drafts.items():
            await self._office.database.write(deliveries.record_draft, key, seq, part, draft)

    async def _grow(self) -> None:
        """Shows snapshots until cancelled."""
        while True:
            if not self._text:
                await self._previews.show(0, "")
                await self._wait(self._office.timings.working)
                continue
            self._changed.clear()
            await self._previews.turn()
            await self._previews.snapshot(self._seen(self._text))
            await self._changed.wait()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
