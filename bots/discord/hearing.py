"""Hearing: what one gateway connection says, translated, and kept until it is stored.

The gateway knows no acknowledgement. What `receive` could not store is therefore held here and offered again, with
growing pauses, for about nine minutes; what is on its way when we are told to stop gets a few seconds more.

An interaction is not sent again either, and Discord calls it failed after three seconds. So it is acknowledged once it
is stored if that takes no longer than `STORE_WITHIN`, and else at once while storing goes on: to withhold the
acknowledgement would lose the command for sure. Who gave it is told if it is lost after all.
"""

from asyncio import Task, TaskGroup, create_task, sleep, wait
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from bots.discord import translate
from bots.discord.failures import Trouble
from bots.discord.library import Forbidden, Gateway, HTTPException, NotFound, Payload, Thread, where
from bots.discord.rest import Rest
from bots.discord.ticket import Ticket
from bots.discord.translate import PLATFORM
from core.adapter import Receive
from core.messages import Inbound, Rejected

log = structlog.get_logger(platform=PLATFORM)

STORE_WITHIN = 2.2
"""How long a command may take to be stored before it is acknowledged all the same, in seconds; Discord waits 3."""

SETTLE = 5.0
"""What is on its way when we stop is given this long to be stored, in seconds."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *(60.0,) * 8)
"""Between two tries of the same event, in seconds."""

LOST = "I could not take this in: my memory did not answer. Please try again in a few minutes."

_ALREADY_ACKNOWLEDGED = 40060
_THREADS_KNOWN = 10_000

Sleep = Callable[[float], Awaitable[None]]
Take = Callable[[Payload], Coroutine[Any, Any, None]]


class Ear:
    """Listens to one gateway connection until it is closed; `me` is our own user ID."""

    def __init__(self, rest: Rest, gateway: Gateway, receive: Receive, *, me: str, pause: Sleep = sleep) -> None:
        self._rest = rest
        self._gateway = gateway
        self._receive = receive
        self._me = me
        self._pause = pause
        self._tasks: set[Task[None]] = set()
        self._parents: OrderedDict[str, Task[str | None]] = OrderedDict()
        gateway.tap({"MESSAGE_CREATE": self._tap(self._message), "INTERACTION_CREATE": self._tap(self._interaction)})

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Afterwards the gateway is closed, and everything that it said is stored or given up."""
        try:
            yield
        finally:
            await self._gateway.close()
            if self._tasks:
                await self._settle()

    def _tap(self, take: Take) -> Callable[[Payload], None]:
        def tapped(payload: Payload) -> None:
            task = create_task(self._owned(take, payload))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return tapped

    async def _owned(self, take: Take, payload: Payload) -> None:
        try:
            await take(payload)
        except Exception as error:  # noqa: BLE001  # one event must not end the others
            log.error("event failed", id=payload.get("id"), error=type(error).__name__, where=where(error))

    async def _settle(self) -> None:
        _, late = await wait(self._tasks, timeout=SETTLE)
        if late:
            log.error("events lost", events=len(late))
            for task in late:
                task.cancel()
            await wait(late)

    async def _message(self, payload: Payload) -> None:
        """No pause before `receive` for a message that needs no look-up, so that order of arrival is kept."""
        names = self._names(payload)
        heard = translate.message(payload, None, names)
        answered = translate.unresolved(payload)
        if answered is not None and not isinstance(heard, Rejected):
            payload = await self._with_answered(payload, *answered)
            heard = translate.message(payload, None, names)
        if isinstance(heard, Inbound):
            parent = await self._parent(payload)
            heard = parent if isinstance(parent, Rejected) else translate.message(payload, parent, names)
        if heard is not None:
            await self._keep(heard)

    async def _interaction(self, payload: Payload) -> None:
        heard = translate.interaction(payload, None)
        if not isinstance(heard, Inbound):
            if heard is not None:
                await self._keep(heard)
            return
        with self._rest.deferring(payload["token"]):
            async with TaskGroup() as group:
                storing = group.create_task(self._store(payload))
                await wait({storing}, timeout=STORE_WITHIN)
                await self._acknowledge(heard, payload["token"])
                self._rest.deferred(payload["token"])
        if not storing.result():
            await self._apologise(heard)

    async def _store(self, payload: Payload) -> bool:
        parent = await self._parent(payload)
        heard = parent if isinstance(parent, Rejected) else translate.interaction(payload, parent)
        return heard is None or await self._keep(heard)

    async def _acknowledge(self, command: Inbound, token: str) -> None:
        try:
            await self._rest.defer(command.id, token, private=translate.private(command.verb or ""))
        except Trouble as error:
            if not (isinstance(error, HTTPException) and error.code == _ALREADY_ACKNOWLEDGED):
                log.warning("not deferred", session=command.address.id, error=type(error).__name__)

    async def _apologise(self, command: Inbound) -> None:
        ticket = Ticket.read(command.ticket, now=0.0)
        if ticket is not None:
            await self._rest.answer(ticket, LOST, {"parse": []})

    async def _keep(self, heard: Inbound | Rejected) -> bool:
        """Offers it to `receive` until that takes it; False when it never did."""
        for pause in PAUSES:
            try:
                await self._receive(heard)
            except Exception as error:  # noqa: BLE001  # whatever it is, nobody else would say this message again
                log.warning("not stored", id=heard.id, error=type(error).__name__, where=where(error))
                await self._pause(pause)
            else:
                return True
        log.error("events lost", events=1, id=heard.id)
        return False

    async def _with_answered(self, payload: Payload, channel: str, message: str) -> Payload:
        """The payload with the message that it replies to, where that still exists."""
        try:
            return {**payload, "referenced_message": await self._rest.message(channel, message)}
        except Trouble as error:
            log.info("reply unresolved", id=payload.get("id"), error=type(error).__name__)
            return payload

    async def _parent(self, payload: Payload) -> str | Rejected | None:
        """The channel around the thread that this comes from; asked for where no cache has it, as for old threads."""
        guild, channel = payload.get("guild_id"), payload["channel_id"]
        named = payload.get("channel") or {}
        if guild is None:
            return None
        if "type" in named:
            return named.get("parent_id") if named["type"] in translate.THREADS else None
        server = self._gateway.get_guild(int(guild))
        cached = server.get_channel_or_thread(int(channel)) if server else None
        if cached is not None:
            return str(cached.parent_id) if isinstance(cached, Thread) else None
        return await self._asked_parent(payload, channel)

    async def _asked_parent(self, payload: Payload, channel: str) -> str | Rejected | None:
        """Discord is asked once, however many wait for the answer; they go on in the order in which they came."""
        if channel not in self._parents:
            self._parents[channel] = create_task(self._fetch_parent(channel))
            while len(self._parents) > _THREADS_KNOWN:
                self._parents.popitem(last=False)
        try:
            return await self._parents[channel]
        except Trouble as error:
            self._parents.pop(channel, None)
            return translate.rejected(payload, error)

    async def _fetch_parent(self, channel: str) -> str | None:
        for pause in PAUSES:
            try:
                found = await self._rest.channel(channel)
            except (NotFound, Forbidden):
                raise
            except Trouble as error:
                log.warning("channel unknown", channel=channel, error=type(error).__name__, again_in=pause)
                await self._pause(pause)
            else:
                return found["parent_id"] if found["type"] in translate.THREADS else None
        raise TimeoutError("Discord did not say which channel this is")

    def _names(self, payload: Payload) -> translate.Names:
        guild_id = payload.get("guild_id")
        server = self._gateway.get_guild(int(guild_id)) if isinstance(guild_id, str) and guild_id.isdecimal() else None
        if server is None:
            return translate.Names(me=self._me)

        def channel(snowflake: str) -> str | None:
            found = server.get_channel_or_thread(int(snowflake))
            return found.name if found else None

        def role(snowflake: str) -> str | None:
            found = server.get_role(int(snowflake))
            return found.name if found else None

        mine = server.self_role
        return translate.Names(
            me=self._me, my_roles=frozenset({str(mine.id)} if mine else ()), channel=channel, role=role
        )
