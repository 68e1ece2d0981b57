"""What Discord's refusals mean for a delivery: not yet, never, or nobody knows."""

from asyncio import timeout
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bots.discord.library import HTTPException, LoginFailure, RateLimited
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown, PlatformError

Trouble = (HTTPException, RateLimited, LoginFailure, aiohttp.ClientError, TimeoutError, OSError)
"""Everything that a request to Discord raises when it does not succeed."""

UNKNOWN_MESSAGE = 10008
TOO_MANY_OLD_EDITS = 30046
ALREADY_ACKNOWLEDGED = 40060
ARCHIVED = 50083

_SLOW = frozenset({20016, 20022, 20028, 20029, TOO_MANY_OLD_EDITS, 40062})
"""Codes for "not now": slow mode and the write limits (topics/opcodes-and-status-codes)."""

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
        case RateLimited():
            return DeliveryDelayed("Discord's rate limit", retry_after=error.retry_after)
        case LoginFailure() | PlatformError():
            return DeliveryDelayed("Discord does not accept DISCORD_TOKEN", retry_after=_LONG_PAUSE)
        case HTTPException():
            return _answered(error)
        case aiohttp.ClientConnectorError():
            return DeliveryDelayed("Discord can't be reached", retry_after=_PAUSE)
    return DeliveryUnknown(f"no answer from Discord ({type(error).__name__})")


def is_gone(error: HTTPException) -> bool:
    """Whether the message was deleted by somebody."""
    return error.status == 404 and error.code == UNKNOWN_MESSAGE


def _answered(error: HTTPException) -> DeliveryError:
    words = f"Discord answered {error.status} (code {error.code})"
    if error.status >= 500:
        return DeliveryUnknown(words)
    if error.status == 429 or error.code in _SLOW:
        return DeliveryDelayed(words, retry_after=_retry_after(error))
    if error.status == 401:
        return DeliveryDelayed(f"{words}: DISCORD_TOKEN is no longer valid", retry_after=_LONG_PAUSE)
    return DeliveryRefused(words)


def _retry_after(error: HTTPException) -> float:
    """A 429 that reaches us came without Discord's own body, from the wall before it: that ban is worth a long wait."""
    try:
        return float(error.response.headers["Retry-After"])
    except (KeyError, ValueError):
        return _LONG_PAUSE if error.status == 429 else _PAUSE
