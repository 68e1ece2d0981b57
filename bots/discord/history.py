"""What was said before we were asked, and what was said while we did not hear: the history of a channel or thread."""

from asyncio import timeout
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from bots.discord import messages
from bots.discord.api import Api
from bots.discord.errors import Trouble, asking
from bots.discord.library import Forbidden, NotFound
from bots.discord.names import Names
from bots.discord.payloads import PLATFORM, Payload, channel_of, snowflake_at
from bots.discord.timings import Timings
from core.errors import PlaceGone
from core.seam.adapter import Whole
from core.seam.address import DIRECT, Address
from core.seam.messages import Inbound

log = structlog.get_logger(platform=PLATFORM)

_PAGE = 100  # messages, the most that Discord gives in one call
_PAGES = 20


class History:
    """Discord's record of what was said. Raises a DeliveryError where it can't be had now."""

    def __init__(self, api: Api, *, timings: Timings) -> None:
        self._api, self._timings = api, timings

    async def before(self, message: Inbound, limit: int, names: Names) -> Sequence[Inbound]:
        """The talk since our own last answer here, oldest first; in a thread that began with a message, after that one.

        Where we may not read the history, Discord shows none.
        """
        address, most = message.address, max(1, min(limit, _PAGE))
        async with asking(self._timings.history):
            found = await self._api.history(channel_of(address), most, before=message.id)
        heard: list[Inbound] = []
        for payload in found:
            said = messages.earlier(payload, address, names)
            if said is not None and said.id == address.thread:
                return [said, *heard[::-1]]
            if said is not None and said.author.is_self:
                break
            if said is not None:
                heard.append(said)
        else:
            if len(found) < most:
                return heard[::-1]  # that is all, and the opening is gone
        opening = await self._opening(address, names)
        return heard[::-1] if opening is None else [opening, *heard[: most - 1][::-1]]

    async def _opening(self, address: Address, names: Names) -> Inbound | None:
        """The message that a thread began with, which has its number; what hangs on it can't be understood without it.

        It stands in the channel around the thread, unless this is a post of a forum.
        """
        if address.thread is None:
            return None
        for channel in (address.channel, address.thread):
            try:
                async with timeout(self._timings.opening):
                    payload = await self._api.message(channel, address.thread)
            except Trouble as error:
                log.debug("no opening", session=address.id, error=type(error).__name__)
            else:
                return messages.earlier(payload, address, names)
        return None

    async def since(self, address: Address, after: float, names: Names) -> Sequence[Inbound]:
        """What people said here after this instant, oldest first, read as the gateway's messages are.

        The history has everything that those have, but for the server's own nicknames of its people. Where it may not
        be read, there is none. Raises PlaceGone.
        """
        newest, found = snowflake_at(after), list[Payload]()
        for _ in range(_PAGES):
            try:
                async with asking(self._timings.history):
                    page = await self._page(channel_of(address), newest)
            except _Closed:
                return _read(found, address, names)
            found += reversed(page)
            if len(page) < _PAGE:
                return Whole(_read(found, address, names))
            newest = page[0]["id"]
        log.warning("history cut", session=address.id, messages=_PAGES * _PAGE)
        return _read(found, address, names)

    async def _page(self, channel: str, after: str) -> Sequence[Payload]:
        try:
            return await self._api.history(channel, _PAGE, after=after)
        except NotFound as error:
            raise PlaceGone(f"Discord knows no such channel ({error.code})") from error
        except Forbidden as error:
            log.info("history closed", channel=channel, status=error.status, code=error.code)
            raise _Closed from error


class _Closed(Exception):
    """This history is not for us."""


def _read(found: Sequence[Payload], address: Address, names: Names) -> list[Inbound]:
    """What was found, oldest first, as messages of people. Over REST a message does not name its server."""
    server = {} if address.workspace == DIRECT else {"guild_id": address.workspace}
    parent = None if address.thread is None else address.channel
    answers = _answers(found, names)
    read = (messages.message({**payload, **server}, parent, names) for payload in found)
    return [replace(one, answer=answers.get(one.id)) for one in read if isinstance(one, Inbound)]


def _answers(found: Sequence[Payload], names: Names) -> Mapping[str, str]:
    """What we have said, by the message that it replies to; what follows without a reply belongs to that before it."""
    answers, to = dict[str, str](), ""
    for payload in found:
        if payload["author"]["id"] != names.me:
            continue
        to = (payload.get("message_reference") or {}).get("message_id") or to
        if to:
            answers[to] = f"{answers[to]}\n{payload['content']}" if to in answers else str(payload["content"])
    return answers
