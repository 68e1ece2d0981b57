"""Off the record: what is said for a while is answered, seen by all, and kept nowhere; on every platform."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from time import time

import pytest
from sqlalchemy import update

from bots.slack.history import hanging
from core.chores.unrecorded import Returning
from core.errors import DatabaseUnreachable, ModelError, ModelFailed, ModelStalled
from core.schema import deliveries, turns, unrecorded
from core.seam.messages import Audience, Deleted, Edited, Inbound, Quote
from core.session import Kind, Validity
from core.store import Connection, Database, connect, dead
from core.timings import Timings
from tests.script import House, Interrupted, TranscriptAdapter, brisk, expire, house, memory, rows
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running, days_pass
from tests.test_forgetting import said, stored
from tests.values import ADA, BEN, HERE, message
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import BOT_USER, CHANNEL

OVER = "We are on the record again: I remember what is said from now on, and nothing of what was said in between."


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage) -> list[str]:
    return [shown.text for shown in stage.shown() if shown.done]


async def shows(stage: Stage, *, after: Callable[[], object], words: str) -> None:
    """Does this; until people, all of them, are shown these words."""
    before = len(texts(stage))
    await after()  # type: ignore[misc]  # it is a coroutine's
    await stage.until(lambda: any(words in text for text in texts(stage)[before:]))
    assert not any(words in shown.text and shown.private for shown in stage.shown())


def questions(model: OpenAIServer, nth: int = -1) -> list[str]:
    return [text.partition("] ")[2] for role, text in model.requests[nth].texts if role == "user"]


async def words_in(url: str) -> str:
    """All that is stored, opened."""
    database = connect(url)
    try:
        return await stored(database)
    finally:
        await database.close()


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_is_said_for_a_while_is_answered_and_kept_nowhere(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await shows(stage, after=lambda: stage.say("the code is tuna"), words="You said: the code is tuna")
        await shows(stage, after=lambda: stage.say("!off the record 2h"), words="We are off the record here until")
        await shows(stage, after=lambda: stage.say("salmon, between us"), words="You said: salmon, between us")
        assert questions(model) == ["the code is tuna", "salmon, between us"], "it knows what was said before"
        await shows(stage, after=lambda: stage.say("and bread"), words="You said: and bread")
        assert questions(model) == ["the code is tuna", "and bread"], "each stands by itself"
        await shows(stage, after=lambda: stage.command("on-the-record"), words=OVER)
        await shows(stage, after=lambda: stage.say("what do you know?"), words="You said: what do you know?")

    assert questions(model) == ["the code is tuna", "what do you know?"]
    left = await words_in(url)
    assert [word for word in ("tuna", "salmon", "bread") if word in left] == ["tuna"]


@pytest.mark.parametrize("stage", ["slack", "discord"], indirect=True)
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_is_forwarded_from_there_is_not_known_either(url: str, stage: Stage, model: OpenAIServer) -> None:
    """Into another conversation of the channel, where it was overheard and where it was answered."""
    async with Running(url, model, stage):
        await shows(stage, after=lambda: stage.say("hello"), words="You said: hello")
        if isinstance(stage, DiscordStage):
            await stage.thread("other")
        await shows(stage, after=lambda: stage.say("!off the record"), words="We are off the record here until")
        heard = await stage.say("bread", author="ben", to_bot=False)
        asked = await stage.say("salmon, between us")
        await stage.until(lambda: "You said: salmon, between us" in texts(stage))
        await shows(stage, after=lambda: stage.say("!on the record"), words=OVER)
        for number, message_ in enumerate((asked, heard), 1):
            await forward(stage, message_)
            await stage.until(
                lambda number=number: len(stage.shown("other")) == number and stage.shown("other")[-1].done
            )

    assert "it was said off the record" in str(model.requests[-1].texts)
    left = await words_in(url)
    assert [word for word in ("salmon", "bread") if word in left] == []
    assert [word for word in ("salmon", "bread") if word in str(model.requests[-1].texts)] == []


async def forward(stage: Stage, message_: str) -> None:
    """Somebody forwards it into another conversation, and asks about it."""
    if isinstance(stage, DiscordStage):
        await stage.forward(message_, f"<@{stage.world.bot['id']}> what is that?", place="other")
    else:
        assert isinstance(stage, SlackStage)
        workspace = stage.server.workspace
        forwarded = workspace.forward(workspace.find(CHANNEL, message_))
        await stage.write(f"<@{BOT_USER}> what is that?", place="other", attachments=[forwarded])


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_was_changed_then_is_not_read_in_what_was_said_before_the_first_question(
    url: str, model: OpenAIServer
) -> None:
    """Of what nobody had heard before."""
    async with SlackStage() as stage, Running(url, model, stage):
        before = await stage.say("salmon", author="ben", to_bot=False)
        await shows(stage, after=partial(stage.say, "!off the record"), words="We are off the record")
        await stage.edit(before, "the code is tuna", to_bot=False)
        await shows(stage, after=partial(stage.say, "!on the record"), words=OVER)
        await stage.say("bread", author="ben", to_bot=False)
        await shows(stage, after=partial(stage.say, "and now?"), words="You said: and now?")

    asked = str(model.requests[-1].texts)
    assert [word for word in ("tuna", "bread") if word in asked] == ["bread"]
    assert "tuna" not in await words_in(url)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_was_changed_then_is_not_known_by_a_reply_to_it(url: str, model: OpenAIServer) -> None:
    async with DiscordStage() as stage, Running(url, model, stage, backscroll_hear="off"):
        before = await stage.say("salmon", author="ben", to_bot=False)
        await shows(stage, after=partial(stage.say, "!off the record"), words="We are off the record")
        await stage.edit(before, "the code is tuna")
        await shows(stage, after=partial(stage.say, "hello"), words="You said: hello")
        await shows(stage, after=partial(stage.say, "!on the record"), words=OVER)
        mention = f"<@{stage.world.bot['id']}>"
        await shows(stage, after=partial(stage.answer, f"{mention} is it?", before), words="You said:")

    assert "it was said off the record" in str(model.requests[-1].texts)
    assert "tuna" not in str(model.requests[-1].texts)
    assert "tuna" not in await words_in(url)


def test_what_a_thread_hangs_on_tells_when_it_was_changed() -> None:
    root = at(1, "tuna", edited_at=at(2, "").at)
    (told,) = hanging(root, [at(3, "what is that?")])

    assert [one.edited_at for one in told.quotes] == [root.edited_at]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_it_ends_by_itself_and_says_so_once(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await shows(stage, after=lambda: stage.say("hello"), words="You said: hello")
        await shows(stage, after=lambda: stage.command("off-the-record"), words="We are off the record here until")
        await shows(stage, after=lambda: stage.say("salmon"), words="You said: salmon")
    await days_pass(url, 1)
    async with Running(url, model, stage, timings=Timings(unrecorded=0.05)):
        await stage.until(lambda: any(OVER in text for text in texts(stage)))
        await shows(stage, after=lambda: stage.say("and now?"), words="You said: and now?")
        assert sum(OVER in text for text in texts(stage)) == 1

    assert questions(model) == ["hello", "and now?"]


def at(minutes: float, text: str, **facts: object) -> Inbound:
    """Said so many minutes after the hour."""
    return message(text, at=1_700_000_000.0 + 60 * minutes, **facts)


def between(minutes: float, text: str, **facts: object) -> Inbound:
    """Said to others then."""
    return at(minutes, text, **{"direct": False, "author": BEN, "audience": Audience.OTHERS} | facts)


async def whole(running: House, text: str, minutes: float, **facts: object) -> str:
    return await said(running, text, at=1_700_000_000.0 + 60 * minutes, **facts)


async def test_talk_between_people_is_not_stored_then_by_whatever_way_it_comes(database: Database) -> None:
    """As it is said, as an edit that has overtaken it, from the history when nobody heard, or when it is quoted."""
    adapter = TranscriptAdapter()
    async with house(database, adapter=adapter) as running:
        await whole(running, "hello", 0)
        await whole(running, "!off the record 30m", 1)
        heard, edited = between(2, "salmon", id="heard"), between(3, "bread", id="edited")
        await running.say(heard, Edited(message=edited, at=edited.at + 1))
        await whole(running, "!on the record", 5)
        await running.say(heard, Edited(message=heard, at=heard.at + 120))
        assert await running.inbox.catch_up([heard, edited]) == 0
        quote = Quote(kind="replies to", text="salmon", author=BEN, at=heard.at, message="heard")
        await whole(running, "what is that?", 6, quotes=(quote,))
        changed = replace(quote, text="trout", at=between(0.5, "").at, message="before", edited_at=heard.at)
        await whole(running, "and that?", 7, quotes=(changed,))
        await running.say(Edited(message=replace(heard, text="salmon!"), at=heard.at + 600))

    assert "it was said off the record" in str(running.model.prompts[-1].messages)
    words = ("salmon", "bread", "trout")
    assert [one for one in words if one in str(running.model.prompts)] == []
    assert [one for one in words if one in await stored(database)] == []


async def test_a_session_that_is_born_later_reads_nothing_of_it_in_what_was_said_before(database: Database) -> None:
    beside = replace(HERE, thread="t1")
    adapter = TranscriptAdapter()
    adapter.past = [between(2, "salmon", id="h1", address=beside), between(7, "bread", id="h2", address=beside)]
    async with house(database, adapter=adapter) as running:
        await whole(running, "!off the record 5m", 1)
        await whole(running, "what was said?", 8, address=beside, direct=False, audience=Audience.BOT)

    assert "bread" in str(running.model.prompts[-1])
    assert "salmon" not in str(running.model.prompts[-1])
    assert "salmon" not in await stored(database)


async def test_what_came_before_the_command_was_done_is_off_the_record_by_its_time(database: Database) -> None:
    """Also where it is being answered at that moment, or was."""
    never = asyncio.Event()
    async with house(database, "Salmon.", [never], "Bread.") as running:
        await whole(running, "salmon", 2)
        await running.say(at(3, "bread"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(at(1, "!off the record"))
        await running.adapter.until(lambda: "Bread." in running.adapter.texts)
        await running.over()
        await running.unserved()

    assert running.model.asked(-1) == ["bread"]
    assert [one for one in ("salmon", "Salmon", "bread", "Bread") if one in await stored(database)] == []


async def test_a_command_that_comes_late_ends_nothing_that_was_begun_behind_it(database: Database) -> None:
    """By another process, say, or from the history."""
    async with house(database) as running:
        await whole(running, "!off the record 1h", 2, author=BEN)
        assert "We are off the record here until" in running.adapter.texts[-1]
        told = await whole(running, "!on the record", 1, author=ADA)
        await whole(running, "salmon", 3)
        assert await whole(running, "!on the record", 4, author=BEN) == OVER

    assert told == "We are on the record already."
    assert "salmon" not in await stored(database)


@pytest.mark.parametrize("ends", [False, True], ids=["posted", "posted by another process"])
async def test_what_is_being_posted_as_it_begins_is_off_the_record_at_once(database: Database, *, ends: bool) -> None:
    """What was said behind the command, and reached us and was answered before it; people are shown the answer."""
    adapter, never = TranscriptAdapter(), asyncio.Event()
    async with house(database, "Hi.", "Salmon.", adapter=adapter) as running:
        await whole(running, "hello", 0)
        adapter.hold_delivery = hold = asyncio.Event()
        await running.say(at(3, "salmon"))
        await adapter.until(lambda: len(adapter.delivered) == 2)
        await running.say(at(2, "!off the record"))
        await adapter.until(lambda: len(adapter.delivered) == 3)
        assert await memory(database) == [("person", "hello"), ("assistant", "Hi.")]
        if ends:
            hold = never
        adapter.hold_delivery = None
        hold.set()
        if not ends:
            await running.over()
            await running.unserved()
    if ends:
        await database.write(expire)
        async with house(database, adapter=adapter, owner="host:boot:2:a") as running:
            await running.over()
            await running.unserved()

    assert "Salmon." in adapter.texts
    assert [one for one in ("salmon", "Salmon") if one in await stored(database)] == []


async def test_who_was_missed_then_is_not_known(database: Database) -> None:
    """What was said so long ago that it is not answered any more."""
    async with house(database, clock=lambda: 1_700_000_000.0 + 60 * 300) as running:
        await whole(running, "!off the record 2h", 1, author=BEN)
        missed = [at(minutes, "salmon", id=f"missed{minutes}") for minutes in (2, 3)]
        assert await running.inbox.catch_up(missed) == 2
        await running.over()
        await running.unserved()

    assert [one for one in ("salmon", ADA.id, ADA.name) if one in await stored(database)] == []


async def test_a_burst_is_two_questions_then(database: Database) -> None:
    async with house(database) as running:
        await whole(running, "!off the record", 1)
        await running.say(at(2, "salmon"), at(2.01, "bread"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 3)
        await running.over()

    assert running.adapter.texts[1:] == ["You said: salmon", "You said: bread"]


@pytest.mark.parametrize("step", ["answer", "record_last", "settle"])
async def test_whoever_goes_on_with_the_answer_leaves_nothing_either(database: Database, step: str) -> None:
    """Wherever the process before was ended."""
    road = Interrupted(database)
    async with house(road, "Salmon.", "Salmon.") as running:
        await whole(running, "!off the record", 1)
        road.fail(step, DatabaseUnreachable("gone"))
        await running.say(at(2, "salmon"))
        await running.adapter.until(lambda: "Salmon." in running.adapter.texts)
        await running.over()
        await running.unserved()

    assert running.adapter.texts[1:] == ["Salmon."]
    assert [one for one in ("salmon", "Salmon") if one in await stored(database)] == []
    (question,) = [one for one in await rows(database, turns) if one.kind == Kind.SAID]
    assert (question.validity, question.body, question.author) == (Validity.ERASED, b"", None)


async def test_its_words_are_in_the_row_that_waits_and_in_no_window(database: Database) -> None:
    """While the model is away; what went wrong is not kept with it."""
    async with house(
        database,
        ModelStalled("nothing came"),
        "Salmon.",
        timings=brisk(back_off=2.0),
    ) as running:
        await whole(running, "!off the record", 1)
        await running.say(at(2, "salmon"))
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)
        assert await memory(database) == []
        assert "salmon" in await stored(database)
        await running.adapter.until(lambda: "Salmon." in running.adapter.texts)
        await running.over()
        await running.unserved()

    assert [one for one in ("salmon", "Salmon", "nothing came") if one in await stored(database)] == []


async def test_a_question_may_be_edited_and_taken_back_before_its_answer(database: Database) -> None:
    never = asyncio.Event()
    async with house(database, [never], "Bread.", [never]) as running:
        await whole(running, "!off the record", 1)
        await running.say(at(2, "salmon", id="m1"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(Edited(message=at(2, "bread", id="m1"), at=1_700_000_200.0))
        await running.adapter.until(lambda: "Bread." in running.adapter.texts)
        await running.over()
        await running.unserved()
        await running.say(Edited(message=at(2, "tuna", id="m1"), at=1_700_000_300.0))
        await running.say(at(3, "cheese", id="m2"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(Deleted(address=HERE, id="m2"))
        await running.over()

    assert running.adapter.texts[1:] == ["Bread."]
    assert [one for one in ("salmon", "bread", "Bread", "tuna", "cheese") if one in await stored(database)] == []


async def test_status_says_until_when_and_everyone_may_end_it(database: Database) -> None:
    async with house(database) as running:
        assert "off the record" in await whole(running, "!off the record 1h", 0, author=ADA)
        assert "We are off the record until 2023-11-14 23:13 UTC." in await whole(running, "!status", 1)
        assert "until 2023-11-14 22:25 UTC" in await whole(running, "!off the record 10m", 2)
        assert await whole(running, "on the record", 3, author=BEN, audience=Audience.BOT) == OVER
        assert await whole(running, "!on the record", 4) == "We are on the record already."
        assert "off the record" not in await whole(running, "!status", 5)
        await Returning(database=database, wake=running.worker.wake).look()
        await running.over()
        assert "at most `24h`" in await whole(running, "!off the record 2d", 6)
        assert "at most `24h`" in await whole(running, "!off the record for good", 7)
        assert "You said" in await whole(running, "off the record, who is it?", 8, audience=Audience.BOT)

    assert OVER not in running.adapter.texts[-1]
    assert await rows(database, deliveries)


async def test_it_is_told_once_that_it_is_over_whoever_looks(database: Database) -> None:
    def shorten(connection: Connection) -> None:
        connection.execute(update(unrecorded).values(until=unrecorded.c.since + 1))

    async with house(database) as running:
        await said(running, "!off the record 1h", at=time())
        returning = Returning(database=database, wake=running.worker.wake)
        await returning.look()
        assert len(running.adapter.texts) == 1
        await database.write(shorten)
        await asyncio.gather(returning.look(), returning.look())
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.over()
        await returning.look()
        await running.over()

    assert running.adapter.texts[1] == f"_{OVER}_"


async def test_it_is_not_told_to_be_over_where_something_else_lasts(database: Database) -> None:
    """Which somebody had asked for before, and which comes late."""
    async with house(database) as running:
        await said(running, "!off the record 1h", at=time())
        await said(running, "!off the record 5m", at=time() - 600)
        await Returning(database=database, wake=running.worker.wake).look()
        await running.over()
        await said(running, "!status", at=time())

    assert [text for text in running.adapter.texts if OVER in text] == []
    assert "We are off the record until" in running.adapter.texts[-1]


async def test_no_answer_says_that_a_message_is_kept_which_is_not(database: Database) -> None:
    """When it is given up, in whatever way: nobody can have it answered after all."""
    away = [ModelStalled("away") for _ in range(8)]
    async with house(database, "Hello.", *away) as running:
        await whole(running, "hello", 0)
        await whole(running, "!off the record 30m", 1)
        gave_up = await whole(running, "salmon", 2)
        running.model.script = deque([ModelError("no way")])
        refused = await whole(running, "bread", 3)
        running.model.script = deque([ModelFailed("trying again is no use")])
        failed = await whole(running, "trout", 4)

    assert "As it was said off the record, I have not kept it" in gave_up
    assert refused == gave_up
    assert failed.startswith("My model's server can't answer this, it says. As it was said off the record, I have not")
    assert [one for one in ("salmon", "bread", "trout") if one in await stored(database)] == []
    assert await database.read(dead.listed, 9) == []
