"""What was said before we were asked, and what was said while we did not hear: the history of a channel or thread."""

from collections.abc import Sequence

import structlog

from bots.discord import translate
from bots.discord.failures import asking
from bots.discord.library import Forbidden, NotFound, Payload
from bots.discord.rest import Rest
from bots.discord.screen import channel_of
from bots.discord.translate import DIRECT, PLATFORM, Names
from core.adapter import Whole
from core.address import Address
from core.errors import PlaceGone
from core.messages import Inbound

log = structlog.get_logger(platform=PLATFORM)

_PAGE = 100  # messages, the most that Discord gives in one call
_PAGES = 20
_PATIENCE = 60.0  # seconds; the library waits for rate limits


async def backscroll(rest: Rest, message: Inbound, limit: int) -> Sequence[Inbound]:
    """The talk since our own last answer here, oldest first. Where we may not read the history, Discord shows none."""
    address = message.address
    async with asking(_PATIENCE):
        names = Names(me=await rest.me())
        found = await rest.history(channel_of(address), max(1, min(limit, _PAGE)), before=message.id)
    heard: list[Inbound] = []
    for payload in found:
        said = translate.earlier(payload, address, names)
        if said is not None and said.author.is_self:
            break
        if said is not None:
            heard.append(said)
    return heard[::-1]


async def since(rest: Rest, address: Address, after: float, names: Names) -> Sequence[Inbound]:
    """What people said here after this instant, oldest first, read as the gateway's messages are.

    The history has everything that those have, but for the server's own nicknames of its people. Where it may not be
    read, there is none. Raises PlaceGone.
    """
    newest, heard = translate.snowflake_at(after), list[Inbound]()
    for _ in range(_PAGES):
        try:
            async with asking(_PATIENCE):
                page = await _page(rest, channel_of(address), newest)
        except _Closed:
            return heard
        heard += _read(page, address, names)
        if len(page) < _PAGE:
            return Whole(heard)
        newest = page[0]["id"]
    log.warning("history cut", session=address.id, messages=_PAGES * _PAGE)
    return heard


class _Closed(Exception):
    """This history is not for us."""


async def _page(rest: Rest, channel: str, after: str) -> Sequence[Payload]:
    try:
        return await rest.history(channel, _PAGE, after=after)
    except NotFound as error:
        raise PlaceGone(f"Discord knows no such channel ({error.code})") from error
    except Forbidden as error:
        log.info("history closed", channel=channel, status=error.status, code=error.code)
        raise _Closed from error


def _read(page: Sequence[Payload], address: Address, names: Names) -> Sequence[Inbound]:
    """A page, newest first, as messages of people, oldest first. Over REST a message does not name its server."""
    server = {} if address.workspace == DIRECT else {"guild_id": address.workspace}
    parent = None if address.thread is None else address.channel
    read = (translate.message({**payload, **server}, parent, names) for payload in reversed(page))
    return [message for message in read if isinstance(message, Inbound)]
