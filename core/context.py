"""The window: the part of a session that the model is shown for one answer, built by one pure function from its parts.

Fixed instructions, then the newest turns that fit the budget, oldest first, then the question. A question is never
parted from its answer; one oversized message is cut in its middle. What was heard but not said to the bot is shown at
most twenty messages deep before each question.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.brevity import Count, Cut, brief
from core.llm import Message
from core.prompts import spoken
from core.session import Role, State, Turn

MESSAGE_TOKENS = 4
"""What a message costs beside its text: three for the frame, one for the role (OpenAI's cookbook, up to gpt-4o)."""

REPLY_TOKENS = 3
"""What the beginning of the reply costs, once (the same source)."""

HEARD_BEFORE_QUESTION = 20
"""How many messages that were not for the bot are shown before a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the model is shown: the messages, how many tokens they are by our count, and how many turns they hold."""

    messages: tuple[Message, ...]
    tokens: int
    turns: int


def build(
    question: Turn | None,
    newest_first: Iterable[Turn],
    *,
    budget: int,
    fixed: int,
    cut: Cut,
    count: Count | None = None,
) -> Window:
    """The window of at most `budget` tokens, of which the instructions take `fixed`.

    The question is always in it, cut down to half of what there is if need be; without one, the window is what the
    next question would find. Tokens are those stored with each turn; with `count`, what is quoted is brief where the
    window holds it.
    """
    room = budget - fixed - REPLY_TOKENS
    most = max(room // 2, MESSAGE_TOKENS + 1)
    asked = [] if question is None else [question]
    left = room - sum(min(turn.tokens, most) for turn in asked)
    shown: list[Turn] = []
    for group in _groups(_limited(newest_first)):
        left -= sum(min(turn.tokens, most) for turn in group)
        if left < 0:
            break
        shown.extend(group)
    told = [*reversed(shown), *asked]
    ordered = [_fitted(turn, most, cut) for turn in (told if count is None else brief(told, cut, count))]
    return Window(
        messages=tuple(message for message, _ in ordered),
        tokens=fixed + REPLY_TOKENS + _sum(ordered),
        turns=len(ordered),
    )


_Fitted = tuple[Message, int]


def _sum(fitted: Iterable[_Fitted]) -> int:
    return sum(tokens for _, tokens in fitted)


def _fitted(turn: Turn, most: int, cut: Cut) -> _Fitted:
    """A turn as a message, and its tokens; what is over `most` tokens loses its middle, never its speaker."""
    words, tokens = text(turn), turn.tokens
    if tokens > most:
        words, tokens = cut(words, most - MESSAGE_TOKENS), most
    return Message(role="assistant" if turn.role is Role.ASSISTANT else "user", text=words), tokens


def text(turn: Turn) -> str:
    """A turn as the model reads it: a person's with its speaker, the assistant's as it was."""
    if turn.role is Role.ASSISTANT or turn.author is None:
        return turn.text
    return spoken(turn.author, turn.at, turn.text, turn.quotes)


def _limited(newest_first: Iterable[Turn]) -> Iterator[Turn]:
    """Leaves out what was heard too long before the question that it led to.

    What was heard between two questions may have reached us in any order, and is put into that in which it was said.
    """
    for heard, turns in groupby(newest_first, key=lambda turn: turn.state is State.HEARD):
        if heard:
            yield from sorted(turns, key=lambda turn: turn.at, reverse=True)[:HEARD_BEFORE_QUESTION]
        else:
            yield from turns


def _groups(newest_first: Iterable[Turn]) -> Iterator[Sequence[Turn]]:
    """Puts an answer and its question together; the answer, being newer, comes first."""
    group: list[Turn] = []
    for turn in newest_first:
        if group and group[-1].seq != turn.seq:
            yield group
            group = []
        group.append(turn)
    if group:
        yield group
