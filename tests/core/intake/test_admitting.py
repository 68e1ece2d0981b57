"""Admitting: by whatever way a refused message comes, nothing of it is stored, and its author is told once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from time import time

import pytest
from sqlalchemy import update

from core.access import Denial
from core.errors import DeliveryUnknown
from core.events import TurnedAway
from core.policy import Named
from core.schema import audit, denials, sessions, turns
from core.seam.messages import Audience, Edited, Inbound, Standing
from core.store import Database
from core.store import denials as told
from core.store.doubts import forget
from tests.script import Fault, House, TranscriptAdapter, house, rows
from tests.values import BEN, HERE, message

THREAD = replace(HERE, thread="t1")
DENIAL = Denial.DENIED.value


@asynccontextmanager
async def without_ben(database: Database) -> AsyncIterator[House]:
    async with house(database) as running:
        running.mind.policy = replace(running.mind.policy, deny=frozenset({Named("person", BEN.id)}))
        yield running


def bens(text: str = "a secret", **facts: object) -> Inbound:
    return message(text, **({"author": BEN, "direct": False, "audience": Audience.BOT} | facts))


async def words(database: Database) -> list[str]:
    return [row.body.decode() for row in await rows(database, turns) if row.body]


async def test_a_refused_message_is_answered_with_a_sentence_and_leaves_nothing(database: Database) -> None:
    async with without_ben(database) as running:
        heard = bens()
        await running.say(heard, heard, bens("more secrets"))
        await running.answered(DENIAL)
        told = [(one.reason, one.told) for one in running.told if isinstance(one, TurnedAway)]

    assert told == [("denied", True), ("denied", False), ("denied", False)]
    assert await words(database) == [DENIAL], "the answer itself is nothing that is remembered"
    assert not running.model.prompts
    (session,) = await rows(database, sessions)
    assert session.live_since is None, "nobody has talked with us there"


async def test_in_another_channel_it_is_told_again(database: Database) -> None:
    async with without_ben(database) as running:
        await running.say(bens(), bens(address=THREAD), bens(address=replace(HERE, channel="side")))
        await running.answered(DENIAL, DENIAL)


async def test_a_platforms_own_command_is_answered_each_time(database: Database) -> None:
    async with without_ben(database) as running:
        await running.say(bens(), bens(verb="status"), bens(verb="status"))
        await running.answered(DENIAL, DENIAL, DENIAL)


async def test_a_command_that_is_turned_away_is_recorded_once(database: Database) -> None:
    async with without_ben(database) as running:
        reset = bens(verb="reset")
        await running.say(reset, reset, bens(verb="forget", text="session"), bens(verb="status", text="secret"))
        await running.answered(DENIAL, DENIAL, DENIAL)

    told = [(row.actor, row.deed, row.outcome) for row in await rows(database, audit)]
    assert told == [(BEN.id, deed, "denied") for deed in ("reset", "forget session", "status")]


async def test_what_nobody_can_find_out_now_may_be_asked_again_at_once(database: Database) -> None:
    async with house(database) as running:
        running.mind.policy = replace(running.mind.policy, guests=False)
        await running.say(*(bens(standing=Standing(is_guest=None)) for _ in range(2)))
        await running.answered(*(Denial.UNKNOWN.value,) * 2)


async def test_an_edit_of_a_refused_message_finds_nothing(database: Database) -> None:
    async with without_ben(database) as running:
        heard = bens()
        await running.say(heard)
        await running.answered(DENIAL)
        await running.say(Edited(message=replace(heard, text="another secret"), at=heard.at + 1))
        await running.over()

    assert await words(database) == [DENIAL]


async def test_what_was_missed_of_somebody_who_is_refused_is_not_stored_late(database: Database) -> None:
    async with without_ben(database) as running:
        assert await running.inbox.catch_up([bens("of long ago"), bens("of now", at=time())]) == 0
        await running.answered(DENIAL)
        assert await running.inbox.catch_up([message("hello", direct=False, audience=Audience.BOT, at=time())]) == 1
        await running.answered(DENIAL, "You said: hello")


@pytest.mark.parametrize("text", ["a secret?", "!summarize"])
@pytest.mark.parametrize("ends", [False, True], ids=["by the same process", "by another one"])
async def test_who_was_denied_while_they_waited_is_told_so_alone_also_where_that_is_said_again(
    database: Database, *, text: str, ends: bool
) -> None:
    """After a process that ended over it, or a platform that did not take it at once."""
    adapter, go = TranscriptAdapter(), asyncio.Event()
    async with house(database, [go, "hi"], adapter=adapter) as running:
        await running.say(message("hello", direct=False, audience=Audience.BOT))
        await running.model.until(lambda: running.model.running == 1)
        await running.say(bens(text))
        running.mind.policy = replace(running.mind.policy, deny=frozenset({Named("person", BEN.id)}))
        adapter.faults.extend([None, *[Fault(error=DeliveryUnknown("no answer"))] * 5])
        go.set()
        await adapter.until(lambda: not adapter.faults)
        if not ends:
            await running.answered("hi", DENIAL)
    if ends:
        async with house(database, adapter=adapter, owner="host:boot:2:a") as running:
            await running.answered("hi", DENIAL)

    assert [reply.private for reply in adapter.screen.values()] == [False, True]
    assert [reply.private for reply in adapter.delivered if reply.text == DENIAL] == [True] * 6


@pytest.mark.parametrize("hears", ["thread", "channel"])
async def test_talk_around_a_live_session_is_not_overheard(database: Database, hears: str) -> None:
    async with without_ben(database) as running:
        running.mind.policy = replace(running.mind.policy, hear=hears)  # type: ignore[arg-type]
        await running.say(message("hello", address=THREAD, direct=False, audience=Audience.BOT))
        await running.answered("You said: hello")
        for audience in (Audience.ROOM, Audience.OTHERS):
            await running.say(bens(address=THREAD, audience=audience, at=time()))
        await running.say(bens("!status", address=THREAD, audience=Audience.ROOM, at=time()))
        await running.over()
        assert running.adapter.texts == ["You said: hello"]

    assert not any("secret" in text for text in await words(database))


async def test_who_was_told_is_forgotten_after_a_day(database: Database) -> None:
    async with without_ben(database) as running:
        await running.say(bens())
        await running.answered(DENIAL)
    await database.write(told.forget)
    assert len(await rows(database, denials)) == 1

    day_ago = denials.c.told_at - 86_400_000
    await database.write(lambda connection: connection.execute(update(denials).values(told_at=day_ago)))
    await database.write(forget)
    assert await rows(database, denials) == []


async def test_an_edit_of_before_somebody_was_denied_that_is_told_again_takes_nothing_away(database: Database) -> None:
    """As by a look at the history; one of afterwards does."""
    said = bens("tuan")
    async with house(database) as running:
        await running.say(said)
        await running.answered("You said: tuan")
        edited = Edited(message=replace(said, text="tuna"), at=said.at + 5)
        await running.say(edited)
        running.mind.policy = replace(running.mind.policy, deny=frozenset({Named("person", BEN.id)}))
        await running.inbox.compare(HERE, [said.id], [replace(edited.message, edited_at=edited.at)])
        assert "tuna" in await words(database)
        await running.say(replace(edited, at=said.at + 9))
        assert "tuna" not in await words(database)
