"""A conversation that was timed out goes on, on every platform: nothing is forgotten, and it is said in one line."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, update

from core.schema import segments, sessions, turns
from core.session import Kind
from core.store import Database, connect, inbound
from core.timings import Timings
from tests.process import process
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running, days_pass
from tests.values import HERE, message
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


async def timed_out(url: str) -> int:
    """How many time-outs there have been."""
    counting = select(func.count()).select_from(segments).where(segments.c.kind == "timed out")
    return await _on(url, lambda database: database.read(lambda connection: connection.execute(counting).scalar_one()))


async def _on(url: str, work: Callable[[Database], object]):
    database = connect(url)
    try:
        return await work(database)
    finally:
        await database.close()


async def has_timed_out(url: str, number: int) -> None:
    async with asyncio.timeout(30):
        while await timed_out(url) < number:  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)


def texts(stage: Stage) -> list[str]:
    return [shown.text for shown in stage.shown() if shown.done]


async def said(stage: Stage, text: str, *, more: int = 1) -> list[str]:
    """Says this; the so many messages that come of it."""
    before = len(texts(stage))
    await stage.say(text)
    await stage.until(lambda: len(texts(stage)) >= before + more)
    return texts(stage)[before:]


def is_line(text: str, span: str, turns: int) -> bool:
    words = text.strip("_*").replace("`", "")
    return words == f"Picked up after {span}: I remember {turns} turns of before. Say !reset to start clean."


def questions(model: OpenAIServer, nth: int = -1) -> list[str]:
    return [text.partition("] ")[2] for role, text in model.requests[nth].texts if role == "user"]


async def test_it_goes_on_from_all_of_its_memory_and_says_so_in_one_line(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    facts = [f"fact {number}" for number in range(6)]
    async with Running(url, model, stage):
        for fact in facts:
            await said(stage, fact)
    await days_pass(url, 9)
    async with Running(url, model, stage, timings=Timings(poll=0.1)):
        await has_timed_out(url, 1)
        assert len(texts(stage)) in (0, 6), "nothing was posted into the silence"
        answer, line = await said(stage, "what do you know?", more=2)
        assert answer == "You said: what do you know?"
        assert is_line(line, "9 days", 12)
        assert await said(stage, "and now?") == ["You said: and now?"], "it is told once"
        assert questions(model) == [*facts, "what do you know?", "and now?"]

        await stage.say("!reset")
        await stage.until(lambda: any("16 turns aside" in text for text in texts(stage)))
        await said(stage, "new")
        assert questions(model) == ["new"]
        await stage.say("!undo")
        await stage.until(lambda: any("18 turns again" in text for text in texts(stage)))


async def test_a_thread_is_still_one_in_which_it_answers_unasked(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage:
        async with Running(url, model, stage):
            await said(stage, "hello")
        await days_pass(url, 9)
        async with Running(url, model, stage):
            await has_timed_out(url, 1)
            await stage.say("and again", to_bot=False)
            await stage.until(lambda: len(texts(stage)) == 3)

        assert texts(stage)[1] == "You said: and again"
        cards = [given["status"] for method, given in stage.server.workspace.statuses if method.startswith("agents")]
        assert cards[:2] == ["closed", "active"]


async def test_slacks_button_starts_clean_for_whoever_presses_it(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage, Running(url, model, stage):
        await said(stage, "old")
        await days_pass(url, 9)
        _, line = await said(stage, "back", more=2)
        (posted,) = [one for one in stage.server.workspace.messages if "Picked up" in one.text]
        assert is_line(line, "9 days", 2)
        stage.press(posted, author="ben")
        await stage.until(lambda: any("I set 4 turns aside" in text for text in texts(stage)))
        await said(stage, "new")

    assert questions(model) == ["new"]


async def test_discords_button_starts_clean_for_whoever_presses_it_and_twice_does_no_harm(
    url: str, model: OpenAIServer
) -> None:
    async with DiscordStage() as stage:
        async with Running(url, model, stage):
            await said(stage, "old")
            await days_pass(url, 9)
            _, line = await said(stage, "back", more=2)
            assert is_line(line, "9 days", 2)
        async with Running(url, model, stage):
            await stage.until(lambda: len(stage.gateway.identified) == 2 and stage.gateway.connected)
            waking = stage.shown()[-1].id
            pressed = [await stage.press(waking, author=author) for author in ("ben", "eve")]
            await stage.until(lambda: all(one.original for one in pressed))
            answers = sorted(one.text for one in stage.shown() if one.id in {one.original for one in pressed})
            assert [one.split(":")[0] for one in answers] == ["A fresh start", "There was nothing to set aside"]
            assert "I set 4 turns aside" in answers[0]
            assert not any(one.private for one in stage.shown())
            await said(stage, "new")

    assert questions(model) == ["new"]


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_one_undo_brings_back_what_a_button_set_aside_that_was_pressed_twice(
    url: str, model: OpenAIServer, platform: str
) -> None:
    async with STAGES[platform]() as stage, Running(url, model, stage):
        await said(stage, "old")
        await days_pass(url, 9)
        await said(stage, "back", more=2)
        for _ in range(2):
            await pressed(stage)
        await stage.until(lambda: any("nothing to set aside" in text for text in texts(stage)))
        await stage.say("!undo")
        await stage.until(lambda: any("I remember 4 turns again" in text for text in texts(stage)))
        await said(stage, "and on")

    assert questions(model) == ["old", "back", "and on"]


async def pressed(stage: Stage) -> None:
    """Somebody presses the button beneath the line that says that it goes on."""
    if isinstance(stage, SlackStage):
        stage.press(next(one for one in stage.server.workspace.messages if "Picked up" in one.text))
    elif isinstance(stage, DiscordStage):
        await stage.press(next(one.id for one in stage.shown() if "Picked up" in one.text))


async def test_whoever_may_not_start_clean_is_told_so_by_discords_button(url: str, model: OpenAIServer) -> None:
    async with DiscordStage() as stage, Running(url, model, stage, backscroll_may_reset="admins"):
        await said(stage, "old")
        await days_pass(url, 9)
        await said(stage, "back", more=2)
        await stage.press(stage.shown()[-1].id, author="ben")
        await stage.until(lambda: any("Only admins may reset" in text for text in texts(stage)))
        await stage.until(lambda: not any("for whoever asked" in text for text in texts(stage)))
        await said(stage, "and on")

    assert questions(model) == ["old", "back", "and on"]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_the_program_killed_just_after_it_woke_says_so_once(
    tmp_path: Path, url: str, model: OpenAIServer, dialect: str
) -> None:
    async with SlackStage() as stage:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        async with process(tmp_path, "run", "slack", **environment) as first:
            for number in range(4):
                await said(stage, f"fact {number}")
            first.send_signal(signal.SIGTERM)
            await first.wait()
        await days_pass(url, 8)
        model.hold()
        async with process(tmp_path, "run", "slack", **environment) as second:
            await stage.say("what do you know?")
            await model.until(lambda: len(model.requests) == 5)
            second.send_signal(signal.SIGKILL)
            await second.wait()
        model.release()
        async with process(tmp_path, "run", "slack", **environment):
            await stage.until(lambda: len(texts(stage)) == 6)
            await said(stage, "and now?")

        answer, line, last = texts(stage)[4:]
        assert (answer, last) == ("You said: what do you know?", "You said: and now?")
        assert is_line(line, "8 days", 8)
        assert questions(model) == [*(f"fact {number}" for number in range(4)), "what do you know?", "and now?"]
    assert await timed_out(url) == 1


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_killed_in_the_middle_of_timing_out_nothing_is_half_done(
    tmp_path: Path, url: str, model: OpenAIServer, dialect: str
) -> None:
    number = 300

    def born(connection: Connection) -> None:
        for one in range(number):
            there = message(address=replace(HERE, channel=f"c{one}"))
            inbound.accept(connection, there, kind=Kind.SAID, verb=None, tokens=1)
        connection.execute(update(turns).values(progress=2, slip=None))
        connection.execute(update(sessions).values(due_at=None, waiting=0))

    def halves(connection: Connection) -> list[tuple[int, int, int]]:
        """The sessions whose row says something else than their segments."""
        ended = select(func.count()).where(
            segments.c.workspace == sessions.c.workspace, segments.c.session == sessions.c.session
        )
        is_present = sessions.c.present_since.is_not(None)
        columns = select(is_present, sessions.c.segment, ended.scalar_subquery())
        return [row for row in connection.execute(columns) if tuple(row) not in {(True, 0, 0), (False, 1, 1)}]

    environment = {"DATABASE_URL": url, **model.environment()}
    await _on(url, lambda database: database.write(born))
    await days_pass(url, 2)
    async with process(tmp_path, "run", "console", **environment) as running:
        await has_timed_out(url, 1)
        running.send_signal(signal.SIGKILL)
        await running.wait()
    assert 0 < await timed_out(url) < number, "it was in the middle of it"
    assert await _on(url, lambda database: database.read(halves)) == []

    await days_pass(url, 1)  # and the lease of the killed process with them
    async with process(tmp_path, "run", "console", **environment):
        await has_timed_out(url, number)
    assert await _on(url, lambda database: database.read(halves)) == []


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_where_what_woke_it_is_deleted_before_its_answer_no_line_is_posted(
    url: str, model: OpenAIServer, platform: str
) -> None:
    async with STAGES[platform]() as stage:
        assert isinstance(stage, SlackStage | DiscordStage)
        async with Running(url, model, stage):
            await said(stage, "fact")
        await days_pass(url, 9)
        async with Running(url, model, stage, timings=Timings(poll=0.1)):
            await has_timed_out(url, 1)
            model.hold()
            taken_back = await stage.say("never mind")
            await model.until(lambda: len(model.requests) == 2)
            await stage.delete(taken_back)
            await has_timed_out(url, 2)
            model.release()
            answer, line = await said(stage, "what do you know?", more=2)

        assert answer == "You said: what do you know?"
        assert is_line(line, "9 days", 2)
        assert "never mind" not in questions(model)
