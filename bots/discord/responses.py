"""Responses to interactions: promised within Discord's three seconds, and given for as long as their token lives.

They go by the token of the interaction, not to its channel; whether only the asker sees them is decided first.
"""

from asyncio import Event
from collections.abc import Iterator
from contextlib import contextmanager

from bots.discord.api import SUPPRESS_EMBEDS, Api
from bots.discord.payloads import Payload
from bots.discord.ticket import Ticket

_EPHEMERAL = 1 << 6
_DEFERRED = 5


class Responses:
    """Requests raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._deferring: dict[str, Event] = {}

    async def defer(self, interaction: str, token: str, *, private: bool) -> None:
        """Tells Discord that an answer follows; whether it will be private is decided here and for good."""
        await self._api.call(
            "POST",
            "/interactions/{webhook_id}/{webhook_token}/callback",
            webhook_id=interaction,
            webhook_token=token,
            json={"type": _DEFERRED, "data": {"flags": _EPHEMERAL if private else 0}},
        )

    @contextmanager
    def deferring(self, token: str) -> Iterator[None]:
        """While a command is stored and acknowledged: an answer that is quicker than that has to wait."""
        self._deferring[token] = Event()
        try:
            yield
        finally:
            self.deferred(token)
            del self._deferring[token]

    def deferred(self, token: str) -> None:
        """From here on the interaction can be answered."""
        self._deferring[token].set()

    async def answer(self, ticket: Ticket, text: str, mentions: Payload) -> Payload:
        """The interaction's answer, with this text; as often as one likes."""
        if ticket.token in self._deferring:
            await self._deferring[ticket.token].wait()
        edited: Payload = await self._api.call(
            "PATCH",
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            webhook_id=ticket.app,
            webhook_token=ticket.token,
            json={"content": text, "allowed_mentions": mentions, "flags": SUPPRESS_EMBEDS},
        )
        return edited

    async def whisper(self, ticket: Ticket, text: str, mentions: Payload) -> Payload:
        """One more message for the asker alone. No nonce is known for it: a repetition may be seen twice."""
        made: Payload = await self._api.call(
            "POST",
            "/webhooks/{webhook_id}/{webhook_token}",
            webhook_id=ticket.app,
            webhook_token=ticket.token,
            query={"wait": "true"},
            json={"content": text, "allowed_mentions": mentions, "flags": SUPPRESS_EMBEDS | _EPHEMERAL},
        )
        return made
