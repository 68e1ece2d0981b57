"""Slack: what is said in one conversation is taken in as it came."""

from bots.slack import SlackAdapter
from tests.bots.slack.ear import Ear
from tests.wire.slack import SlackStage


async def _asked_for_names(stage: SlackStage, number: int) -> None:
    await stage.until(lambda: stage.server.number_of("users.info") == number)


async def test_a_speaker_whose_name_is_looked_up_is_not_overtaken(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    await stage.say("zero", author="bob", to_bot=False)
    await ear.until(1)
    stage.server.fail("users.info", "hang")
    await stage.say("one", author="ada", to_bot=False)
    await _asked_for_names(stage, 2)
    await stage.say("two", author="bob", to_bot=False)
    assert [one.text for one in await ear.until(3)] == ["zero", "one", "two"]
    assert [one.author.name for one in ear.heard] == ["bob", "U0ADA", "bob"]
    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    assert len(adapter._order) == 0


async def test_another_conversation_does_not_wait(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    await stage.say("zero", author="bob", to_bot=False)
    await ear.until(1)
    stage.server.fail("users.info", "hang")
    await stage.say("one", place="one", author="ada", to_bot=False)
    await _asked_for_names(stage, 2)
    await stage.say("two", place="two", author="bob", to_bot=False)
    assert [one.text for one in await ear.until(2)] == ["zero", "two"]


async def test_names_are_waited_for_once_however_many_stand_in_line(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    stage.server.fail("users.info", "hang", times=9)
    for number in range(9):
        await stage.say(str(number), author=f"u{number}", to_bot=False)
        await _asked_for_names(stage, number + 1)
    assert [one.text for one in await ear.until(9)] == [str(number) for number in range(9)]
    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    assert len(stage.server.envelopes) == 9, "each was acknowledged in time"
