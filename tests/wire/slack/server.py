"""The wire: HTTP for the Web API and response URLs, WebSockets for Socket Mode.

What can go wrong, all of it switchable at any time:

* `server.faults` decides about each request of the Web API by its method and arguments, see `tests.wire.faults`;
  requests to a response URL are asked about as the method `response_url`.
* `server.fail(method, …)` is the short way for a test: the next so many calls of one method meet this.
* `server.copies` decides about each payload that goes down a socket: for each copy that Slack sends of it, after how
  many seconds. `(0, 0.1)` sends it twice, `(0.3,)` lets others overtake it, `()` loses it.
* `server.route` chooses the socket for each envelope: given how many are open, the index of one. Sockets of one process
  mostly stand side by side, and who takes them in turn, as it is by default, brings a copy to the next one.
* `server.keeps`: whether Slack keeps what it has to send while no socket is open. `server.ack_seconds` and
  `server.retries`: what is not acknowledged in time is sent again, so often, each time by the next socket.
* `server.sign_in_at`: where the files' host sends those who may not read a file; without it the page comes at once.
  Requests for files are asked about as the method `file`.
* `server.spoil` has the last word on each answer of the Web API: given the method and the body.
* `server.receipts`: whether the app has subscribed to `message_metadata_posted`.
* `server.handshakes`: how the next handshakes of sockets are answered, each after its ticket was used up.
* `server.farewell`: with this reason Slack takes its leave of every socket that is opened, once it has said hello.
* `server.mute`: over so many of the next sockets nothing is ever said.
* `server.disconnect()` and `server.cut()` end a socket with and without a word.
"""

import json
from asyncio import Condition, Event, Task, Transport, create_task, gather, sleep, timeout
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from tests import watch
from tests.wire.endless import ENDLESS, endless
from tests.wire.faults import Fault, Faults, faultless, page
from tests.wire.slack.workspace import BOT_USER, SCOPES, TEAM, Arguments, Message, No, TooMany, Workspace

BOT_TOKEN, APP_TOKEN = watch.secret("xoxb-test"), watch.secret("xapp-test")
_NEEDED = {
    "files.info": "files:read",
    "conversations.info": "channels:read",
    "conversations.members": "groups:read",
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """`ok: false` with this code, before or `after` it is done."""

    code: str
    after: bool = False


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
        self.faults: Faults = faultless
        self.copies: Callable[[Arguments], Sequence[float]] = lambda payload: (0.0,)
        self.route: Callable[[int], int] = self._in_turn
        self.spoil: Callable[[str, str], str] = lambda method, body: body
        self.keeps = True
        self.receipts = True
        self.sockets: list[web.WebSocketResponse] = []
        self.scopes = SCOPES
        self.ack_seconds = 3.0
        self.retries = 3
        self.opened = 0
        self.sign_in_at: str | None = None
        self.handshakes: list[Fault] = []
        self.farewell: str | None = None
        self.mute = 0
        self.url = ""
        self._changed = changed
        self._numbers = count(1)
        self._tickets: set[str] = set()
        self._answerable: dict[str, tuple[str, str, int]] = {}
        self._expected: dict[str, list[Fault | Refusal]] = {}
        self._arrived = Condition()
        self._over = Event()
        self._unacknowledged: dict[str, Envelope] = {}
        self._later: set[Task[None]] = set()
        self._transports: dict[int, Transport] = {}
        self._turn = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/respond/{name}", self._respond)
        app.router.add_get("/link", self._socket)
        app.router.add_get("/files-pri/{file}/{path:.+}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = self.workspace.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._over.set()
        for task in self._later:
            task.cancel()
        await gather(*self._later, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.close()
        await self._runner.cleanup()

    def fail(
        self, method: str, answer: int | str, *, times: int = 1, after: bool = False, retry_after: float = 1
    ) -> None:
        """What the next calls of a method meet: 429, another status, an error code, `hang`, or `reset`."""
        fault: Fault | Refusal
        if answer in ("hang", "reset"):
            fault = Fault("hang" if answer == "hang" else "drop")
        elif isinstance(answer, str):
            fault = Refusal(code=answer, after=after)
        else:
            fault = Fault("limit", retry_after) if answer == 429 else Fault("after" if after else "before")
        self._expected[method] = [fault] * times

    def expect(self, method: str, *faults: Fault | Refusal) -> None:
        """What the next calls of a method meet, one after the other."""
        self._expected[method] = list(faults)

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
        for seconds in self.copies(payload):
            self._meanwhile(self._deliver(kind, payload, attempt, seconds))

    async def _deliver(self, kind: str, payload: Arguments, attempt: int, seconds: float) -> None:
        """To one of the sockets that are open; events again when they are not acknowledged in time, others not."""
        await sleep(seconds)
        last = attempt + (self.retries if kind == "events_api" else 0)
        while attempt <= last and (self.keeps or self.sockets):
            socket = await self._next_socket()
            envelope = Envelope(
                id=f"envelope-{next(self._numbers)}", kind=kind, payload=payload, attempt=attempt, socket=id(socket)
            )
            frame: Arguments = {"envelope_id": envelope.id, "type": kind, "payload": payload}
            frame["accepts_response_payload"] = kind != "events_api"
            if attempt:
                frame |= {"retry_attempt": attempt, "retry_reason": "timeout"}
            self.envelopes.append(envelope)
            self._unacknowledged[envelope.id] = envelope
            try:
                async with timeout(self.ack_seconds):
                    await socket.send_json(frame)
                    await envelope.acked.wait()
                return
            except ConnectionError:
                await sleep(0.01)
            except TimeoutError:
                attempt += 1

    async def write(self, envelope: Envelope, frame: str) -> None:
        """Down the next socket, exactly as given, for this envelope; nothing is sent again."""
        self._unacknowledged[envelope.id] = envelope
        await (await self._next_socket()).send_str(frame)

    async def _next_socket(self) -> web.WebSocketResponse:
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.sockets)
        return self.sockets[self.route(len(self.sockets))]

    def _in_turn(self, number: int) -> int:
        self._turn += 1
        return self._turn % number

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        if self.handshakes:
            return page(self.handshakes.pop(0))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        self._transports[id(socket)] = request.transport
        if self.mute:
            self.mute -= 1
            await self._changed()
            async for _ in socket:
                pass
            return socket
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets) + 1, "connection_info": {}})
        if self.farewell is not None:
            await socket.send_json({"type": "disconnect", "reason": self.farewell, "debug_info": {}})
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
        if envelope := self._unacknowledged.pop(str(frame.get("envelope_id")), None):
            if envelope.payload.get("type") == "view_submission":
                self._submitted(envelope.payload["view"]["id"], frame.get("payload") or {})
            envelope.acked.set()
        await self._changed()

    def _submitted(self, view: str, answer: Arguments) -> None:
        """A modal closes once it is acknowledged, unless something in it is wrong."""
        modal = next((one for one in self.workspace.modals if one.id == view), None)
        if modal is None:
            return
        modal.errors = answer["errors"] if answer.get("response_action") == "errors" else {}
        modal.is_open = bool(modal.errors)

    async def disconnect(self, reason: str = "refresh_requested", which: int = 0) -> None:
        """Slack's own farewell to one socket; the client is expected to come back."""
        with suppress(ConnectionError):  # it is closing already
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

        def done() -> web.Response:
            try:
                if (scope := _NEEDED.get(method)) is not None and scope not in self.scopes.split(","):
                    raise No("missing_scope")
                answer = {"ok": True, **self._done(method, given, token)}
            except No as no:
                answer = {"ok": False, "error": str(no)}
            except TooMany as wait:
                return _too_many(wait.args[0])
            body = self.spoil(method, json.dumps(answer))
            return web.json_response(text=body, headers={"x-oauth-scopes": self.scopes})

        return await self._answered(request, self._fault(method, given), done)

    async def _answered(
        self, request: web.Request, fault: Fault | Refusal | None, done: Callable[[], web.Response]
    ) -> web.Response:
        """What is answered, after it was done, before, or without."""
        match fault:
            case Fault(kind="limit"):
                return _too_many(fault.seconds)
            case Fault(kind="late"):
                self._meanwhile(self._land(fault.seconds, done))
            case Fault(kind="page"):
                return page(fault)
            case Fault(kind="before") | Refusal(after=False):
                pass
            case _:
                answer = done()
                await self._changed()
                if fault is None:
                    return answer
        if isinstance(fault, Fault) and fault.kind == "passed":
            return page(fault)
        if isinstance(fault, Refusal):
            return web.json_response({"ok": False, "error": fault.code})
        if fault.kind in ("hang", "drop"):
            return await self._silent(request, hang=fault.kind == "hang")
        return web.Response(status=500, text="<html>", content_type="text/html")

    async def _land(self, seconds: float, done: Callable[[], web.Response]) -> None:
        await sleep(seconds)
        done()
        await self._changed()

    async def _silent(self, request: web.Request, *, hang: bool) -> web.Response:
        transport = request.transport
        while hang and transport is not None and not transport.is_closing() and not self._over.is_set():
            with suppress(TimeoutError):
                async with timeout(1):
                    await self._over.wait()
        if transport is not None:
            transport.abort()
        return web.Response()

    def _meanwhile(self, what: Coroutine[Any, Any, None]) -> None:
        task = create_task(what)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

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

    def _fault(self, method: str, given: Arguments) -> Fault | Refusal | None:
        expected = self._expected.get(method)
        return expected.pop(0) if expected else self.faults(method, given)

    def response_url(self, channel: str, user: str) -> str:
        name = f"r{next(self._numbers)}"
        self._answerable[name] = (channel, user, 5)
        return f"{self.url}/respond/{name}"

    async def _respond(self, request: web.Request) -> web.Response:
        name, given = request.match_info["name"], await request.json()
        self.calls.append(("response_url", given, ""))

        def done() -> web.Response:
            channel, user, left = self._answerable.get(name, ("", "", 0))
            if not left:
                return web.json_response({"ok": False, "error": "used_url"}, status=404)
            self._answerable[name] = (channel, user, left - 1)
            self.workspace.respond(given, channel=channel, user=user)
            return web.Response(text="ok")

        answer = await self._answered(request, self._fault("response_url", given), done)
        await self._changed()
        return answer

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """A file's bytes. Who may not read it is sent to the page for signing in, or is given that page at once."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append(("file", {"path": request.path}, token))
        file = self.workspace.files.get(request.match_info["file"].partition("-")[2])
        if token != BOT_TOKEN or "files:read" not in self.scopes.split(",") or file is None:
            if self.sign_in_at is not None:
                raise web.HTTPFound(self.sign_in_at)
            return web.Response(
                text="<!DOCTYPE html><html><body>Sign in to Slack</body></html>", content_type="text/html"
            )
        if file.data is ENDLESS:
            return await endless(request)
        answer = web.Response(body=file.data, content_type=file.facts["mimetype"])
        if request.match_info["path"].startswith("download/"):
            answer.headers["Content-Disposition"] = "attachment"
        return await self._answered(request, self._fault("file", {}), lambda: answer)

    # What happens in the workspace is an event

    def _said(self, what: str, message: Message, before: Arguments) -> None:
        place = {"channel": message.channel, "channel_type": self.workspace.kind(message.channel)}
        if what == "posted":
            self.event({**message.payload(), **place})
        else:
            changed: Arguments = {"type": "message", "subtype": f"message_{what}", "hidden": True, **place}
            changed |= {"ts": self.workspace.ts(), "previous_message": before}
            self.event(changed | ({"deleted_ts": message.ts} if what == "deleted" else {"message": message.payload()}))
        if self.receipts and message.metadata and what != "deleted" and "metadata" not in before:
            self._receipt(message)

    def _receipt(self, message: Message) -> None:
        """docs.slack.dev/reference/events/message_metadata_posted."""
        self.event(
            {
                "type": "message_metadata_posted",
                "app_id": "A0TEST",
                "bot_id": message.bot,
                "user_id": message.user,
                "team_id": TEAM,
                "channel_id": message.channel,
                "metadata": message.metadata,
                "message_ts": message.ts,
                "event_ts": message.ts,
            }
        )


def _too_many(seconds: float) -> web.Response:
    headers = {"Retry-After": f"{seconds:g}"}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
