"""What is set for `answers`, from end to end: what is said, stored and remembered of a message that is none of ours."""

from dataclasses import replace

import pytest

from core.policy import Answers
from core.schema import sessions, turns
from core.seam.messages import Audience, Edited, Inbound
from core.session import Kind, Progress
from core.store import Database, policies
from core.store.bodies import Mine
from tests.core.commands.test_settings import Governed, said
from tests.script import House, house, memory, rows
from tests.values import ADA, BEN, HERE, message

THREAD = replace(HERE, thread="side")


def set_here(running: House, answers: Answers) -> None:
    """As the operator has it."""
    running.mind.policy = replace(running.mind.policy, answers=answers)


def talk(text: str, **facts: object) -> Inbound:
    return message(text, **({"direct": False} | facts))


def mention(text: str, **facts: object) -> Inbound:
    return talk(text, audience=Audience.BOT, **facts)


async def test_all_that_people_say_in_a_channel_is_answered_without_a_mention(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set answers all")
        await running.say(talk("good morning", author=BEN), talk("@Ben, lunch?", audience=Audience.OTHERS))
        await running.say(talk("in a thread", address=THREAD))
        await running.adapter.until(lambda: len(running.adapter.texts) == 4)
        await running.say(talk("a program's", author=replace(BEN, is_bot=True)))
        assert "4,000 (built in)" in await said(running, "!settings", direct=False)

    assert {text for text in running.adapter.texts if "You said" in text} == {
        "You said: good morning",
        "You said: @Ben, lunch?",
        "You said: in a thread",
    }


async def test_who_only_listens_remembers_what_was_said_and_says_nothing(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set answers observe")
        await running.say(talk("we ship on Friday"), mention("do you hear?"), message("in private"))
        await running.say(mention("do you hear?", id="twice"), mention("do you hear?", id="twice"))
        assert "observe (set for this channel)" in await said(running, "!settings")
        assert len(running.adapter.texts) == 3, "commands are answered, the settings in two messages, and nothing else"
        assert [row.progress for row in await rows(database, turns) if row.kind == Kind.OVERHEARD] == 4 * [
            Progress.DONE
        ]
        await said(running, "!set answers follow")
        await said(running, "when do we ship?")

    assert running.model.asked() == [
        *("we ship on Friday", "do you hear?", "in private", "do you hear?", "when do we ship?")
    ]


async def test_what_was_overheard_is_not_read_once_more_when_a_session_is_born(database: Database) -> None:
    adapter, heard = Governed(), talk("we ship on Friday", id="m1", author=BEN)
    async with house(database, adapter=adapter) as running:
        set_here(running, "observe")
        await running.say(heard)
        set_here(running, "follow")
        adapter.past = [talk("before all that", id="m0", author=BEN, at=1_600_000_000.0), heard]
        await said(running, "when?", audience=Audience.BOT, direct=False)

    assert running.model.asked() == ["before all that", "we ship on Friday", "when?"]


async def test_switched_off_it_says_nothing_but_to_commands_of_who_may_set(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "hello")
        await said(running, "!set answers off")
        before, known = list(running.adapter.texts), await memory(database)
        await running.say(message("anybody there?"), mention("hello?"), talk("among us"))
        for text in ("!status", "!settings", "!help", "!reset", "!summarize", "!nonsense", "!set answers follow"):
            await running.say(mention(text, author=BEN))
        await running.over()
        await running.unserved()
        assert running.adapter.texts == before
        assert await memory(database) == known, "what was said meanwhile is not remembered"
        assert "I remember 2 turns" in await said(running, "!status", author=ADA)
        assert "`answers` is follow" in await said(running, "!set answers follow", author=ADA)
        assert await said(running, "and now?", author=BEN) == "You said: and now?"

    assert all(row.waiting == 0 for row in await rows(database, sessions))


async def test_what_waits_when_it_is_switched_off_is_not_answered_any_more(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await running.stop()
        await running.say(message("hello"))
        await database.write(policies.keep, Mine(1), HERE.id, '{"answers": "off"}')
    async with house(database, owner="host:boot:2:b") as running:
        await running.over()

        assert running.adapter.texts == []


@pytest.mark.parametrize("answers", ["observe", "off"])
async def test_what_was_missed_there_is_no_reason_to_say_anything(database: Database, answers: Answers) -> None:
    async with house(database, clock=lambda: message().at + 10_000) as running:
        set_here(running, answers)
        assert await running.inbox.catch_up([mention("one"), mention("two", address=THREAD)]) == 0
        await running.over()

    assert running.adapter.delivered == []


async def test_an_edit_that_mentions_us_is_no_reason_either(database: Database) -> None:
    async with house(database) as running:
        set_here(running, "observe")
        await running.say(talk("hello", id="m1"))
        await running.say(Edited(message=mention("hello, you", id="m1"), at=message().at + 5))
        await running.over()

    assert running.adapter.delivered == []
    assert [row.body for row in await rows(database, turns)] == [b"hello, you"]
