"""Talk that is folded: turns, a minute apart, and what they cost."""

from core.memory.window import MESSAGE_TOKENS
from core.model.cutting import cut_middle
from core.model.envelope import spoken
from core.model.tokens import Estimate
from core.seam.messages import Author, Quote
from core.session import Kind, Progress, Role, Turn, Validity
from tests.values import ADA

COUNTER = Estimate()
START = 1_772_546_700.0  # 2026-03-03 14:05 UTC


def count(words: str) -> int:
    return COUNTER.count(words) + MESSAGE_TOKENS


def cut(words: str, most: int) -> str:
    return cut_middle(words, most, COUNTER)


def turn(seq: int, text: str, *quotes: Quote, author: Author = ADA, kind: Kind = Kind.SAID) -> Turn:
    """A person's turn, a minute after the one before it."""
    at = START + 60 * seq
    return Turn(
        seq=seq,
        role=Role.PERSON,
        kind=kind,
        progress=Progress.DONE,
        validity=Validity.STANDS,
        text=text,
        tokens=count(spoken(author, at, text, quotes)),
        at=at,
        author=author,
        quotes=quotes,
    )


def answer(seq: int, text: str) -> Turn:
    """Ours, to the turn with this seq."""
    return turn(seq, text)._replace(role=Role.ASSISTANT, kind=Kind.ANSWER, author=None, tokens=count(text))
