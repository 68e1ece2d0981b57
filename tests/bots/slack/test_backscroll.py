"""Slack: what was said before, in one call, as seldom as Slack wants."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bots.slack import SlackAdapter
from core.errors import DeliveryDelayed, DeliveryUnknown
from core.seam.messages import Inbound
from tests.bots.slack.ear import Ear, asked
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL


def _texts(said: Sequence[Inbound]) -> list[str]:
    return [one.text for one in said]


async def test_a_thread_is_told_oldest_first_and_ends_before_the_message(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    await stage.say("**root**", to_bot=False)
    await stage.say("reply", to_bot=False, author="bob")
    stage.server.workspace.add(CHANNEL, "U0OTHER", "beep", bot="B0OTHER", thread_ts=stage._roots["main"])
    await adapter.deliver(await asked(stage, "**mine**"))
    ts = await stage.say("now", author="cat")
    await stage.say("later")
    await stage.until(lambda: any(one.id == ts for one in ear.heard))
    message = next(one for one in ear.heard if one.id == ts)
    said = await adapter.backscroll(message, 10)
    assert _texts(said) == ["**root**", "reply", "beep", "hi", "**mine**"]
    assert [one.author.name for one in said] == ["ada", "bob", "backscroll", "ada", "backscroll"]
    assert [one.author.is_bot for one in said] == [False, False, True, False, True]
    assert [one.author.is_self for one in said] == [False, False, False, False, True]
    assert {one.address for one in said} == {message.address}
    assert _texts(await adapter.backscroll(message, 2)) == ["hi", "**mine**"]


async def test_a_channel_is_told_without_its_threads(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    for place in ("one", "two", "three"):
        await stage.say(place, place=place, to_bot=False)
    await stage.say("aside", place="one", to_bot=False)
    ts = await stage.say("now", place="four")
    await stage.say("later", place="five", to_bot=False)
    await stage.until(lambda: any(one.id == ts for one in ear.heard))
    message = next(one for one in ear.heard if one.id == ts)
    assert _texts(await adapter.backscroll(message, 2)) == ["two", "three"]
    assert await adapter.backscroll(message, 0) == ()
    command = replace(message, id="trigger-1.2", verb="summarize", address=message.address.channel_address)
    assert _texts(await adapter.backscroll(command, 2)) == ["two", "three"]


async def test_what_a_thread_has_sent_to_its_channel_is_told_with_its_thread(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    first = await stage.say("one", place="one", to_bot=False)
    stage.server.workspace.add(CHANNEL, "U0ADA", "to both", thread_ts=first, subtype="thread_broadcast")
    ts = await stage.say("now", place="two")
    await stage.until(lambda: any(one.id == ts for one in ear.heard))
    message = next(one for one in ear.heard if one.id == ts)
    said = {one.text: one.address for one in await adapter.backscroll(message, 2)}
    assert said == {"one": message.address, "to both": replace(message.address, thread=first)}


async def test_the_newest_of_a_long_thread_are_told(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    for number in range(40):
        await stage.say(str(number), to_bot=False)
    (*_, message) = sorted(await ear.until(40), key=lambda one: one.at)
    assert _texts(await adapter.backscroll(message, 3)) == ["36", "37", "38"]


async def test_a_ration_of_one_call_a_minute_is_kept(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    stage.server.workspace.rationed = True
    for number in range(20):
        await stage.say(str(number), place=str(number), to_bot=False)
    (*_, message) = sorted(await ear.until(20), key=lambda one: one.at)
    assert len(await adapter.backscroll(message, 50)) == 15
    for _ in range(2):
        with pytest.raises(DeliveryDelayed) as wait:
            await adapter.backscroll(message, 50)
        assert 0 < wait.value.retry_after <= 61
    assert stage.server.number_of("conversations.history") == 2


async def test_a_place_whose_history_we_may_not_read_has_none(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    await stage.say("hi", to_bot=False)
    (message,) = await ear.until(1)
    stage.server.fail("conversations.history", "missing_scope")
    assert await adapter.backscroll(message, 5) == ()
    stage.server.fail("conversations.history", 500)
    with pytest.raises(DeliveryUnknown):
        await adapter.backscroll(message, 5)


async def test_a_message_that_cannot_be_read_hides_no_other(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    await stage.say("one", to_bot=False)
    odd = stage.server.workspace.add(CHANNEL, "U0ADA", "", thread_ts=stage._roots["main"])
    odd.text = {"odd": 1}  # type: ignore[assignment]  # that is what is odd about it
    ts = await stage.say("now", to_bot=False)
    await stage.until(lambda: any(one.id == ts for one in ear.heard))
    message = next(one for one in ear.heard if one.id == ts)
    assert _texts(await adapter.backscroll(message, 10)) == ["one"]
