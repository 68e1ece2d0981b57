"""What the stand-in model answers, so that the answer to each message is known before it is given."""

import re
from random import Random

from core.delivery.markdown import split

MARKER = re.compile(r"\b[KN]\d{5}[LS][bc]?\b")
"""The number of a message or a notice, whether what is said is long or short, and a letter for an edit."""

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
