"""A stage, and an adapter that listens on it and whose `receive` is scripted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from bots.discord import DiscordAdapter
from core.seam.address import Address
from core.seam.messages import Author, Event, Inbound, Reply
from tests.wire.discord import DiscordStage

KEY = "abcdefghijklmnopqrstuvw2"


@dataclass(kw_only=True)
class Listener:
    """An adapter that listens, and what it has handed over. `script` runs before each: it may raise or wait."""

    stage: DiscordStage
    adapter: DiscordAdapter
    heard: list[Event] = field(default_factory=list)
    script: list[Callable[[], Any]] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    async def receive(self, heard: Event) -> None:
        if self.script:
            step = self.script.pop(0)()
            if step is not None:
                await step
        self.heard.append(heard)
        await self.stage.change()

    async def event(self, count: int) -> Event:
        """The event that makes it so many."""
        await self.stage.until(lambda: len(self.heard) >= count or (self.task and self.task.done()), 10)
        assert len(self.heard) >= count, self.task
        return self.heard[count - 1]

    async def number(self, count: int) -> Inbound:
        """The message that makes it so many."""
        heard = await self.event(count)
        assert isinstance(heard, Inbound)
        return heard

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
            self.task = None


@asynccontextmanager
async def listening(stage: DiscordStage, **options: Any) -> AsyncIterator[Listener]:
    """An adapter that listens until the block ends; its pauses take no time."""
    listener = Listener(stage=stage, adapter=DiscordAdapter(token="never used"))

    async def pause(seconds: float) -> None:
        listener.paused.append(seconds)
        await asyncio.sleep(0)

    listener.adapter = stage.adapter(**({"pause": pause} | options))
    listener.task = asyncio.create_task(listener.adapter.listen(listener.receive))
    try:
        yield listener
    finally:
        await listener.stop()
        await listener.adapter.close()


@pytest.fixture
async def stage() -> AsyncIterator[DiscordStage]:
    async with DiscordStage() as stage:
        yield stage


@pytest.fixture
async def ear(stage: DiscordStage) -> AsyncIterator[Listener]:
    async with listening(stage) as listener:
        await stage.connected()
        yield listener


@pytest.fixture
async def mouth(stage: DiscordStage) -> AsyncIterator[DiscordAdapter]:
    """An adapter that does not listen, as after a restart."""
    adapter = stage.adapter()
    yield adapter
    await adapter.close()


def reply(heard: Inbound, text: str = "an answer", **more: Any) -> Reply:
    """The answer to this message, as the core makes it."""
    known: dict[str, Any] = {
        "key": KEY,
        "address": heard.address,
        "text": text,
        "asked_at": heard.at,
        "asker": heard.author,
        "reply_to": heard.reply_to,
        "ticket": heard.ticket,
    }
    return Reply(**(known | more))


async def asked(stage: DiscordStage, text: str = "a question", place: str = "main") -> Inbound:
    """A question that nobody heard: the core knows it from a process that is dead."""
    stage.wait = False
    number = await stage.say(text, place=place)
    author = stage.kept(number).payload["author"]
    return Inbound(
        address=Address.parse(stage.session(place)),
        id=number,
        author=Author(id=author["id"], name=author["username"]),
        text=text,
        at=stage.world.now(),
        reply_to=number,
    )
