"""What a message quotes is cut short where the same window shows it anyway, and whole where it does not."""

import pytest

from core.memory.brevity import brief
from core.seam.messages import Author, Quote
from core.session import Kind, Progress, Role, Turn, Validity
from tests.values import ADA, BEN

LONG = "The deploy is at six, or so I have heard from everybody, and at seven it is over again for the whole day."
OURS = Author(id="", name="Backscroll", is_self=True)
FILE = Quote(kind="attaches", title="build.log", text=LONG)


def turn(seq: int, text: str, *quotes: Quote, author: Author | None = BEN, role: Role = Role.PERSON) -> Turn:
    return Turn(seq, role, Kind.SAID, Progress.DONE, Validity.STANDS, text, 1_000, 60.0 * seq, author, quotes=quotes)


def cut(words: str, most: int) -> str:
    return f"{words[:20]}…"


def shown(*told: Turn) -> tuple[str, int]:
    """The last quote of the last turn, and the tokens of that."""
    last = brief(list(told), cut, len)[-1]
    return last.quotes[-1].text, last.tokens


def asked(*quotes: Quote) -> Turn:
    return turn(9, "Is this right?", *quotes, author=ADA)


@pytest.mark.parametrize("at", [60.0, 60.0004])
def test_what_a_person_said_in_this_window_is_quoted_briefly_and_counted_so(at: float) -> None:
    """C2"""
    words, tokens = shown(turn(1, LONG), asked(Quote(kind="replies to", text=LONG, author=BEN, at=at)))
    assert words == "The deploy is at six…"
    assert tokens < 150


@pytest.mark.parametrize(
    "quote",
    [
        Quote(kind="replies to", text=LONG, author=BEN, at=120.0),
        Quote(kind="replies to", text=LONG, author=ADA, at=60.0),
        Quote(kind="replies to", text=LONG, author=OURS, at=60.0),
        Quote(kind="forwards", text=LONG, at=60.0),
        Quote(kind="attaches", title="other.log", text=LONG, author=BEN, at=60.0),
        Quote(kind="embeds", text=LONG, author=BEN, at=60.0),
    ],
)
def test_what_is_not_in_this_window_is_quoted_whole(quote: Quote) -> None:
    """C2"""
    assert shown(turn(1, "Hello", FILE), asked(quote)) == (LONG, 1_000)


def test_our_own_answer_is_known_by_how_it_begins() -> None:
    """C2: on screen it may have been in parts, and its end is not what was shown."""
    quote = Quote(kind="replies to", text=f"{LONG[:90]} [… left out …]", author=OURS, at=70.0)
    answer = turn(1, f"First part. {LONG}", author=None, role=Role.ASSISTANT)
    assert shown(answer, asked(quote))[0] == "The deploy is at six…"


def test_a_file_that_the_window_shows_with_its_message_is_quoted_briefly() -> None:
    """C4"""
    quote = Quote(kind="attaches", title="build.log", text=LONG, author=BEN, at=60.0)
    assert shown(turn(1, "Hello", FILE), asked(quote))[0] == "The deploy is at six…"


def test_what_is_shown_behind_it_makes_no_difference() -> None:
    """A message stays as it was first shown, so that the provider's prompt cache finds it again."""
    quotes = [Quote(kind="replies to", text=LONG, author=who, at=600.0) for who in (OURS, BEN)]
    behind = [turn(9, LONG, author=None, role=Role.ASSISTANT), turn(10, LONG)]
    alone = brief([asked(*quotes)], cut, len)

    assert alone[0].quotes == tuple(quotes)
    assert brief([asked(*quotes), *behind], cut, len)[:1] == alone


def test_a_window_without_quotes_is_as_it_was() -> None:
    told = [turn(1, LONG), turn(2, "Yes.")]
    assert brief(told, cut, len) is told
