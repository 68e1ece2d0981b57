"""Socket Mode: two WebSockets from slack_sdk, each envelope acknowledged after it was taken in.

Slack closes every socket after some hours. The SDK closes the old one before it has the new one, so that with a single
socket there would be a gap; Slack sends each envelope to any one of the sockets that are open (up to 10 of an app).

Frames are read here, since what the SDK can't read it would neither hand over nor acknowledge: Slack would send it
again and again.
"""

import json
from asyncio import Future, Task, TaskGroup, create_task, gather, get_running_loop, wait
from collections.abc import Awaitable, Callable, Mapping
from re import compile as pattern

from aiohttp import ClientWebSocketResponse, WSMessage
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import async_default_handlers
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from structlog import get_logger

from bots.slack.clients import sdk_logger, web_client
from bots.slack.errors import facts_of, is_passing
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.timings import Timings
from core.errors import PlatformError, where

log = get_logger(platform=PLATFORM)

Take = Callable[[object], Awaitable[Payload | None]]

_ID = pattern(r'"envelope_id"\s*:\s*"([\w-]{1,80})"')


class Sockets:
    """The way in. `take` gets each payload: the envelope is acknowledged with what it returns; when it raises, not."""

    def __init__(self, *, app_token: str, api_url: str, take: Take, timings: Timings, count: int = 2) -> None:
        self._app_token, self._api_url = app_token, api_url
        self._take, self._timings, self._count = take, timings, count
        self._taking: set[Task[None]] = set()
        self._greeted: dict[_Socket, ClientWebSocketResponse | None] = {}

    def hears(self) -> bool:
        """Whether a socket is open over which Slack has said hello."""
        return any(socket is not None and not socket.closed for socket in self._greeted.values())

    async def run(self) -> None:
        """Until cancelled. Raises PlatformError when Slack will give us no socket."""
        refusal: Future[PlatformError] = get_running_loop().create_future()
        sockets = [self._socket(refusal) for _ in range(self._count)]
        try:
            async with TaskGroup() as group:
                connecting = [group.create_task(_connected(socket)) for socket in sockets]
                problem = await refusal
                for task in connecting:
                    task.cancel()
        finally:
            await self._closed(sockets)
        raise problem

    def _socket(self, refusal: "Future[PlatformError]") -> "_Socket":
        client = web_client(
            _AppClient, token=self._app_token, api_url=self._api_url, retry_handlers=async_default_handlers()
        )
        client.refusal = refusal
        socket = _Socket(self._app_token, logger=sdk_logger(), web_client=client, ping_interval=self._timings.ping)
        socket.proxy, socket.enveloped = client.proxy, self._enveloped

        async def heed(frame: WSMessage) -> None:
            match read(frame.data):
                case {"type": "hello"}:
                    self._greeted[socket] = socket.current_session
                case {"type": "disconnect", "reason": "link_disabled"}:
                    _refuse(refusal, "link_disabled")

        socket.on_message_listeners.append(heed)
        return socket

    def _enveloped(self, socket: "_Socket", envelope: str, payload: object) -> None:
        task = create_task(self._acknowledge(socket, envelope, payload))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _acknowledge(self, socket: "_Socket", envelope: str, payload: object) -> None:
        try:
            answer = await self._take(payload)
            said = {"envelope_id": envelope} | ({"payload": dict(answer)} if answer else {})
            await socket.send_socket_mode_response(said)
        except Exception as error:  # noqa: BLE001 – whatever it is, Slack says it again, and the others are heard
            log.warning("not acknowledged", reason=type(error).__name__, where=where(error))

    async def _closed(self, sockets: "list[_Socket]") -> None:
        """What was being taken in is still acknowledged, if it takes no longer than a moment."""
        if self._taking:
            await wait(set(self._taking), timeout=self._timings.settle)
        await gather(*(_left(socket) for socket in sockets))


class _Socket(SocketModeClient):
    """One socket of the SDK's, which hands over what is in envelopes, and reads by itself what Slack says besides."""

    enveloped: "Callable[[_Socket, str, object], None]"
    aside: Task[None] | None = None
    """What is done about the newest word of Slack's on the socket itself; a farewell takes its time."""

    async def process_message(self) -> None:
        """Called by the SDK for the next frame in the queue."""
        frame = await self.message_queue.get()
        if not isinstance(frame, str):
            return
        envelope, payload = opened(frame)
        if envelope is None:
            self.aside = create_task(self.run_message_listeners(dict(read(frame)), frame))
        else:
            self.enveloped(self, envelope, payload)


class _AppClient(AsyncWebClient):
    """Asks for sockets with the app's token. Where the SDK would ask for ever, it hands over what Slack said."""

    refusal: "Future[PlatformError]"

    async def apps_connections_open(self, *, app_token: str, **kwargs: object) -> AsyncSlackResponse:
        """As the SDK's own."""
        try:
            return await super().apps_connections_open(app_token=app_token, **kwargs)
        except SlackApiError as error:
            if not is_passing(error):
                _refuse(self.refusal, facts_of(error)[1] or "no reason given")
            raise


def opened(frame: str) -> tuple[str | None, object]:
    """The envelope's ID, and what is in it: of one that nobody can read, its length. No ID where the frame is none."""
    try:
        said = json.loads(frame)
    except (ValueError, RecursionError):
        found = _ID.search(frame)
        return found and found[1], f"a frame of {len(frame)} characters"
    envelope = said.get("envelope_id") if isinstance(said, Mapping) else None
    return (envelope, said.get("payload")) if isinstance(envelope, str) else (None, None)


def read(frame: object) -> Payload:
    """What Slack says about the socket itself; nothing when the frame is an envelope, as most are."""
    if not isinstance(frame, str) or "envelope_id" in frame:
        return {}
    try:
        said = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def app_token_problem(code: str) -> str:
    """One line for the person who can mend it."""
    if code == "link_disabled":
        return "Slack has switched Socket Mode off for this app: switch it on under Settings > Socket Mode"
    return (
        f"Slack does not accept SLACK_APP_TOKEN ({code}): set it to an app-level token (xapp-…) with the scope"
        " connections:write, from Settings > Basic Information > App-Level Tokens"
    )


def _refuse(refusal: "Future[PlatformError]", code: str) -> None:
    if not refusal.done():
        refusal.set_result(PlatformError(app_token_problem(code)))


async def _left(socket: _Socket) -> None:
    """Closes the socket and waits for the SDK's own tasks, which it only cancels."""
    await socket.close()  # type: ignore[no-untyped-call]  # slack_sdk has no types here
    tasks = (socket.message_processor, socket.current_session_monitor, socket.message_receiver)
    await gather(*(task for task in tasks if task is not None), return_exceptions=True)


async def _connected(socket: _Socket) -> None:
    await socket.connect()  # type: ignore[no-untyped-call]  # slack_sdk has no types here
