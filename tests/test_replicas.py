"""Two processes on one database, on real platforms: whoever answers, people see each answer once, and in order."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from time import time

import pytest
from sqlalchemy import select, update

from core.schema import presence, sessions
from core.store import Connection, Database, connect
from tests.process import ROOT, process
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import BROKEN, OpenAIServer, Request, Status
from tests.wire.slack import SlackStage

PLACES = [f"place {number}" for number in range(6)]


@pytest.fixture(params=[name for name, stage in STAGES.items() if stage.starts])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture(params=["postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage, place: str = "main") -> list[str]:
    return [shown.text for shown in stage.shown(place) if shown.done]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_two_processes_answer_each_message_once(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage) as one, Running(url, model, stage) as two:
        await asyncio.gather(one.started.wait(), two.started.wait())
        for number in range(3):
            for place in PLACES:
                await stage.say(f"number {number}", place=place, author=("ada", "ben")[number % 2])
        expected = [f"You said: number {number}" for number in range(3)]
        await stage.until(lambda: all(texts(stage, place) == expected for place in PLACES), seconds=60)

    assert len(model.requests) == 3 * len(PLACES)


async def test_a_rolling_restart_under_load_loses_and_doubles_nothing(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    """One process after the other is told to stop in the middle of its answers, and another one is started."""
    model.pause, model.chunks = 0.05, 10
    one = await Running(url, model, stage, backscroll_drain_seconds=1).__aenter__()
    two = await Running(url, model, stage, backscroll_drain_seconds=1).__aenter__()
    try:
        for number in range(3):
            for place in PLACES:
                await stage.say(f"number {number}", place=place, author=("ada", "ben")[number % 2])
            await model.until(lambda: any(not request.done for request in model.requests))
            gone, one, two = one, two, await Running(url, model, stage, backscroll_drain_seconds=1).__aenter__()
            await gone.__aexit__(None, None, None)
        expected = [f"You said: number {number}" for number in range(3)]
        await stage.until(lambda: all(texts(stage, place) == expected for place in PLACES), seconds=60)
    finally:
        await one.__aexit__(None, None, None)
        await two.__aexit__(None, None, None)


async def test_a_process_that_is_lost_is_taken_over_by_another_when_its_lease_runs_out(
    tmp_path: Path, url: str, stage: Stage, model: OpenAIServer
) -> None:
    environment = {"DATABASE_URL": url, **stage.environment(), **model.environment(), "BACKSCROLL_LEASE_SECONDS": "3"}
    model.hold()
    async with process(tmp_path, "run", stage.platform, **environment) as first:
        await stage.say("hello")
        await model.until(lambda: len(model.requests) == 1)
        async with Running(url, model, stage, backscroll_lease_seconds=3):
            first.send_signal(signal.SIGKILL)
            await first.wait()
            model.release()
            await stage.until(lambda: texts(stage) == ["You said: hello"], seconds=30)

    assert len(stage.shown()) == 1
    assert len(model.requests) >= 2


async def test_a_frozen_process_that_wakes_up_says_nothing_more(
    tmp_path: Path, url: str, stage: Stage, model: OpenAIServer
) -> None:
    environment = {"DATABASE_URL": url, **stage.environment(), **model.environment(), "BACKSCROLL_LEASE_SECONDS": "3"}
    model.hold(after=2)
    async with process(tmp_path, "run", stage.platform, **environment) as first:
        await stage.say("hello")
        await stage.until(lambda: any(shown.text.strip() for shown in stage.shown()))
        async with Running(url, model, stage, backscroll_lease_seconds=3):
            first.send_signal(signal.SIGSTOP)
            await model.until(lambda: len(model.requests) == 2)
            model.release()
            await stage.until(lambda: texts(stage) == ["You said: hello"], seconds=30)
            first.send_signal(signal.SIGCONT)
            first.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await first.wait()

    assert texts(stage) == ["You said: hello"]
    assert len(stage.shown()) == 1


@pytest.fixture(params=["slack", "discord"])
async def people(request: pytest.FixtureRequest) -> AsyncIterator[SlackStage | DiscordStage]:
    """A stage whose people change their minds."""
    async with {"slack": SlackStage, "discord": DiscordStage}[request.param]() as stage:
        yield stage


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_an_edit_while_it_is_answered_is_answered_in_the_same_message(
    url: str, people: SlackStage | DiscordStage, model: OpenAIServer
) -> None:
    model.hold(after=2)
    async with Running(url, model, people):
        asked = await people.say("the old question")
        await people.until(lambda: any(shown.text.strip() for shown in people.shown()))
        await people.edit(asked, "the new question")
        await model.until(lambda: len(model.requests) == 2)
        model.release()
        await people.until(lambda: texts(people) == ["You said: the new question"])

    assert len(people.shown()) == 1


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_question_that_is_deleted_while_it_is_answered_leaves_nothing_on_screen(
    url: str, people: SlackStage | DiscordStage, model: OpenAIServer
) -> None:
    async with Running(url, model, people):
        await people.say("first")
        await people.until(lambda: texts(people) == ["You said: first"])
        model.hold(after=2)
        asked = await people.say("second", author="ben")
        await people.until(lambda: len(people.shown()) == 2)
        await people.delete(asked)
        await people.until(lambda: texts(people) == ["You said: first"] and len(people.shown()) == 1, seconds=30)
        model.release()


async def heard_until(database: Database, ago: float) -> None:
    """The same as having heard everything until so many seconds ago, and nothing since."""
    async with asyncio.timeout(20):
        while not await database.write(  # noqa: ASYNC110 – a database tells nobody
            lambda connection: connection.execute(update(presence).values(heard_at=int((time() - ago) * 1000))).rowcount
        ):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_what_a_server_has_put_off_for_hours_is_tried_at_the_next_start(
    url: str, people: SlackStage | DiscordStage, model: OpenAIServer
) -> None:
    database = connect(url)
    model.faults.append(Status(status=429, code="rate_limit_exceeded", headers={"Retry-After": "43200"}))
    async with Running(url, model, people):
        await people.say("hello")
        while not await database.read(backing_off):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)

    async with Running(url, model, people):
        await people.until(lambda: texts(people) == ["You said: hello"], seconds=30)

    await database.close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_how_long_people_have_waited_is_the_same_for_a_process_whose_clock_is_20_minutes_ahead(
    tmp_path: Path, url: str, people: SlackStage | DiscordStage, model: OpenAIServer
) -> None:
    """F11: no excuse comes at once, and nobody is given up, for the difference between the clocks of two machines."""
    (tmp_path / "sitecustomize.py").write_text("import time; real = time.time; time.time = lambda: real() + 1_200")
    environment = {"DATABASE_URL": url, **people.environment(), **model.environment()}
    database = connect(url)
    model.faults += [BROKEN] * 1_000
    async with Running(url, model, people):
        await people.say("hello")
        while not await database.read(backing_off):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)
    asked = len(model.requests)
    async with process(tmp_path, "run", people.platform, **environment, PYTHONPATH=f"{tmp_path}:{ROOT}"):
        await model.until(lambda: len(model.requests) >= asked + 2, seconds=60)
        assert people.shown() == []
        model.faults.clear()
        await people.until(lambda: texts(people) == ["You said: hello"], seconds=60)
    await database.close()


def backing_off(connection: Connection) -> bool:
    return connection.execute(select(sessions.c.attempts).where(sessions.c.owner.is_(None))).scalars().first() == 1


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_what_was_said_while_nobody_heard_is_answered_at_the_next_start(
    url: str, people: SlackStage | DiscordStage, model: OpenAIServer
) -> None:
    database = connect(url)
    async with Running(url, model, people):
        await people.say("before")
        await people.until(lambda: texts(people) == ["You said: before"])
        await heard_until(database, 0)
    if isinstance(people, SlackStage):
        people.server.keeps = False  # nothing is sent again: the schedule of retries has run out
    else:
        people.wait = False
        people.gateway.sessions.clear()  # nothing is replayed
    await people.say("meanwhile", author="ben")
    await heard_until(database, 600)

    async with Running(url, model, people):
        await people.until(lambda: texts(people) == ["You said: before", "You said: meanwhile"], seconds=30)

    await database.close()
    assert len(model.requests) == 2
