"""Notices: what we say by ourselves is stored once, behind what waits, and wakes its session. On both databases."""

from sqlalchemy import Connection, update

from core.schema import sessions, turns
from core.seam.messages import Edited
from core.session import Answer, Fate, Kind, Lease, Progress, SessionKey, Validity
from core.store import Database, answering, changes, claims, closings, inbound, notices, queue, remembered
from core.store import turns as history
from core.store.receipts import Arrival, record_last
from tests.script import rows
from tests.values import HERE, message

WORDS = "I have not heard from you for a week."


async def born(database: Database) -> SessionKey:
    """A session in which somebody has said something, to somebody else."""
    overheard = await database.write(inbound.accept, message(), kind=Kind.OVERHEARD, verb=None, tokens=1)
    return overheard.key


async def claimed(database: Database) -> Lease | None:
    found = await database.write(claims.claim, owner="host:boot:1:a", lease=30, platforms=["console"], limit=1)
    return found.sessions[0][0] if found.sessions else None


async def tell(database: Database, key: SessionKey, name: str = "idle 1", text: str = WORDS) -> bool:
    return await database.write(notices.tell, key, name=name, text=text)


async def waiting(database: Database, key: SessionKey) -> list[str]:
    return [turn.text for turn in await database.read(history.first_waiting, key, 9)]


async def test_a_notice_wakes_an_idle_session_and_waits_in_it(database: Database) -> None:
    key = await born(database)
    assert await claimed(database) is None

    assert await tell(database, key)

    lease = await claimed(database)
    assert lease is not None
    (turn,) = await database.read(history.first_waiting, key, 2)
    assert (turn.text, turn.notice, turn.author, turn.message, turn.seq) == (WORDS, "idle 1", None, None, 2)


async def test_what_has_been_told_is_not_told_again(database: Database) -> None:
    key = await born(database)
    assert await tell(database, key)
    before = await rows(database, sessions), await rows(database, turns)

    assert not await tell(database, key, text="otherwise")

    assert (await rows(database, sessions), await rows(database, turns)) == before
    assert await tell(database, key, name="idle 2"), "another one is another one"


async def test_it_stands_behind_all_that_waits_whatever_the_clocks_say(database: Database) -> None:
    key = await born(database)
    for words, at in (("first", 1_000), ("far ahead", 4_000_000_000)):
        await database.write(inbound.accept, message(words, at=at), kind=Kind.SAID, verb=None, tokens=1)

    await tell(database, key)
    await tell(database, key, name="idle 2", text="and another thing")

    assert await waiting(database, key) == ["first", "far ahead", WORDS, "and another thing"]


async def test_whoever_holds_the_session_or_backs_off_is_not_disturbed(database: Database) -> None:
    key = await born(database)
    await database.write(inbound.accept, message(), kind=Kind.SAID, verb=None, tokens=1)
    lease = await claimed(database)
    assert lease is not None
    (held,) = await rows(database, sessions)

    await tell(database, key)
    (row,) = await rows(database, sessions)
    assert (row.owner, row.due_at, row.waiting) == (held.owner, held.due_at, 2)

    await database.write(queue.release, lease, attempts=1, after=60)
    (backing_off,) = await rows(database, sessions)
    await tell(database, key, name="idle 2")
    (row,) = await rows(database, sessions)
    assert (row.owner, row.due_at, row.waiting) == (None, backing_off.due_at, 3)


async def test_the_holder_keeps_the_lease_for_a_notice_that_waits(database: Database) -> None:
    key = await born(database)
    await database.write(inbound.accept, message(), kind=Kind.SAID, verb=None, tokens=1)
    lease = await claimed(database)
    assert lease is not None
    (question,) = await database.read(history.first_waiting, key, 2)
    await tell(database, key)

    await database.write(answering.answer, key, question, Answer(parts=("yes",)), lease=lease)
    arrived = Arrival(part=0, message="shown")
    _, fate = await database.write(record_last, key, question.seq, arrived, lease=lease, seconds=30)

    assert fate is Fate.KEPT
    assert await waiting(database, key) == [WORDS]


async def test_the_model_is_not_shown_a_notice(database: Database) -> None:
    key = await born(database)
    await tell(database, key)

    def over(connection: Connection) -> None:
        done = {"progress": Progress.DONE, "slip": None}
        connection.execute(update(turns).where(turns.c.notice.is_not(None)).values(done))

    await database.write(over)

    assert [turn.text for turn in await database.read(remembered.newest, key, budget=1_000)] == ["hello"]
    assert (await database.read(remembered.count, key)).all == 1


async def test_what_people_edit_and_delete_is_no_notice(database: Database) -> None:
    """Not even where it makes every summary that waits another question, as one that was shown words which changed."""
    key = await born(database)
    (said,) = await rows(database, turns)
    await tell(database, key)
    before = (await rows(database, turns))[1]

    newer = Edited(message=message("hello!", id=said.message), at=2_000_000_000)
    await database.write(changes.edit, newer, verb=None, tokens=1, fit=lambda quote: quote, size=lambda turn: 1)
    assert (await rows(database, turns))[0].body == b"hello!"
    await database.write(changes.erase, HERE, said.message, seconds=30, pieces=lambda words, asker: [words], count=len)

    gone, after = await rows(database, turns)
    assert gone.validity == Validity.ERASED
    assert after == before
    assert await waiting(database, key) == [WORDS]


async def test_a_place_that_is_closed_is_told_nothing_more(database: Database) -> None:
    key = await born(database)
    await tell(database, key)

    await database.write(closings.close, HERE, gone=True, seconds=30)

    assert await waiting(database, key) == []
    assert [row.body for row in await rows(database, turns)] == [b"", b""]
    assert (await rows(database, sessions))[0].due_at is None
