"""Time-outs: a present ends, the memory stays as it is, and the next talk wakes it and is told so once."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import Connection, func, select, update

from core.events import Woken
from core.memory import ageing
from core.policy import Policy
from core.schema import deliveries, segments, sessions, turns
from core.seam.address import Address
from core.seam.messages import Deleted
from core.session import Kind, Progress, SessionKey
from core.store import Database, backscroll, closings, inbound, places, remembered, timeouts
from core.store import segments as views
from core.store.engine.sql import now
from core.store.segments import Move
from core.store.timeouts import Present
from tests.script import House, Interrupted, ScriptedModel, house, rows
from tests.values import BEN, HERE, message

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
THREAD = replace(HERE, thread="side")
TIMES = ("touched_at", "spoken_at", "silent_since", "present_since")


async def pass_time(database: Database, seconds: float) -> None:
    """The same as waiting for so long: all that we know of times lies further back."""

    def move(connection: Connection) -> None:
        back = {name: sessions.c[name] - int(seconds * 1000) for name in TIMES}
        connection.execute(update(sessions).values(back))
        connection.execute(update(turns).values(at=turns.c.at - int(seconds * 1_000_000)))

    await database.write(move)


async def present(database: Database) -> list[Present]:
    return await database.read(timeouts.present, "console", after=timeouts.FIRST, most=99)


async def time_out(database: Database, policy: Policy | None = None) -> list[SessionKey]:
    """Ends what is over, as the chore does."""
    over = [one for one in await present(database) if ageing.is_over(policy or Policy(), one)]
    return [one.key for one in await database.write(timeouts.time_out, over)]


async def shown(database: Database) -> list[str]:
    """The words that the next window would hold, oldest first."""
    found = await database.read(places.find, HERE)
    assert found is not None
    newest = await database.read(remembered.newest, found.key, budget=1_000_000)
    return [turn.text for turn in reversed(newest)]


async def said(running: House, text: str, **facts) -> list[str]:
    """Says this; everything that comes to be on screen of it."""
    before = list(running.adapter.texts)
    await running.say(message(text, **facts))
    await running.adapter.until(lambda: len(running.adapter.texts) > len(before))
    await running.over()
    return running.adapter.texts[len(before) :]


async def moves(database: Database) -> list[str]:
    return [row.kind for row in await rows(database, segments)]


def line(span: str, turns: str) -> str:
    return f"_Picked up after {span}: I remember {turns} of before. Say `!reset` to start clean._"


async def test_a_session_is_present_from_its_first_talk_to_its_time_out(database: Database) -> None:
    async with house(database) as running:
        await said(running, "!status")
        assert await present(database) == [], "a command is no talk"
        await said(running, "hello")
        (one,) = await present(database)
        assert one.since == one.spoken_at

        await pass_time(database, DAY - MINUTE)
        assert await time_out(database) == []
        await pass_time(database, MINUTE)
        assert await time_out(database) == [one.key]

    assert await present(database) == []
    assert await moves(database) == [Move.TIMED_OUT]
    assert await database.read(backscroll.live_sessions, one.key, limit=9) == []


async def test_what_waits_or_was_said_meanwhile_ends_no_present(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        over = await present(database)
        await said(running, "I am back")
        assert await database.write(timeouts.time_out, over) == [], "people have talked since it was looked at"

        await pass_time(database, 2 * DAY)
        go = asyncio.Event()
        running.model.script.append([go, "at last"])
        await running.say(message("slow"))
        await running.model.until(lambda: running.model.running == 1)
        assert await present(database) == [], "something waits there"
        (row,) = await rows(database, sessions)
        asked = replace(over[0], since=row.present_since, spoken_at=row.spoken_at)
        assert await database.write(timeouts.time_out, [asked]) == []
        go.set()
        await running.over()


@pytest.mark.parametrize("by_chore", [True, False], ids=["timed out by the chore", "found by the message"])
async def test_the_next_message_goes_on_from_all_of_the_memory_and_is_told_once(
    database: Database, *, by_chore: bool
) -> None:
    async with house(database) as running:
        for number in range(20):
            await said(running, f"fact {number}")
        before = await shown(database)
        await pass_time(database, 9 * DAY)
        if by_chore:
            assert len(await time_out(database)) == 1
        assert await said(running, "what do you know?") == [
            "You said: what do you know?",
            line("9 days", "40 turns"),
        ]
        assert await said(running, "and now?") == ["You said: and now?"]

    assert running.model.asked(20)[:-1] == before, "as if nobody had been silent"
    assert await moves(database) == [Move.TIMED_OUT]
    (session,) = await rows(database, sessions)
    assert session.start == views.EVERYTHING
    assert session.present_since > session.touched_at - DAY * 1000, "a new present has begun"


async def test_a_session_that_is_not_over_is_told_nothing(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await said(running, "hello", address=THREAD)
        await pass_time(database, DAY - MINUTE)
        assert await said(running, "again") == ["You said: again"]
        await pass_time(database, 6 * DAY)
        assert await said(running, "again", address=THREAD) == ["You said: again"], "a thread has a week"

    assert await moves(database) == []


async def test_each_time_out_is_told_at_its_own_waking(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        for days, told in ((2, "2 turns"), (3, "4 turns")):
            await pass_time(database, days * DAY)
            await time_out(database)
            assert (await said(running, "again"))[1:] == [line(f"{days} days", told)]

    assert await moves(database) == [Move.TIMED_OUT] * 2


async def test_overheard_talk_and_commands_neither_keep_a_present_nor_wake_it(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        await running.say(message("to somebody else", direct=False))
        assert len(await time_out(database)) == 1
        await said(running, "!status")
        assert await present(database) == []
        assert (await said(running, "again"))[1:] == [line("2 days", "3 turns")]


async def test_who_has_started_clean_before_is_told_nothing(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        await time_out(database)
        await said(running, "!reset")
        assert await said(running, "new") == ["You said: new"]

        await said(running, "!reset")
        await pass_time(database, 2 * DAY)
        await time_out(database)
        assert await said(running, "newer") == ["You said: newer"], "nothing is picked up where nothing is remembered"

    assert running.model.asked() == ["newer"]


@pytest.mark.parametrize("by_chore", [True, False], ids=["timed out by the chore", "found by the message"])
async def test_where_the_message_that_woke_it_is_deleted_nothing_is_told_and_the_silence_goes_on(
    database: Database, *, by_chore: bool
) -> None:
    async with house(database) as running:
        await said(running, "fact")
        before = list(running.adapter.texts)
        await pass_time(database, 9 * DAY)
        if by_chore:
            await time_out(database)
        go = asyncio.Event()
        running.model.script.append([go, "too late"])
        await running.say(message("never mind", id="m9"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(Deleted(address=HERE, id="m9"))
        go.set()
        await running.over()
        assert running.adapter.texts == before, "no line stands alone"
        assert await present(database) == []

        await pass_time(database, DAY)
        answer, told = await said(running, "what do you know?")
        assert (answer, told) == ("You said: what do you know?", line("10 days", "2 turns"))
        assert len([one for one in running.told if isinstance(one, Woken)]) == 2


async def test_of_two_messages_that_are_both_taken_back_nothing_is_left_and_the_silence_goes_on(
    database: Database,
) -> None:
    async with house(database) as running:
        await said(running, "fact")
        await pass_time(database, 9 * DAY)
        running.model.script.append([asyncio.Event(), "too late"])
        await running.say(message("never", id="m8"))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(message("mind", id="m9"), Deleted(address=HERE, id="m8"), Deleted(address=HERE, id="m9"))
        await running.over()
        await pass_time(database, DAY)
        assert (await said(running, "what do you know?"))[1:] == [line("10 days", "2 turns")]


async def test_who_starts_clean_before_it_is_told_that_all_is_remembered_is_not_told_so(database: Database) -> None:
    go = asyncio.Event()
    async with house(database) as running:
        await said(running, "old")
        await pass_time(database, 9 * DAY)
        running.model.script.append([go, "at last"])
        back = message("back", at=await database.read(_now) / 1000)
        await running.say(back)
        await running.model.until(lambda: running.model.running == 1)
        await running.say(message("!reset", at=back.at + 1))
        go.set()
        await running.over()

    assert running.adapter.texts[1:] == ["at last", "A fresh start: I set 4 turns aside. `undo` brings them back."]


async def test_who_goes_on_off_the_record_is_told_as_everybody_is(database: Database) -> None:
    async with house(database) as running:
        await said(running, "old")
        await pass_time(database, 9 * DAY)
        begun = await database.read(_now) / 1000
        await said(running, "!off the record", at=begun)
        assert await said(running, "back", at=begun + 1) == ["You said: back", line("9 days", "2 turns")]
        assert await said(running, "and on", at=begun + 9) == ["You said: and on"], "it is told once"

    assert await moves(database) == [Move.TIMED_OUT]


async def test_what_was_said_behind_a_deleted_message_keeps_the_session_awake(database: Database) -> None:
    async with house(database) as running:
        await said(running, "fact")
        await pass_time(database, 9 * DAY)
        go = asyncio.Event()
        running.model.script.append([go, "too late"])
        await running.say(message("never mind", id="m9"), message("who is there?", author=BEN))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(Deleted(address=HERE, id="m9"))
        go.set()
        await running.over()

        assert running.adapter.texts[1:] == ["You said: who is there?", line("9 days", "2 turns")]
        assert len(await present(database)) == 1


async def test_undo_passes_over_time_outs(database: Database) -> None:
    async with house(database) as running:
        await said(running, "old")
        await pass_time(database, 2 * DAY)
        await time_out(database)
        assert await said(running, "!undo") == ["There is no reset to undo."]
        await said(running, "woken")
        assert "set 4 turns aside" in (await said(running, "!reset"))[0]
        await said(running, "new")
        for number in range(2):
            await pass_time(database, 2 * DAY)
            await time_out(database)
            await said(running, f"again {number}")
        assert "I remember 10 turns again" in (await said(running, "!undo"))[0]
        await pass_time(database, 2 * DAY)
        await time_out(database)
        assert "I set 4 turns aside again" in (await said(running, "!undo"))[0]
        assert "The last reset is undone" in (await said(running, "!undo"))[0]

    assert await moves(database) == [
        *(Move.TIMED_OUT, Move.RESET, Move.TIMED_OUT, Move.TIMED_OUT, Move.UNDO, Move.TIMED_OUT, Move.UNDO, Move.UNDO)
    ]
    assert [row.back_to for row in await rows(database, segments)] == [0, None, 2, 2, 0, 0, 2, 0]


async def test_what_one_person_says_in_a_burst_is_still_answered_as_one(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        await running.stop()
        first = message("one", at=(await database.read(_now)) / 1000)
        await running.say(first)
        await running.say(replace(first, id="second", text="two", at=first.at + 1))
        async with House(database, ScriptedModel(), running.adapter, owner="host:boot:2:b") as other:
            await running.over()
            await other.over()

    assert len(running.adapter.texts) == 3
    assert running.adapter.texts[-1] == line("2 days", "2 turns")


def _now(connection: Connection) -> int:
    return connection.execute(select(now(connection))).scalar_one()


async def test_a_second_arrival_of_the_message_that_woke_it_changes_nothing(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        back = message("back")
        await running.say(back, back)
        await running.over()
        await running.say(back)
        await running.answered("You said: hello", "You said: back", line("2 days", "2 turns"))


async def test_two_processes_wake_it_once(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        async with House(database, ScriptedModel(), running.adapter, owner="host:boot:2:b") as other:
            await asyncio.gather(
                running.say(message("from one")), other.say(message("from another", author=BEN)), time_out(database)
            )
            await running.over()

    assert sum("Picked up" in text for text in running.adapter.texts) == 1
    assert len(running.adapter.texts) == 4
    assert await moves(database) == [Move.TIMED_OUT]


async def test_a_commit_of_unknown_outcome_wakes_it_once(database: Database) -> None:
    road = Interrupted(database)
    async with house(road) as running:
        await said(running, "hello")
        await pass_time(database, 2 * DAY)
        road.repeat("time_out")
        over = await present(database)
        assert await road.write(timeouts.time_out, over) == [], "the second time, nothing was left to end"
        await said(running, "back")

    assert await moves(database) == [Move.TIMED_OUT]
    assert sum("Picked up" in text for text in running.adapter.texts) == 1


async def test_a_time_out_is_whole_or_not_at_all(database: Database) -> None:
    """Whatever ends a process in the middle of it, be it by the chore or by a message."""
    async with house(database) as running:
        await said(running, "hello")
        await said(running, "hello", address=THREAD)
    await pass_time(database, 9 * DAY)
    before = [await rows(database, table) for table in (sessions, segments, turns, deliveries)]
    over = await present(database)

    def killed(connection: Connection, *, by_chore: bool) -> None:
        if by_chore:
            assert len(timeouts.time_out(connection, over)) == 2
        else:
            back = message("back")
            waking = ageing.waking(Policy(), burst=2.0)
            stored = inbound.accept(connection, back, kind=Kind.SAID, verb=None, tokens=1, waking=waking)
            assert stored.woken
        assert connection.execute(select(func.count()).select_from(segments)).scalar_one() > 0
        raise KeyError("the end")

    for by_chore in (True, False):
        with pytest.raises(KeyError):
            await database.write(killed, by_chore=by_chore)
        assert [await rows(database, table) for table in (sessions, segments, turns, deliveries)] == before


async def test_a_place_that_was_closed_begins_anew(database: Database) -> None:
    async with house(database) as running:
        await said(running, "hello")
        await database.write(closings.close, HERE, gone=False, seconds=30)
        assert await present(database) == []
        await pass_time(database, 9 * DAY)
        assert await said(running, "hello again") == ["You said: hello again"]

    assert await moves(database) == [Move.CLOSED]


async def test_an_age_ends_a_present_in_which_people_talk(database: Database) -> None:
    policy = Policy(max_age=3 * DAY)
    async with house(database) as running:
        running.mind.policy = policy
        for _ in range(3):
            await said(running, "hello")
            await pass_time(database, DAY - HOUR)
        assert await time_out(database, policy) == []
        await said(running, "hello")
        await pass_time(database, 3 * HOUR)
        assert len(await time_out(database, policy)) == 1
        told = (await said(running, "hello"))[1:]

    assert told == [line("3 hours", "8 turns")]


@pytest.mark.parametrize("progress", [Progress.SKIPPED, Progress.WAITING])
async def test_the_sessions_are_found_in_their_order_page_by_page(database: Database, progress: Progress) -> None:
    for number in range(5):
        there = Address(platform="console", workspace=f"w{number % 2}", channel=f"c{number}")
        await database.write(
            inbound.accept, message(address=there), kind=Kind.SAID, verb=None, tokens=1, progress=progress
        )
    await database.write(lambda connection: connection.execute(update(sessions).values(due_at=None)) and None)

    found, page = list[Present](), await database.read(timeouts.present, "console", after=timeouts.FIRST, most=2)
    while page:
        found += page
        page = await database.read(timeouts.present, "console", after=page[-1].place, most=2)

    expected = [] if progress is Progress.SKIPPED else [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert [one.place for one in found] == expected
    assert await database.read(timeouts.present, "slack", after=timeouts.FIRST, most=2) == []
