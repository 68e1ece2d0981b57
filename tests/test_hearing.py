"""Hearing: a session that is born in the middle of a conversation knows what was said before, and around it."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from core.errors import DeliveryDelayed, DeliveryRefused, ModelStalled
from core.policy import Hearing
from core.seam.messages import Audience, Author, Inbound
from core.session import OVERHEARD_BEFORE_QUESTION, Kind
from core.store import Database, places
from core.timings import Timings
from tests.script import House, ScriptedModel, TranscriptAdapter, brisk, house, memory, remembered
from tests.values import BEN, HERE, message

OURSELVES = Author(id="B1", name="Backscroll", is_bot=True, is_self=True)
THREAD = replace(HERE, thread="t0")


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def mention(text: str, **facts: object) -> Inbound:
    return message(text, **({"audience": Audience.BOT, "direct": False} | facts))


def talk(text: str, **facts: object) -> Inbound:
    return message(text, **({"author": BEN, "direct": False} | facts))


_minutes = itertools.count(1_600_000_000, 60)


def past(text: str, **facts: object) -> Inbound:
    """Said before everything else."""
    return talk(text, at=float(next(_minutes)), **facts)


def listening(*past: Inbound) -> TranscriptAdapter:
    adapter = TranscriptAdapter()
    adapter.past = past
    return adapter


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_what_was_said_before_is_heard_once_oldest_first_and_in_front_of_the_first_question(
    database: Database,
) -> None:
    adapter = listening(past("the build is red"), past("I had said so", author=OURSELVES), past("since the merge"))
    async with house(database, adapter=adapter) as running:
        await running.say(mention("what is wrong?", reply_to="m0"))
        await running.answered("You said: what is wrong?")
        await running.say(mention("who can help?"))
        await running.answered("You said: what is wrong?", "You said: who can help?")

    assert running.model.asked(0) == ["the build is red", "I had said so", "since the merge", "what is wrong?"]
    roles = [one.role for one in running.model.prompts[0].messages]
    assert roles == ["user", "assistant", "user", "user"], "our own posts are ours"
    assert running.model.prompts[0].messages[0].text.startswith("[Ben (U2) ")
    assert running.model.asked(1)[:4] == running.model.asked(0), "a prompt's beginning does not change"
    assert [turn.kind for turn in await remembered(database)][:3] == [Kind.OVERHEARD] * 3
    (scrolled,) = adapter.scrolled
    assert (scrolled.text, scrolled.reply_to, scrolled.address) == ("what is wrong?", "m0", HERE)


async def test_what_was_said_before_is_read_once_whoever_answers_next(database: Database) -> None:
    adapter = listening(past("before"))
    async with house(database, adapter=adapter) as first:
        await first.say(mention("one"))
        await first.answered("You said: one")
    async with house(database, adapter=adapter, owner="host:boot:2:b") as second:
        await second.say(mention("two"))
        await second.answered("You said: one", "You said: two")

    assert len(adapter.scrolled) == 1


async def test_a_retry_does_not_read_again(database: Database) -> None:
    adapter = listening(past("before"))
    async with house(database, ModelStalled("nothing came"), adapter=adapter) as running:
        await running.say(mention("one"))
        await running.answered("You said: one")

    assert len(adapter.scrolled) == 1
    assert running.model.asked() == ["before", "one"]


async def test_a_place_with_no_past_is_read_once_as_well(database: Database) -> None:
    adapter = listening()
    async with house(database, adapter=adapter) as running:
        await running.say(mention("one"), mention("two"))
        await running.answered("You said: one", "You said: two")

    assert len(adapter.scrolled) == 1


async def test_no_more_is_read_than_a_question_is_shown(database: Database) -> None:
    adapter = listening(*(past(str(number)) for number in range(50)))
    async with house(database, adapter=adapter) as running:
        await running.say(mention("well?"))
        await running.answered("You said: well?")

    assert running.model.asked() == [*(str(number) for number in range(50 - OVERHEARD_BEFORE_QUESTION, 50)), "well?"]


async def test_reading_never_delays_an_answer_beyond_its_limit(database: Database) -> None:
    """What was not read then is not read later: it would stand in the wrong place."""
    adapter = listening(past("before"))
    adapter.hold_past = asyncio.Event()
    async with house(database, adapter=adapter, timings=brisk(backscroll=0.05)) as running:
        async with asyncio.timeout(2):
            await running.say(mention("one"))
            await running.answered("You said: one")
        adapter.hold_past.set()
        await running.say(mention("two"))
        await running.answered("You said: one", "You said: two")

    assert running.model.asked() == ["one", "You said: one", "two"]


def test_the_limit_is_two_seconds() -> None:
    assert Timings().backscroll <= 2.0


@pytest.mark.parametrize(
    "error",
    [DeliveryDelayed("once a minute", retry_after=60), DeliveryRefused("not a member"), KeyError("a bug")],
    ids=lambda error: type(error).__name__,
)
async def test_where_reading_is_not_possible_the_answer_does_not_wait_for_it(
    database: Database, error: Exception
) -> None:
    """Nor is it read later, when the session knows part of it already."""
    adapter = TranscriptAdapter()
    adapter.past = error
    async with house(database, adapter=adapter) as running:
        await running.say(mention("one"))
        await running.answered("You said: one")
        adapter.past = [past("before")]
        await running.say(mention("two"))
        await running.answered("You said: one", "You said: two")

    assert len(adapter.scrolled) == 1
    assert running.model.asked() == ["one", "You said: one", "two"]


PLACES = {
    "a channel": (mention("q"), ("off", "no"), ("thread", "no"), ("channel", "yes")),
    "a thread": (mention("q", address=THREAD), ("off", "no"), ("thread", "yes"), ("channel", "yes")),
    "a message that opens a thread": (
        mention("q", id="t0", address=THREAD),
        ("off", "no"),
        ("thread", "no"),
        ("channel", "yes"),
    ),
    "a direct conversation": (message("q"), ("off", "no"), ("thread", "no"), ("channel", "no")),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_each_setting_reads_what_it_says(database: Database, place: str, nth: int) -> None:
    question = PLACES[place][0]
    hearing, read = PLACES[place][nth]
    assert hearing in ("off", "thread", "channel")
    setting: Hearing = hearing  # type: ignore[assignment]  # it is one of them
    adapter = listening(past("before"))
    async with house(database, adapter=adapter, hearing=setting) as running:
        await running.say(question)
        await running.answered("You said: q")

    assert running.model.asked() == (["before", "q"] if read == "yes" else ["q"])
    assert len(adapter.scrolled) == (read == "yes")


async def test_nothing_is_read_after_a_reset(database: Database) -> None:
    """What a person has set aside does not come back by another door."""
    adapter = listening(past("before"))
    async with house(database, adapter=adapter) as running:
        await running.say(mention("reset"))
        await running.over()
        await running.say(mention("one"))
        await running.adapter.until(lambda: "You said: one" in adapter.texts)

    assert adapter.scrolled == []
    assert running.model.asked() == ["one"]


async def test_a_message_that_opens_a_thread_hears_the_channel_but_not_its_other_sessions(database: Database) -> None:
    adapter = listening(
        past("the build is red"),
        past("@bot what is it?", audience=Audience.BOT),
        past("I am looking", author=OURSELVES),
        past("@ada yours?", audience=Audience.OTHERS),
    )
    async with house(database, adapter=adapter) as running:
        await running.say(mention("help us", id="t0", address=THREAD))
        await running.answered("You said: help us")

    assert running.model.asked() == ["the build is red", "@ada yours?", "help us"]


async def test_a_thread_hears_everything_that_was_said_in_it(database: Database) -> None:
    adapter = listening(past("look", id="t0", address=THREAD), past("@bot hm?", address=THREAD, audience=Audience.BOT))
    async with house(database, adapter=adapter) as running:
        await running.say(mention("help us", address=THREAD))
        await running.answered("You said: help us")

    assert running.model.asked() == ["look", "@bot hm?", "help us"]


async def test_the_first_command_that_asks_the_model_reads_as_well(database: Database) -> None:
    adapter = listening(past("we met at ten", address=THREAD))
    async with house(database, "You met at ten.", adapter=adapter) as running:
        await running.say(mention("summarize", address=THREAD))
        await running.adapter.until(lambda: [text[:15] for text in running.adapter.texts] == ["You met at ten."])

    assert running.model.asked()[0] == "we met at ten"


async def test_commands_that_do_not_ask_the_model_leave_the_reading_to_the_first_question(database: Database) -> None:
    adapter = listening(past("before", address=THREAD))
    async with house(database, adapter=adapter) as running:
        await running.say(mention("status", address=THREAD))
        await running.over()
        await running.say(mention("undo", address=THREAD))
        await running.over()
        assert adapter.scrolled == []
        await running.say(mention("well?", address=THREAD))
        await running.adapter.until(lambda: "You said: well?" in adapter.texts)

    assert running.model.asked() == ["before", "well?"]


async def test_live_talk_that_is_not_for_the_bot_is_heard_and_not_answered(database: Database) -> None:
    async with house(database) as running:
        await running.say(mention("hello", address=THREAD))
        await running.answered("You said: hello")
        await running.say(talk("@ada lunch?", address=THREAD, audience=Audience.OTHERS))
        await running.over()
        await running.say(mention("where do they eat?", address=THREAD))
        await running.answered("You said: hello", "You said: where do they eat?")

    assert running.model.asked() == ["hello", "You said: hello", "@ada lunch?", "where do they eat?"]
    assert running.model.prompts[-1].messages[2].text.startswith("[Ben (U2) ")


async def test_what_was_heard_live_is_shown_so_many_messages_deep(database: Database) -> None:
    async with house(database) as running:
        await running.say(mention("hello"))
        await running.answered("You said: hello")
        await running.say(*(talk(str(number)) for number in range(30)))
        await running.say(mention("well?"))
        await running.answered("You said: hello", "You said: well?")

    assert running.model.asked()[2:-1] == [str(number) for number in range(30 - OVERHEARD_BEFORE_QUESTION, 30)]
    assert len(await memory(database)) == 34, "it is remembered all the same"


async def test_a_command_before_the_first_question_does_not_deafen_it(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.past = [message("before", author=BEN)]
    there = House(database, ScriptedModel(), adapter)
    await there.say(mention("undo", address=THREAD), mention("well?", address=THREAD))

    async with there:
        await there.over()

    assert there.model.asked() == ["before", "well?"]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_a_question_that_arrives_after_the_one_that_looked_back_at_it_is_answered(database: Database) -> None:
    overtaken, birth = mention("first", address=THREAD), mention("second", address=THREAD, author=BEN)
    async with house(database, adapter=listening(overtaken)) as running:
        await running.say(birth)
        await running.answered("You said: second")
        await running.say(overtaken, overtaken)
        await running.answered("You said: second", "You said: first")

    assert await memory(database, THREAD) == [
        ("person", "second"),
        ("assistant", "You said: second"),
        ("person", "first"),
        ("assistant", "You said: first"),
    ], "as they were answered: what is answered now is the newest turn"


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_a_question_that_was_looked_back_at_first_is_missed_when_it_is_gone(database: Database) -> None:
    overtaken, birth = mention("first", address=THREAD), mention("second", address=THREAD, author=BEN)
    aside = past("not to us", address=THREAD, author=BEN)
    async with house(database, adapter=listening(aside, overtaken)) as running:
        await running.say(birth)
        await running.answered("You said: second")
        await running.say(overtaken)
        await running.answered("You said: second", "You said: first")

    assert await database.read(places.standing, THREAD, 0.0) == {overtaken.id, birth.id}
