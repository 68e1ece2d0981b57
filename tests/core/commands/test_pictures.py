"""What the model is shown, as bars."""

import re

import pytest

from core.commands.pictures import drawn
from core.memory.window import Section, Window
from core.seam.messages import Audience
from core.store import Database
from tests.core.commands.test_settings import said
from tests.script import house
from tests.values import BEN, message


def bars(text: str) -> dict[str, tuple[int, int]]:
    """Each line of the picture: its tokens, and how long its bar is."""
    found = re.findall(r"^([a-z ]+?) +([\d,]+)(?:  ([█░]*))?$", text, re.MULTILINE)
    return {name: (int(tokens.replace(",", "")), len(bar)) for name, tokens, bar in found}


async def test_context_draws_what_the_next_question_will_find(database: Database) -> None:
    async with house(database, budget=1_000) as running:
        new = await said(running, "!context")
        for number in range(3):
            await said(running, f"{number} " + "many words " * 20)
        full = await said(running, "!context")

    assert set(bars(new)) == {"instructions", "room"}
    assert "no turn word for word yet" in new
    parts = bars(full)
    assert set(parts) == {"instructions", "turns", "room"}
    assert sum(tokens for tokens, _ in parts.values()) == 1_000, "the parts are the whole"
    assert parts["turns"][0] > parts["instructions"][0]
    assert parts["turns"][1] > parts["instructions"][1] > 0
    assert "6 turns word for word" in full
    assert len(running.model.prompts) == 3, "no matter for the model"


@pytest.mark.parametrize("measure", [1.0, 1.37, 2.9])
async def test_the_numbers_of_context_and_of_status_add_up_whatever_the_models_tokens_are(
    database: Database, measure: float
) -> None:
    async with house(database, budget=9_000) as running:
        running.mind.calibration.adopt(measure)
        for number in range(7):
            await running.say(message("aside", author=BEN, direct=False, audience=Audience.OTHERS))
            await said(running, f"{number} " + "many words " * number)
        context, status = [await said(running, f"!{verb}") for verb in ("context", "status")]

    parts = {name: tokens for name, (tokens, _) in bars(context).items()}
    used = sum(parts.values()) - parts["room"]
    assert sum(parts.values()) == 9_000
    assert f"is shown {used:,} of 9,000 tokens" in context
    assert f"{used:,} of 9,000 tokens" in status


async def test_all_bars_begin_side_by_side_whatever_the_numbers(database: Database) -> None:
    async with house(database, budget=2_000_000) as running:
        window = Window(messages=(), sections=(Section(name="instructions", tokens=5),))
        words, _ = drawn(window, running.mind)

    lines = [line for line in words.splitlines() if "█" in line or "░" in line]
    assert len({re.search("[█░]", line).start() for line in lines}) == 1, words  # type: ignore[union-attr]
    assert len(lines) == 2


async def test_a_part_that_is_there_is_seen_however_small_it_is(database: Database) -> None:
    async with house(database, budget=100_000) as running:
        window = Window(messages=(), sections=(Section(name="instructions", tokens=5),))
        words, chart = drawn(window, running.mind)
        parts = bars(words)

    assert parts["instructions"] == (5, 1)
    assert parts["room"] == (99_995, 24)
    assert chart.numbers == (("instructions", 5), ("room", 99_995))
    assert chart.words in words
