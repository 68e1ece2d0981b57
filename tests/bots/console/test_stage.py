"""The console's stage is a console: what is typed is heard, and what is on screen is seen."""

import asyncio

from core.seam.adapter import Adapter
from core.seam.messages import Inbound, Rejected
from tests.bots.console.conftest import reply_to
from tests.stage import Shown
from tests.wire.console import ConsoleStage


class Process:
    """Listens with a new adapter until told to end."""

    def __init__(self, stage: ConsoleStage) -> None:
        self.stage = stage
        self.heard: list[Inbound] = []
        self.adapter: Adapter = stage.adapter()

    async def __aenter__(self) -> "Process":
        self.task = asyncio.create_task(self.adapter.listen(self.receive))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.adapter.close()

    async def receive(self, event: Inbound | Rejected) -> None:
        assert isinstance(event, Inbound)
        self.heard.append(event)

    async def hears(self, count: int) -> list[tuple[str, str]]:
        await self.stage.until(lambda: len(self.heard) >= count, seconds=5)
        return [(message.id, message.address.id) for message in self.heard]


async def test_places_are_threads_and_lines_wait_for_whoever_starts() -> None:
    async with ConsoleStage() as stage:
        assert await stage.say("early", place="side") == "process1-1"
        async with Process(stage) as process:
            await stage.say("hello")
            await stage.command("status", place="side")
            assert await process.hears(3) == [
                ("process1-1", "console:local:main:side"),
                ("process1-2", "console:local:main"),
                ("process1-3", "console:local:main:side"),
            ]
            assert process.heard[2].verb == "status"
        assert await stage.say("between") == "process2-1"
        async with Process(stage) as process:
            assert await process.hears(1) == [("process2-1", "console:local:main")]


async def test_a_message_can_be_made_to_come_again() -> None:
    async with ConsoleStage() as stage, Process(stage) as process:
        message = await stage.say("once")
        await stage.again(message)
        assert await process.hears(2) == [(message, "console:local:main")] * 2


async def test_a_message_is_seen_to_grow_and_to_be_done() -> None:
    async with ConsoleStage() as stage, Process(stage) as process:
        await stage.say("hello")
        await process.hears(1)
        hello = process.heard[0]
        await process.adapter.preview(reply_to(hello, "It"))
        await process.adapter.preview(reply_to(hello, "It grows"))
        assert stage.shown() == [Shown(id="k1", text="It grows", reply_to=hello.id, edits=1, done=False)]
        for attempt in (1, 2):
            await process.adapter.deliver(reply_to(hello, "It grows.", attempt=attempt))
        assert stage.shown() == [Shown(id="k1", text="It grows.", reply_to=hello.id, edits=2)]
        assert "It grows.\n" in stage.screen.getvalue()
        assert stage.shown("side") == []
