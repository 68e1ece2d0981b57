"""Standard input, line by line, without holding anybody up."""

from asyncio import AbstractEventLoop, Queue, get_running_loop
from collections.abc import Iterator
from os import read
from threading import Semaphore, Thread
from typing import TextIO


class Lines:
    """The lines of a stream, read by a thread: one read works for terminals, pipes and files alike, and blocks only it.

    The thread is a daemon and reads the descriptor itself, so that it never holds up the end of the program: not by
    being waited for, nor by the lock of a buffered stream. It reads only when asked, as far as one read takes it.
    """

    def __init__(self, source: TextIO | None) -> None:
        self._source = source  # None where it was closed before we began
        self._asked = Semaphore(0)
        self._read: Queue[str | None] = Queue()
        self._thread: Thread | None = None
        self._closed = False

    async def next(self) -> str | None:
        """The next line without its end; None, again and again, when there are no more."""
        if self._source is None:
            return None
        if self._thread is None:
            source = (self._source.fileno(), self._source.encoding, get_running_loop())
            self._thread = Thread(target=self._work, args=source, daemon=True)
            self._thread.start()
        self._asked.release()
        return await self._read.get()

    def close(self) -> None:
        """Nothing more is asked for."""
        self._closed = True
        self._asked.release()

    def _work(self, descriptor: int, encoding: str, loop: AbstractEventLoop) -> None:
        lines = (_decoded(line, encoding) for line in self._all(descriptor))
        while self._asked.acquire() and not self._closed:
            line = next(lines, None)
            try:
                loop.call_soon_threadsafe(self._read.put_nowait, line)
            except RuntimeError:  # the event loop has ended while we read
                return

    def _all(self, descriptor: int) -> Iterator[bytes]:
        rest = b""
        while True:
            try:
                new = read(descriptor, 65536)
            except OSError:  # the terminal is gone
                new = b""
            if not new:
                break
            *lines, rest = (rest + new).split(b"\n")
            yield from lines
        if rest:
            yield rest


def _decoded(line: bytes, encoding: str) -> str:
    return line.removesuffix(b"\r").decode(encoding, "replace")
