"""The runner: does each chore time and again, hears when it fails, and goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from core.errors import BackscrollError
from core.work.shifts import Shifts

log = structlog.get_logger()


_LONGEST = 30.0  # seconds between two attempts at what fails again and again
_DOUBLINGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """A row of the table: what is done, and in how many seconds it is done again.

    `do` may return another number of seconds for this once; after a failure it is tried again in `after_failure`.
    What is done `by_one` is one process's at a time, whichever takes it on first, and `every` counts for all of them;
    another process goes on with it when the one that was at it has ended. Everything else every process does by itself.
    """

    name: str
    do: Callable[[], Awaitable[float | None]]
    every: float
    after_failure: float
    by_one: bool
    platform: str | None = None
    """The platform that it is for, where each has one of its own."""


def after_failures(chore: Chore, failures: int) -> float:
    """How long to wait after so many in a row: twice as long each time, up to half a minute, or to its own pause."""
    longer: float = chore.after_failure * 2.0 ** min(failures - 1, _DOUBLINGS)
    return max(chore.after_failure, min(longer, _LONGEST))


class Chores:
    """Does the chores of a table, side by side: one that takes long, or fails, keeps no other one waiting."""

    def __init__(self, table: Sequence[Chore], shifts: Shifts) -> None:
        self._table = table
        self._shifts = shifts

    async def work(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for chore in self._table:
                group.create_task(self._keep_doing(chore), name=chore.name)

    async def _keep_doing(self, chore: Chore) -> None:
        failures = 0
        while True:
            pause = await self._done(chore)
            failures = 0 if pause is not None else failures + 1
            await asyncio.sleep(after_failures(chore, failures) if pause is None else pause)

    async def _done(self, chore: Chore) -> float | None:
        """Does it once; returns the seconds until the next time, or None where it failed."""
        try:
            again = await (self._in_a_shift(chore) if chore.by_one else chore.do())
        except Exception as error:
            known = isinstance(error, BackscrollError)
            log.error(
                "chore failed",
                chore=chore.name,
                platform=chore.platform,
                reason=str(error) if known else type(error).__name__,
                exc_info=None if known else error,
            )
            return None
        return chore.every if again is None else again

    async def _in_a_shift(self, chore: Chore) -> float:
        place = chore.platform or ""
        return await self._shifts.once(
            chore.name, place, chore.do, every=chore.every, after_failure=chore.after_failure
        )
