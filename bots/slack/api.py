"""Every request that we make of Slack; what it means that one fails is in `errors`.

Writes are made once: slack_sdk's own default repeats a request whose connection was reset, and Slack has no idempotency
key for posts, so that a repetition may be a second message on screen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import async_default_handlers
from slack_sdk.web.async_client import AsyncWebClient
from structlog import get_logger

from bots.slack.clients import web_client
from bots.slack.errors import Refused, connection_failure, failure, is_for_all, wait
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.replies import Arguments, without_nothing
from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown
from core.seam.quiet import Quiet, asked_for, bounded

log = get_logger(platform=PLATFORM)

_TROUBLE = (ClientError, TimeoutError, OSError)
_UNREADABLE = (AttributeError, RecursionError, TypeError, ValueError)
"""What slack_sdk fails by over a page that it takes for an answer of Slack's."""


_TELLS = {
    "apps.connections.open": "url",
    "auth.test": "user_id",
    "chat.postMessage": "ts",
    "chat.startStream": "ts",
    "conversations.history": "messages",
    "conversations.info": "channel",
    "conversations.replies": "messages",
    "users.info": "user",
}
"""What an answer of Slack's tells in any case; without it somebody else has answered, who calls everything `ok`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """The beginning of a file: its media type, whether it comes as an attachment, and where it is instead."""

    data: bytes = b""
    kind: str = ""
    is_attachment: bool = False
    moved_to: str | None = None


class Api:
    """The Web API with one token, and the times before which it wants no call of a method.

    `seconds` is how long a call may take. `clock` counts seconds from anywhere.
    """

    def __init__(
        self, *, token: str, api_url: str, seconds: float = 10.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self.clock = clock
        self._seconds, self._token = seconds, token
        self._session: ClientSession | None = None
        self._quiet = Quiet(clock)
        self._reader = web_client(AsyncWebClient, token=token, api_url=api_url, retry_handlers=async_default_handlers())
        self._writer = web_client(AsyncWebClient, token=token, api_url=api_url, retry_handlers=[])

    async def read(self, method: str, arguments: Arguments | None = None) -> Payload:
        """Asks; raises a DeliveryError that says what to do about it."""
        request = {"http_verb": "GET", "params": _sendable(arguments or {})}
        payload, _ = await self._call(self._reader, method, "", request)
        return payload

    async def read_with_headers(self, method: str) -> tuple[Payload, Payload]:
        """The answer and its headers, which name the granted scopes."""
        return await self._call(self._reader, method, "", {})

    async def write(self, method: str, arguments: Arguments, *, lane: str = "") -> Payload:
        """Acts, at most once. A limit that Slack keeps per channel has the channel as its `lane`."""
        payload, _ = await self._call(self._writer, method, lane, {"json": without_nothing(arguments)})
        return payload

    async def show(self, method: str, arguments: Arguments, plain: Arguments, *, lane: str = "") -> Payload:
        """Acts; where only the form of the words is refused, the same in plain words."""
        try:
            return await self.write(method, arguments, lane=lane)
        except Refused as error:
            if not error.is_about_form:
                raise
            log.warning("without blocks", method=method, reason=error.code)
            return await self.write(method, plain, lane=lane)

    async def respond(self, url: str, body: Arguments) -> bool:
        """Answers through a `response_url`; False when it is certain that it did not work."""
        session = await self._opened()
        try:
            async with session.post(url, json=without_nothing(body)) as answer:
                await answer.read()
        except _TROUBLE as error:
            unanswered = connection_failure("response_url", error)
            if isinstance(unanswered, DeliveryUnknown):
                raise unanswered from error
            return False
        seconds = asked_for(answer.headers)
        is_page = answer.content_type == "text/html"
        if answer.status == 429 and not is_page:
            raise DeliveryDelayed("Slack wants no more by response_url", retry_after=bounded(seconds or 0.0))
        if answer.status >= 500 or is_page:
            raise DeliveryUnknown(f"response_url was answered with {answer.status}", retry_after=seconds)
        return answer.status == 200

    async def download(self, url: str, limit: int) -> Download:
        """A file of Slack's, with our token and no more than its first bytes. Who calls has made sure of the host."""
        session, headers = await self._opened(), {"Authorization": f"Bearer {self._token}"}
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status >= 400:
                    raise DeliveryRefused(f"Slack answered a file's address with {answer.status}")
                if answer.status >= 300:
                    return Download(moved_to=answer.headers.get("Location", ""))
                attached = answer.headers.get("Content-Disposition", "").lower().startswith("attachment")
                data = await _beginning(answer, limit)
                return Download(data=data, kind=answer.content_type, is_attachment=attached)
        except _TROUBLE as error:
            raise connection_failure("a file", error) from error

    def wait(self, method: str, lane: str = "") -> float:
        """For how many seconds Slack wants no call of this method; 0 when it may be called."""
        return self._quiet.left(f"{method} {lane}")

    async def close(self) -> None:
        """Closes the connections that are kept open between calls."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _call(
        self, client: AsyncWebClient, method: str, lane: str, request: dict[str, Any]
    ) -> tuple[Payload, Payload]:
        if left := self.wait(method, lane):
            raise DeliveryDelayed(f"Slack wants no {method} for {left:.0f} s", retry_after=left)
        client.session = await self._opened()
        try:
            response = await client.api_call(method, **request)
        except SlackApiError as error:
            if (seconds := wait(error)) is not None:
                self._quiet.keep(seconds, "" if is_for_all(error) else f"{method} {lane}")
            raise failure(method, error) from error
        except (*_TROUBLE, *_UNREADABLE) as error:
            raise connection_failure(method, error) from error
        told = response.data if isinstance(response.data, dict) else {}
        if (needed := _TELLS.get(method, "ok")) not in told:
            raise DeliveryUnknown(f"not Slack, but something without `{needed}` answered {method}")
        return told, response.headers

    async def _opened(self) -> ClientSession:
        if self._session is None or self._session.closed:
            self._session = ClientSession(timeout=ClientTimeout(total=self._seconds), trust_env=True)
        return self._session


async def _beginning(answer: ClientResponse, limit: int) -> bytes:
    """Read in pieces, so that what is packed into little does not become much."""
    read = bytearray()
    while len(read) < limit and (piece := await answer.content.read(limit - len(read))):
        read += piece
    return bytes(read[:limit])


class Bucket:
    """What we allow ourselves of a method in a minute, so that Slack need not say no."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._left = float(per_minute)
        self._clock = clock
        self._filled_at = clock()

    def take(self) -> bool:
        """One call, if there is one left."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._filled_at) * self._most / 60)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _sendable(arguments: Arguments) -> Arguments:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in without_nothing(arguments).items()
    }
