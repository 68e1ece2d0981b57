"""What an answer of Discord's means for a delivery, or that none came: not yet, never, or nobody knows."""

from asyncio import timeout
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import structlog

from bots.discord.answers import Quieted, Uncertain
from bots.discord.library import HTTPException, LoginFailure, RateLimited
from bots.discord.payloads import PLATFORM
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown, PlatformError, WordsRefused
from core.seam.quiet import asked_for, bounded

log = structlog.get_logger(platform=PLATFORM)

Trouble = (HTTPException, RateLimited, LoginFailure, aiohttp.ClientError, TimeoutError, OSError)
"""Everything that a request to Discord raises when it does not succeed."""

UNKNOWN_MESSAGE = 10008
TOO_MANY_OLD_EDITS = 30046
ALREADY_ACKNOWLEDGED = 40060
TICKET_OVER = 50027
"""With a 401, which is about an interaction's token and not about ours."""
ARCHIVED = 50083
NO_HISTORY = 160002
"""A reply is for those alone who may read what it replies to."""

_SLOW = frozenset({20016, 20022, 20028, 20029, TOO_MANY_OLD_EDITS, 40004, 40062, 130000})
"""Codes for "not now": slow mode, the write limits, and what Discord itself has switched off or can't bear for a while
(topics/opcodes-and-status-codes)."""

_TO_BE_MENDED = frozenset({20026, 40001, 40002})
"""Codes for what only a person can mend: the bot may do nothing at all, or was taken for a spammer (discord-api-docs
#2669). What is to be said is kept until then."""

_FILTERED = frozenset({200000, 200001, 240000})
"""Codes of filters, the server's own and Discord's, that will not have the words."""

_READ_PAUSE = 5.0
_PAUSE = 15.0
_LONG_PAUSE = 60.0


@asynccontextmanager
async def calling(seconds: float) -> AsyncIterator[None]:
    """Calls that end within so many seconds, and whose trouble is a DeliveryError."""
    try:
        async with timeout(seconds):
            yield
    except (*Trouble, PlatformError) as error:
        raise delivery_error(error) from error


@asynccontextmanager
async def asking(seconds: float) -> AsyncIterator[None]:
    """Calls that only read: where there is no answer, nothing has happened, and one may ask again."""
    try:
        async with calling(seconds):
            yield
    except DeliveryUnknown as error:
        raise DeliveryDelayed(str(error), retry_after=_READ_PAUSE) from error


def delivery_error(error: BaseException) -> DeliveryError:
    """The delivery error that this trouble is; its message names status and code, never a text or an address."""
    match error:
        case RateLimited() | Quieted():
            return DeliveryDelayed("Discord's rate limit", retry_after=bounded(error.retry_after))
        case Uncertain():
            return DeliveryUnknown(str(error), retry_after=error.retry_after)
        case LoginFailure() | PlatformError():
            return DeliveryDelayed("Discord does not accept DISCORD_TOKEN", retry_after=_LONG_PAUSE)
        case HTTPException():
            return _answered(error)
        case aiohttp.ClientConnectorError():
            return DeliveryDelayed("Discord can't be reached", retry_after=_PAUSE)
    return DeliveryUnknown(f"no answer from Discord ({type(error).__name__})")


def wait(error: BaseException) -> float:
    """For how many seconds whoever has answered wants to be left alone; 0 where that was not said."""
    match error:
        case RateLimited() | Quieted() | Uncertain():
            return bounded(error.retry_after) if error.retry_after else 0.0
        case aiohttp.WSServerHandshakeError(headers=headers) if headers is not None:
            asked = asked_for(headers)
            return bounded(asked) if asked is not None else 0.0
    return 0.0


def is_about_reference(error: HTTPException) -> bool:
    """Whether it may be what a message replies to that is refused, and not the message."""
    return error.status == 400 or error.code in (NO_HISTORY, UNKNOWN_MESSAGE)


def is_gone(error: HTTPException) -> bool:
    """Whether the message was deleted by somebody."""
    return error.status == 404 and error.code == UNKNOWN_MESSAGE


def _answered(error: HTTPException) -> DeliveryError:
    words = f"Discord answered {error.status} (code {error.code})"
    if error.status >= 500:
        return DeliveryUnknown(words)
    if error.status == 429 or error.code in _SLOW:
        return DeliveryDelayed(words, retry_after=_retry_after(error))
    if (error.status == 401 and error.code != TICKET_OVER) or error.code in _TO_BE_MENDED:
        log.error("not accepted by Discord", setting="DISCORD_TOKEN", code=error.code, again_in=_LONG_PAUSE)
        return DeliveryDelayed(f"{words}: DISCORD_TOKEN is no longer valid", retry_after=_LONG_PAUSE)
    return WordsRefused(words) if error.code in _FILTERED else DeliveryRefused(words)


def _retry_after(error: HTTPException) -> float:
    """A limit that the library has waited for in vain, or one without a 429."""
    asked = asked_for(error.response.headers)
    return bounded(_PAUSE if asked is None else asked)
