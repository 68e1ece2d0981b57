"""What was missed can be asked for: whether we hear, where people spoke, and what they said."""

import asyncio

import pytest

from bots.discord import DiscordAdapter
from bots.discord.places import MOST
from core.errors import DeliveryDelayed, PlaceGone
from core.seam.address import Address
from core.seam.messages import Audience, Inbound
from tests.bots.discord.conftest import Listener, asked, listening, reply
from tests.wire.discord import DiscordStage
from tests.wire.discord_world import FORUM

HISTORY = "GET /channels/.*/messages$"


def here(stage: DiscordStage, place: str = "main") -> Address:
    return Address.parse(stage.session(place))


async def settled(stage: DiscordStage, ear: Listener) -> None:
    """The session is open: something was heard, in a place that is told to nobody."""
    await stage.connected()
    await stage.direct("ada alone")
    await stage.say("are you there?", place="ada alone")
    await ear.number(1)


async def test_we_hear_while_a_session_is_open(stage: DiscordStage) -> None:
    async with listening(stage) as ear:
        assert not ear.adapter.hears()
        await stage.say("hello")
        await ear.number(1)
        assert ear.adapter.hears()
    assert not ear.adapter.hears()


async def test_a_session_that_is_lost_is_not_heard_and_what_was_said_then_never_comes(stage: DiscordStage) -> None:
    reconnecting, go_on = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        reconnecting.set()
        await go_on.wait()

    async with listening(stage, pause=pause) as ear:
        await stage.say("before")
        said = await ear.number(1)
        await stage.gateway.drop(stage.gateway.connected[0])
        await asyncio.wait_for(reconnecting.wait(), 10)
        assert not ear.adapter.hears()
        with pytest.raises(DeliveryDelayed):
            await ear.adapter.places(said.at)
        stage.wait = False
        missed = await stage.say("missed")
        await stage.say("missed by the way", place="elsewhere", to_bot=False)
        go_on.set()
        await stage.connected()
        await stage.say("after")
        assert (await ear.number(2)).text == "after"
        assert ear.adapter.hears()
        assert {place.id for place in await ear.adapter.places(said.at)} == {
            stage.session("main"),
            stage.session("elsewhere"),
        }
        found = await ear.adapter.since(said.address, said.at)
        assert [one.text for one in found if one.id != said.id] == ["missed", "after"]
        assert missed in {one.id for one in found}


async def test_places_are_those_where_somebody_spoke_the_newest_first(stage: DiscordStage) -> None:
    stage.wait = False
    await stage.say("long ago", place="old")
    long_ago = stage.world.now()
    stage.world.now = lambda: long_ago + 3600
    await stage.thread("aside", of="old")
    await stage.place("silent")
    for place in ("first", "aside", "last"):
        await stage.say("hello", place=place, to_bot=False)
    await stage.thread("post", of="forum", post=True)
    await stage.say("hello", place="post")
    assert stage.world.channels[await stage.place("forum")]["type"] == FORUM
    async with listening(stage) as ear:
        await settled(stage, ear)
        found = [place.id for place in await ear.adapter.places(long_ago + 1800)]
        assert found == [stage.session(place) for place in ("post", "last", "aside", "first")]
        await stage.say("again", place="old")
        await ear.number(2)
        newest, *_ = await ear.adapter.places(long_ago + 1800)
        assert newest.id == stage.session("old")
        assert await ear.adapter.places(long_ago + 7200) == []


async def test_so_many_places_are_enough(stage: DiscordStage) -> None:
    stage.wait = False
    for count in range(MOST + 5):
        await stage.say("hello", place=str(count))
    async with listening(stage) as ear:
        await settled(stage, ear)
        found = await ear.adapter.places(0)
    assert len(found) == MOST
    assert found[0].id == stage.session(str(MOST + 4))


async def test_places_are_unknown_before_the_gateway_has_told_of_them(mouth: DiscordAdapter) -> None:
    with pytest.raises(DeliveryDelayed):
        await mouth.places(0)


async def test_what_was_missed_is_what_would_have_been_heard(stage: DiscordStage, ear: Listener) -> None:
    stage.world.person("crawler", bot=True)
    await stage.say("hello")
    answer = await ear.adapter.deliver(reply(await ear.number(1)))
    await stage.answer("a reply to us", answer, ping=False)
    await stage.speak(f"<@&{stage.world.role}> to our role")
    await stage.say("to nobody", to_bot=False)
    await stage.say("from a bot", author="crawler")
    await stage.speak("", type=7)
    await ear.number(4)
    found = await ear.adapter.since(here(stage), ear.heard[0].at - 1)  # type: ignore[union-attr]
    assert list(found) == ear.heard
    assert [one.audience for one in found] == [Audience.BOT] * 3 + [Audience.ROOM]


async def test_what_was_missed_in_a_thread_or_a_direct_channel_has_its_address(
    stage: DiscordStage, ear: Listener
) -> None:
    await stage.thread("aside")
    await stage.direct("ada alone")
    for place in ("aside", "ada alone"):
        await stage.say("hello", place=place)
        said = await ear.number(len(ear.heard) + 1)
        assert await ear.adapter.since(here(stage, place), said.at - 1) == [said]


async def test_only_what_was_said_after_the_instant_was_missed(stage: DiscordStage, ear: Listener) -> None:
    began = stage.world.now()
    for count in range(3):
        stage.world.now = lambda count=count: began + 60 * count  # type: ignore[misc]
        await stage.say(str(count))
    await ear.number(3)
    assert [one.text for one in await ear.adapter.since(here(stage), began + 30)] == ["1", "2"]
    assert await ear.adapter.since(here(stage), began + 180) == []


async def test_a_long_gap_is_read_page_by_page(stage: DiscordStage, ear: Listener) -> None:
    channel, ada = await stage.place("main"), stage.world.person("ada")
    for count in range(230):
        stage.world.message(channel, ada, str(count))
    found = await ear.adapter.since(here(stage), 0)
    assert [one.text for one in found] == [str(count) for count in range(230)]
    assert len(stage.world.asked(HISTORY)) == 3


async def test_a_gap_without_end_is_not_read_to_the_end(stage: DiscordStage, ear: Listener) -> None:
    channel, ada = await stage.place("main"), stage.world.person("ada")
    for count in range(2_030):
        stage.world.message(channel, ada, str(count))
    assert [one.text for one in await ear.adapter.since(here(stage), 0)][-1] == "1999"


async def test_a_place_that_is_gone_is_told_apart_from_one_that_is_quiet(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("hello")
    await ear.number(1)
    stage.world.fault(HISTORY, status=404, code=10003)
    with pytest.raises(PlaceGone):
        await ear.adapter.since(here(stage), 0)


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (403, 50013)])
async def test_a_history_that_we_may_not_read_is_empty(
    stage: DiscordStage, ear: Listener, status: int, code: int
) -> None:
    await stage.say("hello")
    await ear.number(1)
    stage.world.fault(HISTORY, status=status, code=code)
    assert await ear.adapter.since(here(stage), 0) == []
    stage.world.unreadable.add(await stage.place("main"))
    assert await ear.adapter.since(here(stage), 0) == []


async def test_a_history_that_can_not_be_had_now_is_asked_for_later(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("hello")
    await ear.number(1)
    stage.world.fault(HISTORY, status=503)
    with pytest.raises(DeliveryDelayed):
        await ear.adapter.since(here(stage), 0)
    stage.world.fault(HISTORY, status=429, headers={"Retry-After": "600"})
    with pytest.raises(DeliveryDelayed) as raised:
        await ear.adapter.since(here(stage), 0)
    assert raised.value.retry_after == 600


async def test_a_servers_history_needs_its_gateway_and_a_direct_one_does_not(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    question = await asked(stage)
    with pytest.raises(DeliveryDelayed):
        await mouth.since(question.address, 0)
    await stage.direct("ada alone")
    alone = await asked(stage, place="ada alone")
    assert [one.id for one in await mouth.since(alone.address, 0)] == [alone.id]


async def test_without_the_content_intent_what_is_not_for_us_is_not_there(stage: DiscordStage) -> None:
    stage.world.flags = 0
    async with listening(stage) as ear:
        await stage.say("to nobody", to_bot=False)
        await stage.say("to us")
        await ear.number(1)
        found = await ear.adapter.since(here(stage), 0)
        assert list(found) == ear.heard
        assert all(isinstance(one, Inbound) for one in found)


async def test_where_nobody_has_spoken_since_no_history_is_read(stage: DiscordStage) -> None:
    """After a restart there may be hundreds of conversations, most of them asleep."""
    await stage.place("asleep")
    async with listening(stage) as ear:
        await settled(stage, ear)
        await stage.say("good night", place="asleep")
        said = await ear.number(2)
        before = len(stage.world.requests)
        assert await ear.adapter.since(here(stage, "asleep"), said.at + 60) == []
        assert len(stage.world.requests) == before
        assert [one.text for one in await ear.adapter.since(here(stage, "asleep"), said.at - 60)] == ["good night"]
