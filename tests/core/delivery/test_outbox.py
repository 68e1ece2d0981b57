"""The outbox: an answer is watched while it grows, and arrives whole, once, and for good."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.delivery.pace import Pace
from core.delivery.speech import WITHDRAWN
from core.errors import DatabaseUnreachable, DeliveryDelayed, DeliveryRefused, DeliveryUnknown, ModelStalled
from core.schema import deliveries, sessions, turns
from core.seam.address import Address
from core.seam.keys import key_of
from core.seam.messages import Reply
from core.session import ATTEMPTS, Progress
from core.store import Database, dead
from core.store.states import DeliveryState
from tests.script import Fault, House, Interrupted, ScriptedModel, TranscriptAdapter, brisk, expire, house, memory, rows
from tests.values import ADA, BEN, HERE, message

SIDE = replace(HERE, thread="side")

only_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

LONG = "one two three\n\nfour five six\n\nseven eight nine"
PARTS = ["one two three", "four five six", "seven eight nine"]


def narrow(**facts: float) -> TranscriptAdapter:
    """A platform on which LONG is three messages."""
    return TranscriptAdapter(max_text=18, **facts)


def calls(adapter: TranscriptAdapter) -> list[tuple[int, int]]:
    """Part and attempt of each delivery."""
    return [(reply.part, reply.attempt) for reply in adapter.delivered]


names = some.text(min_size=1, max_size=20)
addresses = some.builds(Address, platform=names, workspace=names, channel=names, thread=some.one_of(some.none(), names))


@given(addresses, names, some.integers(0, 500))
def test_a_key_is_opaque_short_and_always_the_same(address: Address, said: str, part: int) -> None:
    key = key_of(address, said, part)

    assert re.fullmatch(r"[a-z2-7]{1,24}", key)
    assert key == key_of(replace(address), said, part)


@given(some.lists(some.tuples(addresses, some.from_regex(r"\A\d{4}\.\d{2}\Z"), some.integers(0, 30)), unique=True))
def test_keys_of_different_messages_are_different(delivered: list[tuple[Address, str, int]]) -> None:
    assert len({key_of(*one) for one in delivered}) == len(delivered)


@given(addresses, names, some.integers(0, 500))
def test_no_notice_has_the_key_of_an_answer(address: Address, said: str, part: int) -> None:
    assert key_of(address, said, part, of="notice") != key_of(address, said, part)


async def test_the_first_preview_in_a_channel_is_immediate_and_the_others_keep_their_distance() -> None:
    """However many ask, and also after a pause: time is not saved up."""
    pace, clock = Pace(), asyncio.get_running_loop().time

    async def turn(start: float) -> float:
        await pace.turn(HERE, 0.03)
        return clock() - start

    for _ in range(2):
        start = clock()
        waits = await asyncio.gather(*(turn(start) for _ in range(4)))
        assert all(wait > number * 0.03 - 0.005 for number, wait in enumerate(waits))
        await asyncio.sleep(0.1)


@only_sqlite
async def test_sessions_of_one_channel_share_its_previews_and_channels_do_not_wait_for_each_other(
    database: Database,
) -> None:
    adapter, go = TranscriptAdapter(preview_every=60), asyncio.Event()
    elsewhere = replace(HERE, channel="other")
    async with house(database, *(["grow", go] for _ in range(5)), adapter=adapter) as running:
        for thread in ("1", "2", "3", "4"):
            await running.say(message(address=replace(HERE, thread=thread)))
        await running.model.until(lambda: running.model.running == 4)
        await running.say(message(address=elsewhere))
        await adapter.until(lambda: len(adapter.previews) == 2)
        go.set()
        await adapter.until(lambda: len(adapter.screen) == 5)
        await running.over()

    assert {reply.address.channel for _, reply in adapter.previews} == {HERE.channel, elsewhere.channel}
    assert len(adapter.previews) == 2


@only_sqlite
async def test_only_the_newest_snapshot_is_sent(database: Database) -> None:
    """What comes while a preview is under way is shown by the next, all at once."""
    adapter, more, go = TranscriptAdapter(), asyncio.Event(), asyncio.Event()
    adapter.hold_preview = asyncio.Event()
    async with house(database, ["one", more, " two", " three", " four", go], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: len(adapter.previews) == 1)
        more.set()
        await asyncio.sleep(0.05)
        assert len(adapter.previews) == 1, "one call at a time"
        adapter.hold_preview.set()
        await adapter.until(lambda: adapter.texts == ["one two three four"])
        go.set()
        await running.answered("one two three four")

    assert [reply.text for _, reply in adapter.previews] == ["one", "one two three four"]
    assert [text for _, text in adapter.history] == ["one", "one two three four", "one two three four"]


@only_sqlite
async def test_a_slow_preview_does_not_slow_the_model(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.hold_preview, started = asyncio.Event(), asyncio.Event()
    async with house(database, ["one", started, " two"], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        started.set()
        await running.model.until(lambda: running.model.ended == 1)
        assert adapter.delivered == [], "what is on its way to the screen must be known first"
        adapter.hold_preview.set()
        await running.answered("one two")

    assert adapter.delivered[0].draft is not None


@only_sqlite
async def test_a_growing_answer_becomes_the_final_message(database: Database) -> None:
    """The draft's own message, with the adapter's note of how it is being written."""
    go = asyncio.Event()
    async with house(database, ["grow", go, "ing"]) as running:
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts == ["grow"])
        (row,) = await rows(database, deliveries)
        assert (row.state, row.tries) == (DeliveryState.DRAFT, 1), "the intent was stored before the call"
        go.set()
        await running.answered("growing")

    (delivered,) = running.adapter.delivered
    assert delivered.draft is not None
    assert (delivered.draft.id, delivered.draft.note) == ("p1", "growing")
    assert [reply.last for _, reply in running.adapter.previews] == [False] * len(running.adapter.previews)
    (row,) = await rows(database, deliveries)
    assert (row.state, row.message, row.draft, row.body) == (DeliveryState.SENT, "p1", None, None)


@only_sqlite
@pytest.mark.parametrize("stored", [False, True])
async def test_an_error_in_a_preview_never_harms_the_answer(database: Database, *, stored: bool) -> None:
    """Whatever it is, and also when the message came on screen all the same: it is looked for, and none is doubled."""
    adapter, go = TranscriptAdapter(), asyncio.Event()
    adapter.preview_faults.append(Fault(error=ZeroDivisionError("a bug"), stored=stored))
    async with house(database, ["half", go, " and half"], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        go.set()
        await running.answered("half and half")

    assert adapter.delivered[0].attempt == 2, "the preview may have put it on screen"


@only_sqlite
async def test_a_preview_whose_intent_can_not_be_stored_is_not_made(database: Database) -> None:
    road = Interrupted(database)
    road.fail("intend_draft", DatabaseUnreachable("away"))
    go = asyncio.Event()
    async with house(road, ["half", go, " and half"]) as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running)
        await asyncio.sleep(0.05)
        go.set()
        await running.answered("half and half")

    assert running.adapter.previews == []


async def test_a_long_answer_is_posted_in_parts_in_their_order(database: Database) -> None:
    adapter = narrow()
    async with house(database, LONG, adapter=adapter) as running:
        await running.say(message())
        await running.answered(*PARTS)

    assert [(reply.part, reply.last) for reply in adapter.delivered] == [(0, False), (1, False), (2, True)]
    assert len({reply.key for reply in adapter.delivered}) == 3
    assert await memory(database) == [("person", "hello"), ("assistant", LONG)], "the session remembers it as one"


@only_sqlite
async def test_a_long_answer_is_previewed_in_parts_and_each_part_grows_in_its_own_message(database: Database) -> None:
    adapter, go = narrow(), asyncio.Event()
    pieces = [piece for word in LONG.split(" ") for piece in (word, " ")]
    async with house(database, [*pieces, go], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.texts == PARTS)
        go.set()
        await running.answered(*PARTS)

    assert [reply.draft.id for reply in adapter.delivered if reply.draft] == ["p1", "p2", "p3"]


async def test_no_part_is_previewed_below_one_that_is_not_on_screen(database: Database) -> None:
    """People would read the end of the answer above its beginning."""
    adapter, go = narrow(), asyncio.Event()
    adapter.preview_faults.append(Fault(error=DeliveryUnknown("?")))
    pieces = [piece for word in LONG.split(" ") for piece in (word, " ")]
    async with house(database, [*pieces, go], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        go.set()
        await running.answered(*PARTS)

    assert [reply.part for reply in adapter.screen.values()] == [0, 1, 2], "in the order of the screen"
    assert all(reply.part == 0 for _, reply in adapter.previews)


@pytest.mark.parametrize("stored", [False, True])
async def test_after_a_crash_parts_are_resumed_at_the_first_that_is_not_sent(
    database: Database, *, stored: bool
) -> None:
    """Also when the call that was cut off has put its part on screen."""
    adapter = narrow()
    adapter.faults.extend([None, Fault(error=asyncio.CancelledError(), stored=stored)])  # type: ignore[arg-type]
    dying = House(database, ScriptedModel(LONG), adapter)
    async with dying:
        await dying.say(message())
        await adapter.until(lambda: len(adapter.delivered) == 2)
        await dying.unserved()
    await database.write(expire)

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered(*PARTS)

    assert heir.model.prompts == []
    assert [part for part, _ in calls(adapter)] == [0, 1, 1, 2]
    assert calls(adapter)[2][1] > 1, "it looks before it posts again"
    assert calls(adapter)[3] == (2, 1)


@only_sqlite
async def test_a_delayed_reply_waits_and_is_no_attempt(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.extend([Fault(error=DeliveryDelayed("429", retry_after=0.05))] * 7)
    start = asyncio.get_running_loop().time()
    async with house(database, adapter=adapter) as running:
        await running.say(message())
        await running.answered("You said: hello")

    assert calls(adapter) == [(0, 1)] * 8
    assert asyncio.get_running_loop().time() - start > 7 * 0.05
    assert len(running.model.prompts) == 1
    (row,) = await rows(database, deliveries)
    assert row.tries == 1


@only_sqlite
async def test_a_platform_that_asks_for_ages_is_asked_again_sooner(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.append(Fault(error=DeliveryDelayed("429", retry_after=86_400)))
    async with house(database, adapter=adapter, timings=brisk(longest_delay=0.05)) as running:
        await running.say(message())
        await running.answered("You said: hello")


@pytest.mark.parametrize("error", [DeliveryUnknown("timeout"), OSError("reset"), KeyError("a bug")])
@pytest.mark.parametrize("stored", [False, True])
async def test_a_reply_of_unknown_outcome_is_looked_for_before_it_is_posted_again(
    database: Database, error: Exception, *, stored: bool
) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.extend([Fault(error=error, stored=stored), Fault(error=error)])
    async with house(database, adapter=adapter) as running:
        await running.say(message())
        await running.answered("You said: hello")

    assert [attempt for _, attempt in calls(adapter)] == [1, 2, 3]
    (row,) = await rows(database, deliveries)
    assert row.tries == 3, "committed before each call, for whoever takes over"


async def test_a_reply_is_looked_for_below_that_to_what_was_said_before_but_came_later(database: Database) -> None:
    adapter, go = TranscriptAdapter(), asyncio.Event()
    adapter.faults.extend([None, None, Fault(error=DeliveryUnknown("timeout"))])
    async with house(database, [go], adapter=adapter) as running:
        await running.say(message("none", at=1_700_000_000))
        await running.model.until(lambda: running.model.running)
        await running.say(message("two", at=1_700_000_002))
        await running.say(message("one", at=1_700_000_001, author=BEN))
        go.set()
        await running.answered("You said: none", "You said: one", "You said: two")

    first, *_, last = adapter.delivered
    assert (first.above, last.text, last.attempt) == (frozenset(), "You said: two", 2)
    assert last.above == {shown for shown, one in adapter.screen.items() if one.text != "You said: two"}


@only_sqlite
async def test_a_reply_that_stays_unknown_backs_off_and_is_never_doubled(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.append(Fault(error=DeliveryUnknown("timeout"), stored=True))
    adapter.faults.extend([Fault(error=DeliveryUnknown("timeout"))] * 6)
    async with house(database, adapter=adapter) as running:
        await running.say(message(), message("next"))
        await running.answered("You said: hello", "You said: next")

    assert [attempt for _, attempt in calls(adapter)] == [*range(1, 9), 1]
    assert len(running.model.prompts) == 2


@pytest.mark.parametrize("error", [DeliveryUnknown("internal_error"), KeyError("a bug")])
async def test_a_reply_that_never_arrives_is_given_up_and_the_next_message_is_answered(
    database: Database, error: Exception
) -> None:
    """E1: after as many attempts as a question gets, and not before the platform has had its ten minutes."""
    adapter = TranscriptAdapter()
    adapter.mute = True
    adapter.faults.extend([Fault(error=error)] * 5 * ATTEMPTS)
    async with house(database, adapter=adapter) as running:
        await running.say(message(), message("next", author=BEN))
        await running.answered("You said: next")

    assert len(adapter.delivered) == 5 * ATTEMPTS + 1
    assert len(running.model.prompts) == 2, "the answer was stored once"
    assert [one.reason for one in await database.read(dead.listed, 10)] == [
        "not delivered: no certain answer in 5 calls"
    ]
    given_up, _ = await rows(database, deliveries)
    assert given_up.state == DeliveryState.FAILED


@only_sqlite
async def test_a_reply_is_kept_while_its_platform_may_be_away(database: Database) -> None:
    """Nobody's replies arrive: that is no fault of this one's. It is no dead letter either once it has arrived."""
    adapter = TranscriptAdapter()
    adapter.mute = True
    adapter.faults.extend([Fault(error=DeliveryUnknown("internal_error"))] * 5 * (ATTEMPTS + 2))
    async with house(database, adapter=adapter, timings=brisk(repeat=0.001, patience=600.0)) as running:
        await running.say(message())
        await running.answered("You said: hello")

    assert len(adapter.delivered) == 5 * (ATTEMPTS + 2) + 1
    assert await database.read(dead.listed, 10) == []


class Picky(TranscriptAdapter):
    """A platform that takes every reply but one, and is seen to take another one whenever it does not take that."""

    def __init__(self) -> None:
        super().__init__()
        self.mute = True
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def deliver(self, reply: Reply) -> str:
        if reply.text != "You said: bad":
            return await super().deliver(reply)
        self.delivered.append(reply)
        assert self.meanwhile is not None
        await self.meanwhile()
        raise DeliveryUnknown("internal_error")


async def test_a_reply_that_alone_does_not_arrive_is_given_up_without_waiting_for_the_platform(
    database: Database,
) -> None:
    adapter = Picky()
    async with house(database, adapter=adapter, timings=brisk(patience=600.0)) as running:

        async def another() -> None:
            before = len(adapter.screen)
            await running.say(message(address=SIDE))
            await adapter.until(lambda: len(adapter.screen) > before)

        adapter.meanwhile = another
        await running.say(message("bad"))
        await adapter.until(lambda: len(adapter.screen) == 5 * ATTEMPTS)
        await running.over()
        await running.say(message("still there?"))
        await adapter.until(lambda: adapter.texts[-1] == "You said: still there?")
        await running.over()

    assert sum(reply.address == HERE for reply in adapter.delivered) == 5 * ATTEMPTS + 1
    assert [one.address for one in await database.read(dead.listed, 10)] == [HERE]


async def test_a_refused_reply_ends_its_turn_and_the_session_goes_on(database: Database) -> None:
    adapter = narrow()
    adapter.faults.extend([None, Fault(error=DeliveryRefused("the thread is locked"))])
    async with house(database, LONG, adapter=adapter) as running:
        await running.say(message())
        await running.over()
        await running.say(message("still there?"))
        await running.adapter.until(lambda: len(adapter.delivered) > 2)
        await running.over()

    assert adapter.texts[0] == PARTS[0]
    assert "".join(adapter.texts[1:]).replace(" ", "") == "Yousaid:stillthere?"
    kept = [
        (row.part, DeliveryState(row.state), row.error, row.body)
        for row in await rows(database, deliveries)
        if row.seq == 1
    ]
    assert kept == [
        (0, DeliveryState.SENT, None, None),
        (1, DeliveryState.FAILED, "the thread is locked", None),
        (2, DeliveryState.FAILED, "the thread is locked", None),
    ]
    assert {Progress(row.progress) for row in await rows(database, turns)} == {Progress.DONE}


@only_sqlite
async def test_a_draft_that_an_earlier_attempt_left_is_finished(database: Database) -> None:
    """By another process, which knows only what is stored."""
    never = asyncio.Event()
    adapter = TranscriptAdapter()
    async with house(database, ["It begins", never], adapter=adapter) as dying:
        await dying.say(message())
        await adapter.until(lambda: adapter.texts == ["It begins"])
    await database.write(expire)

    async with house(database, "It begins and ends.", adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("It begins and ends.")

    assert list(adapter.screen) == ["p1"]


@only_sqlite
async def test_a_draft_that_nobody_knows_of_is_looked_for(database: Database) -> None:
    """The process died between the preview and its receipt: no second message appears, not even for a moment."""
    adapter, never, go = TranscriptAdapter(), asyncio.Event(), asyncio.Event()
    road = Interrupted(database)
    road.fail("record_draft", DatabaseUnreachable("away"))
    async with house(road, ["It begins", never], adapter=adapter) as dying:
        await dying.say(message())
        await adapter.until(lambda: adapter.texts == ["It begins"])
    await database.write(expire)

    async with house(database, ["It begins", go, " anew."], adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.model.until(lambda: heir.model.running)
        await asyncio.sleep(0.05)
        assert list(adapter.screen) == ["p1"]
        go.set()
        await heir.answered("It begins anew.")

    assert list(adapter.screen) == ["p1"]
    assert adapter.delivered[0].attempt > 1


async def test_parts_that_are_left_over_are_withdrawn(database: Database) -> None:
    """The answer was tried again, and is shorter than what was on screen of the first."""
    adapter, fail = narrow(), asyncio.Event()
    async with house(database, [LONG, fail, ModelStalled("nothing came")], "short", adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.texts == PARTS)
        fail.set()
        await adapter.until(lambda: len(adapter.delivered) >= 1)
        await running.over()

    withdrawn = [text for text in adapter.texts if text != "short"]
    assert adapter.texts[0] == "short"
    assert withdrawn == [WITHDRAWN] * 2
    assert await memory(database) == [("person", "hello"), ("assistant", "short")]


@only_sqlite
async def test_ticket_and_place_reach_every_reply(database: Database) -> None:
    adapter, go = TranscriptAdapter(), asyncio.Event()
    async with house(database, ["grow", go], adapter=adapter) as running:
        await running.say(message(id="m7", at=1234.5, reply_to="m6", ticket="secret", address=SIDE))
        await adapter.until(lambda: adapter.previews)
        go.set()
        await running.over()

    for reply in [*adapter.delivered, *(reply for _, reply in adapter.previews)]:
        assert (reply.reply_to, reply.ticket, reply.asker, reply.address) == ("m6", "secret", ADA, SIDE)
        assert (reply.asked_at, reply.private, reply.key) == (1234.5, False, key_of(SIDE, "m7", 0))
    assert "secret" not in repr(adapter.delivered)


@only_sqlite
@pytest.mark.parametrize(
    ("verb", "private"),
    [("status", True), ("help", True), ("frobnicate", True), ("reset", False), ("undo", False), ("stop", False)],
)
async def test_private_commands_are_answered_privately(database: Database, verb: str, *, private: bool) -> None:
    async with house(database) as running:
        await running.say(message("", verb=verb, ticket="t"))
        await running.adapter.until(lambda: running.adapter.delivered)
        await running.over()

    (reply,) = running.adapter.delivered
    assert (reply.private, reply.ticket) == (private, "t")


@only_sqlite
async def test_a_private_answer_stays_private_when_another_process_finishes_it(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.faults.append(Fault(error=asyncio.CancelledError()))  # type: ignore[arg-type]  # as if the process died
    async with house(database, adapter=adapter) as dying:
        await dying.say(message("!status"))
        await adapter.until(lambda: adapter.delivered)
    await database.write(expire)

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.over()

    assert [reply.private for reply in adapter.delivered] == [True, True]


@only_sqlite
async def test_only_the_asker_may_be_mentioned(database: Database) -> None:
    """In the growing answer and in the final one; each asker in theirs."""
    words, go = f"<@{ADA.id}> and <@{BEN.id}>, @everyone", asyncio.Event()
    async with house(database, [words, " ", go], words) as running:
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.previews)
        go.set()
        await running.say(message(author=BEN))
        await running.adapter.until(lambda: len(running.adapter.delivered) == 2)
        await running.over()

    shown: list[Reply] = [*running.adapter.delivered, *(reply for _, reply in running.adapter.previews)]
    for reply in shown:
        assert reply.asker is not None
        other = BEN if reply.asker == ADA else ADA
        assert f"<@{reply.asker.id}>" in reply.text
        assert f"<@{other.id}>" not in reply.text
    assert (await memory(database))[-1] == ("assistant", words), "the session remembers what the model wrote"


@only_sqlite
async def test_an_owner_that_lost_its_lease_during_the_last_call_leaves_its_receipt(database: Database) -> None:
    """Whoever owns the session now finds that the answer has arrived, and posts no second one."""
    adapter = TranscriptAdapter()
    adapter.hold_delivery = asyncio.Event()
    async with house(database, adapter=adapter) as stale:
        await stale.say(message())
        await adapter.until(lambda: adapter.delivered)
        await database.write(lambda connection: connection.execute(sessions.update().values(fence=99, owner="other")))
        adapter.hold_delivery.set()
        await stale.unserved()
    (row,) = await rows(database, deliveries)
    assert (row.state, row.message) == (DeliveryState.SENT, "p1")
    await database.write(expire)

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("You said: hello")

    assert len(adapter.delivered) == 1
    assert heir.model.prompts == []


@only_sqlite
async def test_a_preview_of_unknown_outcome_is_never_doubled_by_the_next(database: Database) -> None:
    adapter, more, go = TranscriptAdapter(), asyncio.Event(), asyncio.Event()
    adapter.preview_faults.append(Fault(error=OSError("reset after sending"), stored=True))
    async with house(database, ["half", more, " and", go, " half"], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        more.set()
        await asyncio.sleep(0.05)
        go.set()
        await running.over()

    assert adapter.texts == ["half and half"]


@only_sqlite
async def test_nothing_is_withdrawn_that_was_never_on_screen(database: Database) -> None:
    """A second part was announced, its preview was put off, and the next try needs only one: people see one message."""
    adapter, fail = TranscriptAdapter(max_text=18), asyncio.Event()
    adapter.preview_faults.extend([None, Fault(error=DeliveryDelayed("429", retry_after=1))])
    first = ["one two three\n\nfour five six", fail, ModelStalled("nothing came")]
    async with house(database, first, "short", adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: len(adapter.previews) == 2)
        fail.set()
        await adapter.until(lambda: "short" in adapter.texts)
        await running.over()

    assert adapter.texts == ["short"]


@only_sqlite
async def test_a_preview_that_showed_nothing_does_not_make_the_delivery_look(database: Database) -> None:
    """Looking is dear: Slack allows most apps one look a minute, and shows nothing just when its limits are used up."""
    adapter, go = TranscriptAdapter(), asyncio.Event()
    adapter.mute = True
    async with house(database, ["half", go, " and half"], adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: adapter.previews)
        await asyncio.sleep(0.05)
        go.set()
        await running.answered("half and half")

    assert [reply.attempt for reply in adapter.delivered] == [1]
