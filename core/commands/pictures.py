"""Pictures of a window: what the model is shown, part by part, as bars that every platform can show as text."""

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

from core.memory.mind import Mind
from core.memory.window import Window
from core.seam.messages import Chart

_WIDTH = 24
"""Characters of a bar that is the whole budget; with its names and numbers a line fits a telephone."""

_DIGITS = 7  # characters of a number, where none is a million
_FULL, _EMPTY = "█", "░"
_TITLE = "What my model is shown, in tokens"
_ROOM = "room"  # what is left


def drawn(window: Window, mind: Mind) -> tuple[str, Chart]:
    """What the next question will find, in Markdown: each section with its tokens in the model's count, and the room
    that is left. The chart shows the same as the bars in it.
    """
    ours: dict[str, int] = {one.name: one.tokens for one in window.sections if one.tokens and one.name != "question"}
    ours[_ROOM] = max(0, mind.room - window.tokens)
    parts = shared(ours, sum(ours.values()) * mind.limit // mind.room)
    used = sum(parts.values()) - parts[_ROOM]
    picture = chart(parts, mind.limit)
    told = "\n".join(f"- {line}" for line in _told(window))
    shown = f"With your next question my model is shown {used:,} of {mind.limit:,} tokens beside it:"
    return f"{shown}\n{picture.words}\n{told}", picture


def shared(ours: Mapping[str, int], whole: int) -> Mapping[str, int]:
    """What is so much each by our count, where all of it is this whole by another: nothing is lost by rounding."""
    total, ends = max(1, sum(ours.values())), accumulate(ours.values())
    bounds = [0, *(end * whole // total for end in ends)]
    return {name: end - begin for name, (begin, end) in zip(ours, pairwise(bounds), strict=True)}


def chart(tokens: Mapping[str, int], whole: int) -> Chart:
    """Numbers of tokens by their names; in words, in Markdown, each is a bar of this whole."""
    digits = max([_DIGITS, *(len(f"{number:,}") for number in tokens.values())])
    lines = "\n".join(_bar(name, number, whole, digits) for name, number in tokens.items())
    return Chart(title=_TITLE, numbers=tuple(tokens.items()), words=f"```\n{lines}\n```")


def _bar(name: str, tokens: int, whole: int, digits: int) -> str:
    full = round(tokens * _WIDTH / max(1, whole))
    filled = min(_WIDTH, full if full or name == _ROOM else 1)
    mark = _EMPTY if name == _ROOM else _FULL
    return f"{name:<12} {tokens:>{digits},}  {mark * filled}".rstrip()


def bar(part: float, *, is_share: bool = True) -> str:
    """A bar that is filled by this part of it, from 0 to 1; of a share, the rest shows as well."""
    filled = min(_WIDTH, round(part * _WIDTH) or int(part > 0))
    return _FULL * filled + _EMPTY * (_WIDTH - filled if is_share else 0)


def _told(window: Window) -> Iterator[str]:
    own, overheard = window.turns - window.overheard, window.overheard
    yield f"{own:,} {'turn' if own == 1 else 'turns'} word for word" if own else "no turn word for word yet"
    if overheard:
        yield f"{overheard:,} of the messages around them that I overheard"
    if window.checkpoints:
        yield f"what was said before that, told in {len(window.checkpoints):,} {_records(len(window.checkpoints))}"


def _records(number: int) -> str:
    return "text" if number == 1 else "texts"
