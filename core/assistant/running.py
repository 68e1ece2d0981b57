"""Running answers: each may be ended from outside, where it is or to begin again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.delivery.speech import Speech
from core.session import SessionKey
from core.store import queue


class Stopped(Exception):
    """A person has ended this answer where it is."""


class _Running:
    """An answer that is being prepared or written, and the scope that ends it."""

    def __init__(self, seq: int, speech: Speech, scope: asyncio.Timeout) -> None:
        self.seq = seq
        self.speech = speech
        self._scope = scope
        self.stopped = self.outdated = False

    def stop(self) -> None:
        self.stopped = True
        self._end()

    def again(self) -> None:
        self.outdated = True
        self._end()

    def _end(self) -> None:
        if not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())


class Runs:
    """The answers that are being written by this process, at most one for each session."""

    def __init__(self) -> None:
        self._running: dict[SessionKey, _Running] = {}

    def stop(self, key: SessionKey, before: int) -> None:
        """Ends the answer to a turn of before this seq where it is, if one is being written here."""
        running = self._running.get(key)
        if running is not None and running.seq < before:
            running.stop()

    def again(self, key: SessionKey, seq: int) -> None:
        """Ends the answer to this turn, as the turn has changed."""
        running = self._running.get(key)
        if running is not None and running.seq == seq:
            running.again()

    def again_unseen(self, key: SessionKey, seq: int) -> None:
        """The same, if nothing of the answer is on screen."""
        running = self._running.get(key)
        if running is not None and running.speech.unseen:
            self.again(key, seq)

    @asynccontextmanager
    async def run(self, key: SessionKey, seq: int, speech: Speech) -> AsyncIterator[None]:
        """The scope in which an answer is written. Raises Stopped, or Changed, when it is ended from outside."""
        try:
            async with asyncio.timeout(None) as scope:
                running = self._running[key] = _Running(seq, speech, scope)
                try:
                    yield
                finally:
                    if self._running.get(key) is running:
                        del self._running[key]
        except TimeoutError:
            if not scope.expired():
                raise
            if running.outdated and not running.stopped:
                raise queue.Changed(key.address.id) from None
            raise Stopped from None
