"""Who goes first: what is said in one conversation is taken in as it came, however long one look-up takes."""

from asyncio import Event, get_running_loop, timeout_at
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress


class Ordering:
    """A line for each conversation, for as long as somebody stands in it.

    Nobody waits longer than `seconds` for those before: by then the acknowledgement is worth more than the order. Where
    no acknowledgement is awaited, None lets them wait for as long as it takes.
    """

    def __init__(self, *, seconds: float | None) -> None:
        self._seconds = seconds
        self._last: dict[str, Event] = {}

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._last)

    @asynccontextmanager
    async def line(self, conversation: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """A place at the end of the line, from now to the end of the block; what it gives is awaited for one's turn."""
        before, done = self._last.get(conversation), Event()
        until = None if self._seconds is None else get_running_loop().time() + self._seconds
        self._last[conversation] = done

        async def turn() -> None:
            if before is not None:
                with suppress(TimeoutError):
                    async with timeout_at(until):
                        await before.wait()

        try:
            yield turn
        finally:
            done.set()
            if self._last.get(conversation) is done:
                del self._last[conversation]
