"""Places: which channel is around a thread, what a server calls its parts, and where somebody may have spoken.

What the gateway has told is in the library's cache; what it has not, as for archived threads, is asked for once.
"""

from asyncio import Task, create_task
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import structlog

from bots.discord.api import Api
from bots.discord.connection import Gateway
from bots.discord.errors import Trouble
from bots.discord.library import Forbidden, Guild, NotFound, Thread, Voiced
from bots.discord.names import Names
from bots.discord.payloads import DIGITS, PLATFORM, THREADS, Payload, address_of, snowflake, snowflake_at
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.keeping import Sleep

log = structlog.get_logger(platform=PLATFORM)

MOST = 200
"""So many places are worth a look after a gap; those in which somebody spoke last come first."""

_THREADS_KNOWN = 10_000


class Places:
    """The places of all servers that one gateway connection tells of; `me` is our own user ID.

    `pauses` are those between two tries to learn of a place, in seconds.
    """

    def __init__(self, api: Api, gateway: Gateway, *, me: str, pauses: Sequence[float], pause: Sleep) -> None:
        self._api = api
        self._gateway = gateway
        self._me = me
        self._pauses, self._pause = pauses, pause
        self._met: Recent[_Place] = Recent(_THREADS_KNOWN)
        self._asked: dict[str, Task[_Place]] = {}

    def meet(self, payload: Payload) -> None:
        """Remembers where this comes from while the gateway's cache knows: threads leave it when they are archived."""
        channel, server = payload.get("channel_id"), self._server(payload.get("guild_id"))
        if server is None or not _is_number(channel):
            return
        cached = server.get_channel_or_thread(int(channel))
        if cached is not None:
            parent = str(cached.parent_id) if isinstance(cached, Thread) else None
            self._met.note(str(cached.id), _Place(parent=parent, name=cached.name))

    async def parent(self, payload: Payload) -> str | None:
        """The channel around the thread that this comes from, None outside threads. Raises Trouble when nobody knows.

        Discord is asked once, however many wait for the answer.
        """
        channel, named = snowflake(payload["channel_id"]), payload.get("channel") or {}
        if payload.get("guild_id") is None:
            return None
        if "type" in named:
            return named.get("parent_id") if named["type"] in THREADS else None
        met = self._met.get(channel)
        if met is not None:
            return met.parent
        if channel not in self._asked:
            task = self._asked[channel] = create_task(self._ask(channel))
            task.add_done_callback(lambda _: self._asked.pop(channel, None))
        place = await self._asked[channel]
        self._met.note(channel, place)
        return place.parent

    def names(self, workspace: object) -> Names:
        """What this server calls its parts; only who we are, where the gateway does not know it."""
        server = self._server(workspace)
        if server is None:
            return Names(me=self._me)

        def channel(snowflake: str) -> str | None:
            found = server.get_channel_or_thread(int(snowflake)) or self._met.get(snowflake)
            return found.name if found else None

        def role(snowflake: str) -> str | None:
            found = server.get_role(int(snowflake))
            return found.name if found else None

        mine = server.self_role
        return Names(
            me=self._me,
            my_roles=frozenset({str(mine.id)} if mine else ()),
            channel=channel,
            role=role,
            public=partial(_is_public, server),
        )

    def spoken(self, since: float) -> Sequence[Address]:
        """Where the newest message is younger than this instant, in seconds since 1970; the newest place first."""
        after = int(snowflake_at(since))
        found: list[tuple[int, Address]] = []
        for channel in self._gateway.talkable():
            parent = str(channel.parent_id) if isinstance(channel, Thread) else None
            newest = max(channel.last_message_id or 0, channel.id if parent else 0)
            if newest > after:
                here = {"guild_id": str(channel.guild.id), "channel_id": str(channel.id)}
                found.append((newest, address_of(here, parent)))
        found.sort(key=lambda one: one[0], reverse=True)
        if len(found) > MOST:
            log.warning("places left out", places=len(found) - MOST)
        return [address for _, address in found[:MOST]]

    def is_quiet(self, address: Address, since: float) -> bool:
        """Whether the gateway has told that nobody has spoken there since; of some places it tells nothing."""
        server = self._server(address.workspace)
        channel = server.get_channel_or_thread(int(address.thread or address.channel)) if server else None
        newest: int | None = getattr(channel, "last_message_id", None)
        return newest is not None and newest <= int(snowflake_at(since))

    def _server(self, number: object) -> Guild | None:
        return self._gateway.get_guild(int(number)) if _is_number(number) else None

    async def _ask(self, channel: str) -> "_Place":
        for pause in self._pauses:
            try:
                found = await self._api.channel(channel)
            except (NotFound, Forbidden):
                raise
            except Trouble as error:
                log.warning("channel unknown", channel=channel, error=type(error).__name__, again_in=pause)
                await self._pause(pause)
            else:
                parent = found["parent_id"] if found["type"] in THREADS else None
                return _Place(parent=parent, name=found.get("name"))
        raise TimeoutError("Discord did not say which channel this is")


def _is_public(server: Guild, address: Address) -> bool | None:
    """Whether everybody in the server may see this place; a thread that is for some alone stays so."""
    channel, thread = server.get_channel(int(address.channel)), server.get_thread(int(address.thread or 0))
    everybody = server.get_role(server.id)  # which an event may have taken from the library
    if channel is None or everybody is None or (thread is not None and thread.is_private()):
        return None
    granted = channel.permissions_for(everybody)
    return granted.view_channel and (granted.connect or not isinstance(channel, Voiced))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A channel or thread: the channel around a thread, and what it was called when we met it."""

    parent: str | None
    name: str | None


def _is_number(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isdecimal() and len(value) <= DIGITS
