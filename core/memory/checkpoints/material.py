"""Material: turns as whoever folds them is shown them, without secrets, and with marks that nobody can forge.

#12 [Tuesday 2026-03-03 15:05 +01:00] Ana (U1), quoting Ben (U2) "plan.md":
>> what she quotes
> what she says
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo

from core.memory.brevity import Count, Cut
from core.memory.checkpoints.disguises import line
from core.memory.checkpoints.form import stamped
from core.memory.checkpoints.redaction import redacted
from core.memory.checkpoints.wording import defused
from core.memory.citations import bare
from core.model.envelope import speaker, whole
from core.seam.messages import Quote
from core.session import Kind, Role, Turn

ASSISTANT = "the assistant"
"""What we are called in a record; every person has an ID behind the name."""

QUOTED = 4
"""What a turn quotes takes at most one part in so many of the turn."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Shown with each turn: by them a small model knows which date "on Friday" is."""

_TITLE = 80  # characters


def said(turns: Sequence[Turn], zone: tzinfo, cut: Cut, most: int) -> str:
    """The turns, oldest first, each with its number, its time in this zone, its speaker and its words.

    Every line of people's words stands behind a mark. Secrets go before anything is cut, and each turn has at most
    about `most` tokens.
    """
    return "\n".join(part for turn in turns for part in _lines(turn, zone, cut, most))


def beside(count: Count) -> Callable[[Turn], int]:
    """What a turn costs here beside its words: the line that says whose they are, and the mark of each of their lines.

    About so much, and rather too much: nothing is cut or made out for it.
    """
    line_of = count(_EXAMPLE)
    marks = 1 + (count("\n> a" * 8) - count("\n a" * 8)) // 8

    def cost(turn: Turn) -> int:
        quoted = sum(quote.text.count("\n") + 2 for quote in turn.quotes)
        return line_of + marks * (turn.text.count("\n") + 1 + quoted)

    return cost


_EXAMPLE = f"#1234 [Wednesday 2026-03-03 15:05 +01:00] {ASSISTANT}:\n"


def moment(turn: Turn, zone: tzinfo) -> datetime:
    """When it was said, to the minute."""
    return datetime.fromtimestamp(turn.at, zone).replace(second=0, microsecond=0)


def _lines(turn: Turn, zone: tzinfo, cut: Cut, most: int) -> Iterator[str]:
    quotes = f", quoting {', '.join(map(_source, turn.quotes))}" if turn.quotes else ""
    at = moment(turn, zone)
    yield f"#{turn.seq} [{DAYS[at.weekday()]} {stamped(at)}] {_who(turn)}{quotes}:"
    for quote in turn.quotes:
        yield from _marked(">> ", cut(redacted(quote.text), most // QUOTED // len(turn.quotes)))
    yield from _marked("> ", cut(redacted(bare(turn.text) if turn.kind is Kind.SUMMARY else turn.text), most))


def _who(turn: Turn) -> str:
    if turn.role is Role.ASSISTANT or turn.author is None:
        return ASSISTANT
    aside = ", not to the assistant" if turn.kind is Kind.OVERHEARD else ""
    return f"{speaker(turn.author)}{aside}"


def _source(quote: Quote) -> str:
    """Whose words, and what they are called."""
    whose = ASSISTANT if quote.author is not None and quote.author.is_self else ""
    whose = whose or ("" if quote.author is None else speaker(quote.author))
    title = f'"{defused(line(redacted(quote.title)))[:_TITLE]}"' if quote.title else ""
    return " ".join(filter(None, (whose, title))) or "something"


def _marked(mark: str, words: str) -> Iterator[str]:
    for one in defused(whole(words)).strip().splitlines():
        yield f"{mark}{one}"
