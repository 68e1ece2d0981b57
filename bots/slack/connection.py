"""Socket Mode: two WebSockets from slack_bolt, each envelope acknowledged after it was taken in.

Slack closes every socket after some hours. The SDK closes the old one before it has the new one, so that with a single
socket there would be a gap; Slack sends each envelope to any one of the sockets that are open (up to 10 of an app).
"""

import json
from asyncio import Future, Task, TaskGroup, current_task, gather, get_running_loop, wait
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMessage
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import async_default_handlers
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from structlog import get_logger

from bots.slack.clients import sdk_logger, web_client
from bots.slack.errors import facts_of, is_passing
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.timings import Timings
from core.errors import PlatformError

log = get_logger(platform=PLATFORM)

Take = Callable[[Payload], Awaitable[Payload | None]]


class Sockets:
    """The way in. `take` gets each payload: the envelope is acknowledged with what it returns; when it raises, not."""

    def __init__(
        self, *, bot_token: str, app_token: str, api_url: str, take: Take, timings: Timings, count: int = 2
    ) -> None:
        self._bot_token, self._app_token, self._api_url = bot_token, app_token, api_url
        self._take, self._timings, self._count = take, timings, count
        self._taking: set[Task[Any]] = set()
        self._greeted: dict[AsyncSocketModeHandler, ClientWebSocketResponse | None] = {}

    def hears(self) -> bool:
        """Whether a socket is open over which Slack has said hello."""
        return any(socket is not None and not socket.closed for socket in self._greeted.values())

    async def run(self) -> None:
        """Until cancelled. Raises PlatformError when Slack will give us no socket."""
        refusal: Future[PlatformError] = get_running_loop().create_future()
        app = self._app()
        doors = [self._door(app, refusal) for _ in range(self._count)]
        try:
            async with TaskGroup() as group:
                connecting = [group.create_task(_connected(door)) for door in doors]
                problem = await refusal
                for task in connecting:
                    task.cancel()
        finally:
            await self._closed(doors)
        raise problem

    def _door(self, app: AsyncApp, refusal: "Future[PlatformError]") -> AsyncSocketModeHandler:
        client = web_client(
            _AppClient, token=self._app_token, api_url=self._api_url, retry_handlers=async_default_handlers()
        )
        client.refusal = refusal
        door = AsyncSocketModeHandler(
            app, self._app_token, logger=sdk_logger(), web_client=client, ping_interval=self._timings.ping
        )
        door.client.proxy = client.proxy

        async def heed(frame: WSMessage) -> None:
            match read(frame.data):
                case {"type": "hello"}:
                    self._greeted[door] = door.client.current_session
                case {"type": "disconnect", "reason": "link_disabled"}:
                    _refuse(refusal, "link_disabled")

        door.client.on_message_listeners.append(heed)
        return door

    def _app(self) -> AsyncApp:
        """Bolt with one middleware of ours, before all that would look people up: every request ends there."""

        async def take(body: dict[str, Any]) -> BoltResponse:
            if (task := current_task()) is not None:
                self._taking.add(task)
                task.add_done_callback(self._taking.discard)
            answer = await self._take(body)
            return BoltResponse(status=200, body=dict(answer) if answer else "")

        async def not_taken(error: Exception) -> None:
            log.warning("not acknowledged", reason=type(error).__name__)

        web = web_client(AsyncWebClient, token=self._bot_token, api_url=self._api_url, retry_handlers=[])
        app = AsyncApp(
            name="backscroll",
            logger=sdk_logger(),
            client=web,
            before_authorize=take,
            request_verification_enabled=False,  # it is for HTTP; a socket is ours by its ticket
        )
        app.error(not_taken)
        return app

    async def _closed(self, doors: list[AsyncSocketModeHandler]) -> None:
        """What was being taken in is still acknowledged, if it takes no longer than a moment."""
        if self._taking:
            await wait(set(self._taking), timeout=self._timings.settle)
        await gather(*(_left(door) for door in doors))


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


def read(frame: object) -> Payload:
    """What Slack says about the socket itself; nothing when the frame is an envelope, as most are."""
    if not isinstance(frame, str) or "envelope_id" in frame:
        return {}
    try:
        said = json.loads(frame)
    except ValueError:
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


async def _left(door: AsyncSocketModeHandler) -> None:
    """Closes the socket and waits for the SDK's own tasks, which it only cancels."""
    await door.close_async()  # type: ignore[no-untyped-call]  # slack_bolt has no types here
    tasks = (door.client.message_processor, door.client.current_session_monitor, door.client.message_receiver)
    await gather(*(task for task in tasks if task is not None), return_exceptions=True)


async def _connected(door: AsyncSocketModeHandler) -> None:
    await door.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt has no types here
