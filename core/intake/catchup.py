"""Catching up: what was said while nobody heard is looked up in the platform's history, once, by one process.

Whoever hears a platform says so in the database every few seconds. Where that thread of time is broken for longer than
the platform bridges by sending again, everything said since is accepted by the same door as everything else. What was
read for that is compared with what is remembered: texts, and what is there at all. What was heard and could not be
stored breaks the thread as well.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from time import time

import structlog

from core.errors import DeliveryDelayed, DeliveryError, DeliveryUnknown, PlaceGone
from core.intake.inbox import Inbox
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.seam.messages import Closed
from core.store import Database, doubts, places, presence
from core.timings import Clock, Timings
from core.work.shifts import Shifts

log = structlog.get_logger()

_UNBROKEN = 30.0  # seconds: a thread of time whose last word is not older than that, with a slow database in mind
_OVERLAP = 120.0  # seconds before the break: a line that is dead may look alive for that long; what is known is known
_LATELY = 14 * 86_400.0  # seconds: conversations in which nobody has said anything for that long are not looked at
_CONVERSATIONS = 500
_LOOKS_EVERY = 1.0  # seconds between two looks at whether the platform is still heard
_EDGE = 1.0  # seconds: what was said at the very beginning of what is read may be in it or not
TRIES = 5
"""How often a place that does not tell its history is asked in a row."""


async def suspect(database: Database, adapter: Adapter) -> None:
    """Before anything is answered: what waits was answered, perhaps, while as far as we know nobody heard."""
    within = max(adapter.bridges, _UNBROKEN)
    if await database.write(presence.missed, adapter.platform, within=within):
        waiting = await database.write(doubts.suspect, adapter.platform)
        if waiting:
            log.info("looked for before it is answered", platform=adapter.platform, messages=waiting)


class CatchUp:
    """Keeps the thread of time of each platform, and mends it."""

    def __init__(
        self,
        *,
        database: Database,
        inbox: Inbox,
        shifts: Shifts,
        timings: Timings,
        clock: Clock = time,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._shifts = shifts
        self._timings = timings
        self._clock = clock
        self._hearing: dict[str, float] = {}  # since when each platform is heard here, by the event loop's clock

    async def keep(self, adapter: Adapter) -> float | None:
        """Says that the platform is heard, or mends what was missed; returns how soon that is due again, or None.

        A connection that was made a moment ago has heard nothing of what was said before: only what was said since is
        no gap, whoever is at mending that. Raises a DatabaseError, or a DeliveryError when something could not be
        looked at.
        """
        now = asyncio.get_running_loop().time()
        since = self._hearing.pop(adapter.platform, now)  # it begins anew where this fails
        if not adapter.hears():
            return min(self._timings.heard, _LOOKS_EVERY)
        within = max(adapter.bridges, min(now - since, _UNBROKEN))
        lost = self._inbox.unstored.since(adapter.platform)
        if lost is not None:
            await self._database.write(presence.lose, adapter.platform, seconds=now - lost)
            within = max(adapter.bridges, self._timings.untold)
            if now - lost <= within:
                self._hearing[adapter.platform] = since
                return None
            self._inbox.unstored.forget(adapter.platform)
        if not await self._database.write(presence.beat, adapter.platform, within=within):
            await self._mend(adapter, within)
        self._hearing[adapter.platform] = since
        return None

    async def _mend(self, adapter: Adapter, within: float) -> None:
        """Looks up what was missed, unless another process is at it; whether that comes to its end is seen later.

        Raises a DeliveryError when something could not be looked at, and LeaseLost.
        """
        mend = partial(self._catch_up, adapter, within)
        unlooked = self._timings.unlooked
        await self._shifts.once(presence.SHIFT, adapter.platform, mend, every=0.0, after_failure=unlooked)

    async def _catch_up(self, adapter: Adapter, within: float) -> None:
        gap = await self._database.write(presence.missed, adapter.platform, within=within)
        if gap is None:
            return
        since, now = gap
        begun = asyncio.get_running_loop().time()
        log.info("catching up", platform=adapter.platform, seconds=round(now - since))
        hearing = asyncio.create_task(_hearing(adapter))
        try:
            found = await self._look_up(adapter, since - _OVERLAP)
        finally:
            hearing.cancel()
        log.info("caught up", platform=adapter.platform, messages=found)
        heard_all = not hearing.done()  # meanwhile, which can be hours where the platform rations its history
        until = now + (asyncio.get_running_loop().time() - begun if heard_all else 0)
        await self._database.write(presence.caught_up, adapter.platform, owner=self._shifts.owner, at=until)

    async def _look_up(self, adapter: Adapter, since: float) -> int:
        """How much was found. Raises DeliveryUnknown when not every place could be looked at, after all the others."""
        places = list(await adapter.places(since))
        lately = self._clock() - _LATELY
        known = await self._database.read(presence.conversations, adapter.platform, since=lately, limit=_CONVERSATIONS)
        found, changed, left = 0, 0, 0
        open_ = deque(dict.fromkeys([*places, *known]))
        seen = set(open_)
        while open_:
            place = open_.popleft()
            try:
                news, differ, further = await self._read(adapter, place, since)
                found, changed = found + news, changed + differ
                open_ += [one for one in further if one not in seen]
                seen |= set(further)
            except DeliveryError as error:
                left += 1
                log.warning("not looked up", session=place.id, reason=str(error))
        if left:
            raise DeliveryUnknown(f"{left} places could not be looked at")
        log.info(
            "compared",
            platform=adapter.platform,
            messages=changed,
            since=f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC",
            unknown="edits and deletions meanwhile of what was said before that, or in places that were not read",
        )
        return found

    async def _read(self, adapter: Adapter, place: Address, since: float) -> tuple[int, int, Collection[Address]]:
        """One place: how much was news, how much has changed, and where else to read what we have answered.

        As long as the platform asks us to wait, we wait.
        """
        tries = 0
        while True:
            try:
                known = await self._database.read(places.standing, place, since + _EDGE)
                said = await adapter.since(place, since)
                answered = {one.address for one in said if one.answer == "" and one.address != place}
                here = [one for one in said if one.address not in answered]
                return await self._inbox.catch_up(here), await self._inbox.compare(place, known, said), answered
            except DeliveryDelayed as error:
                await asyncio.sleep(error.retry_after)
            except PlaceGone:
                await self._inbox.receive(Closed(address=place, gone=True))
                return 0, 0, ()
            except DeliveryError:
                tries += 1
                if tries >= TRIES:
                    raise
                await asyncio.sleep(self._timings.reread * 2 ** (tries - 1))


async def _hearing(adapter: Adapter) -> None:
    """Returns when the platform is not heard any more."""
    while adapter.hears():  # noqa: ASYNC110 – a platform tells nobody
        await asyncio.sleep(_LOOKS_EVERY)
