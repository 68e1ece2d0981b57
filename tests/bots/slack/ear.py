"""A scripted `receive`, and replies as the core would write them."""

from asyncio import Event as Signal
from asyncio import Task, create_task, gather
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

from core.seam.adapter import Adapter
from core.seam.address import Address
from core.seam.messages import Author, Event, Inbound, Reply
from tests.wire.slack import SlackStage

Kind = TypeVar("Kind")

ADA = Author(id="U0ADA", name="ada")


class Clock:
    """Seconds as they pass, and those that a test lets pass at once."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


class Ear:
    """Hears everything that an adapter reports. It can fail for a while, or hold until the test lets go."""

    def __init__(self, stage: SlackStage, adapter: Adapter) -> None:
        self.arrived: list[Event] = []
        self.failures = 0
        self.hold: Signal | None = None
        self.began = 0
        self._stage, self._adapter = stage, adapter
        self._task: Task[None] | None = None

    @property
    def heard(self) -> list[Inbound]:
        return self.of(Inbound)

    async def receive(self, arrived: Event) -> None:
        self.began += 1
        await self._stage.change()
        if self.hold is not None:
            await self.hold.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        self.arrived.append(arrived)
        await self._stage.change()

    def of(self, kind: type[Kind]) -> list[Kind]:
        """What has arrived of one kind."""
        return [one for one in self.arrived if isinstance(one, kind)]

    async def until(self, number: int) -> list[Inbound]:
        """Waits for so many messages."""
        await self._stage.until(lambda: len(self.heard) >= number)
        return self.heard

    async def __aenter__(self) -> Self:
        self._task = create_task(self._adapter.listen(self.receive))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await gather(self._task, return_exceptions=True)


async def asked(stage: SlackStage, text: str = "**Hello** Ada", **more: Any) -> Reply:
    """Somebody has asked in `main`; this is what we want said to them."""
    ts = await stage.say("hi")
    given: dict[str, Any] = {"key": "k234567", "asked_at": float(ts), "asker": ADA, "text": text, **more}
    given.setdefault("address", Address.parse(stage.session("main")))
    return Reply(**given)
