"""Pictures of a window: what the model is shown, part by part, as bars of text that every platform can show."""

from collections.abc import Iterator, Mapping

from core.memory.mind import Mind
from core.memory.window import Window

_WIDTH = 24
"""Characters of a bar that is the whole budget; with its names and numbers a line fits a telephone."""

_FULL, _EMPTY = "█", "░"
_ROOM = "room"  # what is left


def drawn(window: Window, mind: Mind) -> str:
    """What the next question will find, in Markdown: each section with its tokens in the model's count, and the room
    that is left.
    """
    scale = mind.limit / mind.room
    parts = {one.name: int(one.tokens * scale) for one in window.sections if one.tokens and one.name != "question"}
    used = int(window.tokens * scale)
    left = {_ROOM: int(max(0, mind.room - window.tokens) * scale)}
    told = "\n".join(f"- {line}" for line in _told(window))
    return (
        f"With your next question my model is shown {used:,} of {mind.limit:,} tokens beside it:\n"
        f"{bars(parts | left, mind.limit)}\n{told}"
    )


def bars(tokens: Mapping[str, int], whole: int) -> str:
    """Numbers of tokens by their names, each as a bar of this whole: Markdown."""
    lines = "\n".join(_bar(name, number, whole) for name, number in tokens.items())
    return f"```\n{lines}\n```"


def _bar(name: str, tokens: int, whole: int) -> str:
    full = round(tokens * _WIDTH / max(1, whole))
    filled = min(_WIDTH, full if full or name == _ROOM else 1)
    mark = _EMPTY if name == _ROOM else _FULL
    return f"{name:<12} {tokens:>7,}  {mark * filled}".rstrip()


def _told(window: Window) -> Iterator[str]:
    own, overheard = window.turns - window.overheard, window.overheard
    yield f"{own:,} {'turn' if own == 1 else 'turns'} word for word" if own else "no turn word for word yet"
    if overheard:
        yield f"{overheard:,} of the messages around them that I overheard"
    if window.checkpoints:
        yield f"what was said before that, told in {len(window.checkpoints):,} {_records(len(window.checkpoints))}"


def _records(number: int) -> str:
    return "text" if number == 1 else "texts"
