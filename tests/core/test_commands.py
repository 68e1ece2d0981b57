"""The commands: how they are recognised, and what they say."""

import pytest

from core.commands.deeds import COMMANDS, parse
from core.seam.messages import Audience
from tests.values import message


@pytest.mark.parametrize(
    ("text", "audience", "verb"),
    [
        ("!reset", Audience.ROOM, "reset"),
        ("!RESET please", Audience.ROOM, "reset"),
        ("  !status", Audience.ROOM, "status"),
        ("/undo", Audience.ROOM, "undo"),
        ("reset", Audience.BOT, "reset"),
        ("Help", Audience.BOT, "help"),
        ("reset", Audience.ROOM, None),
        ("help me with this", Audience.BOT, None),
        ("!nice work", Audience.BOT, None),
        ("!", Audience.BOT, None),
        ("", Audience.BOT, None),
        ("! reset", Audience.BOT, None),
        ("please !reset", Audience.BOT, None),
    ],
)
def test_a_word_that_is_not_a_known_command_is_talk(text: str, audience: Audience, verb: str | None) -> None:
    assert parse(message(text, audience=audience)) == verb


def test_what_the_platform_calls_a_command_is_one() -> None:
    assert parse(message("this thread", verb="Summarize")) == "summarize"
    assert parse(message("", verb="frobnicate")) == "frobnicate"


def test_the_table_fits_every_surface() -> None:
    """Discord: descriptions of at most 100 characters, names of 32 lowercase ones."""
    assert list(COMMANDS) == ["reset", "undo", "summarize", "status", "stop", "help"]
    for command in COMMANDS.values():
        assert 1 <= len(command.help) <= 100
        assert command.name.islower()
        assert len(command.name) <= 32
        assert (command.effect is None) != (command.prompt is None)
