"""Socket Mode: two WebSockets, each kept by itself, and each envelope acknowledged after it was taken in.

Slack closes every socket after some hours, and gives another address for the next one. With a single socket there would
be a gap; Slack sends each envelope to any one of the sockets that are open (up to 10 of an app).

An address is good for one try. Whatever comes of that, the next one has a new address, after a pause that grows for as
long as no socket lives; only Slack's own word that the app's token is no good ends that.
"""

import json
from asyncio import Task, create_task, gather, timeout, wait
from collections.abc import Awaitable, Callable, Mapping
from re import compile as pattern

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.timings import Timings
from core.errors import DeliveryDelayed, DeliveryUnknown, PlatformError, where
from core.proxies import proxy_for
from core.seam.keeping import Sleep
from core.seam.quiet import asked_for, bounded

log = get_logger(platform=PLATFORM)

Take = Callable[[object], Awaitable[Payload | None]]

CROWDED = "too_many_websockets"

_ID = pattern(r'"envelope_id"\s*:\s*"([\w-]{1,80})"')
_REMEDIES = {
    CROWDED: "Slack opens 10 sockets for an app, and each replica takes 2: run fewer, and see what else uses "
    "SLACK_APP_TOKEN"
}


class SocketLost(Exception):
    """A socket ended, or was none; the message says how. Who said for how long to wait is heard: `retry_after`."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after or 0.0


class Sockets:
    """The way in. `take` gets each payload: the envelope is acknowledged with what it returns; when it raises, not.

    `api` has the app's token. `pause` awaits so many seconds.
    """

    def __init__(self, api: Api, *, take: Take, timings: Timings, pause: Sleep, count: int = 2) -> None:
        self._api, self._take, self._timings, self._pause, self._count = api, take, timings, pause, count
        self._taking: set[Task[None]] = set()
        self._greeted: list[ClientWebSocketResponse] = []

    def hears(self) -> bool:
        """Whether a socket is open over which Slack has said hello."""
        return any(not socket.closed for socket in self._greeted)

    async def run(self) -> None:
        """Until cancelled. Raises PlatformError when Slack itself says that it will give us no socket."""
        async with ClientSession() as session:
            keeping = [create_task(self._kept(session)) for _ in range(self._count)]
            try:
                ended, _ = await wait(keeping, return_when="FIRST_COMPLETED")
                await gather(*ended)
            finally:
                await self._settled()
                for task in keeping:
                    task.cancel()
                await gather(*keeping, return_exceptions=True)

    async def _kept(self, session: ClientSession) -> None:
        """One socket after the other."""
        failures, told = 0, False
        while True:
            began = self._api.clock()
            try:
                await self._heard(session)
            except Refused as error:
                if error.is_about_token:
                    raise PlatformError(app_token_problem(error.code)) from error
                lost = SocketLost(error.code)
            except DeliveryDelayed as error:
                lost = SocketLost(str(error), retry_after=error.retry_after)
            except DeliveryUnknown as error:
                lost = SocketLost(str(error), retry_after=error.retry_after)
            except SocketLost as error:
                lost = error
            lived = self._api.clock() - began
            failures = 0 if lived > self._timings.long_life else failures + 1
            told = self._tell(lost, failures, told=told and failures > 1)
            await self._pause(self._until_next(lost, failures))

    def _until_next(self, lost: SocketLost, failures: int) -> float:
        """Slack takes a socket away now and then, and means no harm by it: once, the next one is asked for at once."""
        grown = self._timings.first_pause * 2.0 ** min(failures - 2, 16) if failures > 1 else 0.0
        return max(min(grown, self._timings.longest_pause), lost.retry_after)

    def _tell(self, lost: SocketLost, failures: int, *, told: bool) -> bool:
        """Says why there is no socket, once; what is mended by the next one is not worth a warning."""
        remedy = _REMEDIES.get(lost.reason)
        if not told and (failures > 1 or remedy is not None):
            log.warning("no socket", reason=lost.reason, **({} if remedy is None else {"remedy": remedy}))
            return True
        log.debug("socket lost", reason=lost.reason, failures=failures)
        return told

    async def _heard(self, session: ClientSession) -> None:
        """One socket, from its address to its end. Raises SocketLost, a DeliveryError, or PlatformError."""
        url = (await self._api.write("apps.connections.open", {})).get("url")
        if not isinstance(url, str):
            raise SocketLost("Slack gave no address")
        socket = await self._opened(session, url)
        try:
            await self._read(socket)
        finally:
            if socket in self._greeted:
                self._greeted.remove(socket)
            await socket.close()

    async def _opened(self, session: ClientSession, url: str) -> ClientWebSocketResponse:
        """The address has a key in it, and so has what a library says over it: neither is told."""
        try:
            async with timeout(self._timings.call):
                return await session.ws_connect(url, heartbeat=2 * self._timings.ping, proxy=proxy_for(url))
        except WSServerHandshakeError as error:
            asked = asked_for(error.headers or {})
            seconds = None if asked is None else bounded(asked)
            raise SocketLost(f"its handshake was answered with {error.status}", retry_after=seconds) from None
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            raise SocketLost(f"it could not be opened ({type(error).__name__})") from None

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        """Takes what comes, until nothing more does. Who is not greeted in time is not connected."""
        try:
            while True:
                frame = await socket.receive(None if socket in self._greeted else self._timings.call)
                if frame.type is WSMsgType.TEXT:
                    self._hear(socket, frame.data)
                elif frame.type is not WSMsgType.BINARY:
                    raise SocketLost(f"it was closed ({socket.close_code})")
        except TimeoutError:
            raise SocketLost("Slack said no hello") from None

    def _hear(self, socket: ClientWebSocketResponse, frame: str) -> None:
        envelope, payload = opened(frame)
        if envelope is not None:
            task = create_task(self._acknowledge(socket, envelope, payload))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)
            return
        match read(frame):
            case {"type": "hello"}:
                self._greeted.append(socket)
            case {"type": "disconnect", "reason": "link_disabled"}:
                raise PlatformError(app_token_problem("link_disabled"))
            case {"type": "disconnect", "reason": str(reason)}:
                raise SocketLost(reason)
            case {"type": "disconnect"}:
                raise SocketLost("Slack said goodbye")

    async def _acknowledge(self, socket: ClientWebSocketResponse, envelope: str, payload: object) -> None:
        """By the socket over which it came; where that has gone meanwhile, by one that stands."""
        try:
            answer = await self._take(payload)
            said = {"envelope_id": envelope} | ({"payload": dict(answer)} if answer else {})
            standing = socket if not socket.closed else next((one for one in self._greeted if not one.closed), socket)
            await standing.send_json(said)
        except Exception as error:  # noqa: BLE001 – whatever it is, Slack says it again, and the others are heard
            log.warning("not acknowledged", reason=type(error).__name__, where=where(error))

    async def _settled(self) -> None:
        """What is being taken in is still acknowledged, if it takes no longer than a moment."""
        if self._taking:
            await wait(set(self._taking), timeout=self._timings.settle)


def opened(frame: str) -> tuple[str | None, object]:
    """The envelope's ID, and what is in it: of one that nobody can read, its length. No ID where the frame is none."""
    try:
        said = json.loads(frame)
    except (ValueError, RecursionError):
        found = _ID.search(frame)
        return found and found[1], f"a frame of {len(frame)} characters"
    envelope = said.get("envelope_id") if isinstance(said, Mapping) else None
    return (envelope, said.get("payload")) if isinstance(envelope, str) else (None, None)


def read(frame: str) -> Payload:
    """What Slack says about the socket itself; nothing when the frame is an envelope, as most are."""
    if "envelope_id" in frame:
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
