"""Numbering: a summary is asked for with the numbers of the turns that it is of, so that its lines can name them.

They stand in what is asked, and not with the turns: all before it stays as the provider's prompt cache has it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from core.memory import beginning
from core.memory.brevity import Count
from core.memory.checkpoints.disguises import line
from core.memory.checkpoints.form import Run
from core.memory.checkpoints.shown import record
from core.memory.checkpoints.wording import defused
from core.memory.citations import MOST
from core.memory.prompts import NUMBERS
from core.memory.shares import Shares
from core.memory.window import Window
from core.model.llm import Message
from core.session import Checkpoint, Role, Turn

_WORDS = 40  # characters of a turn's first words


def built(build: Callable[[Turn], Window], asked: Turn, told: Sequence[Turn], shares: Shares, count: Count) -> Window:
    """The window of a summary that is asked for with these turns, newest first, of which it may have no room for all.

    `build` makes the window of a question.
    """
    most = beginning.most(asked, shares)
    words = _numbered(asked.text, told, most, count)
    size = count(words)
    window = build(asked._replace(text=words, tokens=size))
    if size > most:
        return window
    shown = [turn for turn in told if any(first <= turn.seq <= last for first, last in window.seqs)]
    last = Message(role="user", text=_numbered(asked.text, shown, size, count))
    return replace(window, messages=(*window.messages[:-1], last))


def citable(turns: Iterable[Turn], checkpoints: Iterable[Checkpoint]) -> list[int]:
    """The seqs that a line of a summary may name: of turns, and of those that lines of records name."""
    entries = [entry for one in checkpoints if one.text for entry in record(one).entries]
    named = [seq for entry in entries for run in entry.seqs for seq in _ends(run)]
    return sorted({*named, *(turn.seq for turn in turns)})


def _ends(run: Run) -> Sequence[int]:
    first, last = run
    return range(first, last + 1) if last - first < MOST else (first, last)


def _numbered(prompt: str, newest_first: Iterable[Turn], most: int, count: Count) -> str:
    """The prompt with the numbers of these turns, or of the newest of them that have room."""
    numbers = list(map(_number, _first_of_each(newest_first)))
    while numbers:
        words = prompt + NUMBERS + "\n".join(reversed(numbers))
        if count(words) <= most:
            return words
        numbers = numbers[: len(numbers) * 3 // 4]
    return prompt


def _first_of_each(newest_first: Iterable[Turn]) -> Sequence[Turn]:
    """The turn that each number is known by: the question of an answer, or what was overheard."""
    known = dict[int, Turn]()
    for turn in newest_first:
        if turn.seq not in known or turn.role is Role.PERSON:
            known[turn.seq] = turn
    return list(known.values())


def _number(turn: Turn) -> str:
    said = line(defused(turn.text))
    words = said if len(said) <= _WORDS else f"{said[:_WORDS].rstrip()} …"
    return f"{turn.seq}: [{datetime.fromtimestamp(turn.at, UTC):%Y-%m-%d %H:%M}] {words}".rstrip()
