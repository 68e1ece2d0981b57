"""Folding as a chore: the sessions that are due, several side by side, each by one process at a time."""

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog

from core.assistant.folding import Folder
from core.errors import BackscrollError, DatabaseError
from core.session import SessionKey
from core.store import Database, folds
from core.store.folds import Due
from core.work.shifts import Shifts

log = structlog.get_logger()

AT_ONCE = 8
"""So many sessions are folded side by side by one process."""

NAME = "folding"

_READ = 64  # sessions; some may be other processes'
_AtWork = Mapping[SessionKey, asyncio.Task[None]]


class DueSessions:
    """Folds the sessions that are due, each in a shift of its own; while some are at work, looks for more as often."""

    def __init__(self, *, database: Database, folder: Folder, shifts: Shifts, every: float) -> None:
        self._database = database
        self._folder = folder
        self._shifts = shifts
        self._every = every

    async def look(self) -> None:
        """Folds what is due, and what becomes so meanwhile; one that takes long or fails keeps none waiting."""
        async with asyncio.TaskGroup() as group:
            at_work = await self._more(group, {})
            while at_work:
                await asyncio.wait(at_work.values(), timeout=self._every)
                left = {key: task for key, task in at_work.items() if not task.done()}
                at_work = await self._more(group, left) if left else {}

    async def _more(self, group: asyncio.TaskGroup, at_work: _AtWork) -> _AtWork:
        """Those at work, and as many that are due as may be folded beside them."""
        try:
            found = await self._database.read(folds.due, _READ)
        except DatabaseError as error:
            log.error("not known which sessions are due", reason=str(error))
            return at_work
        fresh = [due for due in found if due.key not in at_work][: AT_ONCE - len(at_work)]
        return {**at_work} | {due.key: group.create_task(self._fold(due)) for due in fresh}

    async def _fold(self, due: Due) -> None:
        place = f"{due.key.workspace}/{due.key.session}"
        try:
            await self._shifts.once(NAME, place, partial(self._folder.look, due), every=0.0, after_failure=0.0)
        except BackscrollError as error:
            log.error("session not looked at", session=due.key.address.id, reason=str(error))
