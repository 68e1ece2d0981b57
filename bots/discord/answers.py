"""Whose word an answer is: Discord's own, or a page of somebody between us and Discord, a proxy's or a firewall's.

Discord's own word about what went wrong is JSON with a `message` and a `code` (topics/opcodes-and-status-codes).
Everything else says nothing of what Discord did, whatever its status, and so never ends anything.
"""

import json
from collections.abc import Mapping

from aiohttp import ClientError, ClientResponse, TraceConfig, TraceRequestEndParams

from bots.discord.payloads import Payload
from core.seam.quiet import asked_for, bounded

BOT, ALL = "bot", ""
"""What is quiet for longer than one route: everything but what goes by a ticket (topics/rate-limits), or everything."""

_BLOCKED = 40333
"""In Discord's form, but said by the wall before it."""
_SILENT_FOR = 60.0
"""Who wants no requests and does not say for how long is left alone for a minute: mostly it is that wall."""


class Uncertain(ClientError):
    """It may have been done, or may be done later: a server error, or a page in the place of an answer."""

    def __init__(self, message: str, *, retry_after: float | None = None, everywhere: bool = False) -> None:
        super().__init__(message)
        self.retry_after, self.everywhere = retry_after, everywhere


class Quieted(ClientError):
    """Nothing was done: for so long no such request is wanted, or none by the `scope`."""

    def __init__(self, retry_after: float, *, scope: str | None = None) -> None:
        super().__init__(f"no request for {retry_after:.0f} s")
        self.retry_after, self.scope = retry_after, scope


async def own_word(answer: ClientResponse) -> Payload | None:
    """What Discord says about what went wrong; None where it is not Discord who says it."""
    try:
        said = json.loads(await answer.text())
    except (ValueError, RecursionError, ClientError):
        return None
    return said if isinstance(said, Mapping) and _is_own(said) else None


def _is_own(said: Payload) -> bool:
    """A gateway says a `message` alone, and so does Discord over limits, for which it says for how long."""
    code, seconds = said.get("code"), said.get("retry_after")
    is_numbered = isinstance(code, int) if code is not None else isinstance(seconds, int | float)
    return isinstance(said.get("message"), str) and is_numbered and code != _BLOCKED


async def page(answer: object) -> Uncertain | None:
    """The error that an answer is which is not Discord's own word."""
    if not isinstance(answer, ClientResponse) or await own_word(answer) is not None:
        return None
    asked = asked_for(answer.headers)
    return Uncertain(f"not Discord, but a page with status {answer.status}", retry_after=asked, everywhere=True)


def heeding(longest: float) -> TraceConfig:
    """Reads what the library does not, of answers that it would repeat by itself.

    It waits for limits up to the `longest`, in seconds, if Discord itself has said how long. An edit is not repeated
    after a 5xx, of which nobody would learn: the first may still be made after a newer one. A post is repeated with the
    same nonce, and so does no harm; but not before the time that was asked for.
    """

    async def seen(_session: object, _context: object, ended: TraceRequestEndParams) -> None:
        answer = ended.response
        if answer.status != 429 and answer.status < 500:
            return
        said = await own_word(answer)
        asked = asked_for(answer.headers, said)
        if answer.status >= 500:
            if ended.method == "PATCH" or asked is not None:
                words = f"Discord answered {ended.method} with {answer.status}"
                raise Uncertain(words, retry_after=asked, everywhere=said is None)
        elif not _is_waited_for(answer, said, longest):
            seconds = bounded(_SILENT_FOR if asked is None else asked)
            if said is None:
                raise Uncertain("not Discord, but a page about limits", retry_after=seconds, everywhere=True)
            raise Quieted(seconds, scope=_scope(answer, said))

    config = TraceConfig()
    config.on_request_end.append(seen)
    return config


def _is_waited_for(answer: ClientResponse, said: Payload | None, longest: float) -> bool:
    """Whether the library will wait by itself."""
    seconds = None if said is None else said.get("retry_after")
    return "Via" in answer.headers and isinstance(seconds, int | float) and 0 < seconds <= longest


def _scope(answer: ClientResponse, said: Payload) -> str | None:
    is_global = said.get("global") is True or answer.headers.get("X-RateLimit-Scope") == "global"
    return BOT if is_global else None
