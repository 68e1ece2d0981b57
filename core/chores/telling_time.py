"""Telling the time: all processes go by one clock, so that how long people wait is the same for each of them."""

from collections.abc import Callable
from time import monotonic, time

from core.store import Database, health


class SharedClock:
    """The database's clock, as a `Clock`: learnt at each look, and counted on in between, whatever this machine's says.

    Until the first look it is this machine's. `counts` counts seconds from anywhere.
    """

    def __init__(self, database: Database, *, counts: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._counts = counts
        self._ahead = time() - counts()

    def __call__(self) -> float:
        """What time it is, in seconds since 1970."""
        return self._counts() + self._ahead

    async def look(self) -> None:
        """Learns what time it is there; it was told somewhere between the question and the answer."""
        before = self._counts()
        told = await self._database.read(health.moment)
        self._ahead = told - (before + self._counts()) / 2
