"""The Discord adapter: a gateway that hears and a REST client that speaks, behind the three verbs of the seam."""

from asyncio import sleep
from collections.abc import Callable, Sequence
from time import monotonic, time

from bots.discord import files, links, members
from bots.discord.admins import is_admin
from bots.discord.api import Api
from bots.discord.doctor import examination
from bots.discord.errors import asking, calling
from bots.discord.history import History
from bots.discord.library import Redirect
from bots.discord.listening import Listening
from bots.discord.lookup import Lookup
from bots.discord.names import Names
from bots.discord.payloads import PLATFORM
from bots.discord.posting import Posting
from bots.discord.reactions import Reactions
from bots.discord.render import render
from bots.discord.responses import Responses
from bots.discord.screen import Screen
from bots.discord.timings import Timings
from core.config import Settings
from core.seam.adapter import Adapter, Finding, Receive
from core.seam.address import DIRECT, Address
from core.seam.keeping import Sleep
from core.seam.links import Linked
from core.seam.messages import Draft, Inbound, Reply
from core.seam.settings import check_addresses, tokens


class DiscordAdapter(Adapter):
    """One Discord application. The addresses are Discord's own unless they are given.

    Without the message content intent it still answers mentions, replies to its messages and direct messages; what
    else people say in a thread arrives empty then, and is not passed on. `now` is in seconds since 1970,
    `clock` counts seconds from anywhere, `pause` awaits so many.
    """

    platform = PLATFORM
    max_text = 1900  # of 2,000 in a unit that Discord does not name
    preview_every = 1.2  # five edits in five seconds is the commonly observed bucket
    rings = False  # every write says whom it may mention, see `replies.mentions`
    bridges = 0.0  # a session that was lost is not replayed, and how long one lives is Discord's secret

    def __init__(
        self,
        *,
        token: str,
        api_url: str | None = None,
        gateway_url: str | None = None,
        cdn_url: str | None = None,
        now: Callable[[], float] = time,
        clock: Callable[[], float] = monotonic,
        pause: Sleep = sleep,
        timings: Timings | None = None,
    ) -> None:
        self._timings = timings = timings or Timings()
        token = token.strip()
        redirect = Redirect(api=api_url, gateway=gateway_url, cdn=cdn_url, clock=clock, silence=timings.silence)
        self._api = Api(token, redirect)
        responses = Responses(self._api)
        self._listening = Listening(
            self._api, responses, redirect, token=token, now=now, clock=clock, pause=pause, timings=timings
        )
        self._screen = Screen(self._api)
        self._reactions = Reactions(self._api)
        self._posting = Posting(
            self._api, responses, Lookup(self._api), self._screen, now=now, clock=clock, timings=timings
        )
        self._history = History(self._api, timings=timings)

    async def listen(self, receive: Receive) -> None:
        """See `listening`."""
        await self._listening.listen(receive)

    async def deliver(self, reply: Reply) -> str:
        """See `posting`."""
        return await self._posting.deliver(reply)

    async def preview(self, reply: Reply) -> Draft | None:
        """See `posting`."""
        return await self._posting.preview(reply)

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """See `history`."""
        async with asking(self._timings.patience):
            me = await self._api.me()
        names = self._listening.names(message.address.workspace) or Names(me=me)
        return await self._history.before(message, limit, names)

    async def fetch(self, address: Address, source: str, limit: int) -> bytes:
        """See `files`."""
        return await files.fetch(self._api, source, limit, patience=self._timings.patience)

    async def link(self, address: Address, message: str) -> str | None:
        """See `links`."""
        return links.link(address, message)

    async def linked(self, words: str) -> Linked | None:
        """See `links`."""
        return links.linked(words)

    def hears(self) -> bool:
        """See `listening`."""
        return self._listening.hears()

    async def places(self, since: float) -> Sequence[Address]:
        """See `places`: channels and active threads. Direct channels and archived threads are not told to bots."""
        return (await self._listening.places()).spoken(since)

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        """See `history`. The gateway knows which role is ours: a server's history is read while it is open.

        Where the gateway has told that nobody has spoken since, nothing is read.
        """
        if address.workspace != DIRECT and (await self._listening.places()).is_quiet(address, after):
            return []
        return await self._history.since(address, after, await self._names(address))

    async def is_admin(self, address: Address, person: str, *, workspace: bool) -> bool:
        """See `admins`: who may manage the channel, or the server."""
        async with asking(self._timings.patience):
            return await is_admin(self._api, address, person, workspace=workspace)

    async def sees(self, address: Address, person: str) -> bool:
        """See `members`."""
        async with asking(self._timings.patience):
            return await members.sees(self._api, address, person)

    async def withdraw(self, address: Address, message: str) -> None:
        """See `screen`."""
        async with calling(self._timings.patience):
            await self._screen.withdraw(address, message)

    async def reconcile(self, reply: Reply, message: str) -> None:
        """See `lookup`."""
        await self._posting.reconcile(reply, message)

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """See `reactions`."""
        async with calling(self._timings.patience):
            await self._reactions.mark(address, message, waits=waits)

    def render(self, text: str) -> str:
        """See `render`."""
        return render(text)

    async def examine(self) -> Sequence[Finding]:
        """Token, intents, session starts and servers, by reading alone."""
        return await examination(self._api)

    async def close(self) -> None:
        """Closes the REST connections, which outlive `listen` so that what is being answered can be said."""
        await self._api.close()

    async def _names(self, address: Address) -> Names:
        if address.workspace != DIRECT:
            return (await self._listening.places()).names(address.workspace)
        async with asking(self._timings.patience):
            return Names(me=await self._api.me())


def from_settings(settings: Settings) -> DiscordAdapter:
    """The adapter that the settings ask for. Raises ConfigurationError, which names what is missing or wrong."""
    (token,) = tokens("Discord", DISCORD_TOKEN=settings.discord_token)
    check_addresses("http", DISCORD_API_URL=settings.discord_api_url, DISCORD_CDN_URL=settings.discord_cdn_url)
    check_addresses("ws", DISCORD_GATEWAY_URL=settings.discord_gateway_url)
    return DiscordAdapter(
        token=token,
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        cdn_url=settings.discord_cdn_url,
    )
