"""A budget that several processes share: they never spend more than there is, and whoever dies locks nobody out."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from core.schema import holds, spent, turns
from core.session import Role
from core.store import Connection, Database, budgets, connect
from tests.process import process
from tests.script import rows
from tests.stage import Shown, Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import Body, OpenAIServer, Request

BUDGET = 8_000  # tokens; each request costs about 200, and may cost 600
PEOPLE = 50
ANSWER = 64  # tokens, at most

both = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    """Conversations run on SQLite, but for what is marked."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


def read(request: Request) -> int:
    """What the server bills for the request itself."""
    return max(1, (len(request.instructions) + sum(len(text) for _, text in request.texts)) // 4)


class Till:
    """What a provider would bill at the worst, at any moment: the most that it ever came to is its `peak`."""

    def __init__(self, model: OpenAIServer) -> None:
        self._model = model
        self.peak = 0
        model.usage = "bare"
        model.weather = self._look

    def _look(self, request: Request) -> None:
        """Before each request: all that are being answered may become as long as they may."""
        others = [one for one in self._model.requests if not one.gone]
        known = sum(read(one) + (len(self._model.answer(one)) // 4 if one.done else _most(one)) for one in others)
        self.peak = max(self.peak, known + read(request) + _most(request))


def _most(request: Request) -> int:
    names = ("max_output_tokens", "max_tokens", "max_completion_tokens")
    return next(int(request.body[name]) for name in names if name in request.body)


def used(connection: Connection) -> list[int]:
    return [row.shown + row.written for row in connection.execute(select(spent))]


def left(connection: Connection) -> list[int]:
    """What is still held by anybody, after a minute."""
    connection.execute(update(holds).values(held_at=holds.c.held_at - budgets.MINUTE))
    return [row.shown for row in budgets.held(connection, 1, "", but=0) if row.shown]


def place(number: int) -> str:
    return f"place {number}"


def answers(stage: Stage) -> list[Shown]:
    """The answer in each place that has one."""
    found = [stage.shown(place(number)) for number in range(PEOPLE)]
    return [shown[-1] for shown in found if shown and shown[-1].done and "can't be sure" not in shown[-1].text]


async def ask(stage: Stage, people: range) -> None:
    for number in people:
        await stage.say(f"hello {number}", place=place(number), author=f"person {number % 7}")


async def accepted(database: Database, number: int) -> None:
    """Waits until so many questions are stored: what a process has only heard dies with it."""

    def questions(connection: Connection) -> int:
        said = select(func.count()).select_from(turns).where(turns.c.role == Role.PERSON, turns.c.seq > 0)
        return int(connection.execute(said).scalar_one())

    async with asyncio.timeout(60):
        while await database.read(questions) < number:  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)


SETTINGS = {
    "backscroll_budget": f"{BUDGET} tokens/month",
    "backscroll_instructions": "Be kind.",
    "backscroll_answer_tokens": str(ANSWER),
}


@both
async def test_fifty_who_ask_two_processes_at_once_never_spend_more_than_there_is(url: str) -> None:
    async with OpenAIServer(answer=lambda _: "Well, well.") as model, DiscordStage() as stage:
        till = Till(model)
        async with Running(url, model, stage, **SETTINGS) as one, Running(url, model, stage, **SETTINGS) as two:
            await asyncio.gather(one.started.wait(), two.started.wait())
            await ask(stage, range(PEOPLE))
            await stage.until(lambda: len(answers(stage)) == PEOPLE, seconds=120)

    database = connect(url)
    told = [one.text for one in answers(stage)]
    over = [text for text in told if "is used up" in text]
    assert 0 < len(over) < PEOPLE
    assert len(model.requests) == PEOPLE - len(over), "everybody else was answered, by one call each"
    assert till.peak <= BUDGET
    assert BUDGET - 600 <= sum(await database.read(used)) <= BUDGET, "and hardly anything is left"
    assert await database.write(left) == []
    await database.close()


@both
async def test_a_process_that_is_killed_in_the_middle_frees_what_it_held(tmp_path: Path, url: str) -> None:
    database = connect(url)
    async with OpenAIServer(answer=lambda _: "Well, well.") as model, DiscordStage() as stage:
        till = Till(model)
        common = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        environment = common | {name.upper(): value for name, value in SETTINGS.items()}
        environment["BACKSCROLL_LEASE_SECONDS"] = "3"
        model.hold()
        half = PEOPLE // 2
        async with process(tmp_path, "run", "discord", **environment) as dying:
            await stage.until(lambda: len(stage.gateway.connected) == 1, seconds=60)
            await ask(stage, range(half))
            await model.until(lambda: len(model.requests) >= 3, seconds=60)
            async with process(tmp_path, "run", "discord", **environment):
                await stage.until(lambda: len(stage.gateway.connected) == 2, seconds=60)
                await ask(stage, range(half, PEOPLE))
                await accepted(database, PEOPLE)
                dying.send_signal(signal.SIGKILL)
                await dying.wait()
                await model.until(lambda: sum(request.gone for request in model.requests) >= 3)
                model.release()
                await stage.until(lambda: len(answers(stage)) == PEOPLE, seconds=180)

    over = [one.text for one in answers(stage) if "is used up" in one.text]
    assert 0 < len(over) < PEOPLE
    assert till.peak <= BUDGET
    assert BUDGET - 600 <= sum(await database.read(used)) <= BUDGET, "nobody is locked out by what the dead one held"
    assert await database.write(left) == []
    await database.close()


async def test_what_is_used_up_is_said_on_every_platform_and_usage_shows_it(url: str, stage: Stage) -> None:
    async with (
        OpenAIServer(answer=lambda _: "well") as model,
        Running(url, model, stage, backscroll_budget_person="1 requests/minute, 100k tokens/day"),
    ):
        await stage.say("hello")
        await stage.until(lambda: [one.text for one in stage.shown() if one.done] == ["well"])
        await stage.say("hello again")
        await stage.until(lambda: "I am asked too often just now" in stage.shown()[-1].text)
        before = len(stage.shown())
        await stage.say("!usage")
        await stage.until(lambda: len(stage.shown()) > before and "You have used:" in stage.shown()[-1].text)
        assert "in 1 call of the model" in stage.shown()[-1].text
        assert "1 requests/minute" in stage.shown()[-1].text
        if stage.admins == "everyone":
            return
        before = len(stage.shown())
        await stage.say("!usage workspace")
        await stage.until(lambda: len(stage.shown()) > before and "Only admins may see" in stage.shown()[-1].text)

    assert len(model.requests) == 1


def whole(usage: object, model: str = "gpt-test") -> Body:
    """A whole answer in one piece, as `/chat/completions` gives it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "a whole answer"}, "finish_reason": "stop"}
    body = {"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}
    return Body(text=json.dumps(body), content_type="application/json")


async def answered(url: str, answer: Body, **settings: str) -> tuple[str, int, int]:
    """What is summed up for this answer: the model, and the tokens."""
    database = connect(url)
    async with OpenAIServer() as model, DiscordStage() as stage:
        model.faults.append(answer)
        async with Running(url, model, stage, openai_api="chat", **settings):
            await stage.say("hello")
            await stage.until(lambda: any(one.text == "a whole answer" for one in stage.shown()))
    (row,) = await rows(database, spent)
    await database.close()
    assert 0 <= row.cached + row.cache_written <= row.shown
    return row.model, row.shown, row.written


READ, WROTE = "prompt_tokens", "completion_tokens"
NONSENSE: dict[str, object] = {
    "negative": {READ: -5, WROTE: -7},
    "text": {READ: "12", WROTE: "7"},
    "nothing": {READ: 0, WROTE: 0},
    "half": {READ: 120},
    "lists": {READ: [12], WROTE: {}},
    "large": {READ: 3_000_000_000, WROTE: 7},
    "huge": {READ: 10**30, WROTE: 10**30, "total_tokens": 10**40},
    "hidden": {READ: 100, WROTE: 7, "total_tokens": 10**30},
    "cached": {READ: 100, WROTE: 7, "prompt_tokens_details": {"cached_tokens": 10**12}},
}


@both
@pytest.mark.parametrize("usage", NONSENSE.values(), ids=NONSENSE)
async def test_figures_that_can_not_be_true_are_none_and_our_own_count_is_booked(url: str, usage: object) -> None:
    _, shown, written = await answered(url, whole(usage), backscroll_budget="100k tokens/day")

    assert 120 < shown < 1_000
    assert 0 < written < 50


@both
@pytest.mark.parametrize("name", ["gpt\x00test", "x" * 100_000, "\ud800", "two\nlines", ""])
async def test_what_is_no_name_of_a_model_is_not_booked_as_one(url: str, name: str) -> None:
    usage = {READ: 100, WROTE: 3}

    assert await answered(url, whole(usage, name), backscroll_budget="1 usd/day") == ("gpt-test", 100, 3)


async def test_what_is_free_is_so_under_whatever_name_its_server_answers(url: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("[gpt-test]\ninput = 0\ncached = 0\ncache_write = 0\noutput = 0\n")
    answer = whole({READ: 1_000_000, WROTE: 3}, "/models/test.gguf")

    booked = await answered(url, answer, backscroll_budget="1 usd/day", backscroll_prices_file=str(file))

    assert booked == ("gpt-test", 1_000_000, 3)
