"""Hearing: each process says of its platforms that it hears them, for whoever asks from outside whether all is well."""

import structlog

from core.seam.adapter import Adapter
from core.store import Database, hearers
from core.timings import Timings

log = structlog.get_logger()

_LOOKS_EVERY = 0.25  # seconds between two looks at whether a platform is heard that was not


class Hearing:
    """One platform, as the process of this name hears it."""

    def __init__(self, *, database: Database, adapter: Adapter, owner: str, timings: Timings) -> None:
        self._database, self._adapter, self._owner = database, adapter, owner
        self._timings = timings
        self._is_ready = False

    async def say(self) -> float | None:
        """Says that the platform is heard, if it is; returns how soon to look again, or None. Raises a DatabaseError.

        A process is ready when its platform has taken it, which the log tells once.
        """
        if not self._adapter.hears():
            return min(self._timings.heard, _LOOKS_EVERY)
        if not self._is_ready:
            log.info("ready", platform=self._adapter.platform)
            self._is_ready = True
        await self._database.write(hearers.hear, self._adapter.platform, owner=self._owner)
        return None
