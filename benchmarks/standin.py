"""What stands in for the world when the program is measured: a platform and a model that cost next to nothing."""

import asyncio
import resource
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import ClassVar

from benchmarks.contenders import TEXT
from core.model.llm import Finish, Prompt, Recollection, Usage
from core.seam.adapter import Adapter, Finding, Receive
from core.seam.address import Address
from core.seam.messages import Author, Draft, Inbound, Reply


def place(name: str) -> Address:
    """A conversation by this name, in a channel of its own: previews are spaced by the channel."""
    return Address(platform="console", workspace="local", channel=name)


def said(address: Address, number: int, *, text: str = TEXT) -> Inbound:
    """One message to the bot; people do not change between conversations."""
    return Inbound(
        address=address,
        id=f"{number}",
        author=Author(id=f"U{hash(address) % 10_000:04}", name="Ada"),
        text=text,
        at=time.time(),
        direct=True,
    )


class Source(Adapter):
    """A platform that hands over what it is told to, and tells which replies have arrived."""

    platform = "console"
    max_text = 4_000
    preview_every = 1.0

    def __init__(self, delivered: Callable[[Reply], None], *, growing: bool = False) -> None:
        self.listening: asyncio.Future[Receive] = asyncio.get_running_loop().create_future()
        self._delivered = delivered
        self._growing = growing
        self.previews = 0

    async def listen(self, receive: Receive) -> None:
        self.listening.set_result(receive)
        await asyncio.Event().wait()

    async def deliver(self, reply: Reply) -> str:
        if reply.last:
            self._delivered(reply)
        return reply.key

    async def preview(self, reply: Reply) -> Draft | None:
        if not self._growing or not reply.text:
            return None
        self.previews += 1
        return Draft(id=reply.key, text=reply.text)


class InstantModel:
    """Answers at once, always the same."""

    name: ClassVar[str] = "instant"
    context: ClassVar[int | None] = None

    def longest(self, prompt: Prompt) -> int:
        return 66

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        yield TEXT
        yield Finish(model=self.name, usage=Usage(shown=prompt.tokens, written=66))

    async def recall(self, recollection: Recollection) -> None:
        """There is nothing to learn."""

    async def look(self) -> Sequence[str]:
        return ()

    async def examine(self) -> Sequence[Finding]:
        return ()

    async def close(self) -> None:
        """There is nothing to let go of."""


def cpu() -> float:
    """Seconds of processor time that this process has had."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> int:
    """Bytes of memory that this process holds now (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 – read often, so nothing between
        return int(file.read().split()[1]) * resource.getpagesize()
