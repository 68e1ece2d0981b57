"""Brevity: what a message quotes is cut short where the same window shows it before that anyway.

What is shown behind it makes no difference, so that a message stays as it was first shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.model.envelope import spoken
from core.seam.messages import Quote
from core.session import Role, Turn

BRIEF = 60
"""What is quoted of a message that stands in the same window takes at most so many tokens."""

_ALIKE = 80  # characters

Cut = Callable[[str, int], str]
"""Cuts the middle out of a text, so that at most so many tokens are left."""

Count = Callable[[str], int]
"""What a message with these words costs."""


def brief(told: list[Turn], cut: Cut, count: Count) -> list[Turn]:
    """The turns, with little more than a beginning and an end of what they quote and the window holds itself."""
    if not any(turn.quotes for turn in told):
        return told
    people: dict[tuple[str, int], Turn] = {}
    ours: list[str] = []
    shown = []
    for turn in told:
        shown.append(_briefly(turn, people, ours, cut, count))
        if turn.author is not None:
            people[turn.author.id, _instant(turn.at)] = turn
        if turn.role is Role.ASSISTANT:
            ours.append(turn.text)
    return shown


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
