"""Commands by `/session`: stored, then acknowledged, as far as Discord's three seconds allow.

An interaction is not sent again, and Discord calls it failed after three seconds. So it is acknowledged once it is
stored if that takes no longer than `Timings.store`, and else at once while storing goes on: to withhold the
acknowledgement would lose the command for sure. Who gave it is told if it is lost after all.
"""

from asyncio import TaskGroup, wait

import structlog

from bots.discord import commands
from bots.discord.errors import Trouble
from bots.discord.library import HTTPException
from bots.discord.payloads import PLATFORM, Payload, rejected
from bots.discord.places import Places
from bots.discord.responses import Responses
from bots.discord.ticket import Ticket
from core.seam.keeping import Keeper
from core.seam.messages import Inbound, Rejected

log = structlog.get_logger(platform=PLATFORM)

LOST = "I could not take this in: my memory did not answer. Please try again in a few minutes."

_ALREADY_ACKNOWLEDGED = 40060


class Interactions:
    """Takes the commands that one gateway connection tells of."""

    def __init__(self, responses: Responses, places: Places, keeper: Keeper, *, store_within: float) -> None:
        self._responses = responses
        self._places = places
        self._keeper = keeper
        self._store_within = store_within

    async def take(self, payload: Payload) -> None:
        """One INTERACTION_CREATE, from its arrival to its acknowledgement."""
        heard = commands.interaction(payload, None)
        if not isinstance(heard, Inbound):
            if heard is not None:
                await self._keeper.keep(heard)
            return
        with self._responses.deferring(payload["token"]):
            async with TaskGroup() as group:
                storing = group.create_task(self._store(payload))
                await wait({storing}, timeout=self._store_within)
                await self._acknowledge(heard, payload["token"])
                self._responses.deferred(payload["token"])
        if not storing.result():
            await self._apologise(heard)

    async def _store(self, payload: Payload) -> bool:
        heard: Inbound | Rejected | None
        try:
            parent, names = await self._places.parent(payload), self._places.names(payload.get("guild_id"))
            heard = commands.interaction(payload, parent, names=names)
        except Trouble as error:
            heard = rejected(payload, error)
        return heard is None or await self._keeper.keep(heard)

    async def _acknowledge(self, command: Inbound, token: str) -> None:
        try:
            await self._responses.defer(command.id, token, private=commands.private(command.verb or ""))
        except Trouble as error:
            if not (isinstance(error, HTTPException) and error.code == _ALREADY_ACKNOWLEDGED):
                log.warning("not deferred", session=command.address.id, error=type(error).__name__)

    async def _apologise(self, command: Inbound) -> None:
        ticket = Ticket.read(command.ticket, now=0.0)
        if ticket is not None:
            await self._responses.answer(ticket, LOST, {"parse": []})
