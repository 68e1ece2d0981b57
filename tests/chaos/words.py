"""What the stand-in model answers, so that the answer to each message is known before it is given.

And what it writes when it is to fold turns: which messages of people it was shown, and nothing else.
"""

import re
from collections.abc import Iterator
from random import Random

from core.delivery.markdown import split

MARKER = re.compile(r"\b[KN]\d{5}[LS][bc]?\b")
"""The number of a message or a notice, whether what is said is long or short, and a letter for an edit."""

TALK = " That is what we talked about all day, in this channel and in that one, and it never came to an end." * 12
"""What people say beside that, so that a window is full after a few messages."""

_ORDER = re.compile(r"Write the record of (-?\d+--?\d+) now")
_TURN = re.compile(r"^#-?\d+ \[[^\]]+\] (.+):$", re.MULTILINE)
_RECORD = re.compile(r"\[\[record of turns (-?\d+)-(-?\d+)[^\]]*\]\](.*?)\[\[end of record", re.DOTALL)
_SHORT = re.compile(r"\b(\d{1,5})([LS][bc]?)\b")

_NOUNS = ("river", "apple", "engine", "window", "garden", "letter", "planet", "bridge", "kettle", "ladder", "market")
_LINES = {"S": 9, "L": 48}


def answer(marker: str) -> str:
    """Lines that each begin with the marker: about 450 characters, or 2,600, which is more than one Discord message."""
    random = Random(marker)
    lines = [f"{marker} tells of the {' and the '.join(random.sample(_NOUNS, 3))}." for _ in range(_LINES[marker[6]])]
    return "\n\n".join([f"{marker} is answered here.", *lines, f"{marker} ends here."])


def expected(marker: str, max_text: int) -> list[str]:
    """The answer as the messages of a platform."""
    return [bare(part) for part in split(answer(marker), max_text)]


def bare(text: str) -> str:
    """The text without what platforms do to its blanks."""
    return " ".join(text.split())


def asked(text: str) -> str:
    """The marker of the newest message in this text; empty if there is none."""
    found = MARKER.findall(text)
    return found[-1] if found else ""


def told(text: str) -> str:
    """The marker with which this text begins to answer; empty if it answers nothing."""
    found = MARKER.search(text)
    return found[0] if found else ""


def is_waking(text: str) -> bool:
    """Whether people are told by this that a conversation goes on."""
    return "Picked up" in text


def is_moving(text: str) -> bool:
    """Whether this answers a reset or an undo."""
    return any(words in text for words in ("A fresh start", "nothing to set aside", "is undone", "no reset to undo"))


def folds(text: str) -> bool:
    """Whether a request that ends like this asks for a record."""
    return _ORDER.search(text) is not None


def record(text: str) -> str:
    """What is written when a request ends like this: which messages people have said, in few tokens."""
    order = _ORDER.search(text)
    assert order is not None
    facts = [f"{int(one[1:6])}{one[6:]}" for one in dict.fromkeys([*in_records(text), *in_turns(text)])]
    what = f"asked about {', '.join(facts)}" if facts else "talked"
    return f"# about\n- People {what} ({order[1]})"


def in_records(text: str) -> list[str]:
    """The markers of all that the records in this text tell of."""
    return [marker for _, _, told in _RECORD.findall(text) for marker in short(told)]


def short(told: str) -> list[str]:
    """The markers that a record's lines tell of."""
    return [f"K{int(number):05}{kind}" for number, kind in _SHORT.findall(told)]


def in_turns(text: str) -> Iterator[str]:
    """The markers in what people say among turns that are to be folded; not what we have answered."""
    turns = list(_TURN.finditer(text))
    ends = [one.start() for one in turns[1:]] + [len(text)] * bool(turns)
    for turn, end in zip(turns, ends, strict=True):
        if turn[1] != "the assistant":
            yield from MARKER.findall(text[turn.end() : end])
