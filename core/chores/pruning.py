"""Pruning: rows of the audit go when their time is over, and what is left can be verified as before."""

from time import time

import structlog

from core.store import Database, audit
from core.timings import Clock

log = structlog.get_logger()


class Pruning:
    """Takes away what was recorded longer than so many seconds ago, a bounded number of rows at once."""

    def __init__(self, *, database: Database, kept: float, clock: Clock = time) -> None:
        self._database = database
        self._kept = kept
        self._clock = clock

    async def sweep(self) -> None:
        """Goes through all workspaces. A broken chain is left as it is, and that is logged. Raises a DatabaseError."""
        before = int((self._clock() - self._kept) * 1000)
        for number, name in await self._database.read(audit.recorded):
            await self._prune(number, name, before)

    async def _prune(self, workspace: int, name: str, before: int) -> None:
        while True:
            rows, broken = await self._database.write(audit.prune, workspace, name, before=before)
            if broken is not None:
                log.error("audit is broken", workspace=name, row=broken.number, why=broken.why)
            if rows == 0:
                return
            log.info("audit pruned", workspace=name, rows=rows)
