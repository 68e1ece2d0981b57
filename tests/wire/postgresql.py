"""The road between the program and a PostgreSQL: a proxy on loopback that can lend, be cut, and hang.

It speaks as much of the protocol as it must. A road that lends does what PgBouncer does in transaction mode: it has a
few connections to the server, its lanes, and a client has one from its first message until the server says that no
transaction is open. The next lane is always another one, so that whatever a client leaves on one is missed at once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from struct import pack, unpack
from urllib.parse import parse_qs, urlsplit

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104  # requests that come in place of a greeting
_ENDS_IN_READY = (b"S", b"Q")  # Sync and Query: the server answers each with one ReadyForQuery

Message = tuple[bytes, bytes]  # type and content


class Gone(Exception):
    """One end of a connection is not there any more."""


class End:
    """One end of a connection, as whole messages. Nothing is written while the road hangs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passable: asyncio.Event) -> None:
        self._reader = reader
        self._writer = writer
        self._passable = passable

    async def greeting(self) -> tuple[int, bytes]:
        """The first message, which has no type: its code and content."""
        length, code = unpack("!II", await self._read(8))
        return code, await self._read(length - 8)

    async def read(self) -> Message:
        head = await self._read(5)
        return head[:1], await self._read(unpack("!I", head[1:])[0] - 4)

    async def some(self) -> bytes:
        try:
            data = await self._reader.read(65536)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        return data

    async def write(self, data: bytes) -> None:
        await self._passable.wait()
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    def close(self) -> None:
        """Without a word, as a cut cable does."""
        self._writer.transport.abort()

    async def _read(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Gone from error


class Lane:
    """A connection to the server that is lent from client to client."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.facts: list[Message] = []  # what the server says of itself to everyone who connects
        self.key = b""

    async def open(self, greeting: bytes) -> None:
        await self.end.write(pack("!II", len(greeting) + 8, 196608) + greeting)
        while True:
            kind, content = await self.end.read()
            match kind:
                case b"S":
                    self.facts.append((kind, content))
                case b"K":
                    self.key = content
                case b"Z":
                    return
                case b"E":
                    raise Gone(content)


class Pool:
    """The lanes to one database. As many as there may be are opened first, so that no client has its own for long."""

    def __init__(self, lanes: int) -> None:
        self.room = asyncio.Semaphore(lanes)
        self.idle: deque[Lane] = deque()
        self.opened = 0
        self._lanes = lanes

    @property
    def is_full(self) -> bool:
        return self.opened == self._lanes

    def take_back(self, lane: Lane) -> None:
        self.idle.append(lane)
        self.room.release()

    def lose(self) -> None:
        self.opened -= 1
        self.room.release()


class Visit:
    """A client's time on the road, with a lane while a transaction is open."""

    def __init__(self, client: End, pool: Pool) -> None:
        self.lane: Lane | None = None
        self._client = client
        self._pool = pool
        self._unanswered = 0
        self._answering: asyncio.Task[None] | None = None

    def begin(self, lane: Lane) -> None:
        self.lane = lane
        self._answering = asyncio.create_task(self._answer(lane))

    async def ask(self, kind: bytes, content: bytes) -> None:
        if self.lane is not None:
            self._unanswered += kind in _ENDS_IN_READY
            await self.lane.end.write(_packed(kind, content))

    async def _answer(self, lane: Lane) -> None:
        try:
            while self.lane is not None:
                kind, content = await lane.end.read()
                if kind == b"A":
                    continue  # a notification: whoever asked for it on this lane has gone
                self._unanswered -= kind == b"Z"
                if (kind, content, self._unanswered) == (b"Z", b"I", 0):
                    self.lane = None
                    self._pool.take_back(lane)
                await self._client.write(_packed(kind, content))
        except Gone:
            self._client.close()

    def leave(self) -> Lane | None:
        """Returns the lane that was left in the middle of a transaction, which nobody else may have now."""
        if self._answering is not None:
            self._answering.cancel()
        if self.lane is not None:
            self._pool.lose()
        return self.lane


class Road:
    """The road to one database. `url` leads over it; without lanes, each client has a way of its own."""

    def __init__(self, server_url: str, *, lanes: int | None) -> None:
        self._server = urlsplit(server_url)
        self._lanes = lanes
        self._passable = asyncio.Event()
        self._passable.set()
        self._is_cut = False
        self._travelling: set[asyncio.Task[None]] = set()
        self._ends: set[End] = set()
        self._pools: dict[bytes, Pool] = {}  # by greeting: a lane belongs to one user and database
        self._visits: dict[bytes, Visit] = {}  # by the key that the client was given
        self._numbers = count(1)
        self.url = ""

    def cut(self) -> None:
        """Every connection breaks, and no new one comes about, until it heals."""
        self._is_cut = True
        for end in list(self._ends):
            end.close()
        self._pools.clear()

    def hang(self) -> None:
        """Nothing arrives at either end, and nobody is told, until it heals; then all of it does."""
        self._passable.clear()

    def forget(self) -> None:
        """Nothing arrives any more over what is connected now, and nobody is told; whoever connects anew gets through.

        So does a firewall that has heard nothing of a connection for some minutes.
        """
        self._passable.clear()
        self._passable = asyncio.Event()
        self._passable.set()

    def heal(self) -> None:
        """As on the first day. What was cut stays so."""
        self._is_cut = False
        self._passable.set()

    async def open(self) -> Callable[[], None]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._server.username}@127.0.0.1:{port}{self._server.path}"
        return server.close

    async def close(self) -> None:
        self.cut()
        self._passable.set()
        for task in list(self._travelling):
            task.cancel()
        await asyncio.gather(*self._travelling, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._travelling.add(task)
        client = self._end(reader, writer)
        try:
            if not self._is_cut:
                await (self._pass(client) if self._lanes is None else self._lend(client))
        except Gone:
            pass
        finally:
            self._drop(client)
            self._travelling.discard(task)

    async def _pass(self, client: End) -> None:
        server = await self._to_server()

        async def carry(source: End, target: End) -> None:
            with suppress(Gone):
                while True:
                    await target.write(await source.some())
            source.close()
            target.close()

        try:
            await asyncio.gather(carry(client, server), carry(server, client))
        finally:
            self._drop(server)

    async def _lend(self, client: End) -> None:
        code, greeting = await client.greeting()
        while code in (_TLS, _GSS):
            await client.write(b"N")
            code, greeting = await client.greeting()
        if code == _CANCEL:
            await self._cancel(greeting)
            return
        pool = self._pools.setdefault(greeting, Pool(self._lanes or 1))
        key = pack("!II", next(self._numbers), 0)
        lane = await self._borrow(pool, greeting)
        pool.take_back(lane)
        facts = b"".join(_packed(*fact) for fact in lane.facts)
        await client.write(_packed(b"R", pack("!I", 0)) + facts + _packed(b"K", key) + _packed(b"Z", b"I"))
        visit = Visit(client, pool)
        self._visits[key] = visit
        try:
            while (message := await client.read())[0] != b"X":
                if visit.lane is None:
                    visit.begin(await self._borrow(pool, greeting))
                await visit.ask(*message)
        finally:
            del self._visits[key]
            if (broken := visit.leave()) is not None:
                self._drop(broken.end)

    async def _borrow(self, pool: "Pool", greeting: bytes) -> Lane:
        """The lane that has been idle for longest, or a new one while there is room."""
        await pool.room.acquire()
        if pool.is_full:
            return pool.idle.popleft()
        pool.opened += 1
        try:
            lane = Lane(await self._to_server())
            await lane.open(greeting)
        except BaseException:
            pool.lose()
            raise
        return lane

    async def _cancel(self, key: bytes) -> None:
        visit = self._visits.get(key)
        if visit is not None and visit.lane is not None:
            server = await self._to_server()
            await server.write(pack("!II", 16, _CANCEL) + visit.lane.key)
            self._drop(server)

    async def _to_server(self) -> End:
        socket = parse_qs(self._server.query).get("host")
        try:
            if socket is not None:
                return self._end(*await asyncio.open_unix_connection(f"{socket[0]}/.s.PGSQL.5432"))
            return self._end(*await asyncio.open_connection(self._server.hostname, self._server.port))
        except OSError as error:
            raise Gone from error

    def _end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> End:
        end = End(reader, writer, self._passable)
        self._ends.add(end)
        return end

    def _drop(self, end: End) -> None:
        end.close()
        self._ends.discard(end)


def _packed(kind: bytes, content: bytes) -> bytes:
    return kind + pack("!I", len(content) + 4) + content


@asynccontextmanager
async def road(server_url: str, *, lanes: int | None = None) -> AsyncIterator[Road]:
    """A road to the database at this URL, which lends its lanes for one transaction each if it has any."""
    one = Road(server_url, lanes=lanes)
    close = await one.open()
    try:
        yield one
    finally:
        close()
        await one.close()
