"""What one gateway connection tells, event by event: read, and handed over until it is stored.

The gateway knows no acknowledgement. What could not be stored is therefore held here and offered again (`keeping`);
what is on its way when we are told to stop gets a few seconds more.

What is said in one channel or thread is handed over in the order in which it came, whatever has to be looked up or
offered again before: a message that is edited or deleted at once is stored first and changed then.
"""

from asyncio import Task, create_task, wait
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from bots.discord import changes, messages
from bots.discord.api import Api
from bots.discord.connection import Gateway
from bots.discord.errors import Trouble
from bots.discord.interactions import Interactions
from bots.discord.names import Names
from bots.discord.payloads import PLATFORM, Payload, rejected
from bots.discord.places import Places
from bots.discord.responses import Responses
from bots.discord.timings import Timings
from core.errors import where
from core.seam.evidence import UNREADABLE
from core.seam.keeping import Keeper
from core.seam.messages import Edited, Inbound, Rejected
from core.seam.ordering import Ordering

log = structlog.get_logger(platform=PLATFORM)

Take = Callable[[Payload], Coroutine[Any, Any, None]]
Read = Callable[[Payload, str | None, Names], Inbound | Edited | Rejected | None]


class Events:
    """Takes what one gateway connection tells, until it is closed."""

    def __init__(
        self,
        api: Api,
        responses: Responses,
        gateway: Gateway,
        places: Places,
        keeper: Keeper,
        *,
        timings: Timings,
        now: Callable[[], float],
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._places = places
        self._keeper = keeper
        self._tasks: set[Task[None]] = set()
        self._order = Ordering(seconds=None)
        self._settle_within = timings.settle
        interactions = Interactions(responses, places, keeper, store_within=timings.store, now=now)
        gateway.tap(
            {
                "MESSAGE_CREATE": self._in_order(self._message),
                "MESSAGE_UPDATE": self._in_order(self._update),
                "MESSAGE_DELETE": self._in_order(self._deletion),
                "MESSAGE_DELETE_BULK": self._in_order(self._deletion),
                "INTERACTION_CREATE": self._at_once(interactions.take),
            },
            also={
                "THREAD_DELETE": self._in_order(self._closing),
                "CHANNEL_DELETE": self._in_order(self._closing),
                "GUILD_DELETE": self._in_order(self._leaving),
            },
        )

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Afterwards the gateway is closed, and everything that it said is stored or given up."""
        try:
            yield
        finally:
            await self._gateway.close()
            if self._tasks:
                await self._settle()

    def _at_once(self, take: Take) -> Callable[[Payload], None]:
        return lambda payload: self._own(create_task(self._guarded(take, payload)))

    def _in_order(self, take: Take) -> Callable[[Payload], None]:
        """One after the other in each channel."""

        def tapped(payload: object) -> None:
            if isinstance(payload, Mapping):
                self._places.meet(payload)
                self._own(create_task(self._in_turn(take, payload)))
            else:
                self._own(create_task(self._reject(payload, TypeError())))

        return tapped

    def _own(self, task: Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_turn(self, take: Take, payload: Payload) -> None:
        """Its place in the line is from when it came: tasks begin in the order in which they were made."""
        async with self._order.line(str(payload.get("channel_id", payload.get("id")))) as turn:
            await turn()
            await self._guarded(take, payload)

    async def _guarded(self, take: Take, payload: Payload) -> None:
        """What can't be read is kept as that; whatever else fails must not end the others."""
        try:
            await take(payload)
        except UNREADABLE as error:
            await self._reject(payload, error)
        except Exception as error:  # noqa: BLE001  # one event must not end the others
            log.error("event failed", error=type(error).__name__, where=where(error))

    async def _reject(self, payload: object, error: Exception) -> None:
        await self._keeper.keep(rejected(payload, error))

    async def _settle(self) -> None:
        _, late = await wait(self._tasks, timeout=self._settle_within)
        if late:
            log.error("events lost", events=len(late))
            for task in late:
                task.cancel()
            await wait(late)

    async def _message(self, payload: Payload) -> None:
        await self._take(payload, messages.message)
        self._gateway.note(payload)

    async def _update(self, payload: Payload) -> None:
        if changes.is_edit(payload):
            await self._take(payload, changes.edited)

    async def _take(self, payload: Payload, read: Read) -> None:
        """Asks only about what is for us to hear: what it replies to, and where the thread is that it was said in."""
        names = self._places.names(payload.get("guild_id"))
        heard = read(payload, None, names)
        answered = messages.unresolved(payload)
        if answered is not None and not isinstance(heard, Rejected):
            payload = await self._with_answered(payload, *answered)
            heard = read(payload, None, names)
        if isinstance(heard, Inbound | Edited):
            try:
                heard = read(payload, await self._places.parent(payload), names)
            except Trouble as error:
                heard = rejected(payload, error)
        if heard is not None:
            await self._keeper.keep(heard)

    async def _deletion(self, payload: Payload) -> None:
        """A deletion names no more than IDs; in a thread that nobody knows any more it is told as if of a channel.

        Nothing is found there, and nothing is changed: what we remember of a thread goes when its own end is told.
        """
        try:
            parent = await self._places.parent(payload)
        except Trouble as error:
            log.info("deleted in an unknown place", channel=payload["channel_id"], error=type(error).__name__)
            parent = None
        for gone in changes.deleted(payload, parent):
            await self._keeper.keep(gone)

    async def _closing(self, payload: Payload) -> None:
        closed = changes.closed(payload)
        if closed is not None:
            await self._keeper.keep(closed)

    async def _leaving(self, payload: Payload) -> None:
        left = changes.left(payload)
        if left is not None:
            await self._keeper.keep(left)

    async def _with_answered(self, payload: Payload, channel: str, message: str) -> Payload:
        """The payload with the message that it replies to, where that still exists."""
        try:
            return {**payload, "referenced_message": await self._api.message(channel, message)}
        except Trouble as error:
            log.info("reply unresolved", id=payload.get("id"), error=type(error).__name__)
            return payload
