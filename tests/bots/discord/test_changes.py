"""What people do to what they have said reaches the core: edits, deletions, and the end of a place."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord import changes
from bots.discord.names import Names
from core.seam.messages import Audience, Closed, Deleted, Edited, Inbound, Rejected
from tests.bots.discord.conftest import Listener, listening, reply
from tests.wire.discord import DiscordStage


async def edited(ear: Listener, count: int) -> Edited:
    event = await ear.event(count)
    assert isinstance(event, Edited)
    return event


async def nothing_more(stage: DiscordStage, ear: Listener, count: int) -> None:
    """What is said now is the next thing heard in its channel, so nothing came before it."""
    await stage.say("nothing more")
    assert (await ear.number(count + 1)).text == "nothing more"


@pytest.mark.parametrize("place", ["main", "aside", "ada alone"])
async def test_an_edit_is_the_same_message_with_another_text(stage: DiscordStage, ear: Listener, place: str) -> None:
    await stage.thread("aside")
    await stage.direct("ada alone")
    number = await stage.say("hello", place=place)
    said = await ear.number(1)
    await stage.edit(number, f"<@{stage.world.bot['id']}> goodbye")
    change = await edited(ear, 2)
    assert change.message.text == "goodbye"
    assert (change.message.id, change.message.at, change.message.address) == (said.id, said.at, said.address)
    assert (change.message.author, change.message.audience) == (said.author, Audience.BOT)
    assert 0 <= change.at - said.at < 60


async def test_an_edit_says_whom_the_message_is_for_now(stage: DiscordStage, ear: Listener) -> None:
    number = await stage.say("hello")
    await stage.edit(number, "hello, all")
    change = await edited(ear, 2)
    assert (change.message.text, change.message.audience) == ("hello, all", Audience.ROOM)


async def test_an_edited_reply_to_us_is_still_for_us(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("hello")
    answer = await ear.adapter.deliver(reply(await ear.number(1)))
    number = await stage.answer("and more", answer, ping=False)
    await ear.number(2)
    await stage.edit(number, "and less")
    change = await edited(ear, 3)
    assert (change.message.text, change.message.audience) == ("and less", Audience.BOT)


async def test_previews_of_links_and_pins_are_no_edits(stage: DiscordStage, ear: Listener) -> None:
    number = await stage.say("see https://example.org")
    await stage.unfurl(number)
    await stage.pin(number)
    bare = {"id": number, "channel_id": await stage.place("main"), "guild_id": stage.world.guild, "embeds": []}
    await stage.gateway.send({"op": 0, "t": "MESSAGE_UPDATE", "s": 90, "d": bare})
    await nothing_more(stage, ear, 1)


async def test_a_preview_in_an_edited_message_is_the_same_edit(stage: DiscordStage, ear: Listener) -> None:
    number = await stage.say("hello")
    await stage.edit(number, "see https://example.org")
    await stage.unfurl(number)
    first, second = await edited(ear, 2), await edited(ear, 3)
    assert (first.at, first.message.text) == (second.at, second.message.text)


async def test_our_own_edits_are_nothing(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("hello")
    answer = reply(await ear.number(1), "one")
    await ear.adapter.preview(answer)
    await ear.adapter.deliver(reply(await ear.number(1), "two"))
    assert [shown.text for shown in stage.shown()] == ["two"]
    await nothing_more(stage, ear, 1)


async def test_what_other_programs_change_may_have_been_heard(stage: DiscordStage, ear: Listener) -> None:
    """D2. What they say is nothing to us, but may have been looked back at."""
    stage.world.person("crawler", bot=True)
    await stage.edit(await stage.say("build 12 is red", author="crawler"), "build 12 is green")
    change = await edited(ear, 1)
    assert (change.message.text, change.message.author.is_bot) == ("build 12 is green", True)


async def test_without_the_content_intent_an_edit_that_we_can_not_read_is_none(stage: DiscordStage) -> None:
    stage.world.flags = 0
    async with listening(stage) as ear:
        number = await stage.say("hello")
        await ear.number(1)
        await stage.edit(number, "without a mention")
        await stage.edit(number, f"<@{stage.world.bot['id']}> with one")
        assert (await edited(ear, 2)).message.text == "with one"


async def test_without_the_content_intent_an_edited_reply_to_us_does_not_lose_its_text(stage: DiscordStage) -> None:
    stage.world.flags = 0
    async with listening(stage) as ear:
        await stage.say("hello")
        answer = await ear.adapter.deliver(reply(await ear.number(1)))
        number = await stage.answer("and more", answer, ping=False)
        assert (await ear.number(2)).text == ""
        await stage.edit(number, "and less")
        await nothing_more(stage, ear, 2)


async def test_a_deletion_names_its_message(stage: DiscordStage, ear: Listener) -> None:
    await stage.direct("ada alone")
    await stage.thread("aside")
    for count, place in enumerate(["main", "aside", "ada alone"]):
        number = await stage.say("hello", place=place)
        said = await ear.number(2 * count + 1)
        await stage.delete(number)
        assert await ear.event(2 * count + 2) == Deleted(address=said.address, id=number)


async def test_each_of_many_deleted_messages_is_named(stage: DiscordStage, ear: Listener) -> None:
    numbers = [await stage.say(str(count)) for count in range(3)]
    said = await ear.number(3)
    await stage.delete(*numbers)
    await ear.event(6)
    assert ear.heard[3:] == [Deleted(address=said.address, id=number) for number in numbers]


async def test_a_deletion_in_a_thread_that_is_put_away_asks_for_its_channel(stage: DiscordStage, ear: Listener) -> None:
    thread = await stage.thread("aside", cached=False)
    stage.wait = False
    first, second = [stage.world.message(thread, stage.world.person("ada"), "hello")["id"] for _ in range(2)]
    await stage.delete(first)
    await stage.delete(second)
    await ear.event(2)
    assert [event.address.id for event in ear.heard if isinstance(event, Deleted)] == [stage.session("aside")] * 2
    assert len(stage.world.asked(f"GET /channels/{thread}$")) == 1


async def test_a_thread_that_was_seen_is_known_after_it_was_put_away(stage: DiscordStage, ear: Listener) -> None:
    thread = await stage.thread("aside")
    number = await stage.say("hello", place="aside")
    said = await ear.number(1)
    await stage.archive("aside")
    await stage.delete(number)
    assert await ear.event(2) == Deleted(address=said.address, id=number)
    assert not stage.world.asked(f"GET /channels/{thread}$")


async def test_a_deletion_in_a_place_that_nobody_knows_any_more_ends_nothing(
    stage: DiscordStage, ear: Listener
) -> None:
    gone = {"id": "5", "channel_id": "7", "guild_id": stage.world.guild}
    await stage.gateway.dispatch("MESSAGE_DELETE", gone)
    event = await ear.event(1)
    assert isinstance(event, Deleted)
    assert (event.id, event.address.id) == ("5", f"discord:{stage.world.guild}:7")
    await stage.gateway.dispatch("MESSAGE_DELETE", {"id": None, "channel_id": "7", "guild_id": stage.world.guild})
    await nothing_more(stage, ear, 1)


async def test_a_deleted_thread_is_closed_for_good(stage: DiscordStage, ear: Listener) -> None:
    await stage.thread("aside")
    await stage.say("hello", place="aside")
    said = await ear.number(1)
    await stage.remove("aside")
    assert await ear.event(2) == Closed(address=said.address, gone=True)


async def test_a_deleted_channel_is_closed_with_all_in_it(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("hello")
    said = await ear.number(1)
    await stage.remove("main")
    assert await ear.event(2) == Closed(address=said.address, gone=True)


async def test_a_thread_that_is_archived_or_locked_is_not_closed(stage: DiscordStage, ear: Listener) -> None:
    await stage.thread("aside")
    await stage.archive("aside", locked=True)
    category = {"id": "77", "guild_id": stage.world.guild, "type": 4, "name": "a heading"}
    await stage.gateway.dispatch("CHANNEL_DELETE", category)
    await nothing_more(stage, ear, 0)


async def test_an_edit_does_not_overtake_its_message(stage: DiscordStage, ear: Listener) -> None:
    """The message waits for the channel around its thread, and then for the database."""
    thread = await stage.thread("aside", cached=False)
    stage.world.fault(f"GET /channels/{thread}$", status=503, times=2)

    def fail() -> None:
        raise ConnectionError("no database")

    ear.script += [fail, fail]
    number = await stage.say("the old text", place="aside")
    await stage.edit(number, "the new text")
    await stage.delete(number)
    await ear.event(3)
    assert [type(event) for event in ear.heard] == [Inbound, Edited, Deleted]
    assert (await edited(ear, 2)).message.text == "the new text"


async def test_what_waits_in_one_channel_holds_up_no_other(stage: DiscordStage, ear: Listener) -> None:
    held = asyncio.Event()
    ear.script.append(held.wait)
    await stage.say("held up", place="here")
    await stage.say("behind it", place="here")
    await stage.say("elsewhere", place="there")
    assert (await ear.number(1)).text == "elsewhere"
    held.set()
    await ear.number(3)
    assert [event.text for event in ear.heard if isinstance(event, Inbound)] == ["elsewhere", "held up", "behind it"]


async def test_a_change_that_could_not_be_stored_is_offered_again(stage: DiscordStage, ear: Listener) -> None:
    def fail() -> None:
        raise ConnectionError("no database")

    number = await stage.say("hello")
    await ear.number(1)
    ear.script += [fail, fail]
    await stage.delete(number)
    assert isinstance(await ear.event(2), Deleted)
    assert ear.paused == [0.5, 1.0]


async def test_what_was_changed_while_the_line_was_down_is_told_when_it_is_resumed(
    stage: DiscordStage, ear: Listener
) -> None:
    number = await stage.say("hello")
    await ear.number(1)
    await stage.gateway.close(4000)
    await stage.edit(number, "goodbye")
    await stage.delete(number)
    await ear.event(3)
    assert [type(event) for event in ear.heard] == [Inbound, Edited, Deleted]


FIELDS = ["id", "ids", "type", "channel_id", "guild_id", "author", "content", "edited_timestamp", "parent_id"]
json_values = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4))
def test_no_update_raises(more: dict[str, Any]) -> None:
    payload = {
        "id": "1300000000000000000",
        "type": 0,
        "channel_id": "20",
        "guild_id": "10",
        "author": {"id": "1", "username": "ada"},
        "content": "hello",
        "edited_timestamp": "2026-11-22T17:00:00.000000+00:00",
    }
    assert isinstance(changes.edited(payload | more, None, Names(me="100")), Edited | Rejected | None)
