"""Summaries whose lines lead to messages: what is stored of them, what the model is shown again, what deletions do."""

import asyncio

import pytest

from core.assistant.answering import CUTS
from core.errors import ModelInterrupted
from core.seam.address import Address
from core.seam.messages import Deleted
from core.store import Database
from tests.script import House, TranscriptAdapter, house, memory
from tests.values import HERE, message

SUMMARY = "# open\n- Ada asked for tea (1)\n- Ada asked for milk (2)"


class Linking(TranscriptAdapter):
    """A platform on which people open messages by links."""

    async def link(self, address: Address, message: str) -> str | None:
        return f"https://links.example/{message}"


async def talk(running: House) -> tuple[str, str]:
    """Two questions and a summary of them; the IDs of the questions."""
    tea, milk = message("is there tea?", at=1_700_000_000.0), message("is there milk?", at=1_700_000_060.0)
    for one in (tea, milk, message("!summarize")):
        await running.say(one)
        await running.over()
    return tea.id, milk.id


async def test_the_links_are_on_screen_and_remembered_and_not_shown_to_the_model(database: Database) -> None:
    async with house(database, "Yes.", "No.", SUMMARY, adapter=Linking()) as running:
        tea, milk = await talk(running)
        await running.say(message("thanks"))
        await running.over()
        remembered = [words for _, words in await memory(database)]

    seen = running.adapter.texts[2]
    assert seen.startswith(
        "### Open\n"
        f"- Ada asked for tea · 2023-11-14 22:13 [1](https://links.example/{tea})\n"
        f"- Ada asked for milk · 2023-11-14 22:14 [1](https://links.example/{milk})\n"
    )
    assert seen in remembered
    assert running.model.asked()[4].startswith(
        "### Open\n- Ada asked for tea · 2023-11-14 22:13\n- Ada asked for milk · 2023-11-14 22:14\n"
    )


async def test_links_of_an_ordinary_answer_are_shown_as_they_are(database: Database) -> None:
    answer = "- See there [1](https://example.org)"
    async with house(database, answer, "Yes.", adapter=Linking()) as running:
        for words in ("where?", "thanks"):
            await running.say(message(words))
            await running.over()

    assert running.model.asked()[1] == answer


async def test_a_summary_of_a_deleted_message_is_made_again_in_the_same_form(database: Database) -> None:
    again = "# open\n- Ada asked for milk (2)"
    async with house(database, "Yes.", "No.", SUMMARY, again, "Fine.", adapter=Linking()) as running:
        tea, _ = await talk(running)
        await running.say(Deleted(address=HERE, id=tea), message("thanks"))
        await running.adapter.until(lambda: "Fine." in running.adapter.texts)
        await running.over()

    asked_again, shown = running.model.prompts[3], running.model.asked(4)
    assert asked_again.messages[-1].text.endswith("2: [2023-11-14 22:14] is there milk?"), "and nothing of the other"
    assert "tea" not in str(asked_again.messages)
    assert "### Open\n- Ada asked for milk · 2023-11-14 22:14" in shown
    assert "tea" not in str(shown)


@pytest.mark.parametrize("ends", ["stopped", "broken off"])
async def test_a_summary_that_is_not_whole_forgets_what_is_deleted_like_any_other(
    database: Database, ends: str
) -> None:
    half, again = f"{SUMMARY}\n\nAnd now", "# open\n- Ada asked for milk (2)"
    cut = ModelInterrupted("cut", retry_after=0.0)
    summaries = [[half, asyncio.Event()]] if ends == "stopped" else [[half, cut]] * CUTS
    async with house(database, "Yes.", "No.", *summaries, again, "Fine.", adapter=Linking()) as running:
        asked = [message("is there tea?"), message("is there milk?"), message("!summarize")]
        for one in asked[:2]:
            await running.say(one)
            await running.over()
        await running.say(asked[2])
        if ends == "stopped":
            await running.adapter.until(lambda: "asked for milk" in running.adapter.texts[-1])
            await running.say(message("!stop"))
        await running.over()
        assert "asked for tea" in str(await memory(database)), "it is remembered as far as people saw it"

        await running.say(Deleted(address=HERE, id=asked[0].id))
        assert "tea" not in str(await memory(database))
        await running.say(message("thanks"))
        await running.adapter.until(lambda: "Fine." in running.adapter.texts)
        await running.over()

    assert any(words.startswith("### Open\n- Ada asked for milk") for words in running.model.asked())
    assert "tea" not in str(running.model.prompts[-2:])


async def test_of_a_summary_in_several_messages_the_one_that_is_deleted_is_forgotten(database: Database) -> None:
    async with house(database, "Yes.", "No.", SUMMARY, adapter=Linking(max_text=120)) as running:
        await talk(running)
        (gone,) = [number for number, reply in running.adapter.screen.items() if "asked for tea" in reply.text]
        assert "milk" not in running.adapter.screen[gone].text
        await running.say(Deleted(address=HERE, id=gone))
        remembered = str(await memory(database))

    assert "asked for tea" not in remembered
    assert "asked for milk" in remembered


async def test_what_is_said_in_no_form_is_stored_as_it_is(database: Database) -> None:
    async with house(database, "Yes.", "No.", "You talked about tea (1).", adapter=Linking()) as running:
        await talk(running)

    assert running.adapter.texts[2].startswith("You talked about tea (1).\n\n_(This tells of")
