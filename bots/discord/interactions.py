"""Commands by `/session`, buttons and forms: stored, then acknowledged, as far as Discord's three seconds allow.

An interaction is not sent again, and Discord calls it failed after three seconds. So it is acknowledged once it is
stored if that takes no longer than `Timings.store`, and else at once while storing goes on: to withhold the
acknowledgement would lose the command for sure. Who gave it is told if it is lost after all.
"""

from asyncio import Task, TaskGroup, wait
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import structlog

from bots.discord import commands, forms
from bots.discord.errors import ALREADY_ACKNOWLEDGED, Trouble
from bots.discord.library import HTTPException
from bots.discord.payloads import PLATFORM, Payload, rejected, snowflake, token_of
from bots.discord.places import Places
from bots.discord.responses import Responses
from bots.discord.ticket import Ticket
from core.errors import NotFilled
from core.seam.evidence import UNREADABLE
from core.seam.keeping import Keeper
from core.seam.messages import Filled, Inbound, Rejected

log = structlog.get_logger(platform=PLATFORM)

LOST = "I could not take this in: my memory did not answer. Please try again in a few minutes."

_SUBMISSION = 5
_LONGEST = 1_900  # characters of a message
_NOBODY = {"parse": list[str]()}


class Interactions:
    """Takes the commands, and the forms, that one gateway connection tells of. `now` is in seconds since 1970."""

    def __init__(
        self, responses: Responses, places: Places, keeper: Keeper, *, store_within: float, now: Callable[[], float]
    ) -> None:
        self._now = now
        self._responses = responses
        self._places = places
        self._keeper = keeper
        self._store_within = store_within

    async def take(self, payload: Payload) -> None:
        """One INTERACTION_CREATE, from its arrival to its acknowledgement."""
        arrived = self._now()
        match forms.submission(payload) if payload.get("type") == _SUBMISSION else commands.interaction(payload, None):
            case Inbound() as heard:
                await self._obey(_dated(heard, arrived), payload, arrived)
            case Filled() as form:
                orders = {field: _dated(order, arrived) for field, order in form.orders.items()}
                await self._fill(replace(form, orders=orders), payload)
            case Rejected() as unreadable:
                await self._keeper.keep(unreadable)
            case None if payload.get("type") == _SUBMISSION:
                await self._acknowledge(payload, self._responses.take(snowflake(payload["id"]), token_of(payload)))

    async def _obey(self, heard: Inbound, payload: Payload, arrived: float) -> None:
        """What asks for a form is acknowledged by the form, if that comes in time, and else as all commands are."""
        verb, token = heard.verb or "", payload["token"]
        with self._responses.deferring(token):
            async with TaskGroup() as group:
                storing = group.create_task(self._store(payload, arrived))
                if not await self._is_opened(heard, token, storing):
                    private = commands.private(verb, heard.text)
                    await self._acknowledge(payload, self._responses.defer(heard.id, token, private=private))
                self._responses.deferred(token)
        if not storing.result():
            await self._tell(self._apologise(heard))

    async def _is_opened(self, heard: Inbound, token: str, storing: Task[bool]) -> bool:
        """Waits as long as the acknowledgement may; whether it is not needed any more."""
        ticket = Ticket.read(heard.ticket, now=0.0)
        if ticket is not None and ticket.awaits:
            return await self._responses.is_opened(token, within=self._store_within)
        await wait({storing}, timeout=self._store_within)
        return False

    async def _fill(self, form: Filled, payload: Payload) -> None:
        """Where it is wrong, its writer is told so, and given back what they wrote."""
        token = payload["token"]
        with self._responses.deferring(token):
            async with TaskGroup() as group:
                storing = group.create_task(self._kept(form))
                await wait({storing}, timeout=self._store_within)
                await self._acknowledge(payload, self._responses.take(payload["id"], token))
                self._responses.deferred(token)
        if (why := storing.result()) is not None:
            await self._tell(self._refuse(form, why, forms.again(payload)))

    async def _kept(self, form: Filled) -> str | None:
        """Why a form is not stored; None where it is."""
        try:
            return None if await self._keeper.keep(form) else LOST
        except NotFilled as wrong:
            return forms.refusal(form, wrong.reasons)

    async def _store(self, payload: Payload, arrived: float) -> bool:
        """A component says itself of which session it is; a command is of the place where it was given."""
        heard: Inbound | Rejected | None
        try:
            parent = None if payload["type"] == commands.COMPONENT else await self._places.parent(payload)
            names = self._places.names(payload.get("guild_id"))
            heard = commands.interaction(payload, parent, names=names)
        except (*Trouble, *UNREADABLE) as error:
            heard = rejected(payload, error)
        return heard is None or await self._keeper.keep(_dated(heard, arrived) if isinstance(heard, Inbound) else heard)

    async def _acknowledge(self, payload: Payload, acknowledging: Coroutine[Any, Any, None]) -> None:
        try:
            await acknowledging
        except Trouble as error:
            if not (isinstance(error, HTTPException) and error.code == ALREADY_ACKNOWLEDGED):
                log.warning("not acknowledged", id=payload["id"], error=type(error).__name__)

    async def _tell(self, telling: Coroutine[Any, Any, None]) -> None:
        try:
            await telling
        except Trouble as error:
            log.warning("not told", error=type(error).__name__)

    async def _apologise(self, command: Inbound) -> None:
        ticket = Ticket.read(command.ticket, now=0.0)
        if ticket is not None:
            await self._responses.answer(ticket, {"content": LOST, "allowed_mentions": _NOBODY})

    async def _refuse(self, form: Filled, why: str, menu: Sequence[Payload]) -> None:
        ticket = Ticket.read(next(iter(form.orders.values())).ticket, now=0.0)
        if ticket is None:
            return
        *begun, last = [why[start : start + _LONGEST] for start in range(0, len(why), _LONGEST)]
        for piece in begun:
            await self._responses.whisper(ticket, {"content": piece, "allowed_mentions": _NOBODY})
        await self._responses.whisper(ticket, {"content": last, "allowed_mentions": _NOBODY, "components": menu})


def _dated(heard: Inbound, arrived: float) -> Inbound:
    return replace(heard, ticket=Ticket.since(heard.ticket, arrived))
