"""Streaming: one call of the model, from the window to its last word."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from hashlib import blake2b

from core.assistant.tabs import Tab
from core.errors import ModelError, ModelInterrupted
from core.memory import stable
from core.memory.mind import Length, Mind
from core.memory.window import Window, text
from core.model.llm import Afresh, Cause, Finish, Prompt, Unseen, Usage
from core.session import Lease, Preferences, Role, Turn

Say = Callable[[str], None]
"""Takes the whole text so far, each time that it has grown."""


async def stream(
    mind: Mind,
    lease: Lease,
    window: Window,
    *,
    tab: Tab,
    cause: Turn,
    say: Say | None = None,
    once: bool = False,
    burst: Sequence[Turn] = (),
) -> tuple[str, Finish]:
    """What the model says, handed to `say` as it grows; one that never stops is held to its limit.

    With `once`, the window is the beginning of no other. What it costs is put on the tab. The question goes on from
    what its asker has said in this `burst`.
    Raises a ModelError; what had come of an interrupted answer is in it.
    """
    prompt = _prompt(mind, lease, window, cause, once=once)
    prompt = replace(prompt, person=_person(tab), asked=_asked(cause, burst))
    return await written(mind, prompt, tab=tab, say=say)


async def written(mind: Mind, prompt: Prompt, *, tab: Tab, say: Say | None = None) -> tuple[str, Finish]:
    """The same for a prompt."""
    prompt = await tab.begin(mind, prompt)
    words, length = "", Length(mind, prompt.most)
    try:
        async with aclosing(mind.model.stream(prompt)) as pieces:
            async for piece in pieces:
                tab.hear(piece)
                match piece:
                    case Finish():
                        if piece.usage is not None:
                            mind.calibration.learn(prompt.tokens, piece.usage.shown)
                        return words, piece
                    case Afresh():
                        words, length = "", Length(mind, prompt.most)
                    case Usage() | Unseen():
                        continue
                    case _:
                        words += piece
                        if say is not None:
                            say(words)
                        if length.is_over(words):
                            return words, Finish(model=mind.model.name, cut="length")
    except ModelError as error:
        tab.fail(error)
        if isinstance(error, ModelInterrupted):
            error.words = words
        raise
    raise AssertionError("a model's stream ends with a Finish")


def _asked(cause: Turn, burst: Sequence[Turn]) -> tuple[str, ...]:
    """All that the asker has asked; nothing where that is the question as it is shown."""
    own = tuple(one for one in cause.quotes if one.kind != "overheard from")
    if not burst and len(own) == len(cause.quotes):
        return ()
    return tuple(text(one) for one in (*burst, cause._replace(quotes=own)))


def _person(tab: Tab) -> str | None:
    """Who asks, by a name that says nothing: the same one in all of a workspace, and nowhere else."""
    address, author = tab.account.key.address, tab.account.author
    if not author:
        return None
    whole = "\0".join((address.platform, address.workspace, author))
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _prompt(mind: Mind, lease: Lease, window: Window, cause: Turn, *, once: bool) -> Prompt:
    is_summary = cause.verb is not None or cause.role is Role.ASSISTANT
    with_more = cause.preferences != Preferences() or any(one.kind == "overheard from" for one in cause.quotes)
    stays = not is_summary and not with_more  # which it is shown with this once
    folded = sum(1 for one in window.checkpoints if one.text)  # of what is all gone, nothing is told
    return Prompt(
        instructions=mind.told_of_records if folded else mind.told,
        messages=window.messages,
        tokens=window.tokens,
        conversation=blake2b(lease.key.address.id.encode(), digest_size=16).hexdigest(),
        stable=() if once else stable.ends(window.messages, stays=stays, folded=folded),
        cause=Cause(
            workspace=lease.key.workspace,
            session=lease.key.session,
            seq=cause.seq,
            author=None if cause.author is None else cause.author.id,
            purpose="summary" if is_summary else "answer",
        ),
        answer_tokens=mind.policy.answer_tokens,
        effort=mind.policy.reasoning,
    )
