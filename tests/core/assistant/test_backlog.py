"""Where more is to be folded than is read at once, it is folded in rounds, the newest of it first: nothing is left out.

So it is in a window that has become much smaller, also where it has no room to read again what a record is of, and in a
session that could not be folded for long.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import time

import pytest
from sqlalchemy import update

from core.events import FoldRefused
from core.schema import checkpoints, folds, turns
from core.seam.address import Address
from core.seam.messages import Deleted
from core.session import Fold, Validity
from core.store import Database
from tests.core.assistant.test_folding import TALK, Talking, folding_house, model_of, request, written
from tests.script import SECONDS, rows
from tests.values import HERE, message

pytestmark = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)


async def say(running: Talking, words: str, *, address: Address = HERE) -> None:
    said = message(words, address=address)
    running.now = said.at + 1
    await running.say(said)
    await running.over()


async def talk(running: Talking, exchanges: int, *, address: Address = HERE) -> Sequence[str]:
    """So many, of which one in twenty tells a fact; returns these."""
    facts = {number: f"fact{number} is so" for number in range(0, exchanges, 20)}
    for number in range(exchanges):
        await say(running, f"{facts.get(number, '')}\n{TALK}", address=address)
    return list(facts.values())


async def fold_all(running: Talking) -> None:
    """Until nothing is due, but in a long pause."""
    async with asyncio.timeout(SECONDS):
        while any(one.due_at < (time() + 60) * 1_000 for one in await rows(running.database, folds)):
            await running.folding.look()


async def told(running: Talking) -> list[tuple[int, int]]:
    """Of which turns there are records, in order."""
    found = await rows(running.database, checkpoints)
    return sorted((one.first, one.last) for one in found if one.kind == Fold.CHECKPOINT)


async def test_in_a_window_that_has_become_much_smaller_nothing_is_forgotten(database: Database) -> None:
    async with folding_house(database, budget=100_000) as running:
        running.mind.policy = replace(running.mind.policy, may_set=None)
        facts = await talk(running, 60)
        await say(running, "!set context_tokens 6000")
        await fold_all(running)
        records = await told(running)
        await say(running, "What was it?")

    assert [fact for fact in facts if fact not in request(running)] == []
    assert [first for first, _ in records] == [1, *(last + 1 for _, last in records[:-1])], "none twice, and no gap"
    assert running.model.prompts[-1].tokens <= 6_000


@pytest.mark.parametrize("scope", ["", "workspace "])
async def test_so_it_is_in_each_conversation_for_which_the_window_was_set(database: Database, scope: str) -> None:
    """Also where somebody has set it elsewhere; no question comes before that."""
    there = replace(HERE, thread="side")
    async with folding_house(database, budget=24_000) as running:
        running.mind.policy = replace(running.mind.policy, may_set=None)
        facts = await talk(running, 20, address=there)
        await say(running, f"!set {scope}context_tokens 4000")
        await fold_all(running)
        await say(running, "What was it?", address=there)

    assert [fact for fact in facts if fact not in request(running)] == []


@pytest.mark.parametrize("before", [0, 40], ids=["from the beginning", "behind records"])
async def test_what_could_not_be_folded_for_long_is_folded_when_it_can_be(database: Database, before: int) -> None:
    async with folding_house(database, budget=6_000) as running:
        for _ in range(before):
            await say(running, TALK)
            await running.folding.look()
        assert bool(await told(running)) is bool(before)
        model_of(running).writes = lambda _: "I am sorry, I can't do that."
        facts = await talk(running, 80)
        await running.folding.look()
        assert any(isinstance(one, FoldRefused) for one in running.told)

        model_of(running).writes = written
        await database.write(lambda connection: connection.execute(update(folds).values(due_at=0)))
        await fold_all(running)
        await say(running, "What was it?")

    assert [fact for fact in facts if fact not in request(running)] == []


async def recorded(running: Talking) -> list[str]:
    """Talk with a fact in every fourth exchange, until there are records, whose facts these are."""
    number = 0
    while not await told(running):
        await say(running, f"fact{number // 4} is so\n{TALK}" if number % 4 == 0 else TALK)
        await running.folding.look()
        number += 1
    last = max(last for _, last in await told(running))
    return [f"fact{nth // 4} is so" for nth in range(0, last, 4)]


@pytest.mark.parametrize("size", [3_500, 2_000])
async def test_what_a_smaller_window_has_no_room_to_read_again_is_folded_anew_in_pieces(
    database: Database, size: int
) -> None:
    """Where that is too small for any, when it is larger again."""
    async with folding_house(database, budget=100_000) as running:
        running.mind.policy = replace(running.mind.policy, may_set=None)
        facts = await recorded(running)
        await say(running, f"!set context_tokens {size}")
        await fold_all(running)
        model_of(running).room = size
        first, *_ = [row for row in await rows(database, turns) if row.message and b"fact" not in row.body]
        await running.say(Deleted(address=HERE, id=first.message))
        await fold_all(running)
        await say(running, "!set context_tokens 24000")
        model_of(running).room = None
        await fold_all(running)
        await say(running, "What was it?")

    assert [fact for fact in facts if fact not in request(running)] == []
    assert not any(isinstance(one, FoldRefused) and one.failures for one in running.told)
    assert {row.validity for row in await rows(database, checkpoints)} == {Validity.STANDS}
