"""Busy sessions and several processes: bursts, stops, signs of waiting, fairness, and who may act until when."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from core.assistant.apologies import GAVE_UP
from core.delivery.previews import LATE
from core.errors import DatabaseUnreachable, ModelStalled, ModelUnavailable
from core.schema import sessions, turns
from core.seam.messages import Audience
from core.session import ATTEMPTS, DEATHS, Kind, Progress
from core.store import Connection, Database, claims, dead, inbound, queue
from core.store import turns as history
from core.work.bursts import MOST, is_burst
from tests.readonly import full
from tests.script import House, Interrupted, ScriptedModel, TranscriptAdapter, brisk, expire, house, memory, rows
from tests.values import ADA, BEN, HERE, message

CHANNEL = replace(HERE, channel="busy", thread="t")


async def test_the_process_that_accepts_a_message_answers_it_without_looking_for_work(database: Database) -> None:
    road = Interrupted(database)
    async with house(road, timings=brisk(poll=3_600.0)) as running:
        await running.until(lambda _: not running.worker.is_full)
        road.fail("claim", AssertionError("nobody has to look for work"))
        await running.say(message("hello"))
        await running.answered("You said: hello")


async def test_a_message_whose_acceptance_is_cut_off_is_answered_by_the_next_at_once(database: Database) -> None:
    """A process that is told to stop may be in the middle of one; its lease must not hold the session up."""
    road = Interrupted(database)
    async with house(road) as leaving:
        await leaving.until(lambda _: not leaving.worker.is_full)
        with road.hold("accept") as accepted:
            arriving = asyncio.create_task(leaving.say(message("hello")))
            await accepted.wait()
            await leaving.stop()
            arriving.cancel()
        await asyncio.wait([arriving])
        assert arriving.cancelled()

    async with house(database) as staying:
        await staying.answered("You said: hello")


async def test_a_message_that_meets_a_busy_session_is_not_claimed_by_its_arrival(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "one"]) as running:
        await running.say(message("first"))
        await running.model.until(lambda: running.model.running == 1)
        other = House(database, ScriptedModel(), TranscriptAdapter(), owner="other:boot:2:b")
        async with other:
            await other.say(message("second"))
            assert (await rows(database, sessions))[0].fence == 1
            go.set()
            await running.answered("one", "You said: second")

    assert other.model.prompts == []


async def test_a_burst_of_one_person_is_answered_as_one(database: Database) -> None:
    first = message("look at this", at=1000.0)
    never = asyncio.Event()
    async with house(database, [never]) as running:
        await running.say(first)
        await running.model.until(lambda: running.model.running == 1)
        await running.say(message("and at that", at=1001.5))
        await running.answered("You said: and at that")

    assert running.model.asked() == ["look at this", "and at that"]
    assert [row.progress for row in await rows(database, turns)] == [Progress.DONE] * 3


async def test_a_burst_that_arrives_at_another_process_is_answered_as_one(database: Database) -> None:
    never = asyncio.Event()
    elsewhere = House(database, ScriptedModel(), TranscriptAdapter(), owner="other:boot:2:b")
    async with house(database, [never]) as running:
        await running.say(message("look at this", at=1000.0))
        await running.model.until(lambda: running.model.running == 1)
        await elsewhere.say(message("and at that", at=1001.5))
        await running.answered("You said: and at that")


async def test_a_burst_that_waits_is_answered_as_one(database: Database) -> None:
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(*(message(text, at=1000.0 + number) for number, text in enumerate("abc")), message("d", at=1010.0))

    async with there:
        await there.answered("You said: c", "You said: d")

    assert there.model.asked(0) == ["a", "b", "c"]


async def test_a_burst_ends_two_seconds_after_its_first_message(database: Database) -> None:
    """Whoever goes on and on is answered in between."""
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(*(message(str(number), at=1000.0 + 1.5 * number) for number in range(5)))

    async with there:
        await there.answered("You said: 1", "You said: 3", "You said: 4")


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"at": 1002.5}, "it came later"),
        ({"at": 1001.0, "author": BEN}, "somebody else said it"),
        ({"at": 1001.0, "text": "!summarize"}, "it is a command"),
    ],
)
async def test_what_is_no_burst_is_answered_by_itself(database: Database, facts: dict[str, object], why: str) -> None:
    there = House(database, ScriptedModel("one", "two"), TranscriptAdapter())
    await there.say(message("first", at=1000.0), message(**{"text": "second", **facts}))

    def said() -> list[str]:
        """Without what stands beneath a summary."""
        return [text.partition("\n\n_(")[0] for text in there.adapter.texts]

    async with there:
        await there.adapter.until(lambda: said() == ["one", "two"])


async def test_what_does_not_directly_follow_a_message_does_not_join_it(database: Database) -> None:
    """And does not make its answer begin again for nothing."""
    go = asyncio.Event()
    async with house(database, [go, "one"]) as running:
        await running.say(message("first", at=1000.0))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(message("second", at=1000.5, author=BEN), message("third", at=1001.0))
        go.set()
        await running.answered("one", "You said: second", "You said: third")

    assert len(running.model.prompts) == 3


async def test_an_answer_that_has_begun_to_show_is_finished_before_what_follows(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, ["On it", go, " now."]) as running:
        await running.say(message("do this", at=1000.0))
        await running.adapter.until(lambda: running.adapter.texts == ["On it"])
        await running.say(message("and that", at=1001.0))
        go.set()
        await running.answered("On it now.", "You said: and that")


async def test_a_stop_reaches_the_process_that_answers(database: Database) -> None:
    never = asyncio.Event()
    elsewhere = House(database, ScriptedModel(), TranscriptAdapter(), owner="other:boot:2:b")
    async with house(database, ["Once upon", never]) as running:
        await running.say(message("tell me a story"))
        await running.adapter.until(lambda: running.adapter.texts == ["Once upon"])
        async with elsewhere:
            await elsewhere.say(message("!stop"))
            await elsewhere.adapter.until(lambda: elsewhere.adapter.texts == ["Stopped."])
            await running.over()

    assert running.adapter.texts == ["Once upon"]
    assert await memory(database) == [("person", "tell me a story"), ("assistant", "Once upon")]
    assert running.model.running == 0


async def test_a_stop_ends_an_answer_that_backs_off(database: Database) -> None:
    async with house(
        database, ModelStalled("nothing came"), timings=brisk(back_off=3_600.0, excuse_after=60.0)
    ) as running:
        await running.say(message("hello?", at=2_000_000_000))
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)
        await running.say(message("!stop", at=2_000_000_001))
        await running.answered("Stopped.")

    assert len(running.model.prompts) == 1


async def test_a_stop_does_not_reach_what_is_asked_after_it(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "never said"], "the next") as running:
        await running.say(message("one"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(message("!stop"), message("two"))
        await running.answered("Stopped.", "the next")


async def test_only_the_asker_and_those_whom_the_operator_names_may_stop_an_answer(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, ["It is", go, " said."], may_stop=frozenset({"U9"})) as running:
        await running.say(message("go on", author=ADA, direct=False, audience=Audience.BOT))
        await running.adapter.until(lambda: running.adapter.texts == ["It is"])
        await running.say(message("!stop", author=BEN, direct=False))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        assert "only they" in running.adapter.texts[1]
        go.set()
        await running.adapter.until(lambda: running.adapter.texts[0] == "It is said.")
        await running.over()


@pytest.mark.parametrize("stopper", [ADA, replace(BEN, id="U9")])
async def test_the_asker_and_the_named_are_obeyed(database: Database, stopper) -> None:
    never = asyncio.Event()
    async with house(database, ["It is", never], may_stop=frozenset({"U9"})) as running:
        await running.say(message("go on", author=ADA))
        await running.adapter.until(lambda: running.adapter.texts == ["It is"])
        await running.say(message("!stop", author=stopper))
        await running.answered("It is", "Stopped.")


async def test_from_the_third_on_a_waiting_message_is_marked_until_its_turn_comes(database: Database) -> None:
    go = asyncio.Event()
    asked = [message(str(number)) for number in range(6)]
    async with house(database, [go, "zero"]) as running:
        await running.say(asked[0])
        await running.model.until(lambda: running.model.running == 1)
        await running.say(*asked[1:])
        await running.adapter.until(lambda: len(running.adapter.marked) == 3)
        assert running.adapter.marked == [(one.id, True) for one in asked[3:]]
        await running.until(lambda found: not running.worker.courtesies.tasks)
        go.set()
        await running.answered("zero", *(f"You said: {number}" for number in range(1, 6)))
        await running.until(lambda found: not running.worker.courtesies.tasks)

    assert [mark for mark in running.adapter.marked if not mark[1]] == [(one.id, False) for one in asked[3:]]


async def test_five_hundred_messages_in_one_channel_do_not_hold_another_up(database: Database) -> None:
    """Also where there is room for one session only: the busy one makes room after a few answers."""
    there = House(database, ScriptedModel(), TranscriptAdapter(), slots=1)
    await there.say(*(message(str(number)) for number in range(500)))
    await there.say(message("just one", address=CHANNEL))

    async with there:
        await there.adapter.until(lambda: there.adapter.texts_in("t") == ["You said: just one"])
        before = len(there.adapter.texts_in(None))

    assert before <= 2 * 8 + 1


async def test_a_process_that_stood_still_does_not_act_on_what_it_has_lost(database: Database) -> None:
    """Its own clock tells it, before it has asked anybody: the database is out of its reach."""
    go = asyncio.Event()
    road = Interrupted(database)
    async with house(road, [go, "too late"], timings=brisk(lease=0.6)) as frozen:
        with road.hold("renew"):
            await frozen.say(message("hello"))
            await frozen.model.until(lambda: frozen.model.running == 1)
            await frozen.model.until(lambda: frozen.model.running == 0)
            go.set()
        assert frozen.adapter.delivered == []

    assert frozen.adapter.texts == []


async def test_a_preview_is_given_up_when_the_lease_may_be_lost(database: Database) -> None:
    never = asyncio.Event()
    road = Interrupted(database)
    adapter = TranscriptAdapter()
    adapter.hold_preview = asyncio.Event()
    async with house(road, ["growing", never], adapter=adapter, timings=brisk(lease=0.6)) as frozen:
        with road.hold("renew"):
            await frozen.say(message("hello"))
            await adapter.until(lambda: len(adapter.previews) == 1)
            await frozen.unserved()
            adapter.hold_preview.set()
        assert adapter.texts == []


async def lost(database: Database, times: int) -> None:
    """So many processes claim what is due, one after the other, and end."""
    for number in range(times):
        owner = f"gone:boot/space:{number}@1:x.1"
        await database.write(claims.claim, owner=owner, lease=30, platforms=["console"], limit=1_000)
        await database.write(expire)


async def test_a_message_that_was_in_hand_when_five_processes_ended_is_answered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E4: it was not the only one, or not often enough, for that to be its fault."""
    monkeypatch.setattr(claims, "AGES", {4: 0.1, 5: 0.2})
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(message("hello"), message("hello, too", address=CHANNEL))
    await lost(database, 5)

    async with there:
        await there.adapter.until(lambda: len(there.adapter.screen) == 2)
        await there.over()

    assert set(there.adapter.texts) == {"You said: hello", "You said: hello, too"}
    assert await database.read(dead.listed, 10) == []


async def test_a_message_over_which_processes_end_that_hold_nothing_else_is_given_up(database: Database) -> None:
    """And only that one; what follows it in its session starts afresh."""
    there = House(database, ScriptedModel(), TranscriptAdapter())
    await there.say(message("poison"), message("hello", author=BEN))
    await lost(database, DEATHS)
    await there.say(message("elsewhere", address=CHANNEL))

    async with there:
        await there.adapter.until(lambda: len(there.adapter.screen) == 3)
        await there.over()

    assert there.adapter.texts_in(None)[0].startswith("I have tried several times to answer this, and failed.")
    assert there.adapter.texts_in(None)[1] == "You said: hello"
    assert sorted(there.model.asked(nth)[-1] for nth in range(2)) == ["elsewhere", "hello"]
    assert [one.reason for one in await database.read(dead.listed, 10)] == [f"{DEATHS} processes ended over it"]


async def test_a_suspect_is_answered_alone_and_what_comes_meanwhile_after_it(database: Database) -> None:
    busy, alone = asyncio.Event(), asyncio.Event()
    async with house(database, [busy, "busy"], [alone, "alone"]) as running:
        await running.say(message("first", address=CHANNEL))
        await running.model.until(lambda: running.model.running == 1)
        await database.write(suspect, "suspect")
        running.worker.wake()
        await running.until(lambda _: running.worker.is_full)

        await running.say(message("third", address=replace(HERE, thread="third")))
        assert running.model.asked() == ["first"], "room is made"
        busy.set()
        await running.model.until(lambda: running.model.asked() == ["suspect"])
        await running.say(message("fourth", address=replace(HERE, thread="fourth")))
        assert (running.model.running, len(running.worker.busy)) == (1, 1)
        alone.set()
        await running.adapter.until(lambda: len(running.adapter.screen) == 4)
        await running.over()
        assert not running.worker.is_full

    assert running.model.asked(0) == ["first"]
    assert running.model.asked(1) == ["suspect"]


async def test_what_was_on_its_way_when_a_suspect_was_claimed_is_given_back_until_that_is_done(
    database: Database,
) -> None:
    road, alone = Interrupted(database), asyncio.Event()
    await House(database, ScriptedModel(), TranscriptAdapter()).say(message("suspect"))
    async with house(road, [alone, "alone"]) as running:
        await running.model.until(lambda: running.model.running == 1)
        alone.set()
        await running.answered("alone")
        alone.clear()
        running.model.script.append([alone, "alone again"])
        with road.hold("accept") as accepted:
            arriving = asyncio.create_task(running.say(message("ordinary", address=CHANNEL)))
            await accepted.wait()
            await database.write(suspect, "suspect again")
            running.worker.wake()
            await running.model.until(lambda: running.model.asked()[-1] == "suspect again")
        await arriving
        await running.until(lambda found: [row.owner is None for row in found] == [False, True])
        assert running.model.running == 1
        alone.set()
        await running.adapter.until(lambda: running.adapter.texts_in("t") == ["You said: ordinary"])
        await running.over()


def suspect(connection: Connection, text: str) -> None:
    """Three processes have ended over what waits here since this was said."""
    inbound.accept(connection, message(text), kind=Kind.SAID, verb=None, tokens=7)
    due = {"deaths": 3, "attempts": 1, "due_at": 0}
    connection.execute(update(sessions).where(sessions.c.address == HERE.id).values(due))


@pytest.mark.parametrize("words", ["and again", "!reset"])
async def test_a_server_that_wants_to_be_left_alone_for_hours_is_asked_again_when_somebody_speaks(
    database: Database, words: str
) -> None:
    """B9. Until then it is left alone for minutes at the most."""
    async with house(database, ModelUnavailable("429", retry_after=43_200), "hello yourself") as running:
        await running.say(message("hello", at=2_000_000_000))
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)
        (session,) = await rows(database, sessions)
        assert 290 < (session.due_at - session.touched_at) / 1000 < 310

        await running.say(message(words, author=BEN, at=2_000_000_010))
        await running.adapter.until(lambda: "hello yourself" in running.adapter.texts)
        await running.over()


async def test_messages_that_wait_for_a_model_that_is_away_say_so_and_are_answered_in_the_same_place(
    database: Database,
) -> None:
    async with house(database, ModelStalled("nothing came"), "Here I am.", timings=brisk(back_off=0.3)) as running:
        await running.say(message("hello?"))
        await running.adapter.until(lambda: any("can't be reached" in text for text in running.adapter.texts))
        await running.answered("Here I am.")

    assert len(running.adapter.screen) == 1


async def test_a_model_that_is_away_is_waited_for_as_long_as_people_have_patience(database: Database) -> None:
    """However often that is: what is away is no fault of the message's."""
    asked = message("hello?")
    now = asked.at + 1
    timings, away = brisk(excuse_after=60.0, patience=600.0), ModelStalled("nothing came")
    async with house(database, *[away] * 1_000, clock=lambda: now, timings=timings) as running:
        await running.say(asked)
        await running.model.until(lambda: len(running.model.prompts) > ATTEMPTS + 2)
        assert running.adapter.texts == []

        now += running.timings.excuse_after + 1
        await running.adapter.until(lambda: running.adapter.texts == [LATE])
        now += running.timings.patience + 1
        await running.answered(GAVE_UP)


async def test_a_message_that_has_not_waited_long_is_told_nothing_of_it(database: Database) -> None:
    async with house(database, ModelStalled("nothing came"), "Here I am.", timings=brisk(excuse_after=1e10)) as running:
        await running.say(message("hello?"))
        await running.answered("Here I am.")

    assert {text for _, text in running.adapter.history} == {"Here I am."}


@pytest.mark.parametrize("ahead", [1_200.0, -1_200.0])
async def test_how_long_people_wait_is_measured_by_our_own_clock_from_when_we_heard_them(
    database: Database, ahead: float
) -> None:
    asked = message("hello?")
    now = asked.at + ahead
    timings, away = brisk(excuse_after=60.0, patience=600.0), ModelStalled("nothing came")
    async with house(database, *[away] * 1_000, clock=lambda: now, timings=timings) as running:
        await running.say(asked)
        await running.model.until(lambda: len(running.model.prompts) > ATTEMPTS + 2)
        assert running.adapter.texts == [], "nobody has waited yet"
        now += 61
        await running.adapter.until(lambda: running.adapter.texts == [LATE])
        now += 600
        await running.answered(GAVE_UP)


async def test_a_database_that_is_away_is_asked_less_and_less_often_and_taken_up_when_it_is_back(
    database: Database,
) -> None:
    """G1."""
    road = Interrupted(database)
    road.fail("claim", *[DatabaseUnreachable("away")] * 5)
    with capture_logs() as logs:
        async with house(road, timings=brisk(poll=0.01, longest_poll=0.04)) as running:
            await running.until(lambda _: sum(line["event"] == "database unreachable" for line in logs) == 5)
            await running.say(message("hello"))
            await running.answered("You said: hello")

    pauses = [line["again_in"] for line in logs if line["event"] == "database unreachable"]
    assert pauses == [0.01, 0.02, 0.04, 0.04, 0.04]


async def test_a_model_is_asked_less_and_less_often_for_what_finds_no_room(url: str, database: Database) -> None:
    """Each answer is paid for; and what finds room again is stored, once."""
    asked = list[float]()
    async with house(database) as running:
        async with full(url, "deliveries"):
            await running.say(message("hello"))
            while len(asked) < 8:
                await running.model.until(lambda: len(running.model.prompts) > len(asked))
                asked.append(asyncio.get_running_loop().time())
        await running.answered("You said: hello")

    assert asked[7] - asked[6] > asked[6] - asked[1], "as long again as it has lasted"
    assert running.adapter.texts == ["You said: hello"]


async def test_a_burst_of_forty_messages_is_several_and_what_is_kept_of_it_is_small(database: Database) -> None:
    """Each keeps what the one before it has, within what it keeps itself."""
    for number in range(40):
        said = message(f"line {number}", at=1_700_000_000 + number / 100)
        await database.write(inbound.accept, said, kind=Kind.SAID, verb=None, tokens=9, heard=1_700_000_000.5)
    found = await database.write(claims.claim, owner="host:boot:1:a.", lease=30, platforms=["console"], limit=1)
    lease, joined = found.sessions[0][0], 0
    first, second = await database.read(history.first_waiting, lease.key, 2)
    while is_burst(first, second, within=2.0):
        await database.write(queue.merge, lease, first, second)
        joined += 1
        first, second = await database.read(history.first_waiting, lease.key, 2)

    assert joined == MOST - 1
    assert history.burst(first) == tuple(range(1, MOST))
    assert max(len(row.slip or "") for row in await rows(database, turns)) < 5_000
