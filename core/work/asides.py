"""Asides: commands that are answered beside the queue, by the process that has accepted them.

If it dies over one, or fails, the command is still in the queue, and whoever claims the session answers it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog

from core.access import Deed
from core.assistant.assistant import Assistant
from core.commands import deeds, orders
from core.seam.address import Address
from core.session import SessionKey, Turn
from core.store import Database, queue, turns

log = structlog.get_logger()

Place = tuple[Address, str]
"""Where a message was said, and its ID there."""

HandOver = Callable[[SessionKey, Turn], None]
"""Says as which turn of which session a command was accepted."""


class Asides:
    """The commands that are being answered beside the queue."""

    def __init__(self, *, database: Database, assistant: Assistant, wake: Callable[[], None]) -> None:
        self._database = database
        self._assistant = assistant
        self._wake = wake
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._newest: dict[SessionKey, asyncio.Task[None]] = {}

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """What answers them."""
        return list(self._tasks.values())

    def of(self, place: Place) -> asyncio.Task[None] | None:
        """What answers this message, where it is a command that is answered here beside the queue."""
        return self._tasks.get(place)

    @contextmanager
    def open(self, place: Place) -> Iterator[HandOver]:
        """A command is being accepted, and is answered here once it is handed over; where it never is, that is all.

        It is known from the beginning, so that whoever serves the session here leaves it alone.
        """
        if place in self._tasks:
            yield lambda _key, _turn: self._wake()  # we are at it already
            return
        accepted: asyncio.Future[tuple[SessionKey, Turn] | None] = asyncio.get_running_loop().create_future()
        task = self._tasks[place] = asyncio.create_task(self._answer(accepted))
        task.add_done_callback(lambda _: self._tasks.pop(place, None))
        try:
            yield lambda key, turn: None if accepted.done() else accepted.set_result((key, turn))
        finally:
            if not accepted.done():
                accepted.set_result(None)

    async def _answer(self, accepted: "asyncio.Future[tuple[SessionKey, Turn] | None]") -> None:
        found = await accepted
        if found is None:
            return
        key, question = found
        await self._behind_others(key, question)
        try:
            while (waiting := await self._database.read(turns.waiting, key, question.seq)) is not None:
                with suppress(queue.Changed):  # by an edit, of what was said before it as well: then it is read again
                    await self._assistant.answer_aside(key, waiting)
                    break
        except Exception as error:  # noqa: BLE001 – it stays in the queue, and whoever claims the session answers it
            log.warning("command left to the queue", session=key.address.id, error=type(error).__name__)
        self._wake()

    async def _behind_others(self, key: SessionKey, question: Turn) -> None:
        """Waits for what was ordered before it in its session, where both change something: the last word holds.

        A stop waits for nothing.
        """
        order, task = orders.order(key, question), asyncio.current_task()
        if order is None or task is None or order.command.deed is Deed.STOP or deeds.only_reads(order):
            return
        before, self._newest[key] = self._newest.get(key), task
        task.add_done_callback(lambda _: self._newest.get(key) is task and self._newest.pop(key))
        if before is not None:
            await asyncio.wait([before])
