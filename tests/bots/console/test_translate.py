"""What a line means, and what of a text reaches the screen."""

import pytest

from bots.console.adapter import MAIN, listed, translate, verb_of
from core.seam.messages import Audience, Author, Choice, Inbound
from core.seam.printing import printable
from tests.bots.console.conftest import reply_to

ADA = Author(id="local", name="Ada")


def said(line: str) -> Inbound:
    return translate(line, address=MAIN, id="p-1", author=ADA, at=5.0)


@pytest.mark.parametrize(
    ("line", "verb", "text"),
    [
        ("/reset", "reset", ""),
        ("/Reset", "reset", ""),
        ("  /status  ", "status", ""),
        ("/foo bar  baz ", "foo", "bar  baz"),
        ("/etc/hosts is empty", None, "/etc/hosts is empty"),
        ("/", None, "/"),
        ("/ reset", None, "/ reset"),
        ("!reset", None, "!reset"),
        ("hello /reset", None, "hello /reset"),
        (" hello ", None, "hello"),
    ],
)
def test_a_slash_and_a_word_are_a_command_whether_it_is_known_or_not(line: str, verb: str | None, text: str) -> None:
    assert verb_of(line) == (verb, text)
    assert (said(line).verb, said(line).text) == (verb, text)


def test_a_line_is_said_to_the_bot_and_its_answer_attaches_to_it() -> None:
    message = said("hello")
    assert message.direct
    assert message.audience is Audience.ROOM
    assert (message.author, message.at, message.id, message.reply_to) == (ADA, 5.0, "p-1", "p-1")
    assert message.address.id == "console:local:main"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain *Markdown* `code`\n\ttab 漢字 👍", "plain *Markdown* `code`\n\ttab 漢字 👍"),
        ("\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("\x9b31mred", "\ufffd31mred"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("half \ud83d a pair", "half \ufffd a pair"),
    ],
)
def test_no_text_commands_the_terminal_or_fails_to_be_written(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_choices_are_a_numbered_list() -> None:
    choices = (
        Choice(label="this one", verb="reset", address=MAIN),
        Choice(label="that\x1b", verb="reset", address=MAIN),
    )
    assert listed(reply_to(None, "Which?", choices=choices)) == "Which?\n1. this one\n2. that\ufffd"
