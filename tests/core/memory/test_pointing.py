"""What a message points at: shown as data whose form nobody can forge, and followed when it changes or goes."""

from dataclasses import replace

from core.model.envelope import spoken
from core.seam.messages import Author, Deleted, Edited, Inbound, Quote
from core.store import Database
from tests.script import house
from tests.values import ADA, BEN, message

OURS = Author(id="B1", name="Backscroll", is_bot=True, is_self=True)
THEN = 1_700_000_000.0


def shown(*quotes: Quote, text: str = "is this right?") -> str:
    return spoken(ADA, THEN, text, quotes)


def test_a_quote_says_what_it_is_whose_and_when_before_the_words_of_who_quotes_it() -> None:
    """C2"""
    assert shown(Quote(kind="replies to", text="one\ntwo", author=BEN, at=THEN - 60)) == (
        "[Ada (U1) 2023-11-14 22:13 quotes 1]\n"
        "> [replies to Ben (U2) 2023-11-14 22:12]\n>> one\n>> two\n\nis this right?"
    )


def test_what_the_assistant_has_said_itself_is_known_as_its_own() -> None:
    """C2, C6: all others have an ID, so nobody can be called so."""
    assert "> [replies to you 2023-11-14 22:13]" in shown(Quote(kind="replies to", text="yes", author=OURS, at=THEN))
    forged = Author(id="U6", name="you")
    assert "> [replies to you (U6) 2023-11-14 22:13]" in shown(Quote(kind="replies to", author=forged, at=THEN))


def test_what_nobody_is_known_to_have_said_has_its_time_all_the_same() -> None:
    """C1: Discord says when forwarded words were said, and not by whom."""
    assert "> [forwards 2023-11-14 22:13]\n>> see" in shown(Quote(kind="forwards", text="see", at=THEN))


async def test_whose_quotes_are_is_remembered(database: Database) -> None:
    """C2"""
    quotes = (
        Quote(kind="replies to", text="tea", author=OURS, at=THEN),
        Quote(kind="forwards", text="cake", author=BEN, at=THEN),
    )
    async with house(database) as running:
        await running.say(message("is this right?", quotes=quotes))
        await running.model.until(lambda: running.model.prompts)
        told = running.model.prompts[0].messages[-1].text

    assert "> [replies to you 2023-11-14 22:13]\n>> tea\n> [forwards Ben (U2) 2023-11-14 22:13]\n>> cake" in told


async def test_an_edit_of_a_quoted_message_changes_its_words_and_not_what_it_has_attached(database: Database) -> None:
    """C2"""
    said = message("the build is red", author=BEN, direct=False)
    words = Quote(kind="replies to", text=said.text, author=BEN, at=said.at, message=said.id)
    embed = Quote(kind="embeds", text="Build 12 failed", author=BEN, at=said.at, message=said.id)
    becomes = replace(said, text="the build is green", quotes=(replace(embed, author=None, at=None, message=None),))
    told = await _asked_again(database, said, (words, embed), becomes)
    assert ">> the build is green\n" in told
    assert ">> Build 12 failed\n" in told
    assert "red" not in told


async def test_a_deleted_message_is_quoted_no_more(database: Database) -> None:
    """C2"""
    said = message("the build is red", author=BEN, direct=False)
    words = Quote(kind="replies to", text=said.text, author=BEN, at=said.at, message=said.id)
    embed = Quote(kind="embeds", text="Build 12 failed", author=BEN, at=said.at, message=said.id)
    told = await _asked_again(database, said, (words, embed), None)
    assert "red" not in told
    assert "Build 12" not in told


async def _asked_again(database: Database, said: Inbound, quotes: tuple[Quote, ...], edited: Inbound | None) -> str:
    """What the model is shown of a question that quotes this message, once that was edited or is gone."""
    async with house(database) as running:
        await running.say(message("is this right?", quotes=quotes))
        await running.model.until(lambda: len(running.model.prompts) == 1)
        await running.over()
        await running.say(
            Edited(message=edited, at=said.at + 60) if edited else Deleted(address=said.address, id=said.id)
        )
        await running.say(message("and now?"))
        await running.model.until(lambda: len(running.model.prompts) == 2)
        return running.model.prompts[1].messages[0].text
