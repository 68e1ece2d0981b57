"""Responses to interactions: promised within Discord's three seconds, and given for as long as their token lives.

They go by the token of the interaction, not to its channel; whether only the asker sees them is decided first.
"""

from asyncio import Event, timeout
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bots.discord.api import SUPPRESS_EMBEDS, Api
from bots.discord.errors import ALREADY_ACKNOWLEDGED, is_gone
from bots.discord.library import HTTPException
from bots.discord.payloads import Payload
from bots.discord.ticket import Ticket

_EPHEMERAL = 1 << 6
_DEFERRED, _DEFERRED_UPDATE, _MODAL = 5, 6, 9
_UNKNOWN_INTERACTION = 10062
_FOR_ONE: Payload = {"content": "_This is for whoever asked._", "allowed_mentions": {"parse": list[str]()}}


@dataclass(slots=True)
class _Promise:
    """An interaction that is being taken in: whether an answer waits already, and whether it can be given.

    One that asks for a form was `opened` with it, or it is too `late` for that.
    """

    wanted: Event = field(default_factory=Event)
    kept: Event = field(default_factory=Event)
    opened: bool = False
    late: bool = False


class Responses:
    """Requests raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._promises: dict[str, _Promise] = {}

    async def defer(self, interaction: str, token: str, *, private: bool) -> None:
        """Tells Discord that an answer follows; whether it will be private is decided here and for good."""
        await self._respond(interaction, token, {"type": _DEFERRED, "data": {"flags": _EPHEMERAL if private else 0}})

    async def take(self, interaction: str, token: str) -> None:
        """Tells Discord that a form has arrived; what is said to it are messages of their own."""
        await self._respond(interaction, token, {"type": _DEFERRED_UPDATE})

    async def open(self, ticket: Ticket, modal: Payload) -> bool:
        """Shows a modal to whoever asked for it; False where Discord does not wait for one any more.

        What is acknowledged already, and not by us, was so by this modal: the library repeats what failed.
        """
        promise = self._promise(ticket.token)
        try:
            await self._respond(ticket.awaits, ticket.token, {"type": _MODAL, "data": modal})
        except HTTPException as error:
            if error.code not in (ALREADY_ACKNOWLEDGED, _UNKNOWN_INTERACTION):
                raise
            if promise.late or error.code == _UNKNOWN_INTERACTION:
                return False
        promise.opened = True
        promise.wanted.set()
        return True

    @contextmanager
    def deferring(self, token: str) -> Iterator[None]:
        """While an interaction is stored and acknowledged: an answer that is quicker than that has to wait.

        One that is told twice is one.
        """
        promise = self._promises.setdefault(token, _Promise())
        try:
            yield
        finally:
            promise.kept.set()
            self._promises.pop(token, None)

    def deferred(self, token: str) -> None:
        """From here on the interaction can be answered."""
        self._promise(token).kept.set()

    async def is_opened(self, token: str, *, within: float) -> bool:
        """Whether the interaction is answered with a modal; waits until that is known, or so many seconds."""
        promise = self._promise(token)
        with suppress(TimeoutError):
            async with timeout(within):
                await promise.wanted.wait()
        promise.late = not promise.opened
        return promise.opened

    async def answer(self, ticket: Ticket, reply: Payload) -> Payload:
        """The interaction's answer, with this content; as often as one likes."""
        await self._kept(ticket)
        edited: Payload = await self._api.call(
            "PATCH",
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            webhook_id=ticket.app,
            webhook_token=ticket.token,
            json={**reply, "flags": SUPPRESS_EMBEDS},
        )
        return edited

    async def whisper(self, ticket: Ticket, reply: Payload) -> Payload:
        """One more message for the asker alone. No nonce is known for it: a repetition may be seen twice."""
        await self._kept(ticket)
        made: Payload = await self._api.call(
            "POST",
            "/webhooks/{webhook_id}/{webhook_token}",
            webhook_id=ticket.app,
            webhook_token=ticket.token,
            query={"wait": "true"},
            json={**reply, "flags": SUPPRESS_EMBEDS | _EPHEMERAL},
        )
        return made

    async def confide(self, ticket: Ticket, reply: Payload) -> Payload:
        """The answer for the asker alone, where one for all was promised.

        Discord would put it into the place of that: so the promise is kept with words that say nothing, and then goes.
        """
        try:
            await self.answer(ticket, _FOR_ONE)
        except HTTPException as error:
            if not is_gone(error):  # an earlier call may have come so far
                raise
        made = await self.whisper(ticket, reply)
        with suppress(HTTPException):
            await self._api.call(
                "DELETE",
                "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
                webhook_id=ticket.app,
                webhook_token=ticket.token,
            )
        return made

    def _promise(self, token: str) -> _Promise:
        return self._promises.get(token, _Promise(late=True))

    async def _kept(self, ticket: Ticket) -> None:
        """Until the interaction can be answered."""
        if (promise := self._promises.get(ticket.token)) is not None:
            promise.wanted.set()
            await promise.kept.wait()

    async def _respond(self, interaction: str, token: str, response: Payload) -> None:
        """The first word to an interaction, for which Discord waits three seconds."""
        await self._api.call(
            "POST",
            "/interactions/{webhook_id}/{webhook_token}/callback",
            webhook_id=interaction,
            webhook_token=token,
            json=response,
        )
