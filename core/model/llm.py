"""The model behind one method: a prompt goes in, pieces of text come out, and at the end the proof that it finished."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.seam.adapter import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the model is shown it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a call is for: a turn of a session, by its keys in the database, its asker, and to what end."""

    workspace: int
    session: int
    seq: int
    author: str | None
    purpose: Literal["answer", "summary", "fold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is shown for one answer: fixed instructions, then messages, oldest first.

    `tokens` is our own count of it. `conversation` names the session opaquely, for the provider's prompt cache, and
    `stable` says where parts end with which later prompts of it will begin, in messages from the first on: nowhere in
    one that is asked once, at the very end where the question stays as it is.
    `cause` is what the call is put down to; a question of the doctor's has none. `answer_tokens` is the longest answer,
    `effort` how hard to think, `auto` as the server sees fit; None is as the model has it. Where a budget has no more,
    `most` is all that may be written, thoughts included. `person` names the asker opaquely, for the provider.
    The question is the last message; where its asker has said more in the same breath, or others' words go with it that
    they do not point at, `asked` is what is theirs.
    """

    instructions: str
    messages: tuple[Message, ...]
    tokens: int
    conversation: str
    stable: tuple[int, ...] = ()
    cause: Cause | None = None
    answer_tokens: int | None = None
    effort: str | None = None
    most: int | None = None
    person: str | None = None
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as billed: `cached` and `cache_written` are part of `shown`, `reasoning` is part of `written`.

    What was `cached` was found in the provider's prompt cache, what was `cache_written` is kept there from now on.
    """

    shown: int
    written: int
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


Cut = Literal["length", "filter"]
"""Why an answer that is complete is not whole: its own limit, or a content filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The API's word that the answer is complete. `cut` says that it was ended before its time, and why."""

    model: str
    usage: Usage | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Afresh:
    """What was written so far was a thought: the answer begins here."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """So many characters have been written by now that nobody sees, thoughts or what is held back: they cost, too."""

    characters: int

    @property
    def tokens(self) -> int:
        """How many they are at least, as far as anybody can say who is not told."""
        return self.characters // CHARACTERS


CHARACTERS = 4
"""In a token of English, which has the longest."""

Piece = str | Afresh | Unseen | Usage | Finish
"""What a model's stream is made of: a Usage by itself is what an answer has cost that ends in an error."""


class Recollection(Protocol):
    """What was learnt of servers before, kept for as long as the database is."""

    async def recall(self, server: str, model: str) -> str | None:
        """What was kept of this server and model."""
        ...

    async def keep(self, server: str, model: str, manners: str) -> None:
        """In place of what was kept before."""
        ...


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """The model's name, as people are told it."""
        ...

    @property
    def context(self) -> int | None:
        """How many tokens the model takes in and writes together, where that is known."""
        ...

    def longest(self, prompt: Prompt) -> int:
        """The most tokens that it may write for this, its thoughts included."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yields pieces of text as they come and one Finish at the very end.

        A generator that ends without a Finish does not exist: it raises a ModelError instead.
        Closing the generator ends the request.
        """
        ...

    async def recall(self, recollection: Recollection) -> None:
        """Starts from what was learnt of the server before, and keeps there what is learnt from now on.

        Called again, it takes up what other processes have learnt since.
        """
        ...

    async def look(self) -> Sequence[str]:
        """Asks the server what it tells of the model; returns what the operator should know, each with its remedy."""
        ...

    async def examine(self) -> Sequence[Finding]:
        """Checks the settings against the real service."""
        ...

    async def close(self) -> None:
        """Lets go of the connections."""
        ...
