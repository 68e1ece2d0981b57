"""An HTTP proxy on loopback: it makes tunnels, and passes on plain requests, to the ports that it knows hosts by."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

_TUNNEL_IS_OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """`ports` says where hosts really are. `asked` are the request lines, `passed` what came first in each tunnel."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self.asked: list[str] = []
        self.passed: list[bytes] = []
        self.changed = asyncio.Condition()
        self.url = ""
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def tunnelled(self, host: str) -> bytes:
        """The first bytes that went through a tunnel to this host."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: any(host.encode() in first for first in self.passed))
        return next(first for first in self.passed if host.encode() in first)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                head = await reader.readuntil(b"\r\n\r\n")
                line = head.partition(b"\r\n")[0].decode()
                self.asked.append(line)
                far, near = await asyncio.open_connection("127.0.0.1", self.ports[_host(line)])
                try:
                    if line.startswith("CONNECT "):
                        writer.write(_TUNNEL_IS_OPEN)
                        head = await reader.read(65536)
                        async with self.changed:
                            self.passed.append(head)
                            self.changed.notify_all()
                    near.write(head)
                    await self._between((reader, near), (far, writer))
                finally:
                    near.close()
        finally:
            writer.close()

    async def _between(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Passes on what comes from either side, until one of them has no more to say."""
        passing = [asyncio.create_task(_pass_on(*way)) for way in ways]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def _host(line: str) -> str:
    """`CONNECT host:443 HTTP/1.1`, or `GET http://host/path HTTP/1.1`."""
    return line.split()[1].rpartition("://")[2].partition("/")[0].partition(":")[0]
