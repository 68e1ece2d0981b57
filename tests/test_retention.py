"""Retention: words are kept for as long as is set, and then they are nowhere."""

import asyncio
from dataclasses import replace
from math import inf
from time import time
from typing import Literal

import pytest
from sqlalchemy import select, update

from core.chores.expiring import Expiring
from core.errors import DatabaseUnreachable
from core.memory.retention import Ends, ends
from core.policy import Policy
from core.schema import rejections, turns
from core.seam.messages import Audience, Deleted, Inbound, Quote, Rejected
from core.session import Fold
from core.store import Connection, Database, checkpoints, connect, expiring, notices, places
from core.store.engine.sql import micro
from core.store.expiring import FIRST
from core.timings import Timings
from tests.bots.program.test_cli import backscroll
from tests.core.assistant.test_folding import folding_house, model_of, talk
from tests.script import House, Interrupted, TranscriptAdapter, house, memory, rows
from tests.test_forgetting import said, stored
from tests.values import ADA, BEN, HERE, message

DAY = 86_400.0
KEPT = Policy(retention=100 * DAY, retention_overheard=30 * DAY)


def ago(days: float, text: str, **facts: object) -> Inbound:
    return message(text, at=time() - days * DAY, **facts)


def heard(days: float, text: str, **facts: object) -> Inbound:
    return ago(days, text, **{"author": BEN, "direct": False, "audience": Audience.OTHERS} | facts)


def taking_out(running: House, policy: Policy = KEPT) -> Expiring:
    return Expiring(database=running.database, policy=policy, timings=Timings(), wake=running.worker.wake)


async def ask(running: House, days: float, text: str, **facts: object) -> str:
    return await said(running, text, at=time() - days * DAY, **facts)


@pytest.mark.parametrize(
    ("seconds", "now", "end"),
    [(inf, 1e9, None), (30.0, 100.0, 70.0), (30.0, 100.5, 71.0), (30.0, 101.0, 71.0), (300.0, 1000.0, 700.0)],
)
def test_a_time_moves_on_in_steps_and_is_never_late(seconds: float, now: float, end: float | None) -> None:
    over = ends(Policy(retention=seconds, retention_overheard=2 * seconds), now)

    assert over.said == end
    assert over.said is None or now - seconds <= over.said < now - seconds * 29 / 30


def test_what_will_be_over_before_anybody_looks_again_is_over() -> None:
    assert ends(KEPT, 200 * DAY, ahead=4 * DAY) == ends(KEPT, 204 * DAY) != ends(KEPT, 200 * DAY)
    assert ends(Policy(retention_overheard=inf), 1e9) == Ends(None, None)


async def test_what_was_kept_long_enough_is_nowhere_and_the_rest_stays(database: Database) -> None:
    quote = Quote(kind="replies to", text="salmon", author=BEN, at=time() - 40 * DAY, message="h1")
    async with house(database, "Tuna.", "Bread.", "Cheese.", "Fine.") as running:
        await ask(running, 110, "tuna", author=ADA)
        await running.say(heard(40, "salmon", id="h1"))
        await ask(running, 35, "bread", quotes=(quote,))
        await running.say(heard(20, "milk"))
        await ask(running, 5, "cheese")
        found = await taking_out(running).count()
        assert [(key.address, tuple(old)) for key, old in found] == [(HERE, (1, 1, 1))]
        assert "tuna" in await stored(database), "it was counted, and no more"
        await taking_out(running).sweep()
        assert await taking_out(running).count() == []
        await ask(running, 0, "what do you know?")

    asked = str(running.model.prompts[-1].messages)
    words = ("tuna", "Tuna", "salmon", "bread", "Bread", "milk", "cheese")
    assert [word for word in words if word in asked] == ["bread", "Bread", "milk", "cheese"]
    assert [word for word in words if word in await stored(database)] == ["bread", "Bread", "milk", "cheese"]
    assert ADA.id not in {row.author for row in await rows(database, turns) if row.body == b""}


@pytest.mark.parametrize("memory", ["full", "lean"])
async def test_what_is_over_its_time_is_not_read_from_the_history_either(
    database: Database, memory: Literal["full", "lean"]
) -> None:
    adapter = TranscriptAdapter()
    adapter.past = [heard(40, "salmon", id="h1"), heard(20, "milk", id="h2")]
    async with house(database, adapter=adapter) as running:
        running.mind.policy = replace(running.mind.policy, retention_overheard=30 * DAY, memory=memory)
        await ask(running, 0, "what is it?", direct=False, audience=Audience.BOT)

    asked = str(running.model.prompts[-1].messages)
    assert [word for word in ("salmon", "milk") if word in asked] == ["milk"]
    assert "salmon" not in await stored(database)


async def test_what_we_have_said_by_ourselves_is_no_message_of_theirs(database: Database) -> None:
    async with house(database) as running:
        await ask(running, 110, "tuna")
        found = await database.read(places.find, HERE)
        assert found is not None
        await database.write(notices.tell, found.key, name="warning 1", text="Take care.")
        await running.adapter.until(lambda: "Take care." in running.adapter.texts)
        await running.over()
        await database.write(
            lambda connection: connection.execute(update(turns).values(at=micro(time() - 110 * DAY))).rowcount
        )
        ((_, old),) = await taking_out(running).count()
        await taking_out(running).sweep()

    assert tuple(old) == (1, 1, 0)
    assert "Take care." not in await stored(database)


async def test_turns_are_looked_through_in_pages_whatever_their_sessions(database: Database) -> None:
    there, times = replace(HERE, channel="other"), list[tuple[str, int | None, int | None]]()
    async with house(database) as running:
        for days, place in ((9, HERE), (8, HERE), (7, there)):
            await ask(running, days, "tuna", address=place)
        await running.say(heard(6, "salmon", address=there))
    at: expiring.Place | None = FIRST
    while at is not None:
        found, at = await database.read(expiring.page, after=at, most=2)
        times += [(one.key.address.channel, *one.times[:2]) for one in found]

    told = [
        (channel, *(None if one is None else round((time() - one / 1e6) / DAY) for one in ats))
        for channel, *ats in times
    ]
    assert told == [("main", 9, None), ("main", 8, None), ("other", 7, None), ("other", None, 6)]


def _days(at: int | None) -> int | None:
    return None if at is None else round((time() - at / 1e6) / DAY)


async def test_a_record_goes_with_what_it_tells_of(database: Database) -> None:
    def fold(connection: Connection) -> None:
        found = places.find(connection, HERE)
        assert found is not None
        facts = {"level": 0, "first": 1, "last": 1, "since": 1.0, "until": 2.0, "tokens": 5, "model": "m"}
        made = checkpoints.Made(kind=Fold.CHECKPOINT, text="they spoke of salmon", **facts)
        assert checkpoints.commit(connection, found.key, [made], checkpoints.boundary(connection, found.key, 1, 1))

    async with house(database) as running:
        await ask(running, 110, "tuna")
        await ask(running, 1, "bread")
        await database.write(fold)
        await taking_out(running).sweep()

    assert "salmon" not in await stored(database)


async def test_what_waits_is_answered_first_and_not_of_what_is_over(database: Database) -> None:
    """What was being written of it begins again."""
    never = asyncio.Event()
    async with house(database, "Tuna.", [never], "Bread.") as running:
        await ask(running, 110, "tuna")
        await running.say(ago(105, "bread"))
        await running.model.until(lambda: running.model.running == 1)
        await taking_out(running).sweep()
        await running.adapter.until(lambda: "Bread." in running.adapter.texts)
        await running.over()

    assert running.model.asked(-2) == ["tuna", "Tuna.", "bread"]
    assert running.model.asked(-1) == ["bread"]


async def test_each_channel_has_what_is_set_for_it(database: Database) -> None:
    there, everywhere = replace(HERE, channel="other"), replace(HERE, workspace="W2")
    async with house(database) as running:
        for place in (HERE, there, everywhere):
            await ask(running, 10, "tuna", address=place)
        await ask(running, 10, "!set retention 7d", address=there)
        await ask(running, 10, "!set retention 2d", address=everywhere)
        assert "What is said to me here I keep for 7d." in await ask(running, 0, "!status", address=there)
        assert "I keep for 2d." in await ask(running, 0, "!context", address=everywhere)
        assert "I keep" not in await ask(running, 0, "!status")
        await taking_out(running, Policy()).sweep()

    assert [len(await memory(database, place)) for place in (HERE, there, everywhere)] == [2, 0, 0]


@pytest.mark.parametrize("step", ["expire", "drop_rejected"])
async def test_whoever_goes_on_with_it_comes_to_the_same_end(database: Database, step: str) -> None:
    road = Interrupted(database)
    async with house(road) as running:
        await ask(running, 110, "tuna")
        await running.say(heard(40, "salmon"))
        road.fail(step, DatabaseUnreachable("gone"))
        with pytest.raises(DatabaseUnreachable):
            await taking_out(running).sweep()
        await taking_out(running).sweep()

    assert [word for word in ("tuna", "salmon") if word in await stored(database)] == []


async def test_events_that_could_not_be_read_go_with_what_is_overheard(database: Database) -> None:
    def age(connection: Connection) -> None:
        days = {"old": 31, "young": 29}
        for name, number in days.items():
            then = rejections.c.rejected_at - int(number * DAY * 1000)
            connection.execute(update(rejections).where(rejections.c.id == name).values(rejected_at=then))

    async with house(database) as running:
        for name in ("old", "young"):
            await running.say(Rejected(platform="console", id=name, reason="odd", payload="salmon"))
        await database.write(age)
        await taking_out(running).sweep()

    assert [row.id for row in await rows(database, rejections)] == ["young"]


async def test_a_window_does_not_wait_for_the_next_look(database: Database) -> None:
    """After a time in which no process ran."""
    adapter = TranscriptAdapter()
    async with house(database, adapter=adapter) as running:
        running.mind.policy = KEPT
        await ask(running, 110, "tuna")
        await running.say(heard(40, "salmon"))
        await ask(running, 20, "bread")

    assert running.model.asked(-1) == ["bread"]


async def test_nor_does_a_summary_that_is_made_again(database: Database) -> None:
    async with house(database, "Tuna.", "Bread.", "Cheese.", "They have much.", "They have cheese.") as running:
        for days, text in ((110, "tuna"), (20, "bread"), (15, "cheese")):
            await ask(running, days, text, id=text)
        await ask(running, 10, "!summarize")
        running.mind.policy = KEPT
        await running.say(Deleted(address=HERE, id="bread"))
        await ask(running, 0, "and now?")

    again, asked = (str(prompt.messages) for prompt in running.model.prompts[-2:])
    assert [word for word in ("tuna", "bread", "cheese") if word in again] == ["cheese"]
    assert "They have cheese." in asked


async def test_nor_does_a_fold(database: Database) -> None:
    async with folding_house(database) as running:
        facts = await talk(running, 1, 24, look=False)
        running.mind.policy = replace(running.mind.policy, retention=running.now - running.said[7].at)
        await running.folding.look()
        told = str([prompt.messages for prompt in model_of(running).asked_to_fold])
        asked = [fact for fact in facts if fact in told]
        await running.say(message("What was it?"))
        await running.over()

    assert asked
    assert facts[0] not in asked
    assert facts[0] not in str(running.model.prompts[-1])


def test_the_operator_counts_it_first(url: str) -> None:
    async def talk() -> None:
        database = connect(url)
        async with house(database) as running:
            await ask(running, 110, "tuna")
            await ask(running, 1, "bread")
        await database.close()

    async def left() -> list[bytes]:
        database = connect(url)
        bodies = await database.read(lambda connection: list(connection.execute(select(turns.c.body)).scalars()))
        await database.close()
        return bodies

    asyncio.run(talk())
    settings = {"DATABASE_URL": url, "BACKSCROLL_RETENTION": "100d"}

    counted = backscroll("retention", "--dry-run", **settings).stdout.splitlines()
    before = asyncio.run(left())
    done = backscroll("retention", **settings).stdout.splitlines()

    numbers = "1 messages, 1 answers, 0 overheard"
    assert counted == [f"{HERE.id}: {numbers}", f"would go: {numbers}"]
    assert done[-1] == f"gone: {numbers}"
    assert before.count(b"") == 0
    assert asyncio.run(left()).count(b"") == 2
