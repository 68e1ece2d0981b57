"""Pictures of a window: what the model is shown, part by part, as bars of text that every platform can show."""

from collections.abc import Iterator

from core.memory.mind import Mind
from core.memory.window import Section, Window

_WIDTH = 24
"""Characters of a bar that is the whole budget; with its names and numbers a line fits a telephone."""

_FULL, _EMPTY = "█", "░"


def drawn(window: Window, mind: Mind) -> str:
    """What the next question will find, in Markdown: each section with its tokens in the model's count, and the room
    that is left.
    """
    scale = mind.limit / mind.room
    parts = [section for section in window.sections if section.tokens and section.name != "question"]
    used = int(window.tokens * scale)
    left = Section(name="room", tokens=max(0, mind.room - window.tokens))
    bars = "\n".join(_bar(section, mind.room, scale) for section in (*parts, left))
    told = "\n".join(f"- {line}" for line in _told(window))
    return (
        f"With your next question my model is shown {used:,} of {mind.limit:,} tokens beside it:\n"
        f"```\n{bars}\n```\n{told}"
    )


def _bar(section: Section, room: int, scale: float) -> str:
    full = round(section.tokens * _WIDTH / room)
    filled = min(_WIDTH, full if full or section.name == "room" else 1)
    mark = _EMPTY if section.name == "room" else _FULL
    return f"{section.name:<12} {int(section.tokens * scale):>7,}  {mark * filled}".rstrip()


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
