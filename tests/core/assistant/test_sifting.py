"""What a provider will not read, or write, is left out of a record, and takes nothing with it that was said beside it.

openclaw/openclaw#64960: compaction fails for good where Azure's content filter blocks it.
"""

from dataclasses import replace

import pytest
from sqlalchemy import update

from core.errors import ModelRefused
from core.events import FoldRefused
from core.model.llm import Prompt
from core.schema import checkpoints, folds
from core.seam.messages import Edited
from core.session import Validity
from core.store import Database
from tests.core.assistant.test_folding import (
    TALK,
    Talking,
    folding_house,
    model_of,
    request,
    talk,
    written,
)
from tests.script import rows
from tests.values import message


def is_refused(prompt: Prompt) -> bool:
    return "poison" in prompt.messages[-1].text


def refusing(prompt: Prompt) -> str:
    if is_refused(prompt):
        raise ModelRefused("The provider will not answer this (400, content_filter).")
    return written(prompt)


def until_refused(running: Talking, *, before: bool) -> None:
    """From now on the folder's provider refuses the poison: before it is read, or when what is written of it comes."""
    if before:
        model_of(running).writes = refusing
    else:
        model_of(running).filters = is_refused


async def poison(running: Talking) -> None:
    await running.say(message(f"poison {TALK}"))
    await running.over()


@pytest.mark.parametrize("before", [True, False], ids=["asked", "answered"])
@pytest.mark.parametrize("poisons", [1, 3])
async def test_what_a_provider_refuses_takes_no_fact_with_it(database: Database, *, before: bool, poisons: int) -> None:
    async with folding_house(database) as running:
        until_refused(running, before=before)
        facts = [*await talk(running, 1, 3)]
        for number in range(poisons):
            await poison(running)
            facts += await talk(running, 4 + number, 4 + number)
        facts += await talk(running, 10, 40)
        await running.say(message("What was it?"))
        await running.over()

        assert [fact for fact in facts if fact not in request(running)] == []
        assert not any(one.failures for one in running.told if isinstance(one, FoldRefused))


async def test_a_record_is_made_again_without_what_a_provider_refuses(database: Database) -> None:
    async with folding_house(database) as running:
        until_refused(running, before=True)
        facts = await talk(running, 1, 2)
        await poison(running)
        facts = [*facts, *await talk(running, 3, 24)]
        said = running.said[2]
        await running.say(Edited(message=replace(said, text=f"fact2 is so\n{TALK}"), at=running.now + 1))
        await running.over()
        await running.folding.look()

        await running.say(message("What was it?"))
        await running.over()
        assert [fact for fact in [*facts, "fact2 is so"] if fact not in request(running)] == []
        assert all(row.validity == Validity.STANDS for row in await rows(database, checkpoints))


async def test_what_is_refused_once_is_not_left_out(database: Database) -> None:
    """A refusal that says that trying again is no use may pass all the same."""
    async with folding_house(database) as running:
        model, refusals = model_of(running), [1]
        model.filters = lambda prompt: bool(refusals and refusals.pop())
        facts = await talk(running, 1, 12)
        await database.write(lambda connection: connection.execute(update(folds).values(due_at=0)))
        facts = [*facts, *await talk(running, 13, 30)]
        await running.say(message("What was it?"))
        await running.over()

        assert [one.reason for one in running.told if isinstance(one, FoldRefused)] == ["ModelRefused"]
        assert [fact for fact in facts if fact not in request(running)] == []


async def test_a_provider_that_refuses_all_is_left_alone_and_answers_go_on(database: Database) -> None:
    async with folding_house(database) as running:
        model_of(running).filters = lambda prompt: True
        await talk(running, 1, 24)

        assert [one.reason for one in running.told if isinstance(one, FoldRefused)] == ["ModelRefused"]
        assert len(model_of(running).asked_to_fold) < 20
        assert len(running.model.prompts) == 24
        assert await rows(database, checkpoints) == []
