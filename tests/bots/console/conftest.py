"""A console: a keyboard, a screen, an adapter between them, and an ear that hears what it reports."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bots.console.adapter import MAIN, ConsoleAdapter
from core.seam.messages import Inbound, Rejected, Reply
from tests.wire.console import Keyboard


class Desk:
    """One person's console. `heard` is what the core was told; waiting is for events, never for time."""

    def __init__(self, *, interactive: bool, terminal: bool = False) -> None:
        self.keyboard = Keyboard()
        self.screen = StringIO()
        self.heard: list[Inbound] = []
        self.failures: list[Exception] = []
        self.listening: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        console = Console(file=self.screen, force_terminal=terminal, color_system="standard" if terminal else None)
        self.adapter = ConsoleAdapter(
            self.keyboard.source,
            console,
            interactive=interactive,
            name="Ada",
            prefix="p",
            clock=lambda: 1_700_000_000.5,
            pause=0.001,
        )

    async def receive(self, event: Inbound | Rejected) -> None:
        if self.failures:
            raise self.failures.pop()
        assert isinstance(event, Inbound)
        async with self._changed:
            self.heard.append(event)
            self._changed.notify_all()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        self.listening = asyncio.create_task(self.adapter.listen(self.receive))
        try:
            yield
        finally:
            self.listening.cancel()
            await asyncio.wait([self.listening])
            await self.adapter.close()

    async def hears(self, count: int) -> Inbound:
        """The last of this many messages, once they are heard."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= count)
        return self.heard[count - 1]

    async def says(self, *lines: str) -> Inbound:
        """Types these lines, and returns the last message when all are heard."""
        self.keyboard.type("".join(f"{line}\n" for line in lines))
        return await self.hears(len(self.heard) + sum(not line.startswith("/thread") for line in lines))

    async def ends(self) -> None:
        """Returns once `listen` has ended by itself."""
        assert self.listening is not None
        async with asyncio.timeout(5):
            await self.listening

    @property
    def shown(self) -> str:
        return self.screen.getvalue()


Made = Callable[..., Desk]


@pytest.fixture
def desk_of() -> Iterator[Made]:
    desks: list[Desk] = []

    def made(*, interactive: bool, terminal: bool = False) -> Desk:
        desks.append(Desk(interactive=interactive, terminal=terminal))
        return desks[-1]

    yield made
    for desk in desks:
        desk.keyboard.close()


@pytest.fixture
def desk(desk_of: Made) -> Desk:
    """A person, whose screen keeps no colours."""
    return desk_of(interactive=True)


@pytest.fixture
def pipe(desk_of: Made) -> Desk:
    """A script."""
    return desk_of(interactive=False)


def reply_to(message: Inbound | None, text: str, *, key: str = "k1", **facts: object) -> Reply:
    address = message.address if message else replace(MAIN)
    reply = Reply(key=key, address=address, text=text, asked_at=0, reply_to=message.id if message else None)
    return replace(reply, **facts)  # type: ignore[arg-type]  # a test's shorthand
