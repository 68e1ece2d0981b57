"""What was heard and could not be stored. The platform says it again, or does not: then it is looked up as missed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from core.seam.messages import Deleted, Edited, Event, Inbound


class Unstored:
    """The messages of each platform that nobody has taken in, and since when, by the event loop's clock."""

    def __init__(self) -> None:
        self._since: dict[str, dict[str, float]] = {}

    @contextmanager
    def until_stored(self, event: Event) -> Iterator[None]:
        """It is stored when nothing is raised in here. What no history tells is not kept in mind."""
        match event:
            case Inbound() | Deleted():
                address, number = event.address, event.id
            case Edited(message=message):
                address, number = message.address, message.id
            case _:
                yield
                return
        try:
            yield
        except Exception:
            begun = asyncio.get_running_loop().time()
            self._since.setdefault(address.platform, {}).setdefault(f"{address.channel} {number}", begun)
            raise
        self._since.get(address.platform, {}).pop(f"{address.channel} {number}", None)

    def since(self, platform: str) -> float | None:
        """When the first of them came."""
        return min(self._since.get(platform, {}).values(), default=None)

    def forget(self, platform: str) -> None:
        """They are looked up from now on."""
        self._since.pop(platform, None)
