"""Slack: what was said while nobody heard is found again, and we know whether we hear."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bots.slack import SlackAdapter
from core.errors import DeliveryDelayed, DeliveryUnknown, PlaceGone
from core.seam.address import Address
from core.seam.messages import Inbound
from tests.bots.slack.ear import Clock, Ear, asked
from tests.wire.slack import SlackStage
from tests.wire.slack.server import APP_TOKEN, BOT_TOKEN
from tests.wire.slack.workspace import CHANNEL, DM, TEAM


def _texts(said: Sequence[Inbound]) -> list[str]:
    return [one.text for one in said]


def _rested(stage: SlackStage, clock: Clock) -> None:
    stage.server.workspace._read_at.clear()
    clock.ahead += 61


async def test_what_was_missed_is_as_it_would_have_been_heard(stage: SlackStage, adapter: SlackAdapter) -> None:
    root = await stage.say("before")
    await stage.say("to **you**", author="bob")
    await stage.say("to all", to_bot=False)
    address = Address.parse(stage.session("main"))
    missed = await adapter.since(address, float(root))
    async with Ear(stage, adapter) as ear:
        await stage.until(lambda: {one.id for one in missed} <= {one.id for one in ear.heard})
    assert _texts(missed) == ["to **you**", "to all"]
    for one in missed:
        assert one in ear.heard


async def test_bots_and_we_ourselves_are_not_among_what_was_missed(stage: SlackStage, adapter: SlackAdapter) -> None:
    root = await stage.say("root")
    stage.server.workspace.add(CHANNEL, "U0OTHER", "beep", bot="B0OTHER", thread_ts=root)
    await adapter.deliver(await asked(stage, "mine"))
    address = Address.parse(stage.session("main"))
    assert _texts(await adapter.since(address, 0)) == ["root", "hi"]
    await stage.delete(root)
    assert _texts(await adapter.since(address, 0)) == ["hi"]


async def test_a_channel_means_its_top_level(stage: SlackStage, adapter: SlackAdapter) -> None:
    first = await stage.say("one", place="one", to_bot=False)
    await stage.say("aside", place="one", to_bot=False)
    stage.server.workspace.add(CHANNEL, "U0ADA", "to both", thread_ts=first, subtype="thread_broadcast")
    await stage.say("two", place="two")
    channel = Address.parse(stage.session("one")).channel_address
    missed = await adapter.since(channel, 0)
    assert [(one.text, one.address.id) for one in missed] == [
        ("one", stage.session("one")),
        ("two", stage.session("two")),
    ]
    assert _texts(await adapter.since(channel, float(first))) == ["two"]


@pytest.mark.parametrize("agent_view", [True, False])
async def test_a_direct_message_is_found_where_it_belongs(stage: SlackStage, *, agent_view: bool) -> None:
    adapter = SlackAdapter(
        bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=f"{stage.server.url}/api/", agent_view=agent_view
    )
    ts = stage.server.workspace.add(DM, stage.user("ada"), "hi").ts
    (missed,) = await adapter.since(Address(platform="slack", workspace=TEAM, channel=DM), 0)
    await adapter.close()
    assert (missed.address.thread, missed.direct, missed.author.name) == (ts if agent_view else None, True, "ada")


@pytest.mark.parametrize("place", ["thread", "channel"])
async def test_with_a_ration_a_repeated_call_goes_on_until_all_is_there(
    stage: SlackStage, adapter: SlackAdapter, clock: Clock, place: str
) -> None:
    stage.server.workspace.rationed = True
    root = await stage.say("0", to_bot=False)
    for number in range(1, 40):
        await stage.say(str(number), place="main" if place == "thread" else str(number), to_bot=False)
    thread = Address.parse(stage.session("main"))
    address = thread if place == "thread" else thread.channel_address
    for calls in (1, 2):
        with pytest.raises(DeliveryDelayed) as wait:
            await adapter.since(address, float(root))
        assert 0 < wait.value.retry_after <= 61
        _rested(stage, clock)
        assert stage.server.number_of("users.info") == 0
        assert calls <= 2
    assert _texts(await adapter.since(address, float(root))) == [str(number) for number in range(1, 40)]
    read = ("conversations.replies", "conversations.history")
    pages = [given for method, given, _ in stage.server.calls if method in read]
    assert [given.get("cursor") for given in pages] == [None, "15", "15", "30", "30"], "the second of each was too much"


async def test_a_place_that_may_not_be_read_has_nothing_to_catch_up_with(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    await stage.say("hi")
    address = Address.parse(stage.session("main"))
    for code in ("missing_scope", "not_in_channel", "channel_not_found"):
        stage.server.fail("conversations.replies", code)
        assert await adapter.since(address, 0) == ()
    stage.server.fail("conversations.replies", 500)
    with pytest.raises(DeliveryUnknown):
        await adapter.since(address, 0)
    with pytest.raises(PlaceGone):
        await adapter.since(replace(address, thread="1.000001"), 0)


async def test_we_know_whether_we_hear(stage: SlackStage, adapter: SlackAdapter) -> None:
    assert not adapter.hears()
    async with Ear(stage, adapter):
        await stage.until(lambda: len(stage.server.sockets) == 2)
        await stage.server.disconnect(which=0)
        await stage.until(lambda: stage.server.opened == 3)
        ts = await stage.say("hi", to_bot=False)
        await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
        assert ts
        assert adapter.hears()
    assert not adapter.hears()


async def test_what_is_said_while_no_socket_is_open_may_be_lost_and_is_found(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    stage.server.keeps = False
    ts = await stage.say("hi")
    async with Ear(stage, adapter) as ear:
        await stage.until(lambda: len(stage.server.sockets) == 2)
        await stage.say("there?", place="other")
        await ear.until(2)
        assert {one.text for one in ear.heard} == {"there?"}
        channel = Address.parse(stage.session("main")).channel_address
        missed = await adapter.since(channel, float(ts) - 1)
        assert [one.text for one in missed] == ["hi", "there?"]


def test_the_platform_closes_no_longer_gap_than_it_says() -> None:
    assert SlackAdapter.bridges == 60.0
