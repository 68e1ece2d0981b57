"""Openings: what was said while a place was private is set aside when it is not any more, and stays aside."""

from core.schema import segments, turns
from core.session import Kind
from core.store import Database
from core.store.openings import TOLD
from tests.script import House, brisk, house, memory, rows
from tests.values import message

AT_ONCE = brisk(burst=0.0)


async def said(running: House, text: str, *, public: bool | None) -> list[str]:
    """Says this; what comes to be on screen of it."""
    before = len(running.adapter.texts)
    await running.say(message(text, public=public))
    await running.adapter.until(lambda: len(running.adapter.texts) > before)
    await running.over()
    return running.adapter.texts[before:]


async def told(database: Database) -> list[str]:
    return [row.notice for row in await rows(database, turns) if row.kind == Kind.NOTICE]


async def remembered(database: Database) -> str:
    return " ".join(text for _, text in await memory(database))


async def test_what_was_said_in_private_is_set_aside_once_the_place_is_public(database: Database) -> None:
    async with house(database, timings=AT_ONCE) as running:
        await said(running, "a secret", public=False)
        shown = await said(running, "and now?", public=True)
        await said(running, "and then?", public=True)

    assert shown[0] in ("You said: and now?", TOLD)
    assert running.adapter.texts.count(TOLD) == 1
    assert "secret" not in await remembered(database)
    assert "and now?" in await remembered(database)
    assert await told(database) == ["opened 1"]
    assert "secret" in " ".join(row.body.decode() for row in await rows(database, turns)), "no turn is deleted"


async def test_what_is_not_known_changes_nothing(database: Database) -> None:
    async with house(database, timings=AT_ONCE) as running:
        await said(running, "one", public=None)
        await said(running, "two", public=True)
        await said(running, "three", public=None)
        await said(running, "four", public=True)
        await said(running, "five", public=False)
        await said(running, "six", public=None)

    assert await rows(database, segments) == []
    assert "one" in await remembered(database)


async def test_a_place_that_was_closed_and_opened_again_is_told_so_again(database: Database) -> None:
    async with house(database, timings=AT_ONCE) as running:
        for text, public in (("one", False), ("two", True), ("three", False), ("four", True)):
            await said(running, text, public=public)

    assert [row.kind for row in await rows(database, segments)] == ["opened", "opened"]
    assert await told(database) == ["opened 1", "opened 2"]
    assert "three" not in await remembered(database)


async def test_no_undo_goes_back_to_before_an_opening(database: Database) -> None:
    async with house(database, timings=AT_ONCE) as running:
        await said(running, "a secret", public=False)
        await said(running, "!reset", public=False)
        await said(running, "another secret", public=False)
        await said(running, "hello", public=True)
        verbs = ("!undo", "!reset", "!undo", "!undo", "!undo")
        answers = [(await said(running, verb, public=True))[0] for verb in verbs]

    assert answers[0] == "There is no reset to undo."
    assert answers[1].startswith("A fresh start: I set 2 turns aside.")
    assert answers[2] == "The last reset is undone: I remember 2 turns again."
    assert answers[3] == "The last undo is undone: I set 2 turns aside again."
    assert answers[4] == answers[2]
    assert "secret" not in await remembered(database)


async def test_a_private_place_in_which_nothing_is_remembered_is_opened_without_a_word(database: Database) -> None:
    async with house(database, timings=AT_ONCE) as running:
        await said(running, "!status", public=False)
        await said(running, "hello", public=True)

    assert await told(database) == []
