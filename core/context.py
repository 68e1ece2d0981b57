"""The window: the part of a session that the model is shown for one answer, built by one pure function from its parts.

Fixed instructions, then the newest turns that fit the budget, oldest first, then the question. A question is never
parted from its answer; one oversized message is cut in its middle. What was heard but not said to the bot is shown at
most twenty messages deep before each question.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.llm import Message
from core.messages import Quote
from core.prompts import spoken
from core.session import Role, State, Turn

MESSAGE_TOKENS = 4
"""What a message costs beside its text: three for the frame, one for the role (OpenAI's cookbook, up to gpt-4o)."""

REPLY_TOKENS = 3
"""What the beginning of the reply costs, once (the same source)."""

_ALIKE = 80  # characters

HEARD_BEFORE_QUESTION = 20
"""How many messages that were not for the bot are shown before a question."""

BRIEF = 60
"""What is quoted of a message that stands in the same window takes at most so many tokens."""

Cut = Callable[[str, int], str]
"""Cuts the middle out of a text, so that at most so many tokens are left."""

Count = Callable[[str], int]
"""What a message with these words costs."""


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
    ordered = [_fitted(turn, most, cut) for turn in (told if count is None else _brief(told, cut, count))]
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


def _brief(told: list[Turn], cut: Cut, count: Count) -> list[Turn]:
    """The turns, with little more than a beginning and an end of what they quote and the window holds itself."""
    if not any(turn.quotes for turn in told):
        return told
    people = {(turn.author.id, _instant(turn.at)): turn for turn in told if turn.author is not None}
    ours = [turn.text for turn in told if turn.role is Role.ASSISTANT]
    return [_briefly(turn, people, ours, cut, count) for turn in told]


def _briefly(turn: Turn, people: Mapping[tuple[str, int], Turn], ours: Sequence[str], cut: Cut, count: Count) -> Turn:
    quotes = tuple(
        replace(one, text=cut(one.text, BRIEF)) if one.text and _holds(people, ours, one) else one
        for one in turn.quotes
    )
    if quotes == turn.quotes or turn.author is None:
        return turn
    return turn._replace(quotes=quotes, tokens=count(spoken(turn.author, turn.at, turn.text, quotes)))


def _holds(people: Mapping[tuple[str, int], Turn], ours: Sequence[str], quote: Quote) -> bool:
    """Whether the window shows what is quoted anyway: the turn itself, or with it what it has attached.

    Of our own answers, the platform knows messages, and we whole texts: it is one of these if it begins so.
    """
    if quote.author is None or quote.at is None:
        return False
    if quote.author.is_self:
        return any(quote.text[:_ALIKE] in text for text in ours)
    turn = people.get((quote.author.id, _instant(quote.at)))
    if turn is None or quote.kind in ("replies to", "hangs on"):
        return turn is not None
    return any(one.kind == quote.kind and one.title == quote.title and one.text for one in turn.quotes)


def _instant(seconds: float) -> int:
    """To the millisecond: what the database gives back is no more exact."""
    return round(seconds * 1000)


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
