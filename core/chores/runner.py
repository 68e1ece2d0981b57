"""The runner: does each chore time and again, hears when it fails, and goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from core.errors import BackscrollError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """A row of the table: what is done, and in how many seconds it is done again.

    `do` may return another number of seconds for this once; after a failure it is tried again in `after_failure`.
    Every process does every chore. What only one may do at a time is done under a lease in the database, which `do`
    takes, and without which it does nothing.
    """

    name: str
    do: Callable[[], Awaitable[float | None]]
    every: float
    after_failure: float
    platform: str | None = None
    """The platform that it is for, where each has one of its own."""


class Chores:
    """Does the chores of a table, side by side: one that takes long, or fails, keeps no other one waiting."""

    def __init__(self, table: Sequence[Chore]) -> None:
        self._table = table

    async def work(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for chore in self._table:
                group.create_task(_keep_doing(chore), name=chore.name)


async def _keep_doing(chore: Chore) -> None:
    while True:
        pause = await _done(chore)
        await asyncio.sleep(pause)


async def _done(chore: Chore) -> float:
    """Does it once; returns the seconds until the next time."""
    try:
        again = await chore.do()
    except Exception as error:
        known = isinstance(error, BackscrollError)
        log.error(
            "chore failed",
            chore=chore.name,
            platform=chore.platform,
            reason=str(error) if known else type(error).__name__,
            exc_info=None if known else error,
        )
        return chore.after_failure
    return chore.every if again is None else again
