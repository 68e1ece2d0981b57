"""Keeping: what was heard is offered to the core until it is stored, for a platform that says nothing twice."""

from asyncio import sleep
from collections.abc import Awaitable, Callable, Sequence

import structlog

from core.errors import NotFilled, where
from core.seam.adapter import Receive
from core.seam.messages import Closed, Edited, Event, Filled, Left, Receipt

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *(60.0,) * 8)
"""Between two tries of the same event, in seconds: about nine minutes."""

Sleep = Callable[[float], Awaitable[None]]


class Keeper:
    """Hands the events of one platform over, again and again if need be. `pauses` are seconds, `pause` awaits them."""

    def __init__(
        self, receive: Receive, *, platform: str, pauses: Sequence[float] = PAUSES, pause: Sleep = sleep
    ) -> None:
        self._receive = receive
        self._pauses, self._pause = pauses, pause
        self._log = structlog.get_logger(platform=platform)

    async def keep(self, event: Event) -> bool:
        """Offers it to `receive` until that takes it; False when it never did. Raises NotFilled: that nothing mends."""
        known_as = _known_as(event)
        for pause in self._pauses:
            try:
                await self._receive(event)
            except NotFilled:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, nobody else would say this again
                self._log.warning("not stored", id=known_as, error=type(error).__name__, where=where(error))
                await self._pause(pause)
            else:
                return True
        self._log.error("events lost", events=1, id=known_as)
        return False


def _known_as(event: Event) -> str:
    match event:
        case Edited():
            return event.message.id
        case Closed() | Filled():
            return event.address.id
        case Left():
            return event.workspace
        case Receipt():
            return event.shown.id
    return event.id
