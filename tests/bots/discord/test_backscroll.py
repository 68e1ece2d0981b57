"""What was said before the question."""

import pytest

from bots.discord import DiscordAdapter
from bots.discord.timings import Timings
from core.errors import DeliveryDelayed, DeliveryRefused
from core.seam.messages import Inbound
from tests.bots.discord.conftest import asked, reply
from tests.wire.discord import DiscordStage


async def test_backscroll_is_the_talk_since_our_last_answer(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    await mouth.deliver(reply(await asked(stage, "long ago")))
    stage.world.person("crawler", bot=True)
    await stage.say("first", to_bot=False)
    await stage.say("second", author="crawler", to_bot=False)
    await stage.speak("", type=7)
    await stage.speak("")
    question = await asked(stage, "and now?")
    await stage.say("later", to_bot=False)
    heard = await mouth.backscroll(question, 50)
    assert [(one.text, one.author.name, one.author.is_bot) for one in heard] == [
        ("first", "ada", False),
        ("second", "crawler", True),
    ]
    assert all(isinstance(one, Inbound) and one.address == question.address for one in heard)
    assert len(stage.world.asked("GET /channels/.*/messages$")) == 1


async def test_backscroll_is_bounded_and_knows_how_a_thread_began(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    starter = stage.kept(await asked_id(stage, "the beginning")).payload
    await stage.thread("aside")
    await stage.speak("", place="aside", type=21, referenced_message=starter)
    for count in range(5):
        await stage.say(str(count), place="aside", to_bot=False)
    question = await asked(stage, place="aside")
    assert [one.text for one in await mouth.backscroll(question, 3)] == ["2", "3", "4"]
    assert (await mouth.backscroll(question, 50))[0].text == "the beginning"


async def asked_id(stage: DiscordStage, text: str) -> str:
    stage.wait = False
    return await stage.say(text, to_bot=False)


async def test_backscroll_that_is_forbidden_is_refused_and_that_fails_is_delayed(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    question = await asked(stage)
    stage.world.fault("GET /channels/.*/messages$", status=403, code=50001)
    with pytest.raises(DeliveryRefused):
        await mouth.backscroll(question, 10)
    stage.world.fault("GET /channels/.*/messages$", status=503)
    with pytest.raises(DeliveryDelayed):
        await mouth.backscroll(question, 10)
    assert await mouth.backscroll(question, 10) == []


async def test_a_long_thread_whose_opening_is_gone_is_heard_all_the_same(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    stage.wait = False
    await stage.thread("aside")
    for number in range(25):
        await stage.say(str(number), place="aside", to_bot=False)
    question = await asked(stage, "and now?", place="aside")
    heard = await mouth.backscroll(question, 20)
    assert [one.text for one in heard] == [str(number) for number in range(5, 25)]


async def test_an_opening_that_does_not_come_costs_nothing_but_itself(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    """C6"""
    stage.wait = False
    opening = await stage.say("let us talk", to_bot=False)
    await stage.thread("aside", on=opening)
    for number in range(25):
        await stage.say(str(number), place="aside", to_bot=False)
    question = await asked(stage, "and now?", place="aside")
    assert [one.text for one in await mouth.backscroll(question, 20)][:2] == ["let us talk", "6"]
    hasty = stage.adapter(timings=Timings(opening=0.1))
    stage.world.fault(f"GET /channels/.*/messages/{opening}$", hang=True, times=2)
    assert [one.text for one in await hasty.backscroll(question, 20)][:2] == ["5", "6"]
    await hasty.close()
