"""A request, in the form that a server has turned out to take."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf

from core.model.llm import Message, Prompt
from core.model.openai.manners import API, Manners

_EARLIER = "(The conversation began earlier.)"

BREAKPOINT = "prompt_cache_breakpoint"
"""Marks a part of a message: what ends with it is kept in the provider's prompt cache, and looked for there."""

OPTIONS = "prompt_cache_options"

MARKS = 3
"""So many parts may be marked beside the end of the prompt, where the provider keeps it by itself."""

SHARE = 4
"""An answer takes at most one part in so many of the model's context; `core.memory.mind` keeps it free."""

THINKING = 8_192
"""Tokens that a model which thinks may take for that, beside its answer: they count into the same limit."""

CHARACTERS = 8
"""More than an ordinary token has: for so many of each, a model that never stops thinking is held to its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The answer that is wanted where a prompt does not say: how hard to think, and its longest, in tokens.

    None leaves it to the server.
    """

    tokens: int | None = None
    effort: str | None = None

    def most(self, prompt: Prompt, manners: Manners) -> int | None:
        """The longest that is asked for, in tokens, thoughts included: in a small context it must leave room."""
        tokens = prompt.answer_tokens or self.tokens
        if tokens is None:
            return prompt.most
        most = tokens + (THINKING if manners.thinks else 0)
        most = most if prompt.most is None else min(most, prompt.most)
        return most if manners.context is None else min(most, max(1, manners.context // SHARE))

    def longest_thought(self, prompt: Prompt) -> float:
        """In characters."""
        tokens = prompt.answer_tokens or self.tokens
        most = inf if tokens is None else tokens + THINKING
        return CHARACTERS * (most if prompt.most is None else min(most, prompt.most))


def body(api: API, model: str, prompt: Prompt, manners: Manners, marks: Collection[int] = ()) -> dict[str, object]:
    """What every request holds: the model, how to answer, and the conversation, with marks on these messages."""
    told, said = _told(prompt, manners)
    messages = [
        {"role": one.role, "content": _marked(api, one.text) if place in marks else one.text}
        for place, one in enumerate(said)
    ]
    whole: dict[str, object] = {"model": model, "stream": manners.streams}
    if api == "responses":
        return whole | {"input": messages} | ({"instructions": told} if told else {})
    system = [{"role": "system", "content": told}] if told else []
    return whole | {"messages": system + messages}


def with_value(field: str, value: object) -> str:
    """A field with one value, as what a server has refused: with another one it may be asked for."""
    return f"{field}={value}"


def _told(prompt: Prompt, manners: Manners) -> tuple[str, Sequence[Message]]:
    """The instructions and the conversation; where there is no role for instructions, they open the conversation."""
    told, said = prompt.instructions, list(prompt.messages)
    if told and not manners.system:
        told, said = "", [Message(role="user", text=told), *said]
    if not manners.turns:
        return told, said
    if said and said[0].role == "assistant":
        said.insert(0, Message(role="user", text=_EARLIER))
    return told, list(_folded(said))


def _marked(api: API, text: str) -> list[dict[str, object]]:
    kind = "input_text" if api == "responses" else "text"
    return [{"type": kind, "text": text, BREAKPOINT: {"mode": "explicit"}}]


def marks(prompt: Prompt, manners: Manners, *, official: bool) -> Collection[int]:
    """Which messages are to be marked, so that all up to them is found in the provider's prompt cache.

    They are the last ones by people within what is stable: an answer can carry no mark. Messages that are put together
    or moved for a server's sake have none.
    """
    if not official or manners.turns or not manners.system or not manners.refused.isdisjoint((BREAKPOINT, OPTIONS)):
        return ()
    asked = [place for place, one in enumerate(prompt.messages) if one.role == "user"]
    within = [[place for place in asked if place < end] for end in prompt.stable if end < len(prompt.messages)]
    return sorted({places[-1] for places in within if places})[-MARKS:]


def _folded(said: Iterable[Message]) -> Iterator[Message]:
    """Consecutive messages of one role as one; each names its own speaker."""
    for role, together in groupby(said, key=lambda one: one.role):
        yield Message(role=role, text="\n\n".join(one.text for one in together))


def fields(api: API, prompt: Prompt, manners: Manners, wanted: Wanted, *, official: bool) -> dict[str, object]:
    """What a server may refuse and an answer can do without."""
    extra: dict[str, object] = {}
    if api == "chat" and manners.streams:
        extra["stream_options"] = {"include_usage": True}
    if api == "responses" or official:
        extra["store"] = False  # whoever has the Responses API may keep answers for 30 days otherwise
    if official and prompt.conversation:
        extra["prompt_cache_key"] = prompt.conversation
    if official and prompt.person:
        extra["safety_identifier"] = prompt.person
    if official:  # what will not be asked again is not kept, which would be billed
        extra[OPTIONS] = {"mode": "implicit" if len(prompt.messages) in prompt.stable else "explicit"}
    effort = wanted.effort if prompt.effort is None else prompt.effort
    if effort not in {None, "auto"}:
        name, value = ("reasoning", {"effort": effort}) if api == "responses" else ("reasoning_effort", effort)
        if with_value(name, effort) not in manners.refused:
            extra[name] = value
    if (most := wanted.most(prompt, manners)) is not None:
        # Reasoning models refuse max_tokens, old servers the other name.
        chat = ["max_tokens", "max_completion_tokens"][:: -1 if official else 1]
        names = ["max_output_tokens"] if api == "responses" else chat
        extra |= dict.fromkeys([name for name in names if name not in manners.refused][:1], most)
    return {name: value for name, value in extra.items() if name not in manners.refused}
