"""The wire: HTTP for the Web API and response URLs, WebSockets for Socket Mode, with faults that a test asks for."""

from asyncio import Condition, Event, Task, Transport, create_task, gather, sleep, timeout
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from tests.wire.slack.workspace import BOT_USER, SCOPES, TEAM, Arguments, Message, No, TooMany, Workspace

BOT_TOKEN, APP_TOKEN = "xoxb-test", "xapp-test"


@dataclass(kw_only=True)
class Fault:
    """What the next calls of a method meet: a status, an error code, `hang`, `reset`; before or `after` it is done."""

    answer: int | str
    times: int = 1
    after: bool = False
    retry_after: int = 1


@dataclass(kw_only=True)
class Envelope:
    id: str
    kind: str
    payload: Arguments
    attempt: int = 0
    socket: int = 0
    acked: Event = field(default_factory=Event)


class SlackServer:
    """`calls` are all calls of the Web API, `envelopes` all that was sent down a socket, in order."""

    def __init__(self, changed: Callable[[], Awaitable[None]]) -> None:
        self.workspace = Workspace(self._said)
        self.calls: list[tuple[str, Arguments, str]] = []
        self.envelopes: list[Envelope] = []
        self.faults: dict[str, Fault] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.scopes = SCOPES
        self.ack_seconds = 3.0
        self.retries = 3
        self.opened = 0
        self.url = ""
        self._changed = changed
        self._numbers = count(1)
        self._tickets: set[str] = set()
        self._answerable: dict[str, tuple[str, str, int]] = {}
        self._arrived = Condition()
        self._over = Event()
        self._sending: set[Task[None]] = set()
        self._transports: dict[int, Transport] = {}
        self._turn = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/respond/{name}", self._respond)
        app.router.add_get("/link", self._socket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._over.set()
        for task in self._sending:
            task.cancel()
        await gather(*self._sending, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.close()
        await self._runner.cleanup()

    def fail(self, method: str, answer: int | str, **more: Any) -> None:
        self.faults[method] = Fault(answer=answer, **more)

    def number_of(self, method: str) -> int:
        return sum(name == method for name, _, _ in self.calls)

    # Socket Mode

    def event(self, event: Arguments, **more: Any) -> Arguments:
        """An event of the Events API, sent; returns the payload, which can be sent again."""
        payload = {
            "token": "deprecated",
            "team_id": TEAM,
            "api_app_id": "A0TEST",
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{next(self._numbers):08}",
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": TEAM,
                    "user_id": BOT_USER,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            **more,
        }
        self.send("events_api", payload)
        return payload

    def send(self, kind: str, payload: Arguments, attempt: int = 0) -> None:
        task = create_task(self._deliver(kind, payload, attempt))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, kind: str, payload: Arguments, attempt: int) -> None:
        """To one of the sockets that are open; events again when they are not acknowledged in time, others not."""
        last = attempt + (self.retries if kind == "events_api" else 0)
        while attempt <= last:
            socket = await self._next_socket()
            envelope = Envelope(
                id=f"envelope-{next(self._numbers)}", kind=kind, payload=payload, attempt=attempt, socket=id(socket)
            )
            frame: Arguments = {"envelope_id": envelope.id, "type": kind, "payload": payload}
            frame["accepts_response_payload"] = kind != "events_api"
            if attempt:
                frame |= {"retry_attempt": attempt, "retry_reason": "timeout"}
            self.envelopes.append(envelope)
            try:
                await socket.send_json(frame)
            except ConnectionError:
                await sleep(0.01)
                continue
            try:
                async with timeout(self.ack_seconds):
                    await envelope.acked.wait()
                return
            except TimeoutError:
                attempt += 1

    async def _next_socket(self) -> web.WebSocketResponse:
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.sockets)
        self._turn += 1
        return self.sockets[self._turn % len(self.sockets)]

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        self._transports[id(socket)] = request.transport
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets) + 1, "connection_info": {}})
        async with self._arrived:
            self.sockets.append(socket)
            self.opened += 1
            self._arrived.notify_all()
        await self._changed()
        try:
            async for frame in socket:
                if frame.type == WSMsgType.TEXT:
                    await self._acknowledged(frame.json())
        finally:
            self.sockets.remove(socket)
            await self._changed()
        return socket

    async def _acknowledged(self, frame: Arguments) -> None:
        for envelope in self.envelopes:
            if envelope.id == frame.get("envelope_id"):
                envelope.acked.set()
        await self._changed()

    async def disconnect(self, reason: str = "refresh_requested", which: int = 0) -> None:
        """Slack's own farewell to one socket; the client is expected to come back."""
        await self.sockets[which].send_json({"type": "disconnect", "reason": reason, "debug_info": {}})

    def cut(self, socket: web.WebSocketResponse) -> None:
        """The network between the two ends goes away without a word."""
        self._transports[id(socket)].abort()

    # HTTP

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method, token = request.match_info["method"], request.headers.get("Authorization", "").removeprefix("Bearer ")
        given: Arguments = dict(request.query)
        if request.method == "POST":
            given |= await request.json() if request.content_type == "application/json" else await request.post()
        self.calls.append((method, given, token))
        await self._changed()
        fault = self._fault(method)
        if fault and not fault.after and (answer := await self._failed(request, fault)) is not None:
            return answer
        try:
            done = {"ok": True, **self._done(method, given, token)}
        except No as no:
            done = {"ok": False, "error": str(no)}
        except TooMany as wait:
            return _too_many(wait.args[0])
        await self._changed()
        if fault and fault.after and (answer := await self._failed(request, fault)) is not None:
            return answer
        return web.json_response(done, headers={"x-oauth-scopes": self.scopes})

    def _done(self, method: str, given: Arguments, token: str) -> Arguments:
        if token not in (BOT_TOKEN, APP_TOKEN):
            raise No("invalid_auth")
        if (method == "apps.connections.open") != (token == APP_TOKEN):
            raise No("not_allowed_token_type")
        if method != "apps.connections.open":
            return self.workspace.call(method, given)
        ticket = f"ticket-{next(self._numbers)}"
        self._tickets.add(ticket)
        return {"url": f"{self.url.replace('http', 'ws', 1)}/link?ticket={ticket}&app_id=A0TEST"}

    def _fault(self, method: str) -> Fault | None:
        fault = self.faults.get(method)
        if fault is None or fault.times == 0:
            return None
        fault.times -= 1
        return fault

    async def _failed(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        if fault.answer == "hang":
            await self._over.wait()
        if fault.answer in ("hang", "reset"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if fault.answer == 429:
            return _too_many(fault.retry_after)
        if isinstance(fault.answer, int):
            return web.Response(status=fault.answer, text="<html>", content_type="text/html")
        return web.json_response({"ok": False, "error": fault.answer})

    def response_url(self, channel: str, user: str) -> str:
        name = f"r{next(self._numbers)}"
        self._answerable[name] = (channel, user, 5)
        return f"{self.url}/respond/{name}"

    async def _respond(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        channel, user, left = self._answerable.get(name, ("", "", 0))
        given = await request.json()
        self.calls.append(("response_url", given, ""))
        if not left:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        self._answerable[name] = (channel, user, left - 1)
        self.workspace.respond(given, channel=channel, user=user)
        await self._changed()
        return web.Response(text="ok")

    # What the bot does is an event too

    def _said(self, what: str, message: Message) -> None:
        place = {"channel": message.channel, "channel_type": "im" if message.channel.startswith("D") else "channel"}
        if what == "posted":
            self.event({**message.payload(), **place})
        else:
            self.event(
                {"type": "message", "subtype": "message_changed", "hidden": True, "ts": self.workspace.ts(), **place}
                | {"message": message.payload(), "previous_message": message.payload()}
            )


def _too_many(seconds: int) -> web.Response:
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(seconds)})
