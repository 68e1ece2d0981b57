"""Discord's gateway on loopback: hello, heartbeats, identify, resume with replay, and every way to end a connection."""

import json
import zlib
from asyncio import Task, create_task, sleep, wait
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from aiohttp import WSMsgType, web

from tests.wire.discord_world import CONTENT_FLAG, DIRECT, Payload, World
from tests.wire.faults import Fault, page

_DISPATCH, _HEARTBEAT, _IDENTIFY, _RESUME, _RECONNECT, _INVALID, _HELLO, _ACK = 0, 1, 2, 6, 7, 9, 10, 11
_GUILD_MESSAGES, _DIRECT_MESSAGES, _CONTENT = 1 << 9, 1 << 12, 1 << 15


Squeeze = Callable[[bytes], bytes]


def _zlib_stream() -> Squeeze:
    stream = zlib.compressobj()
    return lambda data: stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd_stream() -> Squeeze:
    """What discord.py asks for on Python 3.14, which brings it."""
    stream = import_module("compression.zstd").ZstdCompressor()
    return lambda data: bytes(stream.compress(data, mode=stream.FLUSH_BLOCK))


_COMPRESSIONS: dict[str | None, Callable[[], Squeeze | None]] = {
    None: lambda: None,
    "zlib-stream": _zlib_stream,
    "zstd-stream": _zstd_stream,
}


@dataclass(frozen=True, kw_only=True)
class Twist:
    """How the gateway tells of one event: so many times, and so many seconds late, so that later ones overtake it."""

    times: int = 1
    late: float = 0.0


Twists = Callable[[str, Payload], Twist | None]
"""Decides for one event: its name, and what it says."""


@dataclass(kw_only=True)
class Session:
    """One gateway session; it outlives its sockets, until the client closes one with 1000 or 1001."""

    id: str
    intents: int
    socket: "Socket | None" = None
    seq: int = 0
    sent: list[Payload] = field(default_factory=list)

    def wants(self, channel: Payload) -> bool:
        return bool(self.intents & (_DIRECT_MESSAGES if channel["type"] == DIRECT else _GUILD_MESSAGES))


class Socket:
    """One connection, compressed as its address asks."""

    def __init__(self, web_socket: web.WebSocketResponse, compress: str | None) -> None:
        self.web = web_socket
        self._squeeze = _COMPRESSIONS[compress]()

    async def send(self, payload: Payload) -> None:
        await self.write(json.dumps(payload))

    async def write(self, text: str) -> None:
        """A frame exactly as given; where the other end has just gone, it has all when it resumes."""
        if self.web.closed:
            return
        with suppress(ConnectionError):
            if self._squeeze is None:
                await self.web.send_str(text)
            else:
                await self.web.send_bytes(self._squeeze(text.encode()))


class Gateway:
    """All sessions. `refuse` holds close codes for the next IDENTIFYs, `identified` what they said.

    `twists` is asked about every event once, for all sessions. `resume_url` is where a session is told to be resumed.
    `handshakes` are how the next handshakes are refused. So many of the next IDENTIFYs and RESUMEs as `ignore` says are
    left without a word, while heartbeats are answered.
    """

    def __init__(self, world: World, change: Callable[[], Awaitable[None]]) -> None:
        self.world = world
        self.change = change
        self.sessions: dict[str, Session] = {}
        self.refuse: list[int] = []
        self.identified: list[Payload] = []
        self.resumed = 0
        self.ignore = 0
        self.heartbeat = 41_250
        self.url = ""
        self.resume_url: str | None = None
        self.handshakes: list[Fault] = []
        self.twists: Twists = lambda event, data: None
        self._late: set[Task[None]] = set()
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def connected(self) -> list[Session]:
        return [session for session in self.sessions.values() if session.socket is not None]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection from its first frame to its last."""
        if self.handshakes:
            return page(self.handshakes.pop(0))
        response = web.WebSocketResponse()
        await response.prepare(request)
        self._sockets.add(response)
        socket = Socket(response, request.query.get("compress"))
        session: Session | None = None
        await socket.send({"op": _HELLO, "d": {"heartbeat_interval": self.heartbeat}})
        try:
            async for frame in response:
                if frame.type is not WSMsgType.TEXT:
                    break
                said = json.loads(frame.data)
                match said["op"]:
                    case 1:
                        await socket.send({"op": _ACK})
                    case 2 | 6 if self.ignore:
                        self.ignore -= 1
                    case 2:
                        session = await self._identify(socket, said["d"])
                    case 6:
                        session = await self._resume(socket, said["d"])
        finally:
            if session is not None and session.socket is socket:
                session.socket = None
                if response in self._sockets and response.close_code in (1000, 1001):
                    self.sessions.pop(session.id, None)
            self._sockets.discard(response)
            await self.change()
        return response

    async def dispatch(
        self, event: str, data: Payload, channel: Payload | None = None, *, to: Collection[str] | None = None
    ) -> None:
        """Tells all sessions that want to know, or those of them with these IDs; those without a connection hear it
        when they resume.
        """
        twist = self.twists(event, data) or Twist()
        if twist.late:
            task = create_task(self._tell_late(twist, event, dict(data), channel, to))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        else:
            await self._tell_all(twist, event, data, channel, to)

    async def _tell_late(
        self, twist: Twist, event: str, data: Payload, channel: Payload | None, to: Collection[str] | None
    ) -> None:
        await sleep(twist.late)
        await self._tell_all(twist, event, data, channel, to)

    async def _tell_all(
        self, twist: Twist, event: str, data: Payload, channel: Payload | None, to: Collection[str] | None
    ) -> None:
        for session in list(self.sessions.values()):
            if (to is None or session.id in to) and (channel is None or session.wants(channel)):
                for _ in range(twist.times):
                    await self._tell(session, event, self._shown(event, data, channel, session))

    async def stop(self) -> None:
        """Every connection ends, and what is late is never told."""
        late = list(self._late)
        for task in late:
            task.cancel()
        if late:
            await wait(late)
        await self.close(4000)

    async def close(self, code: int) -> None:
        """Every connection ends with this code; the sessions stay."""
        closing, self._sockets = self._sockets, set()
        for socket in closing:
            await socket.close(code=code)

    async def send(self, payload: Payload) -> None:
        """A raw frame to every connection: `reconnect` is {"op": 7}, an invalid session {"op": 9, "d": False}."""
        for session in self.connected:
            assert session.socket is not None
            await session.socket.send(payload)

    async def invalidate(self) -> None:
        """Every session is over, with a word to its client, and nothing of it can be replayed."""
        gone, self.sessions = list(self.sessions.values()), {}
        for session in gone:
            if session.socket is not None:
                await session.socket.send({"op": _INVALID, "d": False})

    async def drop(self, session: Session) -> None:
        """This session is lost: until its client has begun another one, nothing reaches it, then or ever."""
        self.sessions.pop(session.id, None)
        socket, session.socket = session.socket, None
        if socket is not None:
            self._sockets.discard(socket.web)
            await socket.web.close(code=4000)

    def _shown(self, event: str, data: Payload, channel: Payload | None, session: Session) -> Payload:
        if event not in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            return data
        if channel is not None and channel["type"] != DIRECT:
            roles = self.world.has_roles.get(data["author"]["id"], [])
            data = {"guild_id": self.world.guild, "member": {"roles": roles}} | data
        return self.world.seen(data, content=bool(session.intents & _CONTENT))

    async def _tell(self, session: Session, event: str, data: Any) -> None:
        session.seq += 1
        payload = {"op": _DISPATCH, "t": event, "s": session.seq, "d": data}
        session.sent.append(payload)
        if session.socket is not None:
            await session.socket.send(payload)

    async def _identify(self, socket: Socket, said: Payload) -> Session | None:
        self.identified.append(said)
        code = self._refusal(said)
        if code is not None:
            await socket.web.close(code=code)
            return None
        self.world.session_starts -= 1
        session = Session(id=f"session-{len(self.identified)}", intents=said["intents"], socket=socket)
        self.sessions[session.id] = session
        await self._tell(
            session,
            "READY",
            {
                "v": 10,
                "user": self.world.bot,
                "guilds": [{"id": self.world.guild, "unavailable": True}],
                "session_id": session.id,
                "resume_gateway_url": self.resume_url or self.url,
                "application": {"id": self.world.application, "flags": self.world.flags},
            },
        )
        await self._tell(session, "GUILD_CREATE", self.world.guild_create())
        await self.change()
        return session

    def _refusal(self, said: Payload) -> int | None:
        if self.refuse:
            return self.refuse.pop(0)
        if said["token"] != self.world.token:
            return 4004
        return 4014 if said["intents"] & _CONTENT and not self.world.flags & CONTENT_FLAG else None

    async def _resume(self, socket: Socket, said: Payload) -> Session | None:
        session = self.sessions.get(said["session_id"])
        if session is None:
            await socket.send({"op": _INVALID, "d": False})
            return None
        session.socket = socket
        self.resumed += 1
        for payload in [payload for payload in session.sent if payload["s"] > said["seq"]]:
            await socket.send(payload)
        await self._tell(session, "RESUMED", {})
        await self.change()
        return session
