"""Lean memory: of what is overheard no words are stored, and they are read again for each answer; on every platform."""

import asyncio
from dataclasses import replace
from time import time

import pytest

from core.chores.expiring import Expiring
from core.errors import DeliveryDelayed
from core.policy import Policy
from core.schema import turns
from core.seam.messages import Audience, Author, Deleted, Edited, Inbound
from core.session import Kind, Validity
from core.store import Database
from core.timings import Timings
from tests.script import House, TranscriptAdapter, brisk, house, memory, rows
from tests.stages import STAGES
from tests.talk import Running
from tests.test_forgetting import said, stored
from tests.test_off_the_record import texts, words_in
from tests.values import ADA, BEN, HERE, message
from tests.wire.openai import OpenAIServer, Request

OURSELVES = Author(id="B1", name="Backscroll", is_bot=True, is_self=True)
LEAN = Policy(memory="lean")


def last_words(request: Request) -> str:
    return request.last.rpartition("\n")[2].rpartition("] ")[2]


@pytest.mark.parametrize("stage", [name for name, stage in STAGES.items() if stage.overhears])
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_people_say_to_one_another_is_read_for_each_answer_and_not_stored(url: str, stage: str) -> None:
    async with (
        STAGES[stage]() as place,
        OpenAIServer(answer=lambda request: f"You said: {last_words(request)}") as model,
        Running(url, model, place, backscroll_memory="lean", backscroll_answers="mention"),
    ):
        await place.say("the code is tuna", author="ben", to_bot=False)
        await place.say("what is the code?", author="ada")
        await place.until(lambda: texts(place) == ["You said: what is the code?"])
        await place.say("no, it is salmon", author="ben", to_bot=False)
        await place.say("are you sure?", author="ada")
        await place.until(lambda: texts(place)[1:] == ["You said: are you sure?"])
        first, second = (request.texts for request in model.requests)

    assert "tuna" in first[-1][1]
    assert "[overheard from ben (" in first[-1][1].lower()
    assert "salmon" in second[-1][1]
    assert all("tuna" not in text for _, text in second[:-1]), "it is part of the question that it was read for"
    left = await words_in(url)
    assert [word for word in ("tuna", "salmon", "the code?", "sure?") if word in left] == ["the code?", "sure?"]


def heard(text: str, minutes: float, **facts: object) -> Inbound:
    """Said to others, so many minutes after the hour."""
    others: dict[str, object] = {"author": BEN, "direct": False, "audience": Audience.OTHERS}
    return message(text, at=1_700_000_000.0 + 60 * minutes, **others | facts)


async def ask(running: House, text: str, minutes: float, **facts: object) -> str:
    to_bot: dict[str, object] = {"direct": False, "audience": Audience.BOT}
    return await said(running, text, at=1_700_000_000.0 + 60 * minutes, **to_bot | facts)


def lean(running: House) -> None:
    running.mind.policy = replace(running.mind.policy, memory="lean")


async def test_of_each_message_it_is_known_where_when_and_by_whom_it_was_said(database: Database) -> None:
    adapter = TranscriptAdapter()
    async with house(database, "Yes.", "Yes.", adapter=adapter) as running:
        lean(running)
        await ask(running, "hello", 0)
        one = heard("tuna", 1, id="h1")
        await running.say(one, one, Edited(message=replace(one, text="salmon"), at=one.at + 9))
        adapter.past = [replace(one, text="salmon")]
        await ask(running, "what is it?", 2)
        await running.say(heard("bread", 3, id="h2"), Deleted(address=HERE, id="h2"))
        bare = [row for row in await rows(database, turns) if row.kind == Kind.OVERHEARD]
        assert "I overheard" not in await ask(running, "!status", 4)

    kept = [(row.message, row.author, row.name, row.body, row.tokens, row.validity) for row in bare]
    assert kept == [
        ("h1", BEN.id, "", b"", 0, Validity.STANDS),
        ("h2", None, None, b"", 0, Validity.ERASED),
    ]
    assert "salmon" in running.model.prompts[1].messages[-1].text
    assert [word for word in ("tuna", "salmon", "bread") if word in await stored(database)] == []
    assert [text for _, text in await memory(database)] == ["hello", "Yes.", "what is it?", "Yes."]


async def test_what_is_said_to_us_set_aside_off_the_record_or_ours_is_not_read_again(database: Database) -> None:
    adapter = TranscriptAdapter()
    async with house(database, *["Yes."] * 9, adapter=adapter) as running:
        lean(running)
        await ask(running, "hello", 0, id="q1")
        await running.say(heard("old", 1, id="h1"))
        await ask(running, "!reset", 2)
        await ask(running, "!off the record 5m", 3)
        await running.say(heard("secret", 4, id="h2"))
        await ask(running, "!on the record", 5)
        await running.say(heard("gone", 5.5, id="h3"), Deleted(address=HERE, id="h3"))
        adapter.past = [
            *(heard("hello", 0, id="q1", author=ADA), heard("old", 1, id="h1"), heard("secret", 4, id="h2")),
            *(heard("gone", 5.5, id="h3"), heard("ours", 5.6, id="p9", author=OURSELVES), heard("new", 6, id="h4")),
        ]
        await ask(running, "what is new?", 7)

    asked = str(running.model.prompts[-1].messages)
    words = ("hello", "old", "secret", "gone", "ours", "new\\n")
    assert [word for word in words if word in asked] == ["new\\n"]


async def test_what_was_said_off_the_record_beside_and_is_told_of_here_is_not_read_again(database: Database) -> None:
    """As a reply in a thread that stands in its channel as well."""
    beside, adapter = replace(HERE, thread="t1"), TranscriptAdapter()
    async with house(database, *["Yes."] * 9, adapter=adapter) as running:
        lean(running)
        await ask(running, "hello", 0, address=beside)
        await ask(running, "!off the record 5m", 1, address=beside)
        adapter.past = [heard("secret", 2, id="h1", address=beside), heard("new", 3, id="h2")]
        await ask(running, "what is new?", 4, address=replace(HERE, thread="t2"))

    asked = str(running.model.prompts[-1].messages)
    assert [word for word in ("secret", "new\\n") if word in asked] == ["new\\n"]


@pytest.mark.parametrize("slow", [False, True])
async def test_what_can_not_be_read_is_said_to_the_model_and_the_answer_does_not_wait(
    database: Database, *, slow: bool
) -> None:
    adapter = TranscriptAdapter()
    async with house(database, adapter=adapter, timings=brisk(backscroll=0.05 if slow else 5.0)) as running:
        lean(running)
        await ask(running, "hello", 0)
        await running.say(heard("tuna", 1), heard("salmon", 1.5))
        adapter.past = DeliveryDelayed("rationed", retry_after=60.0)
        adapter.hold_past = asyncio.Event() if slow else None
        await ask(running, "what is it?", 2)
        adapter.past, adapter.hold_past = (), None
        await ask(running, "and now?", 3)

    assert "“2 messages”, which you can't read: the platform does not tell now" in str(running.model.prompts[1])
    assert "can't read" not in running.adapter.texts[1]
    assert "2 messages" not in str(running.model.prompts[2]), "it was about that question"


async def test_what_stands_before_a_question_does_not_change_by_what_is_read(database: Database) -> None:
    adapter = TranscriptAdapter()
    async with house(database, adapter=adapter) as running:
        lean(running)
        adapter.past = [heard("tuna", 1, id="h1")]
        await ask(running, "one", 2)
        adapter.past = [heard("salmon", 3, id="h2")]
        await ask(running, "two", 4)
        adapter.past = []
        await ask(running, "three", 5)

    *_, second, third = (prompt.messages for prompt in running.model.prompts)
    assert second[:-1] == third[: len(second) - 1]
    assert not any("tuna" in one.text or "salmon" in one.text for one in (*second[:-1], *third))
    assert not any(len(prompt.messages) in prompt.stable for prompt in running.model.prompts[:2])


async def test_words_that_were_stored_before_go_when_memory_becomes_lean(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello", at=time() - 60)
        await running.say(replace(heard("tuna", 0), at=time() - 40))
        await said(running, "!set memory lean", at=time() - 30)
        await said(running, "what is it?", at=time() - 20)
        assert "tuna" not in str(running.model.prompts[-1]), "it is not shown from then on"
        await running.say(replace(heard("salmon", 0), at=time() - 10))
        expiring = Expiring(database=database, policy=running.mind.policy, timings=Timings())
        await expiring.sweep()
        found = await expiring.count()

    assert found == []
    assert [word for word in ("tuna", "salmon") if word in await stored(database)] == []
    bare = [row for row in await rows(database, turns) if row.kind == Kind.OVERHEARD]
    assert [row.author for row in bare] == [None, BEN.id]


@pytest.mark.parametrize("calls_us", [False, True])
async def test_an_edit_of_what_was_overheard_before_brings_no_words(database: Database, *, calls_us: bool) -> None:
    """Once memory is lean; but what becomes something for us is remembered as such."""
    async with house(database) as running:
        await said(running, "hello", at=time() - 60)
        one = replace(heard("tuna", 0, id="h1"), at=time() - 50)
        await running.say(one)
        await said(running, "!set memory lean", at=time() - 40)
        audience = Audience.BOT if calls_us else Audience.OTHERS
        await running.say(Edited(message=replace(one, text="salmon", audience=audience), at=time() - 30))
        await running.over()

    left = await stored(database)
    assert [word for word in ("tuna", "salmon") if word in left] == (["salmon"] if calls_us else [])
    (row,) = [row for row in await rows(database, turns) if row.message == "h1"]
    assert (row.author, row.kind) == (BEN.id, Kind.SAID if calls_us else Kind.OVERHEARD)
