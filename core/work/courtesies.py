"""Courtesies: signs on messages that wait, and on conversations that go on. Shown while nobody waits, or not at all."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence

import structlog

from core.seam.adapter import Adapter
from core.session import SessionKey, Turn
from core.store import Database, queue

log = structlog.get_logger()


class Courtesies:
    """Shows that messages wait for their turn, and takes that back."""

    def __init__(self, *, database: Database, adapters: Mapping[str, Adapter]) -> None:
        self._database = database
        self._adapters = adapters
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """What is being shown now."""
        return list(self._tasks)

    def show(self, key: SessionKey, turn: Turn) -> None:
        """Shows that this message has to wait."""
        if turn.message is not None:
            self._begin(self._show(key, turn, turn.message))

    def take_back(self, key: SessionKey, turn: Turn) -> None:
        """Its turn has come: takes the sign back, where there is one."""
        if turn.slip.marked and turn.message is not None:
            self._begin(self._mark(key, turn.message, waits=False))

    def show_present(self, key: SessionKey) -> None:
        """Shows that a conversation goes on that was timed out."""
        self._begin(self._adapters[key.address.platform].presence(key.address, is_present=True))

    async def _show(self, key: SessionKey, turn: Turn, message: str) -> None:
        await self._mark(key, message, waits=True)
        if not await self._database.write(queue.marked, key, turn.seq):
            await self._mark(key, message, waits=False)  # it was quicker

    async def _mark(self, key: SessionKey, message: str, *, waits: bool) -> None:
        await self._adapters[key.address.platform].mark(key.address, message, waits=waits)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("courtesy not done", error=type(error).__name__)
