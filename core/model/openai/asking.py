"""A request, in the form that a server has turned out to take."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from core.model.llm import Message, Prompt
from core.model.openai.manners import API, Manners

_EARLIER = "(The conversation began earlier.)"


def body(api: API, model: str, prompt: Prompt, manners: Manners) -> dict[str, object]:
    """What every request holds: the model, how to answer, and the conversation."""
    told, said = _told(prompt, manners)
    messages = [{"role": one.role, "content": one.text} for one in said]
    whole: dict[str, object] = {"model": model, "stream": manners.streams}
    if api == "responses":
        return whole | {"input": messages} | ({"instructions": told} if told else {})
    system = [{"role": "system", "content": told}] if told else []
    return whole | {"messages": system + messages}


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


def _folded(said: Iterable[Message]) -> Iterator[Message]:
    """Consecutive messages of one role as one; each names its own speaker."""
    for role, together in groupby(said, key=lambda one: one.role):
        yield Message(role=role, text="\n\n".join(one.text for one in together))


def fields(
    api: API, prompt: Prompt, manners: Manners, *, official: bool, most: int | None, effort: str | None
) -> dict[str, object]:
    """What a server may refuse and an answer can do without. `most` is the longest answer, in tokens, with thoughts."""
    wanted: dict[str, object] = {}
    if api == "chat" and manners.streams:
        wanted["stream_options"] = {"include_usage": True}
    if api == "responses" or official:
        wanted["store"] = False  # whoever has the Responses API may keep answers for 30 days otherwise
    if official and prompt.conversation:
        wanted["prompt_cache_key"] = prompt.conversation
    if effort is not None:
        name, value = ("reasoning", {"effort": effort}) if api == "responses" else ("reasoning_effort", effort)
        wanted[name] = value
    if most is not None:
        # Reasoning models refuse max_tokens, old servers the other name.
        chat = ["max_tokens", "max_completion_tokens"][:: -1 if official else 1]
        names = ["max_output_tokens"] if api == "responses" else chat
        wanted |= dict.fromkeys([name for name in names if name not in manners.refused][:1], most)
    return {name: value for name, value in wanted.items() if name not in manners.refused}
