"""What reaches the core, and when: receive first, in our words, never ourselves."""

import asyncio

import pytest

from bots.discord.timings import Timings
from core.seam.messages import Audience, Inbound, Rejected
from tests.bots.discord.conftest import Listener, listening, reply
from tests.wire.discord import DiscordStage
from tests.wire.discord_world import CONTENT_FLAG


def texts(listener: Listener) -> list[str]:
    return [heard.text for heard in listener.heard if isinstance(heard, Inbound)]


async def test_a_mention_is_heard_in_its_channel(stage: DiscordStage, ear: Listener) -> None:
    number = await stage.say("hello", author="ada")
    heard = await ear.number(1)
    assert (heard.id, heard.reply_to, heard.text) == (number, number, "hello")
    assert (heard.address.id, heard.audience) == (stage.session("main"), Audience.BOT)
    assert heard.author.name == "ada"
    assert not heard.direct


async def test_our_managed_role_is_a_mention(stage: DiscordStage, ear: Listener) -> None:
    await stage.speak(f"<@&{stage.world.role}> hello")
    heard = await ear.number(1)
    assert (heard.text, heard.audience) == ("hello", Audience.BOT)


async def test_talk_is_heard_with_the_names_that_people_read(stage: DiscordStage, ear: Listener) -> None:
    general = await stage.place("general")
    await stage.speak(f"see <#{general}>, <@{stage.world.person('bob')['id']}>")
    heard = await ear.number(1)
    assert heard.text == f"see #general, @bob ({stage.world.person('bob')['id']})"
    assert heard.audience is Audience.ROOM


@pytest.mark.parametrize("ping", [True, False])
async def test_a_reply_to_the_bot_is_for_the_bot(stage: DiscordStage, ear: Listener, ping: bool) -> None:
    await stage.say("hello")
    number = await ear.adapter.deliver(reply(await ear.number(1)))
    await stage.answer("and more", number, ping=ping)
    heard = await ear.number(2)
    assert (heard.text, heard.audience) == ("and more", Audience.BOT)


async def test_a_reply_that_discord_did_not_resolve_is_looked_up(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("hello")
    number = await ear.adapter.deliver(reply(await ear.number(1)))
    payload = stage.kept(await stage.answer("not this one", number, ping=False)).payload
    await ear.number(2)
    del payload["referenced_message"]
    again = {**payload, "id": stage.world.snowflake(), "content": "unresolved", "guild_id": stage.world.guild}
    await stage.gateway.dispatch("MESSAGE_CREATE", again)
    heard = await ear.number(3)
    assert (heard.text, heard.audience) == ("unresolved", Audience.BOT)
    assert [(quote.kind, quote.text) for quote in heard.quotes] == [("replies to", "an answer")]


async def test_a_direct_message_needs_no_mention(stage: DiscordStage, ear: Listener) -> None:
    channel = await stage.direct("ada alone")
    await stage.say("hello", place="ada alone")
    heard = await ear.number(1)
    assert heard.direct
    assert heard.address.id == f"discord:@me:{channel}"


@pytest.mark.parametrize("cached", [True, False])
async def test_a_thread_has_its_channel_as_its_parent(stage: DiscordStage, ear: Listener, cached: bool) -> None:
    thread = await stage.thread("aside", cached=cached)
    await stage.say("hello", place="aside", to_bot=False)
    await stage.say("more", place="aside", to_bot=False)
    heard = await ear.number(2)
    assert heard.address.id == f"{stage.session('main')}:{thread}" == stage.session("aside")
    assert texts(ear) == ["hello", "more"]
    assert len(stage.world.asked(f"GET /channels/{thread}$")) == (0 if cached else 1)


async def test_a_forum_post_is_a_thread_of_its_forum(stage: DiscordStage, ear: Listener) -> None:
    await stage.thread("post", of="forum", post=True)
    await stage.say("hello", place="post")
    assert (await ear.number(1)).address.id == stage.session("post")


async def test_a_thread_that_we_may_not_see_is_rejected(stage: DiscordStage, ear: Listener) -> None:
    thread = await stage.thread("aside", cached=False)
    stage.world.fault(f"GET /channels/{thread}$", status=403, code=50001)
    await stage.say("hello", place="aside")
    await stage.until(lambda: ear.heard)
    assert isinstance(ear.heard[0], Rejected)


async def test_bots_webhooks_and_we_ourselves_are_not_heard(stage: DiscordStage, ear: Listener) -> None:
    stage.world.person("crawler", bot=True)
    await stage.say("from a bot", author="crawler")
    await stage.speak("from a webhook", webhook_id="77")
    await stage.speak("from us", author=stage.world.bot)
    await stage.speak("", type=7)
    await stage.say("from a person")
    assert (await ear.number(1)).text == "from a person"


async def test_our_own_answer_is_not_heard(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("one")
    await ear.adapter.deliver(reply(await ear.number(1)))
    await stage.say("two")
    assert (await ear.number(2)).text == "two"


async def test_a_malformed_message_is_kept_as_rejected_and_ends_nothing(stage: DiscordStage, ear: Listener) -> None:
    await stage.gateway.send({"op": 0, "t": "MESSAGE_CREATE", "s": 90, "d": {"id": "5", "channel_id": "7"}})
    await stage.gateway.send({"op": 0, "t": "CHANNEL_CREATE", "s": 91, "d": {}})
    await stage.until(lambda: ear.heard)
    assert isinstance(ear.heard[0], Rejected)
    assert ear.heard[0].id == "5"
    await stage.say("still here")
    assert (await ear.number(2)).text == "still here"
    assert len(stage.gateway.identified) == 1


async def test_what_could_not_be_stored_is_offered_again(stage: DiscordStage, ear: Listener) -> None:
    def fail() -> None:
        raise ConnectionError("no database")

    ear.script += [fail, fail]
    number = await stage.say("hello")
    assert (await ear.number(1)).id == number
    assert ear.paused == [0.5, 1.0]


async def test_what_is_being_stored_when_we_stop_is_stored(stage: DiscordStage) -> None:
    begun, storing = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await storing.wait()

    async with listening(stage) as ear:
        ear.script.append(slow)
        await stage.say("hello")
        await begun.wait()
        assert ear.task is not None
        ear.task.cancel()
        await stage.until(lambda: not stage.gateway.connected)
        storing.set()
        assert (await ear.number(1)).text == "hello"


async def test_the_same_message_twice_has_the_same_id(stage: DiscordStage, ear: Listener) -> None:
    number = await stage.say("hello")
    await stage.again(number)
    assert (await ear.number(1)).id == (await ear.number(2)).id == number


async def test_messages_are_handed_over_in_order(stage: DiscordStage, ear: Listener) -> None:
    for count in range(20):
        await stage.say(str(count))
    await ear.number(20)
    assert texts(ear) == [str(count) for count in range(20)]


async def test_without_the_content_intent_mentions_and_direct_messages_are_heard(stage: DiscordStage) -> None:
    stage.world.flags = 0
    async with listening(stage) as ear:
        await stage.direct("ada alone")
        await stage.say("unheard", to_bot=False)
        await stage.say("mentioned")
        await stage.say("alone", place="ada alone")
        await ear.number(2)
        assert sorted(texts(ear)) == ["alone", "mentioned"]
        assert stage.gateway.identified[0]["intents"] & (1 << 15) == 0


async def test_with_the_content_intent_everything_is_heard(stage: DiscordStage, ear: Listener) -> None:
    assert stage.world.flags & CONTENT_FLAG
    await stage.say("aside", to_bot=False)
    assert (await ear.number(1)).text == "aside"
    assert stage.gateway.identified[0]["intents"] == (1 << 0) | (1 << 9) | (1 << 12) | (1 << 15)


async def test_a_resumed_session_replays_what_was_missed(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("before")
    await ear.number(1)
    await stage.gateway.close(4000)
    stage.wait = False
    missed = await stage.say("missed")
    assert (await ear.number(2)).id == missed
    assert (stage.gateway.resumed, len(stage.gateway.identified)) == (1, 1)


async def test_a_reconnect_is_resumed_and_an_invalid_session_begun_anew(stage: DiscordStage, ear: Listener) -> None:
    await stage.gateway.send({"op": 7, "d": None})
    await stage.until(lambda: stage.gateway.resumed == 1)
    await stage.gateway.invalidate()
    await stage.until(lambda: len(stage.gateway.identified) == 2)
    await stage.say("hello")
    assert (await ear.number(1)).text == "hello"
    assert ear.paused == [5.0]


async def test_what_can_not_be_stored_does_not_keep_us_from_stopping(stage: DiscordStage) -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with listening(stage, timings=Timings(settle=0.1)) as ear:
        ear.script.append(forever)
        await stage.say("hello")
        await begun.wait()
        await asyncio.wait_for(ear.stop(), 5)
        assert not ear.heard


async def test_a_thread_that_discord_does_not_name_at_once_is_asked_for_again(
    stage: DiscordStage, ear: Listener
) -> None:
    thread = await stage.thread("aside", cached=False)
    stage.world.fault(f"GET /channels/{thread}$", status=503, times=2)
    await stage.say("hello", place="aside")
    assert (await ear.number(1)).address.id == stage.session("aside")
    assert ear.paused == [0.5, 1.0]


async def test_a_reply_whose_question_can_not_be_looked_up_is_for_the_room(stage: DiscordStage, ear: Listener) -> None:
    reference = {"type": 0, "message_id": "1", "channel_id": await stage.place("main")}
    number = await stage.speak("hello")
    await ear.number(1)
    payload = {**stage.kept(number).payload, "type": 19, "message_reference": reference, "guild_id": stage.world.guild}
    await stage.gateway.dispatch("MESSAGE_CREATE", payload)
    heard = await ear.number(2)
    assert (heard.text, heard.audience) == ("hello", Audience.ROOM)
    assert stage.world.asked("GET /channels/.*/messages/1$")
