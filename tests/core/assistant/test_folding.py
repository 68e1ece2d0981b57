"""Old turns become checkpoints beside the answers: nothing is forgotten, nobody waits, memory follows the screen."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from re import compile as pattern

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from core.errors import OutOfCredit, WindowTooLong
from core.events import Folded, FoldRefused
from core.memory.checkpoints.shown import EXPLAINED
from core.memory.folding import IDLE
from core.memory.window import REPLY_TOKENS
from core.model.llm import Cut, Finish, Prompt
from core.model.metered import Metered
from core.policy import SETTINGS, Level
from core.schema import calls, checkpoints, folds, sessions, spent, turns
from core.seam.address import Address
from core.seam.messages import Deleted, Edited, Inbound
from core.session import Fold, Progress, Role, SessionKey, Validity
from core.store import Database, dead, ledger, notices
from core.store import chores as store_chores
from core.store import folds as store_folds
from tests.core.memory.checkpoints.folder import folded
from tests.script import SECONDS, House, ScriptedModel, TranscriptAdapter, brisk, rows
from tests.values import HERE, message

BUDGET = 6_000
SIDE = Address(platform="console", workspace="local", channel="main", thread="side")
TALK = "so we talked and talked about this and that " * 32


class FoldingModel(ScriptedModel):
    """A model that writes down the facts that people tell when it is to fold, and takes note otherwise."""

    def __init__(self, *script: str) -> None:
        super().__init__(*script)
        self.asked_to_fold: list[Prompt] = []
        self.writes: Callable[[Prompt], str] = written
        self.filters: Callable[[Prompt], bool] = lambda prompt: False
        """Whether a filter ends what it writes."""
        self.hold: asyncio.Event | None = None
        self.room: int | None = None
        """How much it reads at once to fold it."""

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        if prompt.cause is None or prompt.cause.purpose != "fold":
            self.script.append("Noted.")
            async for piece in super().stream(prompt):
                yield piece
            return
        self.asked_to_fold.append(prompt)
        self.change()
        if self.room is not None and prompt.tokens > self.room:
            raise WindowTooLong("more than it reads at once")
        if self.hold is not None:
            await self.hold.wait()
        words, longest = self.writes(prompt), (prompt.answer_tokens or 4_000) * 4  # characters
        yield words[:longest]
        cut: Cut | None = "length" if len(words) > longest else None
        yield Finish(model=self.name, cut="filter" if self.filters(prompt) else cut)


def is_fact(words: str) -> bool:
    return "fact" in words


def written(prompt: Prompt) -> str:
    """The facts, or that there was talk."""
    found = ORDERED.search(prompt.messages[-1].text)
    assert found is not None
    return folded(prompt, is_fact) or f"# about\n- Ada talked ({found[1]})"


ORDERED = pattern(r"Write the record of (-?\d+)-")


class Talking(House):
    """A house that remembers what was said to it, and whose time is that of the newest message."""

    def __init__(self, database: Database, *, adapter: TranscriptAdapter | None = None, **facts) -> None:
        self.now = 0.0
        self.said: dict[int, Inbound] = {}
        """By the number of the exchange."""
        facts = {"budget": BUDGET, "clock": lambda: self.now} | facts
        super().__init__(database, FoldingModel(), adapter or TranscriptAdapter(), **facts)


def folding_house(database: Database, **facts) -> Talking:
    return Talking(database, **facts)


def model_of(running: House) -> FoldingModel:
    assert isinstance(running.model, FoldingModel)
    return running.model


async def talk(running: Talking, first: int, last: int, *, look: bool = True, address: Address = HERE) -> Sequence[str]:
    """Exchanges with these numbers, some with a fact; what is due is folded after each. Returns the facts."""
    told = [number for number in range(first, last + 1) if number % 5 == 1]
    for number in range(first, last + 1):
        running.said[number] = message(f"fact{number} is so\n{TALK}" if number in told else TALK, address=address)
        running.now = running.said[number].at + 1
        await running.say(running.said[number])
        await running.over()
        if look:
            await running.folding.look()
    return [f"fact{number} is so" for number in told]


def request(running: House) -> str:
    """The whole of the newest request for an answer."""
    prompt = running.model.prompts[-1]
    return "\n".join([prompt.instructions, *(one.text for one in prompt.messages)])


async def test_a_fold_takes_no_warning_that_is_for_people(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 24, look=False)
        used = sum(row.shown + row.written for row in await rows(database, spent))
        limit = SETTINGS["budget"].read(f"{used * 10 // 8 - 1} tokens/month")
        running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, {"budget": limit})
        await running.folding.look()
        assert model_of(running).asked_to_fold
        await running.say(message("What was it?"))
        await running.over()

    assert "_(80% of this workspace's budget" in running.adapter.texts[-1]


async def test_every_fact_is_in_the_next_request_as_it_was_said_or_in_a_checkpoint(database: Database) -> None:
    async with folding_house(database) as running:
        facts = await talk(running, 1, 40)
        await running.say(message("What was it?"))
        await running.over()

        assert [fact for fact in facts if fact not in request(running)] == []
        assert all(prompt.tokens <= BUDGET for prompt in running.model.prompts)
        assert sum(isinstance(one, Folded) for one in running.told) >= 3
        assert not any(isinstance(one, FoldRefused) for one in running.told)


async def whole(running: House) -> bytes:
    """All that is stored of turns and checkpoints."""
    found = [*await rows(running.database, turns), *await rows(running.database, checkpoints)]
    return b"\n".join(bytes(row.body) for row in found)


def asks(prompt: Prompt) -> str:
    """That an announcement was asked for, and that it is not needed any more; how that stands, as far as is shown."""
    given = prompt.messages[-1].text
    found = ORDERED.search(given)
    assert found is not None
    first, wanted, dropped = found[1], "an announcement" in given, "Never mind" in given or "no need" in given
    lines = [f"# about\n- Ada talked ({first})"] if "how things stand" not in prompt.instructions else []
    if dropped:
        lines.append(f"# facts\n- Ada saw no need of that ({first})")
    if wanted:
        state = "superseded" if dropped else "open"
        lines.append(f"# asks\n- Ada asked the assistant for an announcement; {state} ({first})")
    return "\n".join(lines)


@pytest.mark.parametrize("budget", [BUDGET, 4_000], ids=["with a state", "without one"])
async def test_what_is_not_wanted_any_more_is_nowhere_open(database: Database, budget: int) -> None:
    async with folding_house(database, budget=budget) as running:
        model_of(running).writes = asks

        async def until_told(said: str, words: str) -> None:
            await running.say(message(f"{said}\n{TALK}"))
            await running.over()
            async with asyncio.timeout(SECONDS):
                while words not in request(running):
                    await talk(running, 2, 2)

        await until_told("Can you write an announcement?", "Ada asked the assistant for an announcement")
        assert "for an announcement; open" in request(running)

        await until_told("Never mind that.", "Ada saw no need of that")
        assert "Never mind that." not in request(running)
        assert "for an announcement" in request(running), "it is still told that it was asked for"
        assert "; open" not in request(running)


async def test_what_is_no_use_is_asked_for_once_more_and_the_session_is_left_alone_after_two_failures(
    database: Database,
) -> None:
    async with folding_house(database) as running:
        model_of(running).writes = lambda prompt: "I am sorry, I can't do that."
        await talk(running, 1, 24)

        assert len(model_of(running).asked_to_fold) == 2, "the first fold, and once more with the remedy"
        (due,) = await rows(database, folds)
        assert due.failures == 1

        await database.write(lambda connection: connection.execute(update(folds).values(due_at=0)))
        await talk(running, 25, 40)

        assert len(model_of(running).asked_to_fold) == 4
        assert [one.failures for one in running.told if isinstance(one, FoldRefused)] == [1, 2]
        assert len(running.model.prompts) == 40, "every question was answered"
        assert all(prompt.tokens <= BUDGET for prompt in running.model.prompts)
        assert await rows(database, checkpoints) == []


async def test_a_channel_that_is_set_to_short_answers_is_folded_like_any_other(database: Database) -> None:
    async with folding_house(database) as running:
        running.mind.policy = replace(running.mind.policy, answer_tokens=16)
        facts = await talk(running, 1, 24)
        await running.say(message("What was it?"))
        await running.over()

        assert not any(isinstance(one, FoldRefused) for one in running.told)
        assert [fact for fact in facts if fact not in request(running)] == []
        assert {prompt.answer_tokens for prompt in running.model.prompts} == {16}, "answers are as short as is set"


async def test_what_a_smaller_window_has_no_room_for_is_folded_before_the_next_question(database: Database) -> None:
    async with folding_house(database, budget=24_000) as running:
        running.mind.policy = replace(running.mind.policy, may_set=None)
        facts = await talk(running, 1, 20)
        assert await rows(database, folds) == []

        await running.say(message(f"!set context_tokens {BUDGET}"))
        await running.over()
        await running.folding.look()
        await running.say(message("What was it?"))
        await running.over()

    assert running.model.prompts[-1].tokens <= BUDGET
    assert [fact for fact in facts if fact not in request(running)] == []


async def test_of_short_turns_no_more_is_folded_at_once_than_the_window_has_room_for(database: Database) -> None:
    """Who said each, and when, is most of what there is to read of them."""
    async with folding_house(database, budget=3_000) as running:
        model_of(running).room = 3_000
        while not any(isinstance(one, Folded | FoldRefused) for one in running.told):
            said = message("ok")
            running.now = said.at + 1
            await running.say(said)
            await running.over()
            await running.folding.look()

    assert not any(isinstance(one, FoldRefused) for one in running.told)


async def test_what_an_undo_brings_back_and_has_no_room_is_folded_before_the_next_question(database: Database) -> None:
    async with folding_house(database) as running:
        facts = await talk(running, 1, 8)
        await running.say(replace(message("!reset"), at=running.now + 1))
        facts = [*facts, *await talk(running, 9, 16)]
        assert not model_of(running).asked_to_fold
        await running.say(replace(message("!undo"), at=running.now + 1))
        await running.over()
        await running.folding.look()

        await running.say(replace(message("which facts?"), at=running.now + 2))
        await running.over()
        assert all(fact in request(running) for fact in facts)


async def test_what_an_undo_brings_back_from_far_is_folded_with_what_is_new(database: Database) -> None:
    async with folding_house(database, budget=3_000) as running:
        await talk(running, 1, 2)
        await running.say(replace(message("!reset"), at=running.now + 1))
        await talk(running, 3, 42)
        await running.say(replace(message("!undo"), at=running.now + 1))
        await running.over()
        await talk(running, 43, 43)

        texts = [one for one in await rows(database, checkpoints) if one.kind == Fold.CHECKPOINT]
        assert min(one.last for one in texts) < 5 < 40 < max(one.last for one in texts)
        assert await rows(database, folds) == [], "nothing is looked at for ever"


async def test_a_fold_that_fails_while_people_talk_is_counted_and_rests_all_the_same(database: Database) -> None:
    async with folding_house(database) as running:
        model = model_of(running)
        model.writes = lambda prompt: "I am sorry, I can't do that."
        await talk(running, 1, 12, look=False)
        for failures in (1, 2):
            model.hold, asked = asyncio.Event(), len(model.asked_to_fold)
            looking = asyncio.create_task(running.folding.look())
            await model.until(lambda asked=asked: len(model.asked_to_fold) > asked)
            await talk(running, 12 + failures, 12 + failures, look=False)
            model.hold.set()
            await looking

            (due,) = await rows(database, folds)
            assert due.failures == failures
            await talk(running, 20 + failures, 20 + failures)
            assert len(model.asked_to_fold) == asked + 2, "it rests, whoever talks"
            await database.write(lambda connection: connection.execute(update(folds).values(due_at=0)))


async def test_a_model_that_is_away_while_it_folds_keeps_no_answer_waiting(database: Database) -> None:
    async with folding_house(database, timings=brisk(fold_text=0.05)) as running:
        model_of(running).hold = asyncio.Event()
        await talk(running, 1, 24)

        assert [one.reason for one in running.told if isinstance(one, FoldRefused)] == ["ModelStalled"]
        assert len(running.model.prompts) == 24


async def test_what_has_changed_is_in_no_later_request_and_its_checkpoint_is_made_again(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 30)
        assert b"fact6 is so" in await whole(running)
        said = running.said[6]

        await running.say(Edited(message=replace(said, text=f"the fact changed\n{TALK}"), at=said.at + 5))
        assert b"fact6 is so" not in await whole(running), "gone at once, wherever it was told"
        stale = [row for row in await rows(database, checkpoints) if row.validity == Validity.STALE]
        assert stale
        await running.say(message("And now?"))
        await running.over()
        assert "fact6 is so" not in request(running)
        assert "fact26 is so" in request(running), "what is to be told again takes no room of what is new"

        await running.folding.look()
        await running.say(message("And now?"))
        await running.over()
        assert "the fact changed" in request(running)
        assert all(row.validity == Validity.STANDS for row in await rows(database, checkpoints))
        await running.say(Deleted(address=said.address, id=said.id))
        await running.folding.look()
        await running.say(message("And now?"))
        await running.over()
        assert "the fact changed" not in request(running)
        assert b"the fact changed" not in await whole(running)
        assert "fact1 is so" in request(running), "what was told beside it still is"


async def test_what_is_over_the_records_and_no_use_again_keeps_nothing_from_being_folded(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 30)
        said = running.said[6]
        await running.say(Edited(message=replace(said, text=f"fact6 is otherwise\n{TALK}"), at=said.at + 5))
        stale = {row.kind for row in await rows(database, checkpoints) if row.validity == Validity.STALE}
        assert stale > {Fold.CHECKPOINT}
        model_of(running).writes = lambda prompt: (
            written(prompt) if "You are shown turns" in prompt.instructions else "# decided\n- what names no turn"
        )

        facts = await talk(running, 31, 50)
        await running.say(message("What was it?"))
        await running.over()

    assert [fact for fact in ["fact1 is so", "fact6 is otherwise", *facts] if fact not in request(running)] == []


async def test_an_answer_to_what_records_tell_of_already_is_told_as_well(database: Database) -> None:
    """As where a dead letter is answered after all."""
    async with folding_house(database) as running:
        running.model.script.append(OutOfCredit("The model's account is out of credit."))
        await talk(running, 1, 30)
        (letter,) = await database.read(dead.listed, 9)
        assert any(row.first <= letter.seq <= row.last for row in await rows(database, checkpoints))

        running.model.script.appendleft("the other fact is so")
        await database.write(dead.retry, letter.id)
        running.worker.wake()
        await running.over()
        for _ in range(3):
            await running.folding.look()
        await running.say(message("What was it?"))
        await running.over()

    assert "the other fact is so" in request(running)
    assert "fact1 is so" in request(running)


@pytest.mark.parametrize("change", ["edit", "reset", "delete"])
async def test_what_changes_while_a_fold_is_written_is_not_told_by_it(database: Database, change: str) -> None:
    async with folding_house(database) as running:
        model_of(running).hold = asyncio.Event()
        await talk(running, 1, 12, look=False)
        said = running.said[1]
        looking = asyncio.create_task(running.folding.look())
        await model_of(running).until(lambda: model_of(running).asked_to_fold)

        match change:
            case "edit":
                await running.say(Edited(message=replace(said, text="something else"), at=said.at + 5))
            case "delete":
                await running.say(Deleted(address=said.address, id=said.id))
            case _:
                await running.say(message("!reset"))
        await running.over()
        model_of(running).hold.set()
        await looking

        told = b"".join(bytes(row.body) for row in await rows(database, checkpoints))
        assert change == "reset" or b"fact1 is so" not in told
        await running.say(message("And now?"))
        await running.over()
        assert "fact1 is so" not in request(running)


async def test_what_is_said_while_a_fold_is_written_is_answered_at_once_and_stays(database: Database) -> None:
    async with folding_house(database) as running:
        model_of(running).hold = asyncio.Event()
        await talk(running, 1, 12, look=False)
        looking = asyncio.create_task(running.folding.look())
        await model_of(running).until(lambda: model_of(running).asked_to_fold)

        await running.say(message("Meanwhile, fact100 is so"))
        await running.over()
        assert not looking.done()
        model_of(running).hold.set()
        await looking

        assert any(isinstance(one, Folded) for one in running.told)
        await running.say(message("And now?"))
        await running.over()
        assert "Meanwhile, fact100 is so" in request(running)


async def test_a_session_is_folded_by_one_process_at_a_time_and_by_another_once_that_is_dead(
    database: Database,
) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 12, look=False)
        (due,) = await database.read(store_folds.due, 9)
        place = f"{due.key.workspace}/{due.key.session}"
        await database.write(store_chores.take, "folding", place, owner="a dead one", lease=30)

        await running.folding.look()
        assert await rows(database, checkpoints) == []

        await database.write(store_chores.extend, "folding", place, owner="a dead one", lease=0.2)

        await until_folded(running)


async def until_folded(running: Talking) -> None:
    """As the chore does it, time and again."""
    async with asyncio.timeout(SECONDS):
        while not await rows(running.database, checkpoints):
            await running.folding.look()
            await asyncio.sleep(0.02)


async def becomes(database: Database, seq: int, progress: Progress) -> None:
    """What was asked in this turn is still to be answered, or is over."""
    asked = (turns.c.seq == seq) & (turns.c.role == Role.PERSON)
    values = {"progress": progress, "slip": "{}" if progress is Progress.WAITING else None}
    await database.write(lambda connection: connection.execute(update(turns).where(asked).values(values)).rowcount)


async def test_what_is_behind_a_turn_that_waits_for_long_is_folded_once_that_is_over(database: Database) -> None:
    async with folding_house(database) as running:
        facts = await talk(running, 1, 12, look=False)
        await becomes(database, 2, Progress.WAITING)
        await running.folding.look()
        assert await rows(database, checkpoints) == [], "nothing is told of before what was said earlier"

        await becomes(database, 2, Progress.DONE)
        await until_folded(running)
        await running.say(message("What was it?"))
        await running.over()
        assert [fact for fact in facts if fact not in request(running)] == []


async def test_a_notice_that_is_on_its_way_for_long_keeps_nothing_from_being_folded(database: Database) -> None:
    async with folding_house(database) as running:
        facts = await talk(running, 1, 2, look=False)
        (due,) = await rows(database, sessions)
        key = SessionKey(workspace=due.workspace, session=due.session, address=HERE)
        await database.write(notices.tell, key, name="greeting", text="Good morning.")
        await running.over()
        facts = [*facts, *await talk(running, 3, 12, look=False)]
        await becomes(database, 3, Progress.WAITING)

        await running.folding.look()
        await running.say(message("What was it?"))
        await running.over()
        assert [fact for fact in facts if fact not in request(running)] == []


async def test_two_folds_of_one_session_at_once_are_one(database: Database) -> None:
    """As after a lease that ran out while its holder went on."""
    async with folding_house(database) as running, folding_house(database, owner="host:boot:2:b") as other:
        await talk(running, 1, 12, look=False)
        (due,) = await database.read(store_folds.due, 9)

        await asyncio.gather(running.folder.look(due), other.folder.look(due))

        told = [(row.first, row.last) for row in await rows(database, checkpoints) if row.kind == Fold.CHECKPOINT]
        assert told
        assert len(set(told)) == len(told)
        assert all(one[1] < another[0] for one, another in pairwise(sorted(told)))


async def test_a_window_in_part_full_is_folded_when_nobody_has_spoken_for_long(database: Database) -> None:
    async with folding_house(database, budget=12_000) as running:
        await talk(running, 1, 13)
        assert await rows(database, checkpoints) == []
        assert len(await rows(database, folds)) == 1

        await running.folding.look()
        assert await rows(database, checkpoints) == [], "it is not due for a while"

        running.now += IDLE
        await database.write(lambda connection: connection.execute(update(folds).values(due_at=0)))
        await running.folding.look()
        assert await rows(database, checkpoints) != []


@pytest.mark.parametrize("writes", [written, lambda prompt: "I am sorry, I can't do that."])
async def test_every_call_of_a_fold_is_billed_be_it_of_use_or_not(
    database: Database, writes: Callable[[Prompt], str]
) -> None:
    async with folding_house(database) as running:
        model = model_of(running)
        model.writes = writes
        running.mind.model = metered = Metered(model, lambda call: database.write(ledger.record, call))
        await talk(running, 1, 12)
        await metered.close()

    found = [row for row in await rows(database, calls) if row.purpose == "fold"]
    assert [(row.seq, row.outcome, row.author) for row in found] == [
        (prompt.cause.seq, "answered", None) for prompt in model.asked_to_fold if prompt.cause
    ]
    assert len(found) >= 2
    assert all(row.shown > 300 and row.written for row in found)


async def test_records_are_explained_behind_all_else_where_any_are_shown_and_nowhere_else(database: Database) -> None:
    async with folding_house(database) as running:
        running.mind.records = EXPLAINED
        await talk(running, 1, 30)

        told, asked = running.mind.told, running.model.prompts
        first = next(number for number, prompt in enumerate(asked) if "[[record of turns" in prompt.messages[0].text)
        assert {prompt.instructions for prompt in asked[:first]} == {told}
        assert {prompt.instructions for prompt in asked[first:]} == {f"{told}\n\n{EXPLAINED}"}
        counted = [running.mind.count(prompt.instructions) for prompt in asked]
        parts = [sum(running.mind.count(one.text) for one in prompt.messages) for prompt in asked]
        assert [prompt.tokens for prompt in asked] == [
            a + b + REPLY_TOKENS for a, b in zip(counted, parts, strict=True)
        ]


async def test_records_tell_times_in_the_zone_that_is_set_and_stay_the_same_bytes_when_another_is(
    database: Database,
) -> None:
    async with folding_house(database) as running:
        running.mind.policy = replace(running.mind.policy, zone="Asia/Kathmandu")
        await talk(running, 1, 12)
        before = running.model.prompts[-1].messages[0].text
        turns, record = model_of(running).asked_to_fold[0].messages[0].text, before.splitlines()

        assert turns.count(" +05:45] ") > 5
        assert record[0].count(" +05:45") == 2, "from when until when"
        assert all(" +05:45] " in line for line in record[1:-1] if line.startswith("- "))

        running.mind.policy = replace(running.mind.policy, zone="Europe/Berlin")
        await talk(running, 13, 14)
        assert running.model.prompts[-1].messages[0].text == before


async def test_the_log_names_the_first_fold_as_why_the_beginning_changed(database: Database) -> None:
    async with folding_house(database) as running:
        running.mind.records = EXPLAINED
        with capture_logs() as logs:
            await talk(running, 1, 12)

        assert [line["epoch"] for line in logs if line["event"] == "prefix changed"] == ["fold"]


async def test_status_says_what_is_shown_as_it_was_said_and_what_is_folded(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 24)
        await running.say(message("!status"))
        await running.over()

        assert "as they were said, and what came before in" in running.adapter.texts[-1]


async def test_one_session_whose_fold_takes_long_keeps_no_other_one_waiting(database: Database) -> None:
    async with folding_house(database) as running:
        model = model_of(running)
        await talk(running, 1, 12, look=False)
        model.hold = asyncio.Event()
        looking = asyncio.create_task(running.folding.look())
        await model.until(lambda: model.asked_to_fold)
        held, model.hold = model.hold, None

        await talk(running, 1, 12, look=False, address=SIDE)
        async with asyncio.timeout(SECONDS):
            while not any(isinstance(one, Folded) for one in running.told):  # noqa: ASYNC110 – nobody is told of it here
                await asyncio.sleep(0.01)
        assert [one.address for one in running.told if isinstance(one, Folded)] == [SIDE]
        held.set()
        await looking


async def test_a_fold_is_paid_for_by_its_channel_and_by_nobody_in_it(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 20)
        folded = len(model_of(running).asked_to_fold)

    nobodys = [row for row in await rows(database, spent) if not row.author]
    assert folded > 0
    assert sum(row.calls for row in nobodys) == folded
    assert {row.channel for row in nobodys} == {HERE.channel_address.id}
    assert all(row.shown > 0 and row.written > 0 for row in nobodys)


async def test_nothing_is_folded_past_a_budget_and_nobody_waits_for_that(database: Database) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 20, look=False)
        small = SETTINGS["budget"].read("1 tokens/month")
        running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, {"budget": small})
        await running.folding.look()

    assert model_of(running).asked_to_fold == []
    assert [one.reason for one in running.told if isinstance(one, FoldRefused)] == ["BudgetSpent"]


async def test_one_session_that_can_not_be_folded_for_a_fault_of_ours_keeps_no_other_one_waiting(
    database: Database,
) -> None:
    async with folding_house(database) as running:
        await talk(running, 1, 12, look=False)
        (first,) = await rows(database, sessions)

        def faulty(prompt: Prompt) -> str:
            if prompt.cause is not None and prompt.cause.session == first.session:
                raise KeyError("a fault of ours")
            return written(prompt)

        model_of(running).writes = faulty
        await talk(running, 13, 24, look=False, address=SIDE)
        await running.folding.look()

        told = [row.session for row in await rows(database, checkpoints)]
        assert told
        assert first.session not in told
        (due,) = await rows(database, folds)
        assert (due.session, due.failures) == (first.session, 1), "it rests, like any that fails"
        assert [one.reason for one in running.told if isinstance(one, FoldRefused)] == ["KeyError"]
