"""Timing out: sessions whose present is over are found and ended, a few at a time, so that no answer waits for it."""

import asyncio
from collections.abc import Sequence

import structlog

from core.errors import DeliveryError
from core.events import Events, TimedOut
from core.memory.ageing import is_over
from core.policy import Policy
from core.seam.adapter import Adapter
from core.session import SessionKey
from core.store import Database, timeouts
from core.store.timeouts import Present
from core.timings import Timings

log = structlog.get_logger()

_AT_ONCE = 250
"""Sessions that are read at once, and ended in one transaction where they are over: others wait for its end."""

_RESTS = 4
"""So many times as long as such a step took is rested after it: who answers rarely finds one in the way."""


class TimingOut:
    """Ends what is over of one platform's sessions, under the deployment's policy and what is set for each."""

    def __init__(
        self, *, database: Database, policy: Policy, adapter: Adapter, events: Events, timings: Timings
    ) -> None:
        self._events = events
        self._database = database
        self._policy = policy
        self._adapter = adapter
        self._timings = timings

    async def sweep(self) -> None:
        """Goes through all that are present. Raises a DatabaseError; what was ended by then is."""
        clock = asyncio.get_running_loop().time
        place, number, begun = timeouts.FIRST, 0, clock()
        while page := await self._database.read(timeouts.present, self._adapter.platform, after=place, most=_AT_ONCE):
            place = page[-1].place
            over = [one for one in page if is_over(self._policy, one)]
            ended = await self._database.write(timeouts.time_out, over) if over else []
            took = clock() - begun
            await self._tell(ended)
            number += len(ended)
            await asyncio.sleep(max(_RESTS * took, self._timings.between))
            begun = clock()
        if number:
            log.info("timed out", platform=self._adapter.platform, sessions=number)

    async def _tell(self, ended: Sequence[Present]) -> None:
        """Those that were ended, which are not all that were over: somebody may have talked since."""
        for one in ended:
            self._events.tell(TimedOut(address=one.key.address, seconds=(one.now - one.spoken_at) / 1000))
        await self._show([one.key for one in ended])

    async def _show(self, ended: list[SessionKey]) -> None:
        for key in ended:
            try:
                await self._adapter.presence(key.address, is_present=False)
            except DeliveryError as error:
                log.info("courtesy not done", session=key.address.id, error=type(error).__name__)
                return
