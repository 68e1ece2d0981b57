"""A stage: one platform as the tests see it, whatever the wire underneath.

Whole conversations are written once against this class and run on every platform. Behind it stands a server on loopback
that speaks the platform's real wire to the platform's real client library, or, for the console, a pair of pipes.
"""

from abc import ABC, abstractmethod
from asyncio import Condition, timeout
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from core.seam.adapter import Adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One message of the bot as a person sees it now. `edits` counts the changes since it first appeared."""

    id: str
    text: str
    private: bool = False
    reply_to: str | None = None
    edits: int = 0
    done: bool = True


class Stage(ABC):
    """One platform: people speak, the bot's messages are seen. A place is a conversation, by a name of the test's."""

    platform: str

    lasts = True
    """Whether what was said, and what is on screen, outlives the process that heard and showed it."""

    overhears = True
    """Whether several people are here, and what they say to one another reaches the bot."""

    starts = True
    """Whether a process of its own serves this platform, by its settings alone."""

    admins: Literal["told", "everyone", "nobody"] = "told"
    """Who is an admin: whom the platform calls one, or it knows no difference."""

    has_links = False
    """Whether people open messages by links."""

    draws = False
    """Whether numbers are drawn by the platform itself, in the place of bars of text."""

    def __init__(self) -> None:
        self.changed = Condition()

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The settings that make a process of its own talk to this stage."""

    @abstractmethod
    def adapter(self) -> Adapter:
        """A new adapter for this stage, as a newly started process would make it."""

    @abstractmethod
    def session(self, place: str) -> str:
        """The ID of the session that lives in this place; the place has been spoken in."""

    @abstractmethod
    async def say(self, text: str, *, place: str = "main", author: str = "ada", to_bot: bool = True) -> str:
        """A person says this; returns the platform's message ID.

        With `to_bot` it is addressed to the bot as the platform's people do it: by a mention, in the console by itself.
        What is said first in a place opens the conversation there.
        """

    async def miss(self, text: str, *, place: str = "main") -> str:
        """A person says this to the bot while nobody listens; returns the platform's message ID."""
        return await self.say(text, place=place)

    @abstractmethod
    async def again(self, message: str) -> None:
        """The platform sends a message that it has sent before once more, in every way that it knows."""

    @abstractmethod
    async def command(self, verb: str, *, place: str = "main", author: str = "ada") -> None:
        """A person gives a command by the platform's own means in a place where a session lives."""

    def empower(self, author: str) -> None:
        """This person is an admin from now on, where the platform tells such people from others."""

    @abstractmethod
    def shown(self, place: str = "main") -> list[Shown]:
        """The bot's messages in this place as they are now, oldest first."""

    async def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Waits until the condition holds; looks again whenever something on the stage has changed."""
        async with timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    async def change(self) -> None:
        """Wakes those who wait; every server calls it after each change."""
        async with self.changed:
            self.changed.notify_all()
