"""What is on its way to the screen while somebody is forgotten: of what is told others, their words go there too."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import DeliveryDelayed, DeliveryError, DeliveryUnknown
from core.seam.messages import Audience
from core.store import Database, exporting, forgetting, places
from core.store.erasures import Erasure, Scope, begin_in
from tests.script import Fault, House, TranscriptAdapter, brisk, house, memory
from tests.stages import STAGES
from tests.talk import Running
from tests.test_deletions import reconciled
from tests.test_forgetting import Governed, said, stored
from tests.test_forgotten import BRISK
from tests.values import ADA, BEN, HERE, message
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage


async def erased(running: House) -> None:
    """Ada is, by the operator, and what is stored has no word of hers."""
    await running.database.write(begin_in, HERE.platform, HERE.workspace, Scope.PERSON, ADA.id)
    await running.erasing.look()
    assert [one for one in ("tuna", "Ada") if one in await stored(running.database)] == []


async def left_and_stopped(running: House) -> None:
    """What was growing leaves the screen; then Ben ends the answer where it is, and asks another question."""
    async with reconciled(running):
        await running.adapter.until(lambda: running.adapter.texts == ["Fine."])
    await running.say(message("!stop", author=BEN))
    await running.over()
    await running.unserved()
    await said(running, "and now?", author=BEN)


def fish(parts: int) -> str:
    return "The tuna is ready. " + "Bread is here. " * 9 * (parts - 1) + "Milk is there."


@pytest.mark.parametrize("answer", ["The tuna is ready.", fish(1), fish(3)], ids=["all of it", "a sentence", "several"])
@pytest.mark.parametrize("error", [DeliveryDelayed("away", retry_after=0.1), DeliveryUnknown("away")])
async def test_an_answer_that_the_platform_has_yet_to_take(
    database: Database, answer: str, error: DeliveryError
) -> None:
    """People are shown what was left of it when the platform is there again."""
    adapter = TranscriptAdapter(max_text=100)
    async with house(database, "Fine.", answer, adapter=adapter, timings=brisk(repeat=0.2)) as running:
        await said(running, "my tuna", author=ADA)
        adapter.faults.extend(Fault(error=error) for _ in range(99))
        before = len(adapter.delivered)
        await running.say(message("what of the fish?", author=BEN))
        await adapter.until(lambda: len(adapter.delivered) > before)
        await erased(running)
        adapter.faults.clear()
        await running.over()
        await running.unserved()

    assert "tuna" not in str(adapter.texts)
    assert adapter.texts[1].startswith("[…]")
    assert ("Milk is there." in adapter.texts[-1]) is ("Milk" in answer), "the rest is said"


async def test_the_rest_of_an_answer_that_is_being_posted(database: Database) -> None:
    adapter = TranscriptAdapter(max_text=100)
    async with house(database, "Fine.", "Bread is here. " * 9 + "Tuna is ready.", adapter=adapter) as running:
        await said(running, "my tuna", author=ADA)
        adapter.hold_delivery = asyncio.Event()
        before = len(adapter.delivered)
        await running.say(message("what of the fish?", author=BEN))
        await adapter.until(lambda: len(adapter.delivered) > before)
        await erased(running)
        adapter.hold_delivery.set()
        await running.over()
        await running.unserved()

    assert "Bread is here." in adapter.texts[-1]
    assert "una" not in str(adapter.texts)


async def test_an_export_that_the_platform_has_yet_to_take(database: Database) -> None:
    adapter = Governed()
    to_bot: dict[str, object] = {"direct": False, "audience": Audience.BOT}
    async with house(database, adapter=adapter) as running:
        await said(running, "my tuna", author=ADA, **to_bot)
        await said(running, "my bread", author=BEN, **to_bot)
        adapter.faults.append(Fault(error=DeliveryDelayed("away", retry_after=60.0)))
        before = len(adapter.delivered)
        await running.say(message("!export session", author=BEN, **to_bot))
        await adapter.until(lambda: len(adapter.delivered) > before)
        await running.until(lambda found: found[0].owner is None)
        assert "tuna" in await stored(database)
        await erased(running)

    assert "my bread" in await stored(database)


async def test_nobody_is_handed_what_is_hidden_by_then(database: Database) -> None:
    async with house(database) as running:
        await said(running, "my tuna", author=ADA)
        await said(running, "my bread", author=BEN)
        erasure = Erasure(workspace=1, scope=Scope.PERSON, subject=ADA.id)
        found = await database.read(places.find, HERE)
        assert found is not None
        await database.write(forgetting.hide, found[0], erasure, seconds=30.0)
        handed = await database.read(exporting.said, found[0], exporting.FIRST)

    assert [one.text for one in handed] == ["my bread", "You said: my bread"]


async def test_what_people_saw_of_an_answer_that_begins_again_is_not_remembered(database: Database) -> None:
    """It leaves the screen, and is not what is remembered where somebody ends the answer where it is."""
    adapter, never = TranscriptAdapter(), asyncio.Event()
    async with house(database, "Fine.", ["The tuna is ready. ", never], [never], adapter=adapter) as running:
        await said(running, "my tuna", author=ADA)
        await running.say(message("what of the fish?", author=BEN))
        await adapter.until(lambda: any("tuna" in text for text in adapter.texts))
        await erased(running)
        await running.model.until(lambda: len(running.model.prompts) > 2)
        await left_and_stopped(running)

    assert "tuna" not in str(running.model.prompts[-1])
    assert "tuna" not in str(await memory(database))
    assert "tuna" not in await stored(database)


async def test_what_was_on_its_way_to_the_screen_for_an_answer_that_begins_again_is_not_remembered(
    database: Database,
) -> None:
    """It leaves the screen as well, once it is there."""
    adapter, never = TranscriptAdapter(), asyncio.Event()
    async with house(database, "Fine.", ["The tuna is ready. ", never], [never], adapter=adapter) as running:
        await said(running, "my tuna", author=ADA)
        adapter.hold_preview = arriving = asyncio.Event()
        await running.say(message("what of the fish?", author=BEN))
        await adapter.until(lambda: any("tuna" in shown.text for _, shown in adapter.previews))
        await erased(running)
        adapter.hold_preview = None
        arriving.set()
        await running.model.until(lambda: len(running.model.prompts) > 2)
        assert "tuna" not in await stored(database)
        await left_and_stopped(running)

    assert "tuna" not in str(running.model.prompts[-1])
    assert "tuna" not in str(await memory(database))


async def test_an_answer_that_begins_again_is_whole_in_the_end(database: Database) -> None:
    adapter, never = TranscriptAdapter(), asyncio.Event()
    async with house(database, "Fine.", ["The tuna is ready. ", never], "Bread it is.", adapter=adapter) as running:
        await said(running, "my tuna", author=ADA)
        await running.say(message("what of the fish?", author=BEN))
        await adapter.until(lambda: any("tuna" in text for text in adapter.texts))
        await erased(running)
        await adapter.until(lambda: "Bread it is." in adapter.texts)
        await running.over()
        await running.unserved()

    assert "withdrawn" not in str(adapter.texts)
    assert await memory(database) == [("person", "what of the fish?"), ("assistant", "Bread it is.")]


@pytest.mark.parametrize("soon", [0.1, 1.0])
@pytest.mark.parametrize(("platform", "streams"), [("slack", True), ("slack", False), ("discord", False)])
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_was_growing_on_screen_leaves_it(url: str, platform: str, *, streams: bool, soon: float) -> None:
    """On the platforms themselves, however it is put there; the answer is there in the end, once, also where the model
    is quicker than what takes messages away.
    """

    def answer(request: Request) -> str:
        return "The tuna is ready. " + "And so on. " * 200 if "tuna" in str(request.texts[:-1]) else "Noted."

    async with STAGES[platform]() as stage, OpenAIServer(answer=answer, pause=0.05) as model:
        if isinstance(stage, SlackStage) and not streams:
            stage.server.workspace.streams_a_minute = 0
        async with Running(url, model, stage, timings=replace(BRISK, reconcile=soon)):
            await stage.say("my tuna", author="ada")
            await stage.until(lambda: stage.shown() and stage.shown()[-1].done)
            await stage.say("what of the fish?", author="ben")
            await stage.until(lambda: any("tuna is" in one.text for one in stage.shown()))
            growing = next(one.id for one in stage.shown() if "tuna is" in one.text)
            await stage.say("!forget me yes", author="ada")
            await stage.until(lambda: any("I have forgotten you" in one.text for one in stage.shown()), 60)
            await stage.until(lambda: growing not in [one.id for one in stage.shown()])
            await stage.until(lambda: [one.done for one in stage.shown() if one.text == "Noted."] == [True] * 2)
            await stage.until(lambda: "tuna" not in str([one.text for one in stage.shown()]))
