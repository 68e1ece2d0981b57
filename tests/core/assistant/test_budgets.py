"""Budgets in conversation: calls are held and settled, what is used up is said, and nothing is asked past it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.assistant.apologies import GAVE_UP
from core.delivery.previews import UNSURE
from core.errors import DatabaseUnreachable, EmptyAnswer, ModelInterrupted, ModelRefused, OutOfCredit
from core.model.calibration import Calibration
from core.model.llm import Unseen, Usage
from core.model.metered import Metered
from core.model.openai.moderation import Moderated
from core.model.prices import Price, Prices
from core.policy import SETTINGS, Level
from core.schema import holds, spent, turns
from core.seam.messages import Author, Edited
from core.store import Connection, Database, bodies, ledger, policies
from core.store.workspaces import workspace_of
from tests.core.commands.test_settings import Governed
from tests.script import SECONDS, Cue, House, Interrupted, Pause, ScriptedModel, brisk, house, rows
from tests.values import ADA, BEN, HERE, message
from tests.wire.openai import OpenAIServer

EVE = Author(id="U3", name="Eve")
PRICES = Prices(known={"scripted": Price(input=1, cached=1, cache_write=1, output=1)})
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()  # a Friday
MIDNIGHT = NOON + 43_200


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """That both databases behave alike is the store's tests' matter."""
    return str(request.param)


def allow(running: House, **said: str) -> None:
    """Sets this as the operator would."""
    values = {name: SETTINGS[name].read(value) for name, value in said.items()}
    running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, values)
    running.mind.prices = PRICES


async def said(running: House, text: str = "hello", **facts) -> str:
    before = len(running.adapter.texts)
    await running.say(message(text, **{"at": NOON} | facts))
    await running.adapter.until(lambda: len(running.adapter.texts) > before)
    await running.over()
    return running.adapter.texts[-1]


async def used(database: Database) -> list[tuple[str, int, int]]:
    return [(row.author, row.shown, row.written) for row in await rows(database, spent)]


async def test_an_answer_is_held_before_it_is_asked_for_and_settled_with_it(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "well"], clock=lambda: NOON) as running:
        allow(running, budget="20k tokens/day")
        running.model.usage = Usage(shown=70, written=3, cached=20, cache_written=10)
        await running.say(message("hello", at=NOON))
        await running.model.until(lambda: running.model.prompts)
        (held,) = await rows(database, holds)
        (prompt,) = running.model.prompts
        assert (held.author, held.model, held.seq) == (ADA.id, "scripted", 1)
        assert (held.shown, held.written) == (prompt.tokens, 4_000)
        assert await used(database) == []
        go.set()
        await running.answered("well")

    assert await used(database) == [(ADA.id, 70, 3)]
    assert [(row.shown, row.written, row.settled) for row in await rows(database, holds)] == [(0, 0, True)]


async def test_without_a_budget_nothing_is_held_and_all_is_summed(database: Database) -> None:
    async with house(database, ModelRefused("no"), "well") as running:
        running.model.usage = Usage(shown=70, written=3)
        await said(running, "something bad")
        await said(running)

    assert await rows(database, holds) == []
    assert await used(database) == [(ADA.id, 70, 3)], "a refusal costs nothing"


async def test_an_answer_that_is_stopped_costs_what_was_read_and_written(database: Database) -> None:
    async with house(database, ["Once upon a time", asyncio.Event()]) as running:
        allow(running, budget_person="20k tokens/day")
        await running.say(message("tell me a story"))
        await running.adapter.until(lambda: running.adapter.texts)
        await running.say(message("!stop"))
        await running.adapter.until(lambda: "Stopped." in running.adapter.texts)
        await running.over()

    ((author, shown, written),) = await used(database)
    assert (author, shown) == (ADA.id, running.model.prompts[0].tokens)
    assert written == running.mind.counter.count("Once upon a time")
    assert all(row.settled for row in await rows(database, holds))


async def stopped(running: House, pause: Pause) -> None:
    """The answer that is being written, once its model has come to this pause."""
    await running.say(message("tell me a story"))
    async with asyncio.timeout(SECONDS):
        await pause.begun.wait()
    await running.say(message("!stop"))
    await running.adapter.until(lambda: "Stopped." in running.adapter.texts)
    await running.over()


async def test_an_answer_that_is_stopped_in_its_thoughts_costs_them(database: Database) -> None:
    pause = Pause()
    async with house(database, [Unseen(4_000), pause]) as running:
        allow(running, budget_person="20k tokens/day")
        await stopped(running, pause)

    assert await used(database) == [(ADA.id, running.model.prompts[0].tokens, 1_000)]


async def test_an_answer_that_is_stopped_while_it_is_held_back_costs_what_was_written(database: Database) -> None:
    pause = Pause()
    async with (
        OpenAIServer() as judge,
        house(database, ["Once upon a time", Unseen(400), " there was", pause]) as running,
    ):
        running.mind.model = Moderated(running.model, api_key="none", base_url=judge.url)
        allow(running, budget_person="20k tokens/day")
        await stopped(running, pause)
        await running.mind.model.close()

    written = (len("Once upon a time there was") + 400) // 4
    assert await used(database) == [(ADA.id, running.model.prompts[0].tokens, written)]


@pytest.mark.parametrize("usage", [Usage(shown=70, written=30), None], ids=["told", "untold"])
async def test_an_answer_that_is_flagged_is_paid_for_and_a_question_is_not(
    database: Database, usage: Usage | None
) -> None:
    async with OpenAIServer() as judge, house(database, "how to poison people") as running:
        judge.flags = {"poison"}
        running.mind.model = Moderated(running.model, api_key="none", base_url=judge.url)
        running.model.usage = usage
        allow(running, budget_person="20k tokens/day")
        for question in ("tell me something", "how is poison made?"):
            assert "moderation" in await said(running, question)
        await running.mind.model.close()

    (prompt,) = running.model.prompts
    paid = (prompt.tokens, len("how to poison people") // 4) if usage is None else (70, 30)
    assert await used(database) == [(ADA.id, *paid)]


async def test_an_answer_that_was_thoughts_alone_costs_what_was_told_through_the_meter(database: Database) -> None:
    thought = [Usage(shown=70, written=5_000, reasoning=5_000), EmptyAnswer("no", thought=True)]
    async with house(database, thought, thought) as running:
        running.mind.model = Metered(running.model, lambda call: database.write(ledger.record, call))
        allow(running, budget="50k tokens/day")
        await said(running)
        await running.mind.model.close()

    assert await used(database) == [(ADA.id, 140, 10_000)], "it is asked once more"


async def test_every_try_is_paid_for_and_is_one_request(database: Database) -> None:
    async with house(database, ["Half an", ModelInterrupted("cut")], "well") as running:
        allow(running, budget_person="20k tokens/day, 1/minute")
        running.model.usage = Usage(shown=70, written=3)
        await running.say(message("hello"))
        await running.answered("well")

    ((_, shown, written),) = await used(database)
    first = running.model.prompts[0].tokens
    assert (shown, written) == (first + 70, running.mind.counter.count("Half an") + 3)


async def test_what_is_used_up_is_said_with_when_it_goes_on_and_nothing_is_asked(database: Database) -> None:
    now = NOON
    async with house(database, clock=lambda: now, adapter=Governed()) as running:
        allow(running, budget="5k tokens/day")
        running.model.usage = Usage(shown=4_950, written=1)
        await said(running)
        assert await said(running, "and now?") == (
            "I can't answer now: this workspace's budget of 5,000 tokens/day is used up, or what is left is too little "
            "for this. It goes on at 2026-11-28 00:00 UTC; please ask me again then."
        )
        assert len(running.model.prompts) == 1
        assert [row.error for row in await rows(database, turns) if row.error] == [], "it is no failure"
        await said(running, "!set workspace zone Asia/Tokyo")
        assert "It goes on at 2026-11-28 00:00 Asia/Tokyo" in await said(running, "and now?")
        now = NOON + 12 * 3_600 + 60
        assert await said(running, "good morning", at=now) == "You said: good morning"
    assert running.model.asked()[-1] == "good morning"
    assert not any("I can't answer now" in text for text in running.model.asked()), "it is nothing to remember"


async def test_the_time_that_is_named_is_when_nothing_stands_in_the_way_any_more(database: Database) -> None:
    async with house(database, clock=lambda: NOON) as running:
        allow(running, budget="5k tokens/day, 5k tokens/month", budget_person="1/minute, 5k tokens/week")
        running.model.usage = Usage(shown=4_990, written=1)
        await said(running)
        told = await said(running, "and now?")

    assert "this workspace's budget of 5,000 tokens/month is used up" in told
    assert "It goes on at 2026-12-01 00:00 UTC" in told


def move(connection: Connection, zone: str) -> None:
    """The workspace's zone is this from now on."""
    workspace = workspace_of(connection, HERE.platform, HERE.workspace)
    policies.keep(connection, bodies.Mine(workspace), policies.WORKSPACE, json.dumps({"zone": zone}))


async def test_the_time_that_is_named_is_right_also_after_a_change_to_where_it_is_still_yesterday(
    database: Database,
) -> None:
    """What was spent there of tomorrow counts until tomorrow is over."""
    now = NOON
    async with house(database, clock=lambda: now) as running:
        allow(running, budget="100k tokens/day", answer_tokens="100")
        await database.write(move, "Pacific/Kiritimati")  # the 28th
        running.model.usage = Usage(shown=99_900, written=0)
        await said(running)
        await database.write(move, "Pacific/Pago_Pago")  # the 27th
        assert "It goes on at 2026-11-29 00:00 Pacific/Pago_Pago" in await said(running)
        now = datetime(2026, 11, 29, 10, 59, 50, tzinfo=UTC).timestamp()
        assert "It goes on at 2026-11-29 00:00 Pacific/Pago_Pago" in await said(running)
        now += 10
        assert "It goes on" not in await said(running)


async def test_where_less_is_left_the_answer_is_held_to_that(database: Database) -> None:
    async with house(database) as running:
        allow(running, budget="1,000 tokens/day")
        await said(running)
        (prompt,) = running.model.prompts
        assert prompt.most == 1_000 - prompt.tokens
        (held,) = await rows(database, holds)
        assert held.settled


async def test_a_channel_and_a_person_have_budgets_of_their_own(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        running.model.usage = Usage(shown=4_950, written=1)
        await said(running, "!set workspace budget_person 5k tokens/week")
        await said(running, "hello")
        assert "your budget of 5,000 tokens/week is used up" in await said(running, "hello")
        assert await said(running, "hello", author=BEN) == "You said: hello"
        await said(running, "!set budget 9k tokens/month")
        assert "this channel's budget of 9,000 tokens/month is used up" in await said(running, "hello", author=EVE)
    assert len(running.model.prompts) == 2


async def test_who_asks_too_often_is_told_for_how_long(database: Database) -> None:
    async with house(database) as running:
        allow(running, budget_person="2 requests/minute")
        await said(running, "one")
        await said(running, "two")
        over = await said(running, "three")
        assert over.startswith("I am asked too often just now: your budget of 2 requests/minute. It goes on in ")
        assert over.endswith(" seconds; please ask me again then.")
        assert await said(running, "four", author=BEN) == "You said: four"


async def test_a_question_that_is_edited_while_it_is_answered_is_one_more_request(database: Database) -> None:
    async with house(database, [asyncio.Event()], [asyncio.Event()]) as running:
        allow(running, budget_person="2 requests/minute")
        asked = message("one")
        await running.say(asked)
        for times, text in enumerate(("two", "three"), 1):
            await running.model.until(lambda times=times: len(running.model.prompts) == times)
            await running.say(Edited(message=replace(asked, text=text), at=asked.at + times))
        await running.adapter.until(lambda: "I am asked too often just now" in str(running.adapter.texts))
        await running.over()

    assert len(running.model.prompts) == 2


async def test_from_four_fifths_on_people_are_warned_once_and_the_cheaper_model_answers(database: Database) -> None:
    cheap = ScriptedModel("first", "second")
    async with house(database, clock=lambda: NOON) as running:
        allow(running, budget="100k tokens/day", cheaper_model="cheap")
        running.mind.others = {"cheap": (cheap, Calibration(openai=True))}
        running.model.usage = Usage(shown=85_000, written=0)
        assert await said(running) == "You said: hello"
        assert await said(running, "more") == (
            "first\n\n_(80% of this workspace's budget of 100,000 tokens/day is used. From here on cheap answers.)_"
        )
        assert await said(running, "more") == "second"

    assert [len(running.model.prompts), len(cheap.prompts)] == [1, 2]
    assert cheap.asked()[-3:] == ["more", "first", "more"], "a warning is nothing to remember"


WAYS: dict[str, str | Exception | Sequence[Cue]] = {
    "stopped": ["Once upon", Pause()],
    "failed": OutOfCredit("no"),
    "cut": ["Half", ModelInterrupted("cut")],
}


@pytest.mark.parametrize("way", WAYS)
async def test_people_are_warned_beneath_the_first_answer_that_they_get(database: Database, way: str) -> None:
    """Not with one that nobody sees to its end."""
    script = WAYS[way]
    async with house(database, "first", script, clock=lambda: NOON) as running:
        allow(running, budget="100k tokens/day")
        running.model.usage = Usage(shown=85_000, written=1)
        await said(running)
        running.model.usage = Usage(shown=10, written=1)
        if isinstance(script, list) and isinstance(script[-1], Pause):
            await stopped(running, script[-1])
        elif way == "failed":
            assert "out of credit" in await said(running)
        told = await said(running, "more")
        assert told.startswith("You said: more\n\n_(80% of this workspace's budget")
        assert await said(running, "more") == "You said: more"


async def test_where_the_budgets_can_not_be_reached_no_call_is_made_and_that_is_said(database: Database) -> None:
    road, now = Interrupted(database), NOON
    road.fail("hold", *[DatabaseUnreachable("away")] * 100_000)
    timings = brisk(back_off=0.001, excuse_after=60.0, patience=600.0)
    async with house(road, clock=lambda: now, timings=timings) as running:
        allow(running, budget="100k tokens/day")
        await running.say(message("hello", at=NOON))
        now = NOON + running.timings.excuse_after + 1
        await running.adapter.until(lambda: running.adapter.texts == [UNSURE])
        now = NOON + running.timings.patience + 1
        await running.answered(GAVE_UP)

    assert running.model.prompts == []
    assert await used(database) == []


async def test_what_is_held_for_others_is_waited_for(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "first"], "second") as running:
        allow(running, budget="5k tokens/day")
        running.model.usage = Usage(shown=100, written=1)
        await running.say(message("one"))
        await running.model.until(lambda: running.model.prompts)
        await running.say(message("two", address=HERE.__class__(platform="console", workspace="local", channel="b")))
        await running.until(lambda found: any(row.attempts > 1 for row in found))
        assert len(running.model.prompts) == 1
        go.set()
        await running.adapter.until(lambda: sorted(running.adapter.texts) == ["first", "second"])
        await running.over()

    assert await used(database) == [(ADA.id, 100, 1), (ADA.id, 100, 1)]


async def test_usage_shows_ones_own_to_everybody_and_all_of_it_to_admins(database: Database) -> None:
    async with house(database, clock=lambda: NOON, adapter=Governed()) as running:
        allow(running, budget_person="100k tokens/day, 9/minute", budget="1 usd/month")
        for author, shown in ((ADA, 50_000), (BEN, 20_000)):
            running.model.usage = Usage(shown=shown, written=0)
            await said(running, author=author)
        mine = await said(running, "!usage")
        bens = await said(running, "!usage", author=BEN)
        denied = await said(running, "!usage workspace", author=BEN)
        everybodys = await said(running, "!usage workspace")
        here = await said(running, "!usage channel")

    assert mine == (
        "You have used:\n"
        "- today: 50,000 tokens in 1 call of the model, $0.05\n"
        "- this week: 50,000 tokens in 1 call of the model, $0.05\n"
        "- this month: 50,000 tokens in 1 call of the model, $0.05\n"
        "```\n"
        "Sat 21                    0\n"
        "Sun 22                    0\n"
        "Mon 23                    0\n"
        "Tue 24                    0\n"
        "Wed 25                    0\n"
        "Thu 26                    0\n"
        "Fri 27               50,000  ████████████████████████\n"
        "100,000 tokens/day      50%  ████████████░░░░░░░░░░░░\n"
        "9 requests/minute       11%  ███░░░░░░░░░░░░░░░░░░░░░\n"
        "```\n"
        "Days are those of UTC."
    )
    assert "20,000 tokens in 1 call" in bens
    assert denied == "Only admins may see what all people here have used; `usage` shows you your own."
    assert everybodys.startswith("All in this workspace have used:\n- today: 70,000 tokens in 2 calls of the model")
    assert "1 usd/month              7%  ██░" in everybodys
    assert here.startswith("All in this channel have used:\n- today: 70,000 tokens")
    assert "usd/month" not in here, "which has none of its own"


async def test_usage_tells_of_the_day_on_which_it_is_told(database: Database) -> None:
    """Not of that on which it was asked for: what waits may be answered after midnight, and budgets begin anew then."""
    now = MIDNIGHT - 5
    async with house(database, clock=lambda: now, adapter=Governed()) as running:
        allow(running, budget_person="100k tokens/day")
        running.model.usage = Usage(shown=60_000, written=0)
        await said(running, at=now)
        now = MIDNIGHT + 5
        await said(running, at=now)
        told = await said(running, "!usage", at=MIDNIGHT - 1)

    assert "- today: 60,000 tokens in 1 call" in told
    assert "- this week: 120,000 tokens in 2 calls" in told
    assert "Fri 27               60,000  ████████████████████████\nSat 28               60,000  ████████" in told
    assert "100,000 tokens/day      60%" in told


async def test_a_price_that_is_not_known_is_said(database: Database) -> None:
    async with house(database, clock=lambda: NOON, adapter=Governed()) as running:
        assert await said(running, "!set budget 5 usd/day, 9k tokens/day") == (
            "`budget` is 5 usd/day, 9,000 tokens/day for this channel, from the next answer on. I don't know what "
            "scripted costs: it counts as the dearest model whose price I know."
        )
        assert "I don't know" not in await said(running, "!set budget 900k tokens/day")
        running.model.usage = Usage(shown=50_000, written=0)
        await said(running)
        told = await said(running, "!usage")

    assert "- today: 50,000 tokens in 1 call of the model\n" in told
    assert told.endswith(
        " I don't know the price of scripted: no money is told for it, and budgets count the dearest price that I know."
    )


async def test_the_provider_is_told_who_asks_by_a_name_that_says_nothing(database: Database) -> None:
    async with house(database) as running:
        for author in (ADA, BEN, ADA):
            await said(running, author=author)

    ada, ben, again = [prompt.person for prompt in running.model.prompts]
    assert ada == again != ben
    assert ada is not None
    assert len(ada) <= 64
    assert ADA.id not in ada
