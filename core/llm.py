"""The model behind one method: a prompt goes in, pieces of text come out, and at the end the proof that it finished."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.adapter import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the model is shown it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is shown for one answer: fixed instructions, then messages, oldest first.

    `tokens` is our own count of it. `conversation` names the session opaquely, for the provider's prompt cache.
    """

    instructions: str
    messages: tuple[Message, ...]
    tokens: int
    conversation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API billed them: `cached` is part of `shown`, `reasoning` is part of `written`."""

    shown: int
    written: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The API's word that the answer is complete. `cut` says that it stopped at its own output limit."""

    model: str
    usage: Usage | None = None
    cut: bool = False


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """The model's name, as people are told it."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        """Yields pieces of text as they come and one Finish at the very end.

        A generator that ends without a Finish does not exist: it raises a ModelError instead.
        Closing the generator ends the request.
        """
        ...

    async def examine(self) -> Sequence[Finding]:
        """Checks the settings against the real service."""
        ...

    async def close(self) -> None:
        """Lets go of the connections."""
        ...
