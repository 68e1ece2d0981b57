"""Sealing what is stored already, in small steps beside what is being answered; and hearing of others' data keys."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from core.store import Database, keys, resealing, rotating
from core.store.sealing import Vault
from core.timings import Timings

log = structlog.get_logger()

T = TypeVar("T")

_STEP = 10  # rows that are written at once
_NEVER = 2**62  # milliseconds
_OVERLAP = 60_000  # milliseconds; what was committed late is heard of twice rather than never


class Resealing:
    """Seals what is stored in a database anew, by the data keys of now.

    `tell` is told how many rows were looked at, and all processes hear of keys every `heard` seconds.
    After each look and each step it rests for as long as that took, so that half of the database's time at the least is
    for what people wait for.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        tell: Callable[[int], None] = lambda _: None,
        heard: float = Timings().keys,
    ) -> None:
        self._database = database
        self._vault = vault
        self._tell = tell
        self._heard = heard
        self.lost = 0

    async def seal_all(self) -> int:
        """Seals what is in the clear, until nothing is, and from then on everything else is refused; how many rows.

        Whoever was started without a ring, and stores in the clear, has ended by then.
        """
        sealed = await self._seal()
        if wait := await self._database.read(rotating.to_be_heard, within=2 * self._heard):
            await asyncio.sleep(wait)
            sealed += await self._seal()
        await resealing.mark(self._vault, self._database)
        log.info("all is sealed", rows=sealed)
        return sealed

    async def _seal(self) -> int:
        sealed = 0
        while done := await self.walk(renew=False):
            sealed += done
        return sealed

    async def walk(self, *, renew: bool) -> int:
        """Looks at every row once; with `renew` also at what older data keys have sealed. How many it has changed."""
        self.lost = 0
        changed = [await self._table(table, renew=renew) for table in resealing.TABLES]
        if self.lost:
            log.error(
                "can't be read", bodies=self.lost, reason="they were changed or moved, or their keys are not here"
            )
        return sum(changed)

    async def _table(self, table: str, *, renew: bool) -> int:
        changed, after = 0, None
        while True:
            page = await _unhurried(self._database.read(resealing.look, self._vault, table, after, renew=renew))
            for start in range(0, len(page.changes), _STEP):
                step = page.changes[start : start + _STEP]
                changed += await _unhurried(self._database.write(resealing.put, table, step))
            self.lost += page.lost
            self._tell(page.rows)
            after = page.last
            if after is None:
                return changed


async def _unhurried(work: Awaitable[T]) -> T:
    """Rests for as long as the work took: those who answer meanwhile have the database, and the machine, as often."""
    begun = asyncio.get_running_loop().time()
    done = await work
    await asyncio.sleep(asyncio.get_running_loop().time() - begun)
    return done


class HearingOfKeys:
    """Keeps what this process has of data keys as others have changed it."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._since: int | None = None

    async def look(self) -> None:
        """Reads what is new. The first time it only notes the time: what was read since the start is as it is now."""
        since = _NEVER if self._since is None else self._since
        moment, changed = await self._database.read(keys.changed, since)
        self._vault.hear(changed)
        self._since = moment - _OVERLAP
