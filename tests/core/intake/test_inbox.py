"""The inbox: stored before it is acknowledged, answered in order, and never lost. On both databases."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from core.errors import (
    DatabaseError,
    DatabaseUnreachable,
    DeliveryDelayed,
    ModelInterrupted,
    ModelStalled,
    ModelUnavailable,
)
from core.policy import Hearing
from core.schema import deliveries, rejections, sessions, spent, turns
from core.seam.address import Address
from core.seam.messages import Audience, Author, Inbound, Rejected
from core.session import ATTEMPTS, Kind, Progress
from core.store import Database, connect
from tests.apart import whole
from tests.script import (
    RESTLESS,
    SECONDS,
    Fault,
    House,
    Interrupted,
    ScriptedModel,
    TranscriptAdapter,
    brisk,
    expire,
    house,
    memory,
    rows,
)
from tests.values import ADA, HERE, message

SIDE = replace(HERE, thread="side")
THREAD = replace(HERE, thread="t1")
ROBOT = Author(id="B2", name="Other bot", is_bot=True)
OURSELVES = Author(id="B1", name="Backscroll", is_bot=True, is_self=True)

only_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


LATER = 1_800_000_000.0


def said(text: str = "hello", *, address: Address = HERE, **facts: object) -> Inbound:
    """A message to nobody in particular, after all others, unless the facts say otherwise."""
    return message(text, address=address, **({"direct": False, "at": LATER} | facts))


async def questions(database: Database) -> list[Progress]:
    return [Progress(row.progress) for row in await rows(database, turns) if row.role == 0]


ANSWERED, OVERHEARD, IGNORED = "answered", "overheard", "ignored"
BECOMES = {
    (): IGNORED,
    ((Kind.SAID, Progress.WAITING),): ANSWERED,
    ((Kind.COMMAND, Progress.WAITING),): ANSWERED,
    ((Kind.OVERHEARD, Progress.DONE),): OVERHEARD,
}
ALWAYS, NEVER = (ANSWERED,) * 3, (IGNORED,) * 3
SETTINGS: tuple[Hearing, ...] = ("off", "thread", "channel")

JUDGED: dict[str, tuple[bool, Inbound, tuple[str, str, str]]] = {
    "said directly": (False, said(direct=True), ALWAYS),
    "a mention": (False, said(audience=Audience.BOT), ALWAYS),
    "a mention in a thread": (False, said(audience=Audience.BOT, address=THREAD), ALWAYS),
    "a mention in a live channel": (True, said(audience=Audience.BOT), ALWAYS),
    "talk where no session is": (False, said(), NEVER),
    "talk in a thread without session": (False, said(address=THREAD), NEVER),
    "to others in a thread without session": (False, said(address=THREAD, audience=Audience.OTHERS), NEVER),
    "talk in a live thread": (True, said(address=THREAD), ALWAYS),
    "talk that arrives late, from before a thread's life": (
        True,
        said(address=THREAD, at=1.0),
        (IGNORED, OVERHEARD, OVERHEARD),
    ),
    "to others in a live thread": (
        True,
        said(address=THREAD, audience=Audience.OTHERS),
        (IGNORED, OVERHEARD, OVERHEARD),
    ),
    "talk in a live channel": (True, said(), (IGNORED, IGNORED, OVERHEARD)),
    "to others in a live channel": (True, said(audience=Audience.OTHERS), (IGNORED, IGNORED, OVERHEARD)),
    "!verb in a live thread": (True, said("!reset", address=THREAD), ALWAYS),
    "!verb in a live channel": (True, said("!reset"), ALWAYS),
    "!verb to others in a live thread": (True, said("!undo", address=THREAD, audience=Audience.OTHERS), ALWAYS),
    "!verb where no session is": (False, said("!reset"), NEVER),
    "!verb in a mention": (False, said("!reset", audience=Audience.BOT), ALWAYS),
    "!word in a live channel": (True, said("!nice work"), (IGNORED, IGNORED, OVERHEARD)),
    "a platform's command where no session is": (False, said("", verb="reset"), ALWAYS),
    "a platform's command in a live channel": (True, said("", verb="reset"), ALWAYS),
    "another bot's mention": (False, said(audience=Audience.BOT, author=ROBOT), NEVER),
    "another bot's direct message": (False, said(direct=True, author=ROBOT), NEVER),
    "another bot in a live thread": (True, said(address=THREAD, author=ROBOT), NEVER),
    "another bot's command": (True, said("!reset", author=ROBOT), NEVER),
    "our own message in a live thread": (True, said(address=THREAD, author=OURSELVES), NEVER),
}


@only_sqlite
async def test_each_message_is_answered_heard_or_nothing_of_ours(database: Database) -> None:
    """What it is does not depend on when it arrives, but on what it says of itself, and where it was said."""

    async def outcome(number: int, *, live: bool, judged: Inbound, hearing: Hearing) -> str:
        place = replace(judged.address, workspace=f"{hearing} {number}")
        there = House(database, ScriptedModel(), TranscriptAdapter(), hearing=hearing)
        if live:
            await there.say(said(audience=Audience.BOT, address=place, at=LATER - 1))
        known = len(await rows(database, turns))
        await there.say(replace(judged, address=place))
        new = [(Kind(row.kind), Progress(row.progress)) for row in await rows(database, turns)][known:]
        return BECOMES[tuple(new)]

    outcomes = {
        case: tuple([await outcome(number, live=live, judged=judged, hearing=hearing) for hearing in SETTINGS])
        for number, (case, (live, judged, _)) in enumerate(JUDGED.items())
    }

    assert outcomes == {case: expected for case, (_, _, expected) in JUDGED.items()}


@only_sqlite
async def test_a_command_alone_does_not_bring_a_place_to_life(database: Database) -> None:
    async with house(database) as running:
        await running.say(said("", verb="status", address=THREAD))
        await running.over()

        await running.say(said("are we alone?", address=THREAD))

    assert len(await rows(database, turns)) == 1


async def test_what_was_received_is_committed(url: str, database: Database) -> None:
    """Another connection sees it: whoever acknowledges now promises nothing that could be lost."""
    await House(database, ScriptedModel(), TranscriptAdapter()).say(message("keep this"))

    other = connect(url)
    (turn,) = await rows(other, turns)
    await other.close()
    assert (turn.body, turn.progress) == (b"keep this", Progress.WAITING)


@only_sqlite
async def test_what_could_not_be_stored_is_not_received(database: Database) -> None:
    road = Interrupted(database)
    road.fail("accept", DatabaseUnreachable("away"))
    deaf = House(road, ScriptedModel(), TranscriptAdapter())
    again = message()

    with pytest.raises(DatabaseUnreachable):
        await deaf.say(again)
    assert await rows(database, turns) == []

    await deaf.say(again)
    assert len(await rows(database, turns)) == 1


async def test_a_message_that_arrives_again_is_received_and_answered_once(database: Database) -> None:
    """At the same moment, during the answer, and after it."""
    go, once = asyncio.Event(), message("once")
    async with house(database, [go, "yes"]) as running:
        await asyncio.gather(running.say(once), running.say(once))
        await running.model.until(lambda: running.model.running)
        await running.say(once)
        go.set()
        await running.answered("yes")
        await running.say(once, message("twice"))
        await running.answered("yes", "You said: twice")

    assert len(running.model.prompts) == 2


async def test_an_event_that_could_not_be_read_is_stored_once_and_answered_never(database: Database) -> None:
    event = Rejected(platform="console", id="Ev1", reason="it has no channel", payload="{}")
    async with house(database) as running:
        await running.say(event, event)

    assert [(row.id, row.reason, row.body) for row in await rows(database, rejections)] == [
        ("Ev1", "it has no channel", b"{}")
    ]
    assert await rows(database, turns) == []


@pytest.mark.parametrize("verb", ["status", "help", "frobnicate"])
@only_sqlite
async def test_an_at_once_command_does_not_wait_behind_a_running_answer(database: Database, verb: str) -> None:
    go = asyncio.Event()
    async with house(database, [go, "at last"]) as running:
        await running.say(message("slow"))
        await running.model.until(lambda: running.model.running)

        await running.say(message("", verb=verb))
        await running.adapter.until(lambda: len(running.adapter.texts) == 1)
        assert running.model.running == 1
        go.set()
        await running.adapter.until(lambda: running.adapter.texts[1:] == ["at last"])
        await running.over()

    assert [(reply.private, reply.part, reply.last) for reply in running.adapter.delivered] == [
        (True, 0, True),
        (False, 0, True),
    ]


async def test_an_at_once_command_is_in_the_queue_when_its_process_dies_over_it(database: Database) -> None:
    """Before it was answered, and between its answer and the screen: it is said once."""
    for stage in ("waiting", "_effect"):
        road, adapter, place = Interrupted(database), TranscriptAdapter(), replace(HERE, thread=stage)
        dying = House(road, ScriptedModel(), adapter)
        with road.hold(stage) as reached:
            await dying.say(message("!status", address=place))
            async with asyncio.timeout(10):
                await reached.wait()
            await dying.worker.drain(0)
        assert adapter.texts == []
        assert (await questions(database))[-1] in (Progress.WAITING, Progress.ANSWERED)
        await database.write(expire)

        async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
            await heir.over()

        assert len(adapter.texts) == 1
        assert adapter.texts[0].startswith("This session is new")


async def test_an_at_once_command_is_not_answered_by_a_worker_as_well(database: Database) -> None:
    """While it is on its way to the screen, its session becomes due."""
    adapter = TranscriptAdapter()
    adapter.hold_delivery = asyncio.Event()
    async with house(database, adapter=adapter) as running:
        await running.say(message("!help"))
        await adapter.until(lambda: len(adapter.delivered) == 1)
        await running.say(message("hello"))
        await database.write(expire)
        await running.until(lambda found: found[0].owner is not None)
        adapter.hold_delivery.set()
        await adapter.until(lambda: len(adapter.texts) == 2)
        await running.over()

    assert adapter.texts[1] == "You said: hello"
    assert [reply.attempt for reply in adapter.delivered] == [1, 1]


async def test_a_command_that_its_own_process_could_not_answer_is_answered_from_the_queue(database: Database) -> None:
    road = Interrupted(database)
    road.fail("_effect", DatabaseUnreachable("away"))
    async with house(road) as running:
        await running.say(message("!status"))
        await running.until(lambda found: found[0].due_at is not None and found[0].owner is None)
        await database.write(expire)
        await running.over()

    assert len(running.adapter.texts) == 1


async def test_messages_of_one_session_are_answered_one_by_one_in_the_order_of_their_times(
    database: Database,
) -> None:
    late, early, middle = (message(text, at=at) for text, at in (("c", 3000.0), ("a", 1000.0), ("b", 2000.0)))
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(late, early, middle)

    async with there:
        await there.answered("You said: a", "You said: b", "You said: c")

    assert [there.model.asked(nth)[-1] for nth in range(3)] == ["a", "b", "c"]
    assert (await memory(database))[:2] == [("person", "c"), ("assistant", "You said: c")], "as they arrived"


async def test_sessions_do_not_wait_for_each_other_and_one_session_asks_once_at_a_time(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "slow"]) as running:
        await running.say(message("one"), message("two"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(*(message(str(n), address=replace(HERE, thread=str(n))) for n in range(20)))
        await running.adapter.until(lambda: len(running.adapter.texts) == 20)
        assert running.model.running == 1
        assert running.adapter.texts_in(None) == []
        go.set()
        await running.adapter.until(lambda: running.adapter.texts_in(None) == ["slow", "You said: two"])
        await running.over()

    assert all(running.adapter.texts_in(str(n)) == [f"You said: {n}"] for n in range(20))


async def test_two_processes_share_the_work_and_answer_each_message_once(database: Database) -> None:
    adapter = TranscriptAdapter()
    places = [replace(HERE, thread=str(number)) for number in range(10)]
    async with (
        house(database, adapter=adapter) as one,
        house(database, adapter=adapter, owner="host:boot:2:b") as two,
    ):
        for number in range(3):
            for place in places:
                await (one if number % 2 else two).say(message(str(number), address=place))
        await adapter.until(lambda: len(adapter.texts) == 30)
        await one.over()

    assert all(adapter.texts_in(place.thread) == [f"You said: {number}" for number in range(3)] for place in places)
    assert len(one.model.prompts) + len(two.model.prompts) == 30


async def test_a_long_answer_keeps_its_lease(database: Database) -> None:
    """It is renewed for as long as it lasts, with another process at the ready."""
    go = asyncio.Event()
    async with (
        house(database, [go, "done"], timings=RESTLESS) as long,
        house(database, owner="host:boot:2:b") as other,
    ):
        await long.until(lambda _: not long.worker.is_full)
        await long.say(message())
        await long.model.until(lambda: long.model.running)
        (first,) = await rows(database, sessions)
        await long.until(lambda found: found[0].due_at > first.due_at + 900)
        go.set()
        await long.answered("done")

    assert other.model.prompts == []
    assert len(long.model.prompts) == 1


def steal(connection: Connection) -> None:
    """Another process claims every session, and keeps it."""
    connection.execute(update(sessions).values(fence=sessions.c.fence + 1, owner="other:boot:2:b"))


async def test_a_lost_lease_cancels_the_answer_and_nothing_is_written(database: Database) -> None:
    never = asyncio.Event()
    async with house(database, ["half ", never], timings=RESTLESS) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running)
        await running.adapter.until(lambda: running.adapter.texts == ["half"])

        await database.write(steal)

        await running.unserved()
    assert running.model.ended == 1
    assert running.adapter.delivered == []
    assert await questions(database) == [Progress.WAITING]
    assert len(await rows(database, turns)) == 1
    (session,) = await rows(database, sessions)
    assert (session.owner, session.waiting) == ("other:boot:2:b", 1), "what the other process holds is left alone"


async def test_an_answer_that_comes_after_its_lease_was_lost_is_not_said(database: Database) -> None:
    """The lease is lost between two renewals, and the model finishes before the next."""
    go = asyncio.Event()
    async with house(database, [go, "too late"]) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running)
        await database.write(steal)
        go.set()
        await running.unserved()

    assert running.adapter.screen == {}
    assert await questions(database) == [Progress.WAITING]
    (session,) = await rows(database, sessions)
    assert session.owner == "other:boot:2:b"


async def test_a_drain_finishes_what_runs_and_gives_the_rest_back(database: Database) -> None:
    soon, never = asyncio.Event(), asyncio.Event()
    async with house(database, [soon, "finished"], [never]) as leaving:
        await leaving.say(message("one"))
        await leaving.model.until(lambda: leaving.model.running == 1)
        await leaving.say(message("two", address=SIDE))
        await leaving.model.until(lambda: leaving.model.running == 2)
        await leaving.stop()
        draining = asyncio.create_task(leaving.worker.drain(0.5))
        soon.set()
        await draining

        assert leaving.adapter.texts == ["finished"]
        assert leaving.model.running == 0
    left = {row.address: row for row in await rows(database, sessions)}
    assert left[HERE.id].due_at is None
    assert (left[SIDE.id].owner, left[SIDE.id].waiting) == (None, 1)

    async with house(database, adapter=leaving.adapter, owner="host:boot:2:b") as heir:
        await heir.answered("finished", "You said: two")


async def test_a_drain_that_has_nothing_to_wait_for_returns_at_once(database: Database) -> None:
    async with house(database) as leaving:
        await leaving.say(message())
        await leaving.answered("You said: hello")
        await leaving.stop()
        async with asyncio.timeout(1):
            await leaving.worker.drain(30)


@asynccontextmanager
async def away(url: str) -> AsyncIterator[None]:
    """The database does not answer: SQLite's file is locked, PostgreSQL hangs up on everybody, in and out."""
    if url.startswith("sqlite"):
        locked = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        locked.execute("BEGIN IMMEDIATE")
        yield
        locked.execute("ROLLBACK")
        locked.close()
        return
    await _hang_up(url)
    yield
    await _hang_up(url)


async def _hang_up(url: str) -> None:
    engine = create_async_engine(whole(url).replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    await engine.dispose()


async def test_a_database_that_is_away_for_a_moment_loses_nothing(url: str, database: Database) -> None:
    """While a message arrives, and while its answer is to be stored."""
    go = asyncio.Event()
    async with house(database, "one", [go, "two"]) as running:
        async with away(url):
            arriving = asyncio.create_task(running.say(message("a")))
            await asyncio.sleep(0.1)
        await arriving
        await running.answered("one")

        await running.say(message("b"))
        await running.model.until(lambda: running.model.running)
        async with away(url):
            go.set()
            await running.model.until(lambda: running.model.ended == 2)
        await running.answered("one", "two")

    assert await questions(database) == [Progress.DONE] * 2


@only_sqlite
@pytest.mark.parametrize("statement", ["claim", "answer", "record_last", "next_waiting", "recall"])
async def test_a_statement_that_fails_is_made_up_for(database: Database, statement: str) -> None:
    go, road = asyncio.Event(), Interrupted(database)
    async with house(road, "one", [go, "two"], "three") as running:
        await running.say(message("a"))
        await running.answered("one")
        road.fail(statement, DatabaseUnreachable("away"))
        await running.say(message("b"), message("c"))
        go.set()
        await running.adapter.until(lambda: len(running.adapter.texts) == 3)
        await running.until(lambda _: not road._failing[statement])
        await running.over()

    assert await questions(database) == [Progress.DONE] * 3, "each has its answer, and the fault was met"


@only_sqlite
async def test_a_lease_that_could_not_be_given_back_runs_out(database: Database) -> None:
    road = Interrupted(database)
    road.fail("release", DatabaseUnreachable("still away"))
    async with house(road, ModelStalled("nothing came"), "yes", timings=brisk(lease=0.9)) as running:
        await running.say(message())
        await running.answered("yes")


@only_sqlite
async def test_leases_that_could_not_be_renewed_are_renewed_later(database: Database) -> None:
    go, road = asyncio.Event(), Interrupted(database)
    road.fail("renew", DatabaseUnreachable("away"))
    async with house(road, [go, "yes"], timings=RESTLESS) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running)
        (first,) = await rows(database, sessions)
        await running.until(lambda found: found[0].due_at > first.due_at + 300)
        go.set()
        await running.answered("yes")

    assert len(running.model.prompts) == 1


async def test_a_failing_turn_backs_off_where_everybody_can_see_it(database: Database) -> None:
    """Why in its turn, how often and until when in its session's row; longer each time; forgotten when it is over."""
    failures = [ModelStalled("nothing came"), ModelInterrupted("the stream broke"), KeyError("a secret word")]
    reasons = ["ModelStalled: nothing came", "ModelInterrupted: the stream broke", "KeyError"]
    async with house(database, *failures, "yes", timings=brisk(back_off=100.0)) as running:
        await running.say(message())
        for attempt, (reason, seconds) in enumerate(zip(reasons, (100, 200, 400), strict=True), start=1):
            await running.until(lambda found, n=attempt: found[0].attempts == n and found[0].owner is None)
            ((turn,), (session,)) = await rows(database, turns), await rows(database, sessions)
            assert (turn.error, turn.progress) == (reason, Progress.WAITING)
            assert 0.79 * seconds < (session.due_at - session.touched_at) / 1000 < 1.2 * seconds + 10
            await database.write(expire)
            running.worker.wake()
        await running.answered("yes")
        (session,) = await rows(database, sessions)

    question, _ = await rows(database, turns)
    assert question.error is None
    assert session.attempts == 0


async def test_after_five_attempts_the_asker_is_told_and_the_next_message_is_answered(database: Database) -> None:
    failures = [ModelStalled("nothing came")] * ATTEMPTS
    there = House(database, ScriptedModel(*failures), TranscriptAdapter())
    await there.say(message("hard"), message("easy"))

    async with there:
        await there.adapter.until(lambda: len(there.adapter.texts) == 2)
        await there.over()

    assert there.adapter.texts[0].startswith("I have tried several times to answer this, and failed.")
    assert there.adapter.texts[1] == "You said: easy"
    assert len(there.model.prompts) == ATTEMPTS + 1
    assert await memory(database) == [("person", "hard"), ("person", "easy"), ("assistant", "You said: easy")]


@pytest.mark.parametrize("asked", [200.0, 0.0])
@only_sqlite
async def test_a_retry_after_is_obeyed_where_it_is_longer_than_the_back_off(database: Database, asked: float) -> None:
    async with house(database, ModelUnavailable("429", retry_after=asked), timings=brisk(back_off=100.0)) as running:
        await running.say(message())
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)

    (session,) = await rows(database, sessions)
    waits = (session.due_at - session.touched_at) / 1000
    assert 199 < waits < 210 if asked else 79 < waits < 130


@only_sqlite
async def test_a_failing_turn_holds_no_other_session_up(database: Database) -> None:
    async with house(database, ModelStalled("nothing came"), timings=brisk(back_off=60.0)) as running:
        await running.say(message("stuck"))
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)
        await running.say(message("fine", address=SIDE))
        await running.adapter.until(lambda: running.adapter.texts_in(SIDE.thread) == ["You said: fine"])


async def test_work_that_was_left_is_taken_up_at_start(database: Database) -> None:
    await House(database, ScriptedModel(), TranscriptAdapter()).say(message("anybody?"))

    async with house(database) as later:
        await later.answered("You said: anybody?")

    (delivery,) = await rows(database, deliveries)
    assert (delivery.message, delivery.body) == ("p1", None), "what has arrived is not kept twice"


@only_sqlite
async def test_a_question_of_another_person_is_billed_to_them(database: Database) -> None:
    async with house(database) as running:
        await running.say(message(), message(author=replace(ADA, id="U9")))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.over()

    assert [(row.author, row.calls) for row in await rows(database, spent)] == [("U1", 1), ("U9", 1)]


@only_sqlite
async def test_an_at_once_command_does_not_cut_a_back_off_short(database: Database) -> None:
    """Else five `!status` use all attempts of a failing turn up, against the server's Retry-After."""
    async with house(database, ModelStalled("nothing came"), timings=brisk(back_off=100.0)) as running:
        await running.say(message("hard"))
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)
        await running.say(message("!status"))
        await running.adapter.until(lambda: running.adapter.texts)
        await running.unserved()
        await asyncio.sleep(0.1)

    assert len(running.model.prompts) == 1
    (session,) = await rows(database, sessions)
    assert session.attempts == 1


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_an_unreadable_event_is_stored_whatever_is_in_it(database: Database) -> None:
    """Else it is never acknowledged, and the platform sends it for ever."""
    await House(database, ScriptedModel(), TranscriptAdapter()).say(
        Rejected(platform="console", id="Ev\x001", reason="what is a\x00b?", payload="a\x00b")
    )

    assert len(await rows(database, rejections)) == 1


@only_sqlite
async def test_a_session_that_is_claimed_again_by_the_same_process_is_answered_once(database: Database) -> None:
    """The loop stood still for longer than a lease, or the database was away."""
    first, second = asyncio.Event(), asyncio.Event()
    async with house(database, [first, "stale"], [second, "fresh"]) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running == 1)
        await database.write(expire)
        await running.model.until(lambda: running.model.running == 2)
        first.set()
        await running.model.until(lambda: running.model.ended == 1)
        second.set()
        await running.answered("fresh")

    assert len(running.model.prompts) == 2


@only_sqlite
async def test_a_drain_keeps_its_leases(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "done"], timings=RESTLESS) as leaving:
        await leaving.say(message())
        await leaving.model.until(lambda: leaving.model.running)
        await leaving.stop()
        draining = asyncio.create_task(leaving.worker.drain(SECONDS))
        (first,) = await rows(database, sessions)
        await leaving.until(lambda found: found[0].due_at > first.due_at + 900)
        go.set()
        await draining

    assert leaving.adapter.texts == ["done"]


@only_sqlite
async def test_a_drain_begins_nothing_new(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "finished"]) as leaving:
        await leaving.say(message("one"), message("two"))
        await leaving.model.until(lambda: leaving.model.running)
        await leaving.stop()
        draining = asyncio.create_task(leaving.worker.drain(2))
        await asyncio.sleep(0)
        go.set()
        await draining

    assert leaving.adapter.texts == ["finished"]
    (session,) = await rows(database, sessions)
    assert (session.owner, session.waiting) == (None, 1)


@only_sqlite
async def test_what_is_claimed_at_the_moment_of_a_stop_is_given_back(database: Database) -> None:
    road = Interrupted(database)
    async with house(road) as leaving:
        with road.hold("claim") as claimed:
            await leaving.say(message())
            await leaving.until(lambda found: found[0].owner is not None)
            assert claimed.is_set()
            stopping = asyncio.create_task(leaving.stop())
            await asyncio.sleep(0)
        await stopping
        await leaving.worker.drain(0)

    (session,) = await rows(database, sessions)
    assert session.owner is None


@only_sqlite
async def test_restarts_are_no_failed_attempts(database: Database) -> None:
    """Six deployments during one long answer."""
    await House(database, ScriptedModel(), TranscriptAdapter()).say(message())
    for _ in range(6):
        async with house(database, [asyncio.Event()]) as leaving:
            await leaving.model.until(lambda: leaving.model.running)

    async with house(database) as last:
        await last.answered("You said: hello")


@only_sqlite
async def test_when_all_attempts_have_failed_the_turn_still_says_why(database: Database) -> None:
    async with house(database, *[ModelStalled("nothing came")] * 5) as running:
        await running.say(message())
        await running.over()

    (turn,) = await rows(database, turns)
    assert "nothing came" in turn.error


def rename(connection: Connection, old: str, new: str) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


async def test_a_database_that_refuses_a_statement_does_not_end_the_work(database: Database) -> None:
    """A full disk, a fail-over to a server that takes no writes, a migration: what waits is done when it is over."""
    async with house(database) as running:
        await database.write(rename, "sessions", "away")
        with pytest.raises(DatabaseError):
            await running.say(message())
        await asyncio.sleep(0.15)
        broken = running._working.done()
        await database.write(rename, "away", "sessions")
        assert not broken
        await running.say(message())
        await running.answered("You said: hello")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_database_that_does_not_exist_is_an_error_with_a_name(url: str) -> None:
    nowhere = connect(url.replace("/test_", "/no_test_"))
    with pytest.raises(DatabaseError):
        await rows(nowhere, turns)
    await nowhere.close()


@only_sqlite
async def test_an_at_once_command_that_is_delayed_is_not_said_by_two_processes(database: Database) -> None:
    """Its grace is over while the platform makes it wait: another process says it as well."""
    adapter = TranscriptAdapter()
    adapter.faults.append(Fault(error=DeliveryDelayed("429", retry_after=0.4)))
    one = House(database, ScriptedModel(), adapter)
    async with house(database, adapter=adapter, owner="host:boot:2:b") as two:
        await one.say(message("!status"))
        await adapter.until(lambda: adapter.delivered)
        await database.write(expire)
        await two.over()
        await one.unserved()

    assert len(adapter.texts) == 1


@only_sqlite
async def test_an_at_once_command_that_arrives_twice_is_not_answered_by_a_worker_as_well(database: Database) -> None:
    """As one Slack mention does, by two events: the second must not make the first forgotten."""
    adapter, status = TranscriptAdapter(), message("!help")
    adapter.hold_delivery = asyncio.Event()
    async with house(database, adapter=adapter) as running:
        await running.say(status, status)
        await adapter.until(lambda: len(adapter.delivered) == 1)
        await running.say(message("hello"))
        await database.write(expire)
        await running.until(lambda found: found[0].owner is not None)
        await asyncio.sleep(0.1)
        adapter.hold_delivery.set()
        await adapter.until(lambda: "You said: hello" in adapter.texts)
        await running.over()

    assert [reply.attempt for reply in adapter.delivered] == [1, 1]


@only_sqlite
async def test_a_lease_that_the_same_process_has_claimed_anew_is_seen_to_be_lost(database: Database) -> None:
    async with house(database, [asyncio.Event()], [asyncio.Event()], timings=RESTLESS) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running == 1)
        await database.write(expire)
        await running.worker.claim()
        await running.model.until(lambda: running.model.running == 2)

        await running.model.until(lambda: running.model.running == 1)


@only_sqlite
async def test_a_stop_while_the_database_is_away_is_a_stop(database: Database) -> None:
    """The claim that is under way fails: its error must not take the place of the cancellation."""

    class Leaving(Interrupted):
        """A database that goes away while a claim is under way."""

        def __init__(self, database: Database) -> None:
            super().__init__(database)
            self.reached, self.gone = asyncio.Event(), asyncio.Event()

        async def write(self, function, *args, **kwargs):
            if function.__name__ == "claim":
                self.reached.set()
                await self.gone.wait()
                raise DatabaseUnreachable("away")
            return await super().write(function, *args, **kwargs)

    road = Leaving(database)
    there = House(road, ScriptedModel(), TranscriptAdapter())
    working = asyncio.create_task(there.worker.work())
    await road.reached.wait()

    working.cancel()
    road.gone.set()
    await asyncio.wait([working], timeout=1)

    stopped = working.done()
    working.cancel()
    await asyncio.wait([working])
    assert stopped


@only_sqlite
async def test_what_is_given_back_after_its_end_stays_idle(database: Database) -> None:
    """A drain may cut an answer off when its end is committed, and nobody has been told of it yet."""
    road = Interrupted(database)
    async with house(road) as leaving:
        with road.hold("record_last") as ended:
            await leaving.say(message())
            await ended.wait()
            await leaving.stop()
            await leaving.worker.drain(0)

    (session,) = await rows(database, sessions)
    assert (session.due_at, session.attempts) == (None, 0)
