"""What people want forgotten is gone from everything that is stored, and others keep what is theirs."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from core.budget import periods
from core.chores.erasing import Erasing
from core.chores.sealing import Resealing
from core.errors import DatabaseUnreachable
from core.model.llm import Usage
from core.model.metered import Metered
from core.policy import SETTINGS, Level
from core.schema import audit, data_keys, erasures, metadata, parts, preferences, quotes, rejections, spent, turns
from core.schema import pseudonyms as secret
from core.seam.address import Address
from core.seam.messages import Audience, Author, Deleted, Edited, Left, Quote, Rejected
from core.session import Kind
from core.store import Connection, Database, bodies, doubts, ledger, pseudonyms
from core.store.bodies import NotOpened, Place
from core.store.erasures import Scope, begin_in
from core.store.inbound import reject
from core.store.sealing import Vault
from core.vault.packet import number_of
from core.vault.ring import OwnKeys
from core.work.shifts import Shifts
from tests.script import House, Interrupted, TranscriptAdapter, house, memory, rows
from tests.sealed import seal_if_told
from tests.values import ADA, BEN, HERE, message

EVE = Author(id="U3", name="Eve")
FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
CHANNEL = Address(platform="console", workspace="local", channel="busy")
ONE, OTHER = replace(CHANNEL, thread="t1"), replace(CHANNEL, thread="t2")


class Governed(TranscriptAdapter):
    """A platform on which Ben is an admin."""

    async def is_admin(self, address, person, *, workspace) -> bool:
        return person == BEN.id


async def said(running: House, text: str, **facts) -> str:
    before = len(running.adapter.texts)
    await running.say(message(text, **facts))
    await running.adapter.until(lambda: len(running.adapter.texts) > before)
    await running.over()
    return running.adapter.texts[-1]


async def forgotten(running: House, *, before: int | None = None) -> str:
    """Works off what is to be forgotten; what is told of it. Where that has begun, with so many receipts `before`."""
    known = _receipts(running) if before is None else before
    await running.erasing.look()
    await running.adapter.until(lambda: _receipts(running) > known)
    await running.over()
    receipt = running.adapter.texts[-1]
    await running.erasing.look()
    assert await rows(running.database, erasures) == []
    return receipt


def _receipts(running: House) -> int:
    return sum(text.startswith("I have forgotten ") for text in running.adapter.texts)


async def stored(database: Database) -> str:
    """All that there is in the database, but for whose the keys are, and who is recorded in the audit."""
    tables = [table for table in metadata.sorted_tables if table not in (data_keys, audit)]
    found = [one for row in await rows(database, audit) for one in row._replace(actor=None)]
    found += [one for table in tables for row in await rows(database, table) for one in row]
    return " ".join(one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in found)


async def test_who_wants_to_be_forgotten_is_and_others_keep_what_is_theirs(database: Database) -> None:
    async with house(database, "Tuna it is.", "Noon. The code is tuna! Bring bread.", "Fine.") as running:
        await said(running, "the code is tuna", author=ADA)
        await said(running, "when do we meet?", author=BEN)
        await said(running, "I bring bread", author=BEN)
        await said(running, "!prefer tone pirate", author=ADA)
        assert "It can't be undone" in await said(running, "!forget me", author=ADA)
        assert "I am forgetting it now" in await said(running, "!forget me yes", author=ADA)
        receipt = await forgotten(running)
        shown = running.adapter.screen[list(running.adapter.screen)[-1]]

    assert shown.private
    assert shown.asker is not None
    assert shown.asker.id == ADA.id
    assert "3 messages, 1 answer of mine, sentences of 1 answer to others, 1 person's preferences" in receipt
    left = await stored(database)
    assert [one for one in ("tuna", "Tuna", "pirate", "Ada", ADA.id) if one in left] == []
    assert [(one.actor, one.deed) for one in await rows(database, audit)] == [(ADA.id, "forget me")]
    assert await memory(database) == [
        ("person", "when do we meet?"),
        ("assistant", "Noon. […] Bring bread."),
        ("person", "I bring bread"),
        ("assistant", "Fine."),
    ]


async def test_it_is_forgotten_where_it_was_overheard_and_quoted_and_where_it_waits(database: Database) -> None:
    """In every session of the workspace; what is being written for others begins again without it."""
    adapter, never = TranscriptAdapter(), asyncio.Event()
    to_bot: dict[str, object] = {"author": BEN, "audience": Audience.BOT, "direct": False}
    heard = message("the code is tuna", id="m0", address=ONE, author=ADA, direct=False)
    quoted = Quote(kind="replies to", text="the code is tuna", author=ADA, at=heard.at, message="m0")
    adapter.past = [heard]
    async with house(database, "Noted.", "Tuna.", [never], "Bread.", adapter=adapter) as running:
        await said(running, "who knows?", address=OTHER, **to_bot)
        await said(running, "is it right?", address=ONE, quotes=(quoted,), **to_bot)
        await running.say(message("go on", address=OTHER, **to_bot))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(message("and add salmon", address=OTHER, **to_bot | {"author": ADA}))
        await running.say(message("!forget me yes", author=ADA))
        await adapter.until(lambda: "I am forgetting it now" in adapter.texts[-1])
        await running.erasing.look()
        await running.model.until(lambda: len(running.model.prompts) > 3)
        await adapter.until(lambda: any("I have forgotten you" in text for text in adapter.texts))
        await running.over()
        await running.erasing.look()

    assert "tuna" in str(running.model.prompts[2])
    assert [one for one in ("tuna", "salmon") if one in str(running.model.prompts[-1])] == []
    left = await stored(database)
    assert [one for one in ("tuna", "Tuna", "salmon", "Ada") if one in left] == []
    assert [one.body for one in await rows(database, turns) if one.kind == Kind.NOTICE] == [b""]
    assert await memory(database, OTHER) == [
        ("person", "who knows?"),
        ("assistant", "Noted."),
        ("person", "go on"),
        ("assistant", "Bread."),
    ]
    assert await memory(database, ONE) == [("person", "is it right?")]


async def test_what_was_forgotten_is_not_learnt_again_from_what_stands_on_the_screen(database: Database) -> None:
    """Not from the history, and not from what is quoted of it, by something new or by an edit; ours as well."""
    adapter = TranscriptAdapter()
    to_bot: dict[str, object] = {"author": BEN, "audience": Audience.BOT, "direct": False}
    heard = message("the code is tuna", id="m0", address=CHANNEL, author=ADA, direct=False)
    adapter.past = [heard]
    theirs = Quote(kind="replies to", text="the code is tuna", author=ADA, at=heard.at, message="m0")
    async with house(database, adapter=adapter) as running:
        await said(running, "who knows?", address=ONE, **to_bot)
        assert "tuna" in str(running.model.prompts[-1])
        reply = message("is it rihgt?", address=ONE, quotes=(theirs,), **to_bot)
        await running.say(reply)
        await adapter.until(lambda: len(adapter.texts) == 2)
        await said(running, "my tuna", address=ONE, **to_bot | {"author": ADA})
        ours = next(number for number, shown in adapter.screen.items() if shown.text == "You said: my tuna")
        await said(running, "!forget me yes", author=ADA, address=ONE)
        await forgotten(running)
        await running.say(Edited(message=replace(reply, text="is it right?"), at=reply.at + 100_000))
        of_ours = Quote(kind="replies to", text="You said: my tuna", author=US, message=ours)
        await said(running, "and now?", address=ONE, quotes=(theirs, of_ours), **to_bot)
        await running.say(Edited(message=replace(heard, text="the code was tuna"), at=heard.at + 100_000))
        await said(running, "who knows?", address=OTHER, **to_bot)

    assert [prompt for prompt in running.model.prompts[-2:] if "tuna" in str(prompt)] == []
    assert "tuna" not in await stored(database)


US = Author(id="B", name="B", is_self=True)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("deleted", [False, True])
async def test_what_is_quoted_of_a_summary_is_forgotten_with_what_it_tells_of(
    database: Database, *, when: str, deleted: bool
) -> None:
    """Also where that is quoted only then: the summary stands on the screen as it was."""
    to_bot: dict[str, object] = {"address": ONE, "audience": Audience.BOT, "direct": False}
    async with house(database, "Fine.", "Yes.", "Ada has tuna.", "Ben has bread.") as running:
        await said(running, "my tuna", id="hers", author=ADA, **to_bot)
        await said(running, "bread", author=BEN, **to_bot)
        await said(running, "!summarize", author=BEN, **to_bot)
        summary = next(one for one, reply in running.adapter.screen.items() if "Ada has tuna." in reply.text)
        reply = {"quotes": (Quote(kind="replies to", text="Ada has tuna.", author=US, message=summary),), **to_bot}
        if when == "before":
            await said(running, "is it so?", author=BEN, **reply)
        if deleted:
            await running.say(Deleted(address=ONE, id="hers"))
        else:
            await said(running, "!forget me yes", author=ADA, **to_bot)
            await forgotten(running)
        if when == "after":
            await said(running, "is it so?", author=BEN, **reply)
        await said(running, "and now?", author=BEN, **to_bot)

    assert "tuna" not in str(running.model.prompts[-1])
    assert "tuna" not in await stored(database)


@pytest.mark.parametrize("length", [1, 3], ids=["one message", "several"])
@pytest.mark.parametrize("asker", [ADA, BEN], ids=["to them", "to another"])
@pytest.mark.parametrize("late", [False, True])
async def test_what_others_have_quoted_of_our_answers_is_forgotten_with_them(
    database: Database, *, asker: Author, length: int, late: bool
) -> None:
    adapter = TranscriptAdapter(max_text=100)
    to_bot: dict[str, object] = {"address": ONE, "audience": Audience.BOT, "direct": False}
    answer = "The tuna is ready. " + "Bread is here. " * 9 * (length - 1) + "Milk is there."
    async with house(database, "Fine.", answer, adapter=adapter) as running:
        await said(running, "my tuna", author=ADA, **to_bot)
        await said(running, "what of the fish?", author=asker, **to_bot)
        quotes = [Quote(kind="replies to", text="The tuna", author=US, message=one) for one in list(adapter.screen)[1:]]
        await said(running, "is it?", author=BEN, quotes=tuple(quotes), **to_bot)
        if late:
            await database.write(doubts.forget)
        await said(running, "!forget me yes", author=ADA, **to_bot)
        await forgotten(running)
        await said(running, "and now?", author=BEN, **to_bot)

    assert "tuna" not in str(running.model.prompts[-1])
    assert "tuna" not in await stored(database)


@pytest.mark.parametrize("length", [1, 3], ids=["one message", "several"])
@pytest.mark.parametrize("asker", [ADA, BEN], ids=["to them", "to another"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_our_answer_that_was_forgotten_is_not_learnt_again_from_a_reply_to_it_days_later(
    database: Database, *, asker: Author, length: int, when: str
) -> None:
    """Whether that was done before or after its delivery was over for long; of one to another, a part was forgotten."""
    adapter = TranscriptAdapter(max_text=100)
    to_bot: dict[str, object] = {"address": ONE, "audience": Audience.BOT, "direct": False}
    answer = "The tuna is ready. " + "Bread is here. " * 9 * (length - 1) + "Milk is there."
    async with house(database, "Fine.", answer, adapter=adapter) as running:
        await said(running, "my tuna", author=ADA, **to_bot)
        await said(running, "what of the fish?", author=asker, **to_bot)
        ours = list(adapter.screen)[1:]
        assert (len(ours) > 1) is (length > 1)
        if when == "before":
            await database.write(doubts.forget)
        await said(running, "!forget me yes", author=ADA, **to_bot)
        await forgotten(running)
        await database.write(doubts.forget)
        quotes = [Quote(kind="replies to", text="The tuna", author=US, message=one) for one in ours]
        await said(running, "what was that?", author=BEN, quotes=tuple(quotes), **to_bot)

    assert "tuna" not in str(running.model.prompts[-1])
    assert "tuna" not in await stored(database)


@pytest.mark.parametrize(
    "step", ["hide", "unquote", "said", "answers", "shorten", "erase", "reach", "unname", "_settle"]
)
async def test_whoever_goes_on_with_it_comes_to_the_same_end(database: Database, step: str) -> None:
    """Wherever a process was ended."""
    road = Interrupted(database)
    async with house(road, "Tuna it is.", "Noon. Tuna!", "Fine.") as running:
        await said(running, "the code is tuna", author=ADA)
        await said(running, "when do we meet?", author=BEN)
        await said(running, "I am done", author=ADA)
        await said(running, "!forget me yes", author=ADA)
        road.fail(step, DatabaseUnreachable("gone"))
        with pytest.raises(DatabaseUnreachable):
            await running.erasing.look()
        receipt = await forgotten(running)

    assert "2 messages, 2 answers of mine, sentences of 1 answer to others" in receipt
    assert [one for one in ("tuna", "Tuna", "Ada") if one in await stored(database)] == []
    assert await memory(database) == [("person", "when do we meet?"), ("assistant", "Noon. […]")]


async def test_an_erasure_that_fails_holds_up_no_other(database: Database) -> None:
    road = Interrupted(database)
    async with house(road) as running:
        await said(running, "the code is tuna", author=ADA)
        await said(running, "mine is salmon", author=BEN)
        await said(running, "!forget me yes", author=ADA)
        await said(running, "!forget me yes", author=BEN)
        road.fail("hide", ValueError("nobody has thought of this"))
        with pytest.raises(ValueError, match="nobody has thought of this"):
            await running.erasing.look()
        assert "salmon" not in await stored(database)
        assert "tuna" in await stored(database)
        await running.erasing.look()

    assert "tuna" not in await stored(database)


async def test_what_comes_afterwards_is_a_new_beginning(database: Database) -> None:
    async with house(database) as running:
        await said(running, "tuna", author=ADA)
        await said(running, "!forget me yes", author=ADA)
        await said(running, "salmon", author=ADA)
        await said(running, "!prefer tone kind", author=ADA)
        await forgotten(running)
        await said(running, "and?", author=ADA)

    asked = str(running.model.prompts[-1].messages)
    assert [word for word in ("tuna", "salmon", "kind", "and?") if word in asked] == ["salmon", "kind", "and?"]
    assert "tuna" not in await stored(database)


@pytest.mark.parametrize("what", ["me", "session", "channel"])
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("step", ["reach", "unname"])
async def test_what_was_said_before_and_comes_late_is_not_kept_in_a_place_that_is_done(
    database: Database, step: str, what: str, *, edited: bool
) -> None:
    """By a slow process, or sent again; but what an edit says from then on is."""
    road, to_bot = Interrupted(database), {"author": BEN, "audience": Audience.BOT, "direct": False, "address": ONE}
    async with house(road, adapter=Governed()) as running:
        late = message("tuna", **to_bot)
        await said(running, "the code is salmon", **to_bot)
        asking = message(f"!forget {what} yes", **to_bot)
        await running.say(asking)
        await running.over()
        with road.hold(step) as reached:
            looking = asyncio.create_task(running.erasing.look())
            await reached.wait()
            if edited:
                await running.say(Edited(message=late, at=asking.at + 1))
            else:
                await running.say(late)
            await running.over()
        await looking
        await forgotten(running, before=0)

    assert ("tuna" in await stored(database)) is edited


async def test_what_somebody_said_before_is_not_read_while_they_are_being_forgotten(database: Database) -> None:
    """In the history that a session is told which is born at that moment."""
    road, adapter = Interrupted(database), TranscriptAdapter()
    adapter.past = [message("my tuna", address=CHANNEL, author=ADA, direct=False)]
    async with house(road, adapter=adapter) as running:
        await said(running, "hello", author=ADA)
        await running.say(message("!forget me yes", author=ADA))
        await running.over()
        adapter.past = [*adapter.past, message("my bread", address=CHANNEL, author=ADA, direct=False)]
        with road.hold("reach") as reached:
            looking = asyncio.create_task(running.erasing.look())
            await reached.wait()
            await running.say(message("who knows?", author=BEN, address=ONE, audience=Audience.BOT, direct=False))
            await running.over()
        await looking

    asked = str(running.model.prompts[-1])
    assert [one for one in ("my tuna", "my bread", "who knows?") if one in asked] == ["my bread", "who knows?"]
    assert "tuna" not in await stored(database)


@pytest.mark.parametrize("by", ["person", "operator"])
@pytest.mark.parametrize("step", ["succeed", "hide", "reach", "unname"])
async def test_what_was_said_since_goes_too_where_it_is_asked_for_again(database: Database, step: str, by: str) -> None:
    """While the first is under way, in whatever step, with the key that it was sealed by; told is who asked last."""
    vault = Vault(OwnKeys(bytes(32)))
    bodies.use(vault)
    road = Interrupted(database)
    async with house(road) as running:
        running.erasing = _sealing(running, vault)
        for place in (HERE, ONE):
            await said(running, "the code is tuna", author=ADA, address=place)
        await said(running, "!forget me yes", author=ADA)
        with road.hold(step) as reached:
            looking = asyncio.create_task(running.erasing.look())
            await reached.wait()
            await said(running, "salmon", author=ADA)
            assert "For what was said since, say `!forget me yes` again." in await said(
                running, "!forget me", author=ADA, address=ONE
            )
            before = await database.read(_keys_and_bodies)
            if by == "person":
                assert "I am forgetting it now" in await said(running, "!forget me yes", author=ADA, address=ONE)
            else:
                await database.write(begin_in, HERE.platform, HERE.workspace, Scope.PERSON, ADA.id)
        await looking
        await forgotten(running, before=0)
        after = await database.read(_keys_and_bodies)

    assert [one for one in ("tuna", "salmon", ADA.id) if one in await stored(database)] == []
    receipts = [one for one in running.adapter.screen.values() if "I have forgotten you" in one.text]
    assert [one.address for one in receipts] == [ONE if by == "person" else HERE]
    old = {number for author, number, _ in before[0] if author == ADA.id}
    assert {wrapped for author, number, wrapped in after[0] if number in old} == {b""}


@pytest.mark.parametrize(
    ("limit", "told"), [("5k tokens/month", "is used up"), ("2 requests/minute", "I am asked too often")]
)
async def test_who_is_forgotten_has_spent_what_they_have_spent(database: Database, limit: str, told: str) -> None:
    """And who that was is not known any more, nor that it was somebody once the month is over."""
    moments = itertools.count(FRIDAY)
    async with house(database, clock=lambda: FRIDAY) as running:
        budget = {"budget_person": SETTINGS["budget_person"].read(limit)}
        running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, budget)
        running.model.usage = Usage(shown=2_450, written=1)
        for author in (ADA, ADA, BEN):
            await said(running, "hello", at=next(moments), author=author)
        for _ in range(2):
            await said(running, "!forget me yes", at=next(moments), author=ADA)
            assert "how much was spent this week and this month, under a hash of the ID" in await forgotten(running)
            assert ADA.id not in await stored(database)
            assert told in await said(running, "hello", at=next(moments), author=ADA)
        assert await said(running, "hello", at=next(moments), author=BEN) == "You said: hello"

    spending = {row.author for row in await rows(database, spent)}
    assert len(spending) == 2
    assert BEN.id in spending
    await database.write(pseudonyms.forget, since=periods.running(FRIDAY))
    assert {row.author for row in await rows(database, spent)} == spending
    await database.write(pseudonyms.forget, since=periods.running(FRIDAY + 7 * 86_400))
    assert {row.author: row.calls for row in await rows(database, spent)} == {"": 2, BEN.id: 2}
    assert await rows(database, secret) == []


LONG = "Tuna tuna tuna tuna tuna.\n\nBeta beta beta beta beta.\n\nGamma gamma gamma gamma."


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_part_of_a_shortened_answer_that_is_deleted_leaves_nothing_of_it(
    database: Database, part: int, late: bool
) -> None:
    """What it had said can't be found in what is left of the whole: rather too much goes."""
    adapter = TranscriptAdapter(max_text=40)
    async with house(database, "Fine.", LONG, adapter=adapter) as running:
        await said(running, "the code is tuna", at=1_000_000.0, author=ADA)
        await said(running, "what?", at=1_000_001.0, author=BEN)
        shown = list(adapter.screen)[-3:]
        if late:
            await database.write(doubts.forget)
            assert len(await rows(database, parts)) == 3
        await said(running, "!forget me yes", author=ADA)
        await forgotten(running)
        assert (await memory(database))[-1] == (
            "assistant",
            "[…]\n\nBeta beta beta beta beta.\n\nGamma gamma gamma gamma.",
        )
        await running.say(Deleted(address=HERE, id=shown[part]))

    assert await memory(database) == [("person", "what?")]
    await database.write(doubts.forget)
    assert len(await rows(database, parts)) == 2, "which still stand on the screen"


@pytest.mark.parametrize("budget", ["", "5k tokens/month"])
async def test_a_call_that_ends_after_its_asker_was_forgotten_is_not_theirs(database: Database, budget: str) -> None:
    """As another process makes it, which hears of that a moment later; what it has cost counts all the same."""
    ended = asyncio.Event()
    async with house(database, ["tuna ", asyncio.Event()], clock=lambda: FRIDAY) as running:
        if budget:
            mine = {"budget_person": SETTINGS["budget_person"].read(budget)}
            running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, mine)
        model = running.model
        running.mind.model = metered = Metered(model, lambda call: database.write(ledger.record, call))
        model.farewell = ended
        await running.say(message("tuna? " * 2_000, at=FRIDAY, author=ADA))
        await model.until(lambda: model.prompts)
        await running.say(message("!forget me yes", at=FRIDAY + 1, author=ADA, address=ONE))
        await running.adapter.until(lambda: "I am forgetting it now" in str(running.adapter.texts))
        await running.erasing.look()
        await running.adapter.until(lambda: "I have forgotten you" in str(running.adapter.texts))
        ended.set()
        await running.over()
        await running.erasing.look()
        await metered.close()
        assert ADA.id not in await stored(database)
        (row,) = await rows(database, spent)
        assert row.shown > 2_000
        told = await said(running, "!usage", at=FRIDAY + 2, author=ADA)
        assert f"{row.shown + row.written:,} tokens in 1 call " in told


@pytest.mark.parametrize("nobody", ["", "~0123"])
async def test_who_is_nobody_is_forgotten_with_nothing_of_others_and_holds_up_nobody(
    database: Database, nobody: str
) -> None:
    """As an operator's empty variable may have named them: neither is any platform's ID."""
    async with house(database) as running:
        await said(running, "the code is tuna", author=ADA)
        await said(running, "hello", author=BEN)
        await said(running, "!forget me yes", author=ADA)
        await forgotten(running)
        spending = {row.author: row.shown for row in await rows(database, spent)}
        await database.write(reject, Rejected(platform=HERE.platform, id="e1", payload="{}", reason="no shape"))
        await database.write(begin_in, HERE.platform, HERE.workspace, Scope.PERSON, nobody)
        await running.erasing.look()

    assert [one.done_at is not None for one in await rows(database, erasures)] == [True]
    assert {row.author: row.shown for row in await rows(database, spent)} == spending
    assert len(await rows(database, rejections)) == 1


async def test_the_key_of_what_was_said_is_destroyed_and_what_comes_afterwards_can_be_read(database: Database) -> None:
    """So a copy of the database of before holds nothing that could be read, if it is without the keys."""
    vault = Vault(OwnKeys(bytes(32)))
    bodies.use(vault)
    async with house(database) as running:
        running.erasing = _sealing(running, vault)
        await said(running, "the code is tuna", author=ADA)
        await said(running, "!prefer tone pirate", author=ADA)
        before = await database.read(_keys_and_bodies)
        (answer,) = [one.body for one in await rows(database, turns) if one.kind == Kind.ANSWER and one.seq == 1]
        await said(running, "!forget me yes", author=ADA)
        await said(running, "salmon", author=ADA)
        await said(running, "!prefer tone kind", author=ADA)
        receipt = await forgotten(running)
        bodies.use(later := Vault(OwnKeys(bytes(32))))
        asked = [one.body for one in await rows(database, turns) if one.author == ADA.id and one.kind == Kind.SAID]
        (preferred,) = await rows(database, preferences)
        after = await database.read(_keys_and_bodies)
        told = await database.read(lambda _: bodies.TURN.open(bodies.Mine(1, 1), (1, 1), answer))

    assert ", 1 key." in receipt
    assert "the ID by which keys are named" in receipt
    assert "without the table `data_keys`" in receipt
    assert "but answers of mine and records that tell of them by one that is not" in receipt
    assert "tuna" in told
    assert asked == [b"salmon"]
    assert b"kind" in preferred.body
    old = {number for author, number, wrapped in before[0] if author == ADA.id}
    assert {wrapped for author, number, wrapped in after[0] if number in old} == {b""}
    (sealed,) = [body for author, body in before[1] if author == ADA.id]
    with pytest.raises(NotOpened) as lost:
        later.open(Place("turns", "body", 1, 1, (1, 0)), sealed)
    assert lost.value.erased


@pytest.mark.parametrize("step", ["hide", "answers"])
async def test_a_rotation_seals_nothing_by_new_keys_that_is_just_being_forgotten(database: Database, step: str) -> None:
    """Else a copy of the database of that moment could be read for ever; what comes afterwards is sealed anew."""
    ring, road = OwnKeys(bytes(32)), Interrupted(database)
    bodies.use(vault := Vault(ring))
    async with house(road) as running:
        running.erasing = _sealing(running, vault)
        await said(running, "the code is tuna", author=ADA)
        await said(running, "my bread", author=BEN, quotes=(Quote(kind="replies to", text="tuna", author=ADA, at=1.0),))
        await said(running, "!forget me yes", author=ADA)
        await said(running, "salmon", author=ADA)
        with road.hold(step) as reached:
            looking = asyncio.create_task(running.erasing.look())
            await reached.wait()
            await Resealing(database=database, vault=Vault(ring, all_sealed=True)).walk(renew=True)
            _, copied = await database.read(_keys_and_bodies)
            quoted = await database.read(lambda connection: connection.execute(select(quotes.c.body)).scalars().all())
        await looking
        await forgotten(running, before=0)
        keys, _ = await database.read(_keys_and_bodies)

    live = {number: author for author, number, wrapped in keys if wrapped}
    hers = [number_of(body)[0] for author, body in copied if author == ADA.id and body]
    assert [live.get(number) for number in hers] == [None, ADA.id]
    assert [live.get(number_of(body)[0]) for body in quoted] == [None]


def _sealing(running: House, vault: Vault) -> Erasing:
    """What erases where all is sealed by this vault."""
    return Erasing(
        database=running.database,
        shifts=Shifts(database=running.database, owner="host:boot:1:a.", timings=running.timings),
        count=len,
        timings=replace(running.timings, keys=0.05),
        wake=running.worker.wake,
        vault=vault,
    )


def _keys_and_bodies(connection: Connection) -> tuple[list[tuple[str, int, bytes]], list[tuple[str, bytes]]]:
    keys = connection.execute(select(data_keys.c.author, data_keys.c.number, data_keys.c.wrapped)).all()
    said = connection.execute(select(turns.c.author, turns.c.body).where(turns.c.kind == Kind.SAID)).all()
    return [(one[0], one[1], one[2]) for one in keys], [(one[0], one[1]) for one in said]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Sealed as the tests were told to be, whatever a test has used."""
    yield
    seal_if_told()


async def test_only_admins_have_others_forgotten(database: Database) -> None:
    among: dict[str, object] = {"direct": False, "audience": Audience.BOT}
    async with house(database, adapter=Governed()) as running:
        await said(running, "the code is tuna", author=ADA, **among)
        for what in ("session", "channel"):
            denied = await said(running, f"!forget {what} yes", author=ADA, **among)
            assert denied == "Only admins may have me forget what others have said. `forget me` is for everyone."
        assert "Only admins may be shown all" in await said(running, "!export session", author=ADA, **among)
        assert "tuna" in await said(running, "!export session", author=BEN, **among)
        assert "tuna" in await said(running, "!export", author=ADA, **among)
        assert await said(running, "!export", author=EVE, **among) == "I have stored nothing of you in this session."
        assert await rows(database, erasures) == []


@pytest.mark.parametrize("what", ["session", "channel"])
async def test_a_place_is_forgotten_with_all_that_was_said_there(database: Database, what: str) -> None:
    beside, elsewhere_ = replace(HERE, thread="t1"), replace(HERE, channel="other")
    async with house(database, adapter=Governed()) as running:
        for place, word in ((HERE, "tuna"), (beside, "salmon"), (elsewhere_, "bread")):
            await said(running, word, address=place, author=ADA)
        await said(running, "!set persona a pirate", author=BEN)
        assert "by everybody" in await said(running, f"!forget {what}", author=BEN)
        await said(running, f"!forget {what} yes", author=BEN)
        receipt = await forgotten(running)

    assert f"I have forgotten this {what}" in receipt
    left = await stored(database)
    assert {word for word in ("tuna", "salmon", "bread", "pirate") if word in left} == (
        {"salmon", "bread", "pirate"} if what == "session" else {"bread"}
    )


@pytest.mark.parametrize("what", ["session", "channel"])
async def test_what_is_left_of_a_place_that_was_forgotten_is_said(database: Database, what: str) -> None:
    copy = Quote(kind="forwards", text="tuna", author=ADA, said_in=HERE.channel, copied="m1", at=1.0)
    async with house(database, adapter=Governed()) as running:
        await said(running, "tuna", author=ADA)
        await said(running, "look", address=replace(HERE, channel="other"), author=EVE, quotes=(copy,))
        await said(running, f"!forget {what} yes", author=BEN)
        receipt = await forgotten(running)

    assert ADA.id in [row.author for row in await rows(database, spent)]
    assert [row.actor for row in await rows(database, audit)] == [BEN.id]
    assert [row.author for row in await rows(database, quotes)] == [ADA.id]
    assert "what was overheard, or forwarded, in places that are none of this" in receipt
    assert "the IDs of those for whom something was spent here, and of who did what in the audit" in receipt


async def test_a_workspace_that_removes_us_is_forgotten(database: Database) -> None:
    async with house(database) as running:
        await said(running, "tuna")
        await said(running, "!prefer tone pirate")
        await running.say(Left(platform=HERE.platform, workspace=HERE.workspace))
        await running.erasing.look()

    left = await stored(database)
    assert [one for one in ("tuna", "pirate", "Ada", ADA.id) if one in left] == []
