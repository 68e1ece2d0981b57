"""Slack: what is said in one conversation is taken in as it came."""

from asyncio import Event, create_task, gather, sleep

from bots.slack import SlackAdapter
from core.seam.ordering import Order
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


async def test_who_fails_holds_up_nobody_and_who_hangs_only_for_a_while() -> None:
    order, went, never = Order(seconds=0.05), list[str](), Event()

    async def go(name: str, wait: Event | None = None) -> None:
        async with order.line("here") as turn:
            await turn()
            went.append(name)
            if wait is not None:
                await wait.wait()
            if name == "fails":
                raise OSError

    hanging = create_task(go("hangs", never))
    await sleep(0)
    failed = await gather(go("fails"), go("last"), return_exceptions=True)
    never.set()
    await hanging
    assert [type(one) for one in failed] == [OSError, type(None)]
    assert went == ["hangs", "fails", "last"]
    assert len(order) == 0
