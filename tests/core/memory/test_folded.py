"""A session that is folded on the real store: nothing is lost between what is planned, stored and shown."""

from itertools import pairwise

from sqlalchemy import Connection

from core.memory.folding import Plan, plan
from core.memory.shares import shares
from core.memory.window import REPLY_TOKENS, Window, build
from core.session import Fold, SessionKey
from core.store import Database, checkpoints, places, recalling
from core.store.checkpoints import Made
from tests.script import House, house
from tests.values import BEN, HERE, message

BUDGET = 6_000


def planned(connection: Connection, running: House, key: SessionKey) -> Plan | None:
    told, newest = recalling.recall(connection, key, budget=3 * BUDGET)
    fixed = running.mind.fixed + REPLY_TOKENS
    return plan(
        shares(BUDGET, BUDGET - fixed),
        told,
        newest,
        tree=checkpoints.tree(connection, key),
        start=checkpoints.start(connection, key),
        budget=BUDGET,
        fixed=fixed,
        idle=False,
    )


async def fold(running: House, key: SessionKey) -> bool:
    """Folds if it is time to: each text tells by its seqs what it is of."""
    database = running.database
    found = await database.read(planned, running, key)
    if found is None:
        return False
    texts = [
        Made(
            kind=text.part.kind,
            level=text.part.level,
            first=text.part.first,
            last=text.part.last,
            since=0.0,
            until=0.0,
            text=f"{text.part.kind.name} up to {text.part.last}",
            tokens=text.tokens,
            model="scripted",
        )
        for text in found.texts
    ]
    boundary = await database.read(checkpoints.boundary, key, *found.folded)
    return await database.write(checkpoints.commit, key, texts, boundary)


async def window(running: House, key: SessionKey) -> Window:
    told, newest = await running.database.read(recalling.recall, key, budget=BUDGET)
    return build(None, newest, budget=BUDGET, fixed=running.mind.fixed, cut=running.mind.cut, checkpoints=told)


async def test_every_turn_is_told_of_or_shown_and_the_beginning_stays_between_folds(database: Database) -> None:
    folds, changed, before = 0, 0, None
    async with house(database, budget=BUDGET) as running:
        for number in range(60):
            await running.say(*(message(f"aside {nth}", author=BEN, direct=False) for nth in range(number % 4)))
            await running.say(message(f"{number} " + "many words " * 30))
            await running.over()
            key = await _key(database)
            folded = await fold(running, key)
            folds += folded
            shown = await window(running, key)
            told = [one for one in shown.checkpoints if one.kind is not Fold.STATE]
            assert shown.tokens <= BUDGET
            assert all(one.last + 1 == two.first for one, two in pairwise(told))
            if told:
                assert shown.seqs[0][0] == told[-1].last + 1
            if before is not None and not folded:
                changed += shown.messages[: len(before.messages)] != before.messages
            before = shown

    assert folds >= 4
    assert changed == 0
    assert before is not None
    assert {one.kind for one in before.checkpoints} == {Fold.OLD, Fold.CHECKPOINT, Fold.STATE}


async def test_after_a_reset_and_its_undo_what_was_folded_is_shown_again(database: Database) -> None:
    async with house(database, budget=BUDGET) as running:
        for number in range(24):
            await running.say(message(f"{number} " + "many words " * 30))
            await running.over()
        key = await _key(database)
        assert await fold(running, key)
        before = await window(running, key)
        for verb in ("!reset", "!undo"):
            await running.say(message(verb))
            await running.over()
        after = await window(running, key)
        assert after.checkpoints == before.checkpoints
        assert after.seqs == before.seqs


async def _key(database: Database) -> SessionKey:
    found = await database.read(places.find, HERE)
    assert found is not None
    return found[0]
