"""The queue: accepted means committed, once, in order, and one owner at a time. On both databases."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select, update

from core.errors import DatabaseError, LeaseLost
from core.schema import deliveries as outgoing
from core.schema import rejections, sessions, spent, turns
from core.schema import segments as segment_rows
from core.seam.address import Address
from core.seam.messages import Draft, Edited, Inbound, Rejected
from core.session import Answer, Bill, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import (
    Database,
    answering,
    arrivals,
    backscroll,
    bodies,
    changes,
    claims,
    deliveries,
    expiring,
    identities,
    inbound,
    queue,
    receipts,
    remembered,
    segments,
)
from core.store import turns as history
from core.store.erasures import Erasure, Scope
from core.store.receipts import Arrival
from tests.script import rows
from tests.values import ADA, BEN, HERE, message

ELSEWHERE = Address(platform="console", workspace="local", channel="main", thread="side")

SHOWN = Arrival(part=0, message="shown")


async def accept(database: Database, said: Inbound, kind: Kind = Kind.SAID, verb: str | None = None) -> int:
    kind = kind if verb is None else Kind.COMMAND
    accepted = await database.write(inbound.accept, said, kind=kind, verb=verb, tokens=7)
    return accepted.turn.seq


def next_waiting(connection: Connection, key: SessionKey) -> Turn | None:
    """The turn to answer now."""
    return next(iter(history.first_waiting(connection, key, 1)), None)


async def claim(database: Database, owner: str = "host:boot:1:a", limit: int = 10, lease: float = 30) -> list[Lease]:
    claimed = await database.write(claims.claim, owner=owner, lease=lease, platforms=["console"], limit=limit)
    return [one for one, _ in claimed.sessions]


async def answer(database: Database, lease: Lease, text: str = "yes") -> Turn:
    """Answers the next waiting turn of a session as the assistant would."""
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    decided = Answer(parts=(text,), memory=text, tokens=3, model="m")
    await database.write(answering.answer, lease.key, question, decided, lease=lease)
    await database.write(receipts.record_last, lease.key, question.seq, SHOWN, lease=lease, seconds=30)
    return question


def bill(shown: int, cached: int = 0, cache_written: int = 0, written: int = 0) -> Bill:
    tokens = {"shown": shown, "cached": cached, "cache_written": cache_written, "written": written}
    return Bill(hold=1, was_held=False, day=20_000, model="m", above=0, **tokens)


def expire(connection: Connection) -> None:
    """The same as waiting for every lease to run out."""
    connection.execute(update(sessions).where(sessions.c.due_at.is_not(None)).values(due_at=0))


async def memory(database: Database, key: SessionKey) -> list[str]:
    newest = await database.read(remembered.newest, key, budget=1_000_000)
    return [turn.text for turn in reversed(newest)]


async def test_a_message_that_arrives_twice_is_one_turn(database: Database) -> None:
    once = message("once")
    await accept(database, once)

    with pytest.raises(arrivals.Duplicate):
        await accept(database, once)

    assert await accept(database, message("twice")) == 2, "the refused arrival has used no seq up"


async def test_arrivals_at_the_same_moment_are_each_one_turn(database: Database) -> None:
    """Births of a workspace and a session included, and every message by two events at once."""
    messages = [message(str(number)) for number in range(30)]

    results = await asyncio.gather(
        *(accept(database, one) for one in messages for _ in range(2)), return_exceptions=True
    )

    seqs = sorted(result for result in results if isinstance(result, int))
    assert seqs == list(range(1, 31))
    assert sum(isinstance(result, arrivals.Duplicate) for result in results) == 30


async def test_two_processes_never_own_one_session(database: Database) -> None:
    for number in range(20):
        await accept(database, message(address=replace(HERE, thread=str(number))))

    claimed = await asyncio.gather(*(claim(database, owner=f"host:boot:{n}:a", limit=7) for n in range(4)))

    owned = [lease.key for leases in claimed for lease in leases]
    assert len(owned) == len(set(owned)) == 20


async def test_turns_are_answered_in_the_order_in_which_they_were_said(database: Database) -> None:
    late, early = message("second", at=2000.0), message("first", at=1000.0)
    await accept(database, late)
    await accept(database, early)
    (lease,) = await claim(database)

    said = [(await answer(database, lease)).text for _ in range(2)]

    assert said == ["first", "second"]


async def test_a_session_with_nothing_to_do_is_not_claimed(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)
    assert await claim(database) == [], "it is leased"
    await answer(database, lease)

    await database.write(expire)

    assert await claim(database) == []


async def test_a_message_that_comes_during_an_answer_keeps_the_lease(database: Database) -> None:
    await accept(database, message("one"))
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    await accept(database, message("two"))

    await database.write(answering.answer, lease.key, question, Answer(parts=()), lease=lease)
    kept = await database.write(queue.finish, lease.key, question.seq, lease=lease, seconds=30)

    assert kept
    assert (await answer(database, lease)).text == "two"


async def test_the_work_of_a_dead_process_is_taken_over_when_its_lease_runs_out(database: Database) -> None:
    await accept(database, message())
    (dead,) = await claim(database)
    await database.write(expire)

    (heir,) = await claim(database, owner="host:boot:2:b")

    assert heir.fence > dead.fence
    assert (heir.attempts, heir.deaths) == (1, 1), "a death is no attempt"
    await answer(database, heir)
    (session,) = await rows(database, sessions)
    assert (session.attempts, session.deaths) == (0, 0)


async def test_a_lease_that_ran_out_in_a_process_that_lives_is_an_attempt_and_no_death(database: Database) -> None:
    await accept(database, message())
    await claim(database, owner="host:boot:1:a.1")
    await database.write(expire)

    (again,) = await claim(database, owner="host:boot:1:a.2")

    assert (again.attempts, again.deaths) == (2, 0)


def mourn(connection: Connection, deaths: dict[Address, int]) -> None:
    """So many processes have ended over what waits at these addresses; the first has waited longest."""
    for number, (address, times) in enumerate(deaths.items()):
        this = sessions.c.address == address.id
        connection.execute(update(sessions).where(this).values(deaths=times, attempts=1, due_at=number))


PLACES = [replace(HERE, thread=f"{number}") for number in range(200)]


@pytest.mark.parametrize(("deaths", "together"), [(0, 200), (1, 125), (2, 15), (3, 1), (5, 1)])
async def test_the_more_processes_have_ended_over_a_session_the_fewer_are_answered_beside_it(
    database: Database, deaths: int, together: int
) -> None:
    for address in PLACES:
        await accept(database, message(address=address))
    await database.write(mourn, {PLACES[7]: deaths})

    claimed = await claim(database, limit=1_000)

    assert len(claimed) == together
    assert PLACES[7] in [lease.key.address for lease in claimed]
    assert await claim(database, owner="host:boot:2:b", limit=1_000) or together == len(PLACES)


async def test_a_suspect_that_waits_longest_is_made_room_for(database: Database) -> None:
    """Where there is always something to do it would wait for ever otherwise."""
    for address in (HERE, ELSEWHERE):
        await accept(database, message(address=address))
    await database.write(mourn, {HERE: 3})
    facts = {"owner": "host:boot:1:a", "lease": 30, "platforms": ["console"], "limit": 999}

    impatient = await database.write(claims.claim, **facts, in_hand=2, patient=False)
    assert ([lease.key.address for lease, _ in impatient.sessions], impatient.room) == ([ELSEWHERE], claims.MOST)
    await database.write(queue.release, impatient.sessions[0][0], attempts=0)

    busy = await database.write(claims.claim, **facts, in_hand=1)
    assert (len(busy.sessions), busy.room) == (0, 0)

    idle = await database.write(claims.claim, **facts)
    assert [(lease.key.address, lease.deaths) for lease, _ in idle.sessions] == [(HERE, 3)]
    others = await database.write(claims.claim, **facts, in_hand=1)
    assert [lease.key.address for lease, _ in others.sessions] == [ELSEWHERE]
    assert others.room == claims.MOST


async def test_a_suspect_waits_behind_what_has_waited_longer(database: Database) -> None:
    for address in (HERE, ELSEWHERE):
        await accept(database, message(address=address))
    await database.write(mourn, {HERE: 0, ELSEWHERE: 3})

    assert [lease.key.address for lease in await claim(database)] == [HERE]


async def test_an_owner_that_lost_its_lease_can_write_nothing(database: Database) -> None:
    await accept(database, message())
    (stale,) = await claim(database)
    await database.write(expire)
    (heir,) = await claim(database, owner="host:boot:2:b")
    question = await database.read(next_waiting, stale.key)
    assert question is not None

    with pytest.raises(LeaseLost):
        await database.write(answering.answer, stale.key, question, Answer(parts=("x",), memory="x"), lease=stale)
    with pytest.raises(LeaseLost):
        await database.write(queue.finish, stale.key, question.seq, lease=stale, seconds=30)
    with pytest.raises(LeaseLost):
        await database.write(deliveries.intend_draft, stale, question, 0)
    assert await database.write(queue.renew, [stale], lease=30) == set()

    assert await database.write(queue.renew, [heir], lease=30) == {(heir.key.workspace, heir.key.session, heir.fence)}
    assert await memory(database, heir.key) == []


async def test_an_answer_is_stored_once_whoever_computes_it(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    decided = Answer(parts=("yes",), memory="yes", model="m", bill=bill(shown=5))

    await database.write(answering.answer, lease.key, question, decided, lease=lease)
    with pytest.raises(answering.AlreadyAnswered):
        await database.write(answering.answer, lease.key, question, decided, lease=lease)


async def test_ending_a_turn_twice_ends_one_turn(database: Database) -> None:
    """A commit whose outcome was unknown is repeated."""
    await accept(database, message("one"))
    await accept(database, message("two"))
    (lease,) = await claim(database)

    await database.write(queue.finish, lease.key, 1, lease=lease, seconds=30)
    assert await database.write(queue.finish, lease.key, 1, lease=lease, seconds=30), "the second still waits"


async def test_leases_of_dead_processes_of_this_host_are_freed_at_start(database: Database) -> None:
    await accept(database, message())
    await accept(database, message(address=ELSEWHERE))
    (first,) = await claim(database, owner="host:boot:1:a", limit=1)
    await claim(database, owner="other:boot:2:b", limit=1)

    freed = await database.write(claims.free_dead, host="host:boot:", alive=lambda owner: False)

    assert freed == 1
    (heir,) = await claim(database)
    assert heir.key == first.key
    assert (heir.attempts, heir.deaths) == (1, 1)


def start(connection: Connection, said: Inbound, lived: float) -> list[Lease]:
    """Another process starts where one has ended, hears the next message, and claims what it can once it has lived."""
    claims.free_dead(connection, host="host:boot:", alive=lambda owner: False)
    claims.call_back(connection)
    inbound.accept(connection, said, kind=Kind.SAID, verb=None, tokens=7)
    claimed = claims.claim(connection, owner="host:boot:2:b", lease=30, platforms=["console"], limit=10, lived=lived)
    return [one for one, _ in claimed.sessions]


@pytest.mark.parametrize(("deaths", "age"), [(1, 0.0), (3, 0.0), (4, 10.0), (5, 60.0), (6, 0.0)])
@pytest.mark.parametrize("is_freed", [True, False], ids=["at start", "when its lease is over"])
async def test_what_processes_have_ended_over_alone_is_tried_by_one_that_has_lived(
    database: Database, deaths: int, age: float, *, is_freed: bool
) -> None:
    """Where they are ended by something else, none gets that old, so that nothing innocent is given up."""
    await accept(database, message())
    await database.write(mourn, {HERE: deaths - 1})
    assert await claim(database, owner="host:boot:1:a." if is_freed else "other:boot:1:a.")
    if not is_freed:
        await database.write(expire)

    too_early = await database.write(start, message(), age - 0.1)
    later = too_early or await database.write(start, message(), age)

    assert bool(too_early) is (age == 0)
    assert [one.deaths for one in later] == [deaths]


async def test_an_owner_that_was_taken_for_dead_can_write_nothing(database: Database) -> None:
    """Or the session would wait for the end of a lease that nobody holds."""
    await accept(database, message())
    await accept(database, message())
    (stale,) = await claim(database)
    question = await database.read(next_waiting, stale.key)
    assert question is not None

    await database.write(claims.free_dead, host="host:boot:", alive=lambda owner: False)

    with pytest.raises(LeaseLost):
        await database.write(queue.finish, stale.key, question.seq, lease=stale, seconds=30)
    assert [lease.key for lease in await claim(database)] == [stale.key]


async def test_a_failed_turn_is_due_again_after_its_back_off_and_says_why(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)

    await database.write(queue.release, lease, attempts=1, after=60, error=(1, "ModelStalled: nothing came"))

    assert await claim(database) == []
    assert [row.error for row in await rows(database, turns)] == ["ModelStalled: nothing came"]
    await database.write(expire)
    assert len(await claim(database)) == 1


async def test_an_arrival_cuts_a_back_off_short(database: Database) -> None:
    """B9: whoever asks again is not to wait for hours because a server said so before."""
    await accept(database, message())
    (lease,) = await claim(database)
    await database.write(queue.release, lease, attempts=1, after=60)

    await accept(database, message("!reset"), verb="reset")

    (again,) = await claim(database)
    assert again.attempts == 2


@pytest.mark.parametrize("change", ["edit", "erase"])
async def test_a_change_of_what_waits_cuts_a_back_off_short(database: Database, change: str) -> None:
    asked = message("now", at=1000.0)
    await accept(database, asked)
    await accept(database, message("then"))
    (lease,) = await claim(database)
    await database.write(queue.release, lease, attempts=1, after=60)

    if change == "edit":
        edited = Edited(message=replace(asked, text="now!"), at=1001.0)
        await database.write(changes.edit, edited, verb=None, tokens=7, fit=lambda new, _: new, size=lambda _: 7)
    else:
        await database.write(changes.erase, HERE, asked.id, seconds=30.0, pieces=lambda text, _: (text,), count=len)

    assert len(await claim(database)) == 1


async def test_at_a_start_everything_that_backs_off_is_due(database: Database) -> None:
    """And nothing else is: not what is being answered, and not what a process that lives answers beside the queue."""
    await accept(database, message())
    (lease,) = await claim(database)
    await database.write(queue.release, lease, attempts=1, after=43_200)
    await accept(database, message(address=ELSEWHERE))
    await claim(database)
    aside = message("!status", address=replace(HERE, thread="aside"))
    await database.write(inbound.accept, aside, kind=Kind.COMMAND, verb="status", tokens=7, at_once=True)

    assert await database.write(claims.call_back) == 1

    assert [again.key for again in await claim(database, owner="host:boot:2:b")] == [lease.key]


async def test_only_sessions_of_platforms_that_we_serve_are_claimed(database: Database) -> None:
    await accept(database, message(address=Address(platform="telegraph", workspace="w", channel="c")))

    assert await claim(database) == []


async def test_heard_turns_are_remembered_and_never_answered(database: Database) -> None:
    await accept(database, message("question"))
    (lease,) = await claim(database)
    await answer(database, lease, "answer")

    await accept(database, message("aside", author=BEN), kind=Kind.OVERHEARD)

    assert await claim(database) == []
    assert await memory(database, lease.key) == ["question", "answer", "aside"]


async def test_what_was_overheard_and_refused_is_still_overheard_when_it_is_edited(database: Database) -> None:
    await accept(database, message("question"))
    (lease,) = await claim(database)
    await answer(database, lease, "answer")
    aside = message("aside", author=BEN)
    seq = await accept(database, aside, kind=Kind.OVERHEARD)

    await database.write(history.leave_out, lease.key, [seq])
    assert await memory(database, lease.key) == ["question", "answer"]
    edited = Edited(message=replace(aside, text="politely"), at=aside.at + 1)
    await database.write(changes.edit, edited, verb=None, tokens=7, fit=lambda text, _: text, size=lambda turn: 1)

    assert await memory(database, lease.key) == ["question", "answer", "politely"]
    row = (await rows(database, turns))[-1]
    assert (row.kind, row.progress) == (Kind.OVERHEARD, Progress.DONE)


async def test_what_was_overheard_and_then_deleted_is_not_answered_when_it_comes_again(database: Database) -> None:
    await accept(database, message("question"))
    (lease,) = await claim(database)
    await answer(database, lease, "answer")
    aside = message("aside", author=BEN)
    await accept(database, aside, kind=Kind.OVERHEARD)
    gone = {"seconds": 30.0, "pieces": lambda words, _: [words], "count": len}
    await database.write(changes.erase, HERE, aside.id, **gone)

    with pytest.raises(arrivals.Duplicate):
        await accept(database, aside)

    assert await claim(database) == []
    assert await memory(database, lease.key) == ["question", "answer"]


async def test_what_was_said_before_the_birth_stands_before_the_first_turn(database: Database) -> None:
    await accept(database, message("question"))
    (lease,) = await claim(database)
    me = replace(ADA, id="B", is_self=True)

    await database.write(backscroll.keep, lease, [message("a"), message("b", author=me)], [1, 1])
    await answer(database, lease, "answer")

    assert await memory(database, lease.key) == ["a", "b", "question", "answer"]
    await accept(database, message())
    (again,) = await claim(database)
    assert (lease.backscroll_read, again.backscroll_read) == (False, True)


async def test_a_reset_sets_everything_aside_and_undo_brings_it_back(database: Database) -> None:
    await accept(database, message("old"))
    (lease,) = await claim(database)
    await answer(database, lease, "old answer")
    seq = await accept(database, message("!reset"), verb="reset")

    await database.write(segments.reset, lease.key, seq)
    await database.write(queue.finish, lease.key, seq, lease=lease, seconds=30)
    assert await memory(database, lease.key) == []
    await accept(database, message("new"))
    (lease,) = await claim(database)
    await answer(database, lease, "new answer")
    assert await memory(database, lease.key) == ["new", "new answer"]

    assert await database.write(segments.undo, lease.key, 4)
    assert await memory(database, lease.key) == ["old", "old answer", "new", "new answer"]


async def test_an_undo_is_undone_where_no_reset_stands_any_more(database: Database) -> None:
    await accept(database, message("old"))
    (lease,) = await claim(database)
    await answer(database, lease, "old answer")
    assert await database.write(segments.undo, lease.key, 1) is None, "there is nothing to undo"
    await database.write(segments.reset, lease.key, 1)
    await accept(database, message("new"))
    (lease,) = await claim(database)
    await answer(database, lease, "new answer")

    for _ in range(2):
        assert await database.write(segments.undo, lease.key, 3) is segments.Move.RESET
        assert await memory(database, lease.key) == ["old", "old answer", "new", "new answer"]
        assert await database.write(segments.undo, lease.key, 4) is segments.Move.UNDO
        assert await memory(database, lease.key) == ["new", "new answer"]


async def test_a_view_s_history_is_only_added_to(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)

    histories = []
    for move in (segments.reset, segments.undo, segments.undo, segments.reset, segments.undo, segments.undo):
        await database.write(move, lease.key, 10 + len(histories))
        histories.append(await rows(database, segment_rows))

    for before, after in itertools.pairwise(histories):
        assert after[: len(before)] == before
    numbers = [(row.number, row.kind, row.back_to, row.start, row.seq) for row in histories[-1]]
    assert numbers == [
        (1, "reset", None, 10, 10),
        (2, "undo", 0, segments.EVERYTHING, 11),
        (3, "undo", 1, 10, 12),
        (4, "reset", None, 13, 13),
        (5, "undo", 1, 10, 14),
        (6, "undo", 0, segments.EVERYTHING, 15),
    ]


async def test_two_resets_are_undone_one_by_one(database: Database) -> None:
    await accept(database, message("one"))
    (lease,) = await claim(database)
    await answer(database, lease, "1")
    await database.write(segments.reset, lease.key, 1)
    await accept(database, message("two"))
    (lease,) = await claim(database)
    await answer(database, lease, "2")
    await database.write(segments.reset, lease.key, 2)

    await database.write(segments.undo, lease.key, 3)
    assert await memory(database, lease.key) == ["two", "2"]
    await database.write(segments.undo, lease.key, 4)
    assert await memory(database, lease.key) == ["one", "1", "two", "2"]


async def test_a_superseded_turn_is_not_shown_and_its_words_are_kept(database: Database) -> None:
    seq = await accept(database, message("we meet at noon"))
    (lease,) = await claim(database)
    await answer(database, lease)
    asked = update(turns).where(turns.c.seq == seq, turns.c.role == Role.PERSON)
    await database.write(lambda connection: connection.execute(asked.values(validity=Validity.SUPERSEDED)))

    assert await memory(database, lease.key) == ["yes"]
    assert [row.body for row in await rows(database, turns)] == [b"we meet at noon", b"yes"]


async def test_workspaces_do_not_see_each_other(database: Database) -> None:
    there = replace(HERE, workspace="other")
    await accept(database, message("mine"))
    await accept(database, message("theirs", address=there))

    leases = await claim(database)
    for lease in leases:
        await answer(database, lease)

    for lease in leases:
        words = "theirs" if lease.key.address == there else "mine"
        assert await memory(database, lease.key) == [words, "yes"]


async def test_a_window_reads_no_more_than_its_budget(database: Database) -> None:
    for number in range(60):
        await accept(database, message(f"q{number}"))
    (lease,) = await claim(database)
    for number in range(60):
        await answer(database, lease, f"a{number}")

    newest = await database.read(remembered.newest, lease.key, budget=100)

    assert sum(turn.tokens for turn in newest[:-2]) <= 100 < sum(turn.tokens for turn in newest)
    assert newest[-1].seq == newest[-2].seq, "a question comes with its answer"


async def test_of_what_was_overheard_a_window_reads_an_end_whatever_its_budget(database: Database) -> None:
    await accept(database, message("0"))
    (lease,) = await claim(database)
    for number in range(200):
        await accept(database, message(str(number)), kind=Kind.OVERHEARD)

    newest = await database.read(remembered.newest, lease.key, budget=70)

    assert [turn.text for turn in newest] == [str(number) for number in range(199, 159, -1)], "twice what is shown"


async def test_pages_of_history_join_without_a_gap(database: Database) -> None:
    """A page may end between an answer and its question."""
    for number in range(70):
        await accept(database, message(f"q{number}"))
    (lease,) = await claim(database)
    for number in range(70):
        await answer(database, lease, f"a{number}")

    assert await memory(database, lease.key) == [f"{kind}{number}" for number in range(70) for kind in "qa"]


async def test_a_rejected_event_is_kept_once_with_its_reason(database: Database) -> None:
    event = Rejected(platform="slack", id="Ev1", reason="it has no channel", payload='{"ts": "1"}')

    await database.write(inbound.reject, event)
    await database.write(inbound.reject, event)

    kept = [(row.id, row.reason, row.body) for row in await rows(database, rejections)]
    assert kept == [("Ev1", "it has no channel", b'{"ts": "1"}')]


async def test_a_rejected_event_is_let_go_of_after_a_month(database: Database) -> None:
    for number, days in (("Ev1", 29), ("Ev2", 31)):
        await database.write(inbound.reject, Rejected(platform="slack", id=number, reason="no channel", payload="{}"))
        await database.write(_aged, number, days)

    await database.write(expiring.drop_rejected, seconds=30 * 86_400.0)

    assert [row.id for row in await rows(database, rejections)] == ["Ev1"]


def _aged(connection: Connection, number: str, days: int) -> None:
    this = update(rejections).where(rejections.c.id == number)
    connection.execute(this.values(rejected_at=rejections.c.rejected_at - days * 86_400_000))


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        (Scope.PERSON, "U1"),
        (Scope.SESSION, "console:local:main:side"),
        (Scope.CHANNEL, "console:local:main"),
        (Scope.WORKSPACE, "local"),
    ],
)
async def test_a_rejected_event_goes_with_what_is_forgotten_where_it_names_that(
    database: Database, scope: Scope, subject: str
) -> None:
    await accept(database, message())
    named = subject.rpartition(":")[2]
    for number, payload in (("Ev1", f'{{"in": "{named}"}}'), ("Ev2", '{"in": "another place"}')):
        await database.write(
            inbound.reject, Rejected(platform="console", id=number, reason="no channel", payload=payload)
        )

    await database.write(identities.drop_rejected, Erasure(workspace=1, scope=scope, subject=subject, before=0))

    assert [row.id for row in await rows(database, rejections)] == ["Ev2"]


async def test_a_draft_that_a_newer_release_has_written_is_read_without_what_it_knows_more(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    await database.write(deliveries.intend_draft, lease, question, 0)
    newer = bodies.DRAFT.seal(lease.key, (question.seq, 0), '{"id": "d1", "text": "so far", "colour": "red"}')
    await database.write(lambda connection: connection.execute(update(outgoing).values(draft=newer)).rowcount)

    (left,) = await database.read(deliveries.unsent, lease.key, question.seq)
    assert left.draft == Draft(id="d1", text="so far")


async def test_no_message_begins_to_grow_for_a_question_that_is_another_one_by_now(database: Database) -> None:
    """Whoever answers it has yet to hear of that."""
    await accept(database, message())
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    await database.write(lambda connection: connection.execute(update(turns).values(edited_at=5)).rowcount)

    with pytest.raises(queue.Changed):
        await database.write(deliveries.intend_draft, lease, question, 0)
    assert await database.read(deliveries.unsent, lease.key, question.seq) == []


async def test_the_bill_adds_up_per_day_person_and_model(database: Database) -> None:
    for _ in range(3):
        await accept(database, message())
    (lease,) = await claim(database)
    for shown in (10, 20, 30):
        question = await database.read(next_waiting, lease.key)
        assert question is not None
        decided = Answer(parts=(), memory="x", model="m", bill=bill(shown=shown, cached=1, cache_written=4, written=2))
        await database.write(answering.answer, lease.key, question, decided, lease=lease)
        await database.write(queue.finish, lease.key, question.seq, lease=lease, seconds=30)

    (row,) = await database.read(lambda connection: connection.execute(select(spent)).all())
    assert (row.author, row.model, row.calls, row.shown, row.cached, row.written) == ("U1", "m", 3, 60, 3, 6)
    assert row.cache_written == 12


async def test_any_text_and_any_name_can_be_stored(database: Database) -> None:
    """PostgreSQL's text type takes no NUL, and UTF-8 no lone surrogate."""
    await accept(database, message("a\x00b\ud800c 🎉", author=replace(ADA, name="A\x00d\ud800a")), verb="x\x00")

    (lease,) = await claim(database)

    question = await database.read(next_waiting, lease.key)
    assert question is not None
    assert question.author is not None
    assert (question.text, question.author.name, question.verb) == ("a\x00b?c 🎉", "Ad?a", "x")


async def test_a_failed_commit_leaves_nothing_behind_that_mixes_workspaces(database: Database, dialect: str) -> None:
    """The commit of a whole batch may fail; what was read in it must not be remembered."""
    if dialect == "postgresql":
        pytest.skip("every function has its own commit there")
    if not bodies.are_plain():
        pytest.skip("with a key ring a workspace is made known, and gets its key, in a commit of its own")

    def sabotage(connection: Connection) -> None:
        connection.connection.driver_connection.execute("ROLLBACK")  # type: ignore[union-attr]

    lost = [message("a", address=replace(HERE, workspace="A")) for _ in range(2)]
    results = await asyncio.gather(
        *(accept(database, one) for one in lost), database.write(sabotage), return_exceptions=True
    )
    assert all(isinstance(result, DatabaseError) for result in results)

    await accept(database, message("b", address=replace(HERE, workspace="B")))
    await accept(database, message("a", address=replace(HERE, workspace="A")))

    assert len({lease.key.workspace for lease in await claim(database)}) == 2


async def test_a_command_that_is_repeated_takes_nothing_back_twice(database: Database) -> None:
    """As after a commit whose outcome was unknown."""
    await accept(database, message("one"))
    (lease,) = await claim(database)
    await answer(database, lease)
    for text in ("two", "three"):
        seq = await accept(database, message("!reset"), verb="reset")
        await database.write(segments.reset, lease.key, seq)
        await database.write(queue.finish, lease.key, seq, lease=None, seconds=30)
        await accept(database, message(text))
        (lease,) = await claim(database)
        await answer(database, lease)
    await accept(database, message("!undo"), verb="undo")
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None

    def undo(connection: Connection) -> None:
        segments.undo(connection, lease.key, question.seq)
        answering.answer(connection, lease.key, question, Answer(parts=()), lease=lease)

    await database.write(undo)
    with pytest.raises(answering.AlreadyAnswered):
        await database.write(undo)

    assert await memory(database, lease.key) == ["two", "yes", "three", "yes"]


async def test_a_command_beside_the_queue_does_not_cut_a_back_off_short(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)
    await database.write(queue.release, lease, attempts=1, after=60)
    status = message("!status")
    accepted = await database.write(inbound.accept, status, kind=Kind.COMMAND, verb="status", tokens=7, at_once=True)

    await database.write(queue.finish, lease.key, accepted.turn.seq, lease=None, seconds=30)

    assert await claim(database) == []


async def test_a_command_beside_the_queue_does_not_take_the_holders_news_away(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)
    seq = await accept(database, message("!status"), verb="status")
    told = {(lease.key.workspace, lease.key.session, lease.fence)}
    assert await database.read(queue.news) == told

    await database.write(queue.finish, lease.key, seq, lease=None, seconds=30)

    assert await database.read(queue.news) == told


@pytest.mark.parametrize("parts", [("yés",), ("yés ", "and no")])
async def test_a_message_that_says_what_is_remembered_has_no_text_of_its_own(
    database: Database, parts: tuple[str, ...]
) -> None:
    """But whoever has to say it, after a take-over too, finds it."""
    await accept(database, message("one"))
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    decided = Answer(parts=parts, memory="".join(parts), tokens=3, model="m")

    await database.write(answering.answer, lease.key, question, decided, lease=lease)

    bodies = await database.read(lambda connection: connection.execute(select(outgoing.c.body)).scalars().all())
    assert (bodies == [None]) is (len(parts) == 1)
    left = await database.read(deliveries.unsent, lease.key, question.seq)
    assert [one.text for one in left] == list(parts)


async def test_an_answer_of_several_parts_is_stored_whole_and_only_its_first_is_on_its_way(database: Database) -> None:
    await accept(database, message())
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None
    await database.write(deliveries.intend_draft, lease, question, 0)

    decided = Answer(parts=("ä", "", "c"), memory="äc", model="m")
    await database.write(answering.answer, lease.key, question, decided, lease=lease)

    left = await database.read(deliveries.unsent, lease.key, question.seq)
    assert [(one.part, one.state.name, one.tries, one.text) for one in left] == [
        (0, "SENDING", 2, "ä"),
        (1, "READY", 0, ""),
        (2, "READY", 0, "c"),
    ]


async def test_what_is_not_remembered_is_not_billed_either_and_leaves_by_the_same_door(database: Database) -> None:
    await accept(database, message("!help"), verb="help")
    (lease,) = await claim(database)
    question = await database.read(next_waiting, lease.key)
    assert question is not None

    await database.write(answering.answer, lease.key, question, Answer(parts=("help",)), lease=None)

    assert await memory(database, lease.key) == []
    assert await database.read(lambda connection: connection.execute(select(spent)).all()) == []
    assert len(await database.read(deliveries.unsent, lease.key, question.seq)) == 1


async def test_a_stale_owner_that_has_posted_ends_nothing_and_can_still_say_what_it_has_posted(
    database: Database,
) -> None:
    await accept(database, message())
    (stale,) = await claim(database)
    question = await database.read(next_waiting, stale.key)
    assert question is not None
    decided = Answer(parts=("yes",), memory="yes")
    await database.write(answering.answer, stale.key, question, decided, lease=stale)
    await database.write(expire)
    await claim(database, owner="host:boot:2:b")

    with pytest.raises(LeaseLost):
        await database.write(receipts.record_last, stale.key, 1, SHOWN, lease=stale, seconds=30)

    assert len(await database.read(deliveries.unsent, stale.key, 1)) == 1
    assert await database.read(history.waiting, stale.key, 1) is not None
    assert await database.write(receipts.record, stale.key, 1, replace(SHOWN, doubtful=True), seconds=30) == "shown"
    assert await database.read(deliveries.unsent, stale.key, 1) == []
