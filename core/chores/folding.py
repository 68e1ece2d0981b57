"""Folding as a chore: the sessions that are due, several side by side, each by one process at a time."""

import asyncio
from functools import partial

import structlog

from core.assistant.folding import Folder
from core.errors import BackscrollError
from core.store import Database, folds
from core.store.folds import Due
from core.work.shifts import Shifts

log = structlog.get_logger()

AT_ONCE = 8
"""So many sessions are folded side by side by one process."""

NAME = "folding"


class DueSessions:
    """Folds the sessions that are due, each in a shift of its own."""

    def __init__(self, *, database: Database, folder: Folder, shifts: Shifts) -> None:
        self._database = database
        self._folder = folder
        self._shifts = shifts

    async def look(self) -> None:
        """Folds what is due now; one that fails keeps no other one from it."""
        async with asyncio.TaskGroup() as group:
            for due in await self._database.read(folds.due, AT_ONCE):
                group.create_task(self._fold(due))

    async def _fold(self, due: Due) -> None:
        place = f"{due.key.workspace}/{due.key.session}"
        try:
            await self._shifts.once(NAME, place, partial(self._folder.look, due), every=0.0, after_failure=0.0)
        except BackscrollError as error:
            log.error("session not looked at", session=due.key.address.id, reason=str(error))
