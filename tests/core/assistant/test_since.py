"""Summaries of what was said since a certain moment: what the model is shown for one, and when it is not asked."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.memory import numbering
from core.memory.checkpoints.shown import told
from core.memory.window import Window, text
from core.policy import edited
from core.seam.messages import Audience, Deleted, Edited
from core.session import Fold
from core.store import Database, places, policies, recalling
from core.store.bodies import Mine
from core.store.recalling import Recalled
from tests.core.assistant.test_folding import BUDGET, folding_house, talk
from tests.script import House, ScriptedModel, TranscriptAdapter, house, memory
from tests.values import BEN, HERE, message

pytestmark = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


async def say(running: House, text: str, moment: str, **facts: object) -> None:
    await running.say(message(text, at=at(moment), **facts))
    await running.over()


async def recalled(running: House) -> Recalled:
    """What the session remembers."""
    found = await running.database.read(places.find, HERE)
    assert found is not None
    return await running.database.read(recalling.recall, found[0], budget=BUDGET)


async def week(running: House) -> None:
    await say(running, "old news", "2026-11-18T09:00")
    await say(running, "around midnight", "2026-11-23T23:30", author=BEN)
    await say(running, "new news", "2026-11-24T10:00", author=BEN)


SAID = ["old news", "around midnight", "new news"]


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("", 3),
        ("since 2 Jan 2026", 3),
        ("since last tuesday", 1),
        ("since thursday", 2),
        ("since 2d", 2),
        ("since yesterday", 1),
        ("since my last visit", 2),
    ],
)
async def test_the_model_is_shown_what_was_said_since_then(database: Database, since: str, shown: int) -> None:
    async with house(database, "One.", "Two.", "Three.", "All of it.") as running:
        await week(running)
        await say(running, f"!summarize {since}", "2026-11-25T10:00")
        asked = running.model.asked(3)
        await say(running, "go on", "2026-11-25T11:00")

    answers = ["One.", "Two.", "Three."]
    assert asked[:-1] == [words for pair in list(zip(SAID, answers, strict=True))[-shown:] for words in pair]
    assert "Summarize this" in asked[-1]
    assert running.model.asked()[:2] == ["old news", "One."], "the next window is whole again"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("UTC", ["new news", "Three."]), ("Europe/Berlin", ["around midnight", "Two.", "new news", "Three."])],
)
async def test_a_day_is_one_of_the_sessions_zone(database: Database, zone: str, shown: list[str]) -> None:
    async with house(database, "One.", "Two.", "Three.", "Of today.") as running:
        await week(running)
        await database.write(
            lambda connection: policies.keep(connection, Mine(1), HERE.channel_address.id, edited(None, "zone", zone))
        )
        await say(running, "!summarize since today", "2026-11-24T12:00")

    assert running.model.asked()[:-1] == shown


async def test_a_day_is_one_of_its_askers_own_zone_where_they_prefer_one(database: Database) -> None:
    """Nobody else's, and what it tells of is told in that zone."""
    async with house(database, "One.", "Two.", "Three.", "Of Ada's.", "Of Ben's.") as running:
        await week(running)
        await say(running, "!prefer zone Europe/Berlin", "2026-11-24T11:00")
        await say(running, "!summarize since today", "2026-11-24T12:00")
        await say(running, "!summarize since today", "2026-11-24T12:00", author=BEN)

    assert running.model.asked(3)[:-1] == ["around midnight", "Two.", "new news", "Three."]
    assert running.model.asked(4)[:2] == ["new news", "Three."]
    assert "since 2026-11-24 00:00 Europe/Berlin" in running.adapter.texts[-2]
    assert "since 2026-11-24 00:00 UTC" in running.adapter.texts[-1]


async def test_since_a_last_visit_that_never_was_is_since_the_beginning(database: Database) -> None:
    async with house(database, "One.") as running:
        await say(running, "hello", "2026-11-24T10:00")
        await say(running, "!summarize since my last visit", "2026-11-25T10:00", author=BEN)

    assert running.model.asked()[:-1] == ["hello", "One."]


@pytest.mark.parametrize("since", ["today", "1m", "2030-01-01", "my last visit"])
async def test_where_nothing_was_said_since_then_no_model_is_asked(database: Database, since: str) -> None:
    async with house(database, "One.") as running:
        await say(running, "hello", "2026-11-24T10:00")
        await say(running, f"!summarize since {since}", "2026-11-25T10:00")
        remembered = await memory(database)

    assert running.adapter.texts[1].startswith("Nothing was said here since 20")
    assert len(running.model.prompts) == 1
    assert [words for _, words in remembered] == ["hello", "One."]


@pytest.mark.parametrize("since", ["", " since my last visit"])
async def test_where_nothing_is_remembered_no_model_is_asked_for_a_summary(database: Database, since: str) -> None:
    """In a session that is new, was reset, or has nothing left but what was deleted."""
    aside = message("aside", direct=False, audience=Audience.OTHERS)
    async with house(database, "One.") as running:
        await say(running, f"!summarize{since}", "2026-11-24T10:00")
        await say(running, "hello", "2026-11-24T11:00", author=BEN)
        await say(running, "!reset", "2026-11-24T12:00")
        await say(running, f"!summarize{since}", "2026-11-25T10:00")
        await running.say(aside, Deleted(address=HERE, id=aside.id))
        await say(running, f"!summarize{since}", "2026-11-25T11:00")

    nothing = "There is nothing to summarize: I remember nothing here yet."
    assert [running.adapter.texts[number] for number in (0, 3, 4)] == [nothing] * 3
    assert len(running.model.prompts) == 1


async def test_what_is_no_moment_is_told_with_what_would_be_right(database: Database) -> None:
    async with house(database) as running:
        await say(running, "!summarize since the flood", "2026-11-25T10:00")

    assert running.adapter.texts[0].startswith("I don't know when `the flood` is: say a date (`2026-11-20`, `20 Nov`)")
    assert running.model.prompts == []


async def test_what_is_asked_once_is_kept_in_no_cache(database: Database) -> None:
    async with house(database, "One.", "Two.", "Three.", "Of today.") as running:
        await week(running)
        await say(running, "!summarize since yesterday", "2026-11-25T12:00")

    assert running.model.prompts[-1].stable == ()


async def test_a_summary_of_a_part_is_made_again_of_that_part(database: Database) -> None:
    changing = message("tea at five", at=at("2026-11-24T11:00"))
    script = ("One.", "Two.", "Three.", "Four.", "Tea at five.", "Tea at six.", "Yes.")
    async with house(database, *script) as running:
        await week(running)
        await running.say(changing)
        await running.over()
        await say(running, "!summarize since yesterday", "2026-11-25T12:00")
        await running.say(Edited(message=replace(changing, text="tea at six"), at=changing.at + 1))
        await say(running, "go on", "2026-11-25T13:00")

    made_again = running.model.asked(5)
    assert made_again[:-1] == ["new news", "Three.", "tea at six", "Four."]
    assert "Tea at six." in running.model.asked(6)


async def test_of_what_is_folded_a_record_that_reaches_beyond_then_is_shown_and_no_state(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 30)
        folded, turns = await recalled(running)
        reaching = [one for one in folded if one.kind is not Fold.STATE][-1]
        now = datetime.fromtimestamp(reaching.until, UTC) + timedelta(minutes=1)
        await running.say(message("!summarize since 1m", at=now.timestamp()))
        await running.over()

    shown = [one.text for one in running.model.prompts[-1].messages[:-1]]
    assert shown == [*told([reaching]), *(text(one) for one in reversed(turns))]
    assert f": {len(turns)} turns, 1 record of older ones" in running.adapter.texts[-1]


async def test_the_numbers_of_a_long_window_are_made_beside_the_event_loop(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word of it is looked through for them: for a tenth of a second, in which nobody is heard."""
    made, within = list[threading.Thread](), numbering.built

    def built(*given: Any) -> Window:
        made.append(threading.current_thread())
        return within(*given)

    monkeypatch.setattr(numbering, "built", built)
    async with House(database, ScriptedModel(), TranscriptAdapter()) as running:
        await running.say(message("hello"))
        await running.say(message("!summarize"))
        await running.over()

    assert made
    assert threading.main_thread() not in made
