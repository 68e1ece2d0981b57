"""Checkpoints: what is shown in place of folded turns, by whom it is superseded, and what an edit makes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from core.schema import checkpoints as table
from core.seam.messages import Audience, Closed, Deleted, Edited, Inbound, Quote
from core.session import Fold, SessionKey, Validity
from core.store import Database, checkpoints, places, recalling, remembered
from core.store.checkpoints import Boundary, Made
from tests.script import House, house, rows
from tests.values import BEN, HERE, message


def made(first: int, last: int, kind: Fold = Fold.CHECKPOINT, *, level: int = 0) -> Made:
    text = f"{kind.name} {first}-{last}"
    return Made(
        kind=kind, level=level, first=first, last=last, since=0, until=0, text=text, tokens=len(text), model="scripted"
    )


class Folding:
    """A session of so many exchanges, each with the seq of its number, of which some are folded."""

    def __init__(self, running: House, said: list[Inbound], key: SessionKey) -> None:
        self.running, self.said, self.key, self.database = running, said, key, running.database

    async def fold(self, *texts: Made, planned: Boundary | None = None) -> bool:
        planned = planned or await self.plan(min(one.first for one in texts), max(one.last for one in texts))
        return await self.database.write(checkpoints.commit, self.key, texts, planned)

    async def plan(self, first: int, last: int) -> Boundary:
        return await self.database.read(checkpoints.boundary, self.key, first, last)

    async def shown(self) -> list[str]:
        return [one.text for one in await self.database.read(recalling.shown, self.key)]

    async def stale(self) -> list[tuple[Fold, int, int]]:
        return [(one.kind, one.first, one.last) for one in await self.database.read(checkpoints.stale, self.key)]

    async def say(self, *words: str) -> None:
        for text in words:
            self.said.append(message(text))
            await self.running.say(self.said[-1])
            await self.running.over()

    async def edit(self, seq: int, text: str = "something else") -> None:
        said = self.said[seq - 1]
        await self.running.say(Edited(message=replace(said, text=text), at=said.at + 5))


@asynccontextmanager
async def session(database: Database, exchanges: int = 6) -> AsyncIterator[Folding]:
    async with house(database) as running:
        said = [message(f"q{number}") for number in range(1, exchanges + 1)]
        for one in said:
            await running.say(one)
            await running.over()
        found = await database.read(places.find, HERE)
        assert found is not None
        yield Folding(running, said, found[0])


async def test_of_two_that_were_made_in_two_views_no_turn_is_told_twice(database: Database) -> None:
    async with session(database) as folding:
        assert await folding.fold(made(1, 3))
        assert await folding.fold(made(3, 5)), "where the view began behind the second turn"
        recalled = await database.read(recalling.recall, folding.key, budget=24_000)

    assert [one.text for one in recalled.checkpoints] == ["CHECKPOINT 1-3"]
    assert sorted({one.seq for one in recalled.turns}) == [4, 5, 6]


async def test_however_many_stand_all_are_shown_and_none_of_their_turns_beside_them(database: Database) -> None:
    """As of a large window, where records are short."""
    async with session(database, exchanges=70) as folding:
        assert await folding.fold(*(made(seq, seq) for seq in range(1, 69)))
        recalled = await database.read(recalling.recall, folding.key, budget=24_000)

    assert [one.first for one in recalled.checkpoints] == list(range(1, 69))
    assert sorted({one.seq for one in recalled.turns}) == [69, 70]


async def test_an_old_summary_stands_for_its_checkpoints_and_the_state_is_behind_the_rest(database: Database) -> None:
    async with session(database) as folding:
        assert await folding.fold(made(1, 2), made(1, 2, Fold.STATE))
        assert await folding.fold(made(3, 4))
        assert await folding.shown() == ["CHECKPOINT 1-2", "CHECKPOINT 3-4", "STATE 1-2"]
        assert await folding.fold(made(5, 5), made(1, 4, Fold.OLD), made(1, 5, Fold.STATE))

        assert await folding.shown() == ["OLD 1-4", "CHECKPOINT 5-5", "STATE 1-5"]
        assert [(one.first, one.last) for one in await database.read(checkpoints.tree, folding.key)] == [
            *((1, 2), (3, 4), (5, 5))
        ]

    states = [row.body for row in await rows(database, table) if row.kind == Fold.STATE]
    assert states == [b"STATE 1-5"], "what nothing shows again is gone"


async def test_of_two_folds_of_the_same_turns_the_second_is_superseded(database: Database) -> None:
    async with session(database) as folding:
        planned = await folding.plan(1, 2)
        assert await folding.fold(made(1, 2), planned=planned)
        assert not await folding.fold(made(1, 3), planned=planned)
        assert await folding.shown() == ["CHECKPOINT 1-2"]


async def test_a_fold_of_what_has_changed_meanwhile_is_superseded(database: Database) -> None:
    async with session(database) as folding:
        edited, deleted, elsewhere = await folding.plan(1, 2), await folding.plan(3, 4), await folding.plan(5, 5)
        await folding.edit(2)
        await folding.running.say(Deleted(address=HERE, id=folding.said[2].id))

        assert not await folding.fold(made(1, 2), planned=edited)
        assert not await folding.fold(made(3, 4), planned=deleted)
        assert await folding.fold(made(5, 5), planned=elsewhere)


async def test_a_fold_of_a_message_whose_file_was_read_meanwhile_is_superseded(database: Database) -> None:
    async with session(database, exchanges=2) as folding:
        file = Quote(kind="attaches", title="plan.txt", source="1")
        heard = message("the plan", author=BEN, direct=False, audience=Audience.OTHERS, quotes=(file,))
        await folding.running.say(heard)
        planned = await folding.plan(1, 3)
        await folding.say("what is the plan?")

        assert not await folding.fold(made(1, 3), planned=planned)
        assert await folding.fold(made(1, 3))


async def test_what_waits_to_be_answered_is_not_folded(database: Database) -> None:
    async with session(database) as folding:
        await folding.running.stop()
        await folding.running.say(message("still waits"))

        assert not await folding.fold(made(1, 7))
        assert await folding.fold(made(1, 6))


async def test_an_edit_takes_the_words_of_all_that_tells_of_it_and_of_nothing_else(database: Database) -> None:
    async with session(database) as folding:
        await folding.fold(made(1, 2), made(3, 4), made(5, 5))
        await folding.fold(made(1, 4, Fold.NODE, level=1), made(1, 4, Fold.OLD), made(1, 5, Fold.STATE))
        await folding.edit(2)

        assert await folding.stale() == [
            *((Fold.CHECKPOINT, 1, 2), (Fold.NODE, 1, 4), (Fold.OLD, 1, 4), (Fold.STATE, 1, 5))
        ]
        assert await folding.shown() == ["CHECKPOINT 3-4", "CHECKPOINT 5-5"]

    left = {row.body for row in await rows(database, table)}
    assert left == {b"", b"CHECKPOINT 3-4", b"CHECKPOINT 5-5"}


async def test_an_edit_that_changes_no_word_makes_nothing_stale(database: Database) -> None:
    async with session(database) as folding:
        await folding.fold(made(1, 2))
        await folding.edit(2, text="q2")
        assert await folding.stale() == []


async def test_what_is_made_again_stands_unless_its_turns_have_changed_once_more(database: Database) -> None:
    async with session(database) as folding:
        await folding.fold(made(1, 2))
        await folding.edit(1)
        (before,) = await database.read(checkpoints.stale, folding.key)
        await folding.edit(2)
        (after,) = await database.read(checkpoints.stale, folding.key)

        fresh = {"text": "again", "tokens": 5, "model": "scripted"}
        assert not await database.write(lambda c: checkpoints.remade(c, folding.key, before, **fresh))
        assert await database.write(lambda c: checkpoints.remade(c, folding.key, after, **fresh))
        assert await folding.shown() == ["again"]
        assert await folding.stale() == []


async def test_a_stale_checkpoint_whose_turns_are_folded_anew_is_gone(database: Database) -> None:
    async with session(database) as folding:
        await folding.fold(made(1, 2), made(3, 4))
        await folding.edit(2)
        assert await folding.fold(made(1, 2))

        assert await folding.shown() == ["CHECKPOINT 1-2", "CHECKPOINT 3-4"]
        assert await folding.stale() == []


async def test_a_summary_that_is_made_again_makes_what_tells_of_it_stale(database: Database) -> None:
    async with session(database, 3) as folding:
        await folding.running.say(message("!summarize"))
        await folding.running.over()
        await folding.say("and now?")
        await folding.fold(made(4, 5))
        await folding.edit(2)

        assert await folding.stale() == [(Fold.CHECKPOINT, 4, 5)], "it tells of what tells of the turn"


async def test_a_reset_puts_checkpoints_out_of_view_and_an_undo_brings_them_back(database: Database) -> None:
    async with session(database, 5) as folding:
        await folding.fold(made(1, 2), made(3, 3), made(1, 2, Fold.OLD))
        await folding.say("!reset", "q7", "q8")
        assert await folding.shown() == []
        await folding.fold(made(7, 7), made(7, 7, Fold.OLD))
        assert await folding.shown() == ["OLD 7-7"]
        await folding.say("!undo")

        assert await folding.shown() == ["OLD 1-2", "CHECKPOINT 3-3", "OLD 7-7"]
        recalled = await database.read(recalling.recall, folding.key, budget=24_000)
        assert [one.text for one in recalled.checkpoints] == await folding.shown()
        assert [turn.text for turn in reversed(recalled.turns) if turn.author] == ["q4", "q5", "q8"], "a hole"


async def test_what_is_to_be_folded_is_read_without_what_lies_between(database: Database) -> None:
    async with session(database, 5) as folding:
        for ranges, questions in (([(2, 4)], ["q2", "q3", "q4"]), ([(4, 5), (1, 2)], ["q1", "q2", "q4", "q5"])):
            told = await database.read(checkpoints.read, folding.key, ranges, budget=24_000)
            assert [turn.text for turn in reversed(told) if turn.author] == questions


async def test_turns_that_are_covered_are_passed_over_whatever_their_number(database: Database) -> None:
    async with session(database, 4) as folding:
        for number in range(40):
            await folding.running.say(message(f"line {number}", author=BEN, direct=False))
        await folding.say(*(f"later {number}" for number in range(3)))

        def read(connection, *covered):
            found = remembered.newest(connection, folding.key, budget=24_000, covered=covered)
            return [turn.text for turn in reversed(found) if turn.author]

        later = ["later 0", "later 1", "later 2"]
        assert await database.read(read, (-(2**31) + 1, 44)) == later
        assert await database.read(read, (1, 2), (4, 44)) == ["q3", *later]
        assert await database.read(read, (3, 44), (46, 46)) == ["q1", "q2", "later 0", "later 2"]
        assert await database.read(read, (1, 40), (41, 47)) == []
        assert len(await database.read(read)) == 4 + 40 + 3


async def test_what_is_stale_is_not_opened(database: Database) -> None:
    async with session(database, 2) as folding:
        await folding.fold(made(1, 1))
        (stands,) = await database.read(recalling.shown, folding.key)
        assert await database.read(checkpoints.words, folding.key, [stands.number]) == {stands.number: "CHECKPOINT 1-1"}
        await folding.edit(1)
        assert await database.read(checkpoints.words, folding.key, [stands.number]) == {}
        (row,) = await rows(database, table)
        assert (row.validity, row.body, row.changes) == (Validity.STALE, b"", 1)


async def test_a_place_that_is_gone_takes_what_tells_of_it_along(database: Database) -> None:
    async with session(database) as folding:
        assert await folding.fold(made(1, 2), made(1, 2, Fold.STATE))
        await folding.running.say(Closed(address=HERE, gone=False))
        assert len(await rows(database, table)) == 2
        await folding.running.say(Closed(address=HERE, gone=True))

    assert not await rows(database, table)
