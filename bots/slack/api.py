"""Every request that we make of Slack, and what its failure means: not sent, perhaps sent, or never.

Writes are made once: slack_sdk's own default repeats a request whose connection was reset, and Slack has no idempotency
key for posts, so that a repetition may be a second message on screen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
)
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import async_default_handlers
from slack_sdk.web.async_client import AsyncWebClient
from structlog import get_logger

from bots.slack.clients import web_client
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.replies import Arguments, without_nothing
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown

log = get_logger(platform=PLATFORM)

_UNSURE = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""`ok: false` that leaves open whether it was done; docs.slack.dev/reference/methods/chat.postMessage."""
_LASTING = {"unknown_method", "method_deprecated", "missing_scope", "not_allowed_token_type", "access_denied"}
_LATER = {"ratelimited", "rate_limited", "team_added_to_org"}
_UNWELCOME = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
"""The token is no good any more: until a person has mended that, nothing that we have to say is lost for it."""
_ABOUT_TOKENS = {"auth.test", "apps.connections.open"}
"""Methods that are called to find out whether a token is good."""
_RETRY_AFTER, _RECONNECT_AFTER, _MENDED_AFTER = 30.0, 3.0, 60.0
_CROWDED = 1_000


class Refused(DeliveryRefused):
    """Slack said no, for a reason that it names: `channel_not_found`, `missing_scope`, …"""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack refused {method}: {code}")
        self.code = code

    @property
    def is_lasting(self) -> bool:
        """Whether this method is refused wherever it is called, so that calling it again is idle."""
        return self.code in _LASTING

    @property
    def is_about_form(self) -> bool:
        """Whether only the form is refused: the same words may be taken without blocks."""
        return "blocks" in self.code or self.code == "block_mismatch"


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
        self._not_before: dict[tuple[str, str], float] = {}
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
        except (ClientError, TimeoutError, OSError) as error:
            failure = self._connection_failure("response_url", error)
            if isinstance(failure, DeliveryUnknown):
                raise failure from error
            return False
        if answer.status >= 500:
            raise DeliveryUnknown(f"Slack answered response_url with {answer.status}")
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
        except (ClientError, TimeoutError, OSError) as error:
            raise self._connection_failure("a file", error) from error

    def wait(self, method: str, lane: str = "") -> float:
        """For how many seconds Slack wants no call of this method; 0 when it may be called."""
        return max(0.0, self._not_before.get((method, lane), 0.0) - self.clock())

    async def close(self) -> None:
        """Closes the connections that are kept open between calls."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _call(
        self, client: AsyncWebClient, method: str, lane: str, request: dict[str, Any]
    ) -> tuple[Payload, Payload]:
        if seconds := self.wait(method, lane):
            raise DeliveryDelayed(f"Slack wants no {method} for {seconds:.0f} s", retry_after=seconds)
        client.session = await self._opened()
        try:
            response = await client.api_call(method, **request)
        except SlackApiError as error:
            raise self._failure(method, lane, error) from error
        except (ClientError, TimeoutError, OSError) as error:
            raise self._connection_failure(method, error) from error
        return (response.data if isinstance(response.data, dict) else {}), response.headers

    async def _opened(self) -> ClientSession:
        if self._session is None or self._session.closed:
            self._session = ClientSession(timeout=ClientTimeout(total=self._seconds), trust_env=True)
        return self._session

    def _failure(self, method: str, lane: str, error: SlackApiError) -> DeliveryError:
        status, code, headers = facts_of(error)
        if status == 429 or code in _LATER:
            seconds = _retry_after(headers)
            self._quieten((method, lane), seconds)
            return DeliveryDelayed(f"Slack wants no {method} for {seconds:.0f} s", retry_after=seconds)
        if status >= 500 or status == 408 or code in _UNSURE:
            return DeliveryUnknown(f"Slack answered {method} with {code or status}")
        if code in _UNWELCOME and method not in _ABOUT_TOKENS:
            log.error("not accepted by Slack", setting="SLACK_BOT_TOKEN", reason=code, again_in=_MENDED_AFTER)
            return DeliveryDelayed(f"Slack does not accept SLACK_BOT_TOKEN ({code})", retry_after=_MENDED_AFTER)
        return Refused(method, code or f"http_{status}")

    def _connection_failure(self, method: str, error: Exception) -> DeliveryError:
        if isinstance(error, ClientConnectorError | ConnectionTimeoutError):
            return DeliveryDelayed(f"Slack can't be reached for {method}", retry_after=_RECONNECT_AFTER)
        return DeliveryUnknown(f"no answer from Slack to {method} ({type(error).__name__})")

    def _quieten(self, key: tuple[str, str], seconds: float) -> None:
        now = self.clock()
        if len(self._not_before) > _CROWDED:
            self._not_before = {key: end for key, end in self._not_before.items() if end > now}
        self._not_before[key] = now + seconds


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


def facts_of(error: SlackApiError) -> tuple[int, str, Payload]:
    """Status, Slack's error code, and headers. What came may be a proxy's page, or the bare HTTP response."""
    response = error.response
    status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return int(status), str(code or ""), getattr(response, "headers", None) or {}


def is_passing(error: SlackApiError) -> bool:
    """Whether Slack may answer differently in a moment."""
    status, code, _ = facts_of(error)
    return status == 429 or status >= 500 or code in _LATER | _UNSURE


def _sendable(arguments: Arguments) -> Arguments:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in without_nothing(arguments).items()
    }


def _retry_after(headers: Payload) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", _RETRY_AFTER)))
    except ValueError:
        return _RETRY_AFTER
