"""Dead letters: what was given up is listed without its words, answered where its apology stands, or let go."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text, update

from core.errors import DeliveryRefused, ModelInterrupted, ModelRefused, OutOfCredit
from core.schema import deliveries, sessions, turns
from core.session import Progress
from core.store import Connection, Database, dead, doubts
from core.store.dead import Dead, NoDeadLetter
from core.store.states import DeliveryState
from tests.script import Fault, House, Interrupted, TranscriptAdapter, house, memory, rows
from tests.values import HERE, message

SIDE = replace(HERE, thread="side")
BROKE = OutOfCredit("The model's account is out of credit.")
REFUSED = Fault(error=DeliveryRefused("not_in_channel"))
SORRY = "I can't answer: the account behind my model has run out of credit. Please tell those who run me."


async def letters(database: Database) -> list[Dead]:
    return await database.read(dead.listed, 100)


async def given_up(running: House, words: str = "hello") -> str:
    """A message gets an apology; returns the dead letter's ID."""
    running.model.script.append(BROKE)
    await running.say(message(words))
    await running.adapter.until(lambda: any(SORRY in shown for shown in running.adapter.texts))
    await running.over()
    return (await letters(running.database))[0].id


async def test_what_was_given_up_is_listed_with_place_time_and_reason_and_no_word(database: Database) -> None:
    asked = message("my secret", address=SIDE)
    async with house(database, BROKE) as running:
        await running.say(asked)
        await running.adapter.until(lambda: running.adapter.texts)
        await running.over()

    (letter,) = await letters(database)
    assert letter == Dead(address=SIDE, seq=1, at=asked.at, reason=f"OutOfCredit: {BROKE}")
    assert letter.id == f"{SIDE.id}#1"
    assert "secret" not in repr(letter)


async def test_an_answer_that_the_platform_refused_is_listed(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.append(REFUSED)
    async with house(database, adapter=adapter) as running:
        adapter.mute = True
        await running.say(message())
        await adapter.until(lambda: adapter.delivered)
        await running.over()

    assert [letter.reason for letter in await letters(database)] == ["not delivered: not_in_channel"]


async def test_what_the_platform_refused_is_not_forgotten_before_it_is_dropped(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.append(REFUSED)
    async with house(database, adapter=adapter) as running:
        adapter.mute = True
        await running.say(message())
        await adapter.until(lambda: adapter.delivered)
        await running.over()
    await database.write(lambda connection: connection.execute(update(turns).values(at=0)).rowcount)

    assert await database.write(doubts.forget) == 0
    (letter,) = await letters(database)
    await database.write(dead.drop, letter.id)
    assert await database.write(doubts.forget) == 1


async def test_what_was_answered_or_still_waits_is_no_dead_letter(database: Database) -> None:
    speak = asyncio.Event()
    async with house(database, "yes", ModelInterrupted("cut"), "at the second attempt", [speak, "late"]) as running:
        await running.say(message("one"))
        await running.answered("yes")
        await running.say(message("two"))
        await running.answered("yes", "at the second attempt")
        await running.say(message("three"))
        await running.model.until(lambda: running.model.running)

        assert await letters(database) == []

        speak.set()
        await running.answered("yes", "at the second attempt", "late")


async def test_the_newest_letters_are_listed_first_and_no_more_than_asked_for(database: Database) -> None:
    async with house(database, BROKE, BROKE, BROKE) as running:
        for number, address in enumerate([HERE, SIDE, HERE]):
            await running.say(message(address=address))
            await running.adapter.until(lambda n=number: len(running.adapter.texts) == n + 1)
            await running.over()

    assert [letter.id for letter in await letters(database)] == [f"{HERE.id}#2", f"{SIDE.id}#1", f"{HERE.id}#1"]
    assert [letter.id for letter in await database.read(dead.listed, 1)] == [f"{HERE.id}#2"]


async def test_a_letter_that_is_retried_is_answered_in_the_place_of_its_apology(database: Database) -> None:
    async with house(database) as running:
        letter = await given_up(running, "what is left?")
        running.model.script.append("forty-two")
        await database.write(dead.retry, letter)
        await running.answered("forty-two")

    assert running.model.asked() == ["what is left?"]
    assert list(running.adapter.screen) == ["p1"], "the same message"
    assert await letters(database) == []
    assert await memory(database) == [("person", "what is left?"), ("assistant", "forty-two")]


async def test_an_apology_of_which_nothing_is_known_any_more_stays_above_the_answer(database: Database) -> None:
    async with house(database) as running:
        letter = await given_up(running)
        await database.write(lambda connection: connection.execute(deliveries.delete()))
        await database.write(dead.retry, letter)
        await running.answered(SORRY, "You said: hello")


async def test_an_apology_in_several_messages_leaves_no_half_answer_behind(database: Database) -> None:
    adapter, go = TranscriptAdapter(max_text=40), asyncio.Event()
    async with house(database, ["A beginning that is seen. " * 4, go, BROKE], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: len(adapter.texts) > 2)
        go.set()
        await adapter.until(lambda: adapter.texts[-1] == SORRY)
        await running.over()
        messages = len(adapter.texts)
        (letter,) = await letters(database)

        running.model.script.append("short")
        await database.write(dead.retry, letter.id)
        await running.answered("short", *["_(withdrawn)_"] * (messages - 1))


async def test_a_refused_answer_that_is_retried_is_given_and_remembered_once(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.mute = True
    adapter.faults.append(REFUSED)
    async with house(database, "first", "second", adapter=adapter) as running:
        await running.say(message("hello"))
        await adapter.until(lambda: adapter.delivered)
        await running.over()
        (letter,) = await letters(database)

        await database.write(dead.retry, letter.id)
        await running.answered("second")

    assert adapter.delivered[-1].attempt > 1, "it looks before it posts"
    assert await letters(database) == []
    assert await memory(database) == [("person", "hello"), ("assistant", "second")]


async def test_a_command_that_is_retried_is_answered_anew(database: Database) -> None:
    """What it said before may have been for its asker's eyes only, and can't be edited then."""
    async with house(database, "yes", BROKE, "a summary") as running:
        await running.say(message("hello"))
        await running.answered("yes")
        await running.say(message("", verb="summarize"))
        await running.answered("yes", SORRY)
        (letter,) = await letters(database)

        await database.write(dead.retry, letter.id)
        said = running.adapter
        await said.until(lambda: said.texts[:-1] == ["yes", SORRY] and said.texts[-1].startswith("a summary"))


async def test_a_retry_that_fails_again_is_listed_again_and_says_so_in_the_same_place(database: Database) -> None:
    async with house(database) as running:
        letter = await given_up(running)
        running.model.script.append(ModelRefused("filter"))
        await database.write(dead.retry, letter)
        await running.adapter.until(lambda: "declined to answer this." in running.adapter.texts[-1])
        await running.over()
        assert len(running.adapter.texts) == 1

    assert [one.id for one in await letters(database)] == [letter]


async def test_a_retry_waits_for_its_turn_where_another_answer_is_under_way(database: Database) -> None:
    speak = asyncio.Event()
    async with house(database) as running:
        letter = await given_up(running)
        running.model.script.append([speak, "the second"])
        await running.say(message("two"))
        await running.model.until(lambda: running.model.running)
        (before,) = await rows(database, sessions)

        await database.write(dead.retry, letter)

        (after,) = await rows(database, sessions)
        assert (after.owner, after.fence, after.due_at) == (before.owner, before.fence, before.due_at)
        assert after.waiting == before.waiting + 1
        speak.set()
        await running.answered("You said: hello", "the second")


async def test_a_session_that_backs_off_is_not_called_back_by_a_retry(database: Database) -> None:
    async with house(database) as running:
        letter = await given_up(running)
    later = {"due_at": 2**50, "attempts": 3, "waiting": 1}
    await database.write(lambda connection: connection.execute(sessions.update().values(later)))

    await database.write(dead.retry, letter)

    (row,) = await rows(database, sessions)
    assert (row.due_at, row.attempts, row.waiting) == (2**50, 3, 2)


async def test_a_retried_apology_is_a_draft_that_grows_and_no_reconciling_touches_it(database: Database) -> None:
    async with house(database) as running:
        letter = await given_up(running)

    await database.write(dead.retry, letter)

    (row,) = await rows(database, deliveries)
    assert json.loads(row.draft) == {"id": "p1", "text": "", "note": "edit"}
    assert (row.state, row.message, row.body, row.error, row.due_at) == (DeliveryState.DRAFT, *[None] * 4)


async def test_a_retry_of_unknown_outcome_is_repeated_without_harm(database: Database) -> None:
    unsure = Interrupted(database)
    async with house(database) as running:
        letter = await given_up(running)
        unsure.repeat("retry")
        await unsure.write(dead.retry, letter)
        await running.answered("You said: hello")

    assert len(running.model.prompts) == 2


async def test_a_letter_that_is_dropped_is_forgotten_and_its_turn_is_not(database: Database) -> None:
    async with house(database) as running:
        letter = await given_up(running, "hello")
        await database.write(dead.drop, letter)

        assert await letters(database) == []
        assert running.adapter.texts == [SORRY]

    assert await memory(database) == [("person", "hello")]
    (turn,) = await rows(database, turns)
    assert (turn.progress, turn.slip) == (Progress.DONE, None), "no ticket is kept for what nobody will answer"


async def test_a_refused_answer_that_is_dropped_is_forgotten(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.append(REFUSED)
    async with house(database, adapter=adapter) as running:
        adapter.mute = True
        await running.say(message("hello"))
        await adapter.until(lambda: adapter.delivered)
        await running.over()
        await database.write(dead.drop, f"{HERE.id}#1")

    assert await letters(database) == []
    assert await memory(database) == [("person", "hello")], "nobody has seen the answer"


@pytest.mark.parametrize("order", [dead.retry, dead.drop])
async def test_an_id_of_no_dead_letter_is_named(database: Database, order: Callable[[Connection, str], None]) -> None:
    async with house(database, "yes") as running:
        await running.say(message("answered"))
        await running.answered("yes")
        letter = await given_up(running)
        await database.write(dead.drop, letter)

    seq = "99999999999999999999"
    unknown = ["", "#", "#1", "nonsense", HERE.id, f"{HERE.id}#", f"{HERE.id}#one", f"{HERE.id}#-1", f"{HERE.id}#{seq}"]
    for wrong in [*unknown, f"{HERE.id}#99", f"{SIDE.id}#1", f"{HERE.id}#1", letter]:
        with pytest.raises(NoDeadLetter, match="backscroll dead list") as raised:
            await database.write(order, wrong)
        assert str(raised.value).startswith(f"{wrong} is no dead letter")
    assert await letters(database) == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_listing_reads_nothing_but_dead_letters(database: Database) -> None:
    statement = str(dead._DEAD.compile(compile_kwargs={"literal_binds": True}))

    plan = await database.read(lambda connection: connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())

    steps = [row.detail for row in plan]
    assert [step for step in steps if step.startswith("SCAN")] == [
        "SCAN turns USING INDEX ix_turns_dead",
        "SCAN deliveries USING INDEX ix_deliveries_failed",
    ]
