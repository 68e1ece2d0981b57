"""What is compared: stores of conversations, each able to do one turn durably.

A turn cycle is what every answer costs a store: load the newest twenty messages, store the question, store the answer,
each durable before it returns. Every message has 279 bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

WINDOW = 20

TEXT = "An ordinary message of some length, as people write it to each other in the course of a working day. " * 3
TEXT = TEXT[:278] + "."
assert len(TEXT.encode()) == 279

TOKENS = 66
"""What such a message costs in a window, roughly; only Backscroll counts it."""


class Contender(ABC):
    """One store. Sessions are named by small numbers; `open` comes first and `close` last."""

    name: ClassVar[str]
    kind: ClassVar[str]
    """`ours`, `raw` or `peer`."""

    receipt: ClassVar[bool] = False
    """Whether a cycle includes what is stored after the answer was seen, which no peer knows."""

    @abstractmethod
    async def open(self) -> None:
        """Makes the tables."""

    @abstractmethod
    async def fill(self, histories: Mapping[int, int]) -> None:
        """Gives each session a history of so many messages, as quickly as it goes."""

    @abstractmethod
    async def cycle(self, session: int) -> int:
        """One turn; returns how many messages were loaded."""

    async def settle(self) -> None:
        """Beside the clock: ends what the cycles have left open, so that the next round finds an ordinary database."""

    async def vacuum(self) -> None:
        """Beside the clock: what PostgreSQL does by itself several times a day, so that dead rows leave room again."""

    @abstractmethod
    async def size(self) -> int:
        """Bytes on disk, tables and indexes."""

    @abstractmethod
    async def close(self) -> None:
        """Lets go of everything."""
