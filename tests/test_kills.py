"""A process that is killed loses nothing and says nothing twice: the program as a process of its own."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.process import process
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import tell
from tests.wire.openai import OpenAIServer, Request


@pytest.fixture(params=[name for name, stage in STAGES.items() if stage.starts])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """A process takes seconds to start: one test runs on both databases."""
    return str(request.param)


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage) -> list[str]:
    return [shown.text for shown in stage.shown() if shown.done]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_killed_after_the_ack_and_before_the_answer_it_answers_once_after_a_restart(
    tmp_path: Path, url: str, stage: Stage
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold()
        async with process(tmp_path, "run", stage.platform, **environment) as first:
            await stage.say("hello")
            await model.until(lambda: len(model.requests) == 1)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        model.release()

        async with process(tmp_path, "run", stage.platform, **environment) as second:
            await stage.until(lambda: texts(stage) == ["You said: hello"])
            await stage.say("and again")
            await stage.until(lambda: texts(stage)[-1] == "You said: and again")
            second.send_signal(signal.SIGTERM)
            assert await second.wait() == 0

    assert texts(stage) == ["You said: hello", "You said: and again"]
    assert [text.partition("] ")[2] for role, text in model.requests[-1].texts if role == "user"] == [
        "hello",
        "and again",
    ]


async def test_killed_while_people_watch_it_write_it_finishes_the_same_message(
    tmp_path: Path, url: str, stage: Stage
) -> None:
    answer = "one two three four five six seven eight nine ten eleven twelve"
    async with OpenAIServer(answer=lambda request: answer) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold(after=6)
        async with process(tmp_path, "run", stage.platform, **environment) as first:
            await stage.say("count")
            await stage.until(lambda: any("one" in shown.text for shown in stage.shown()))
            first.send_signal(signal.SIGKILL)
            await first.wait()
        model.release()

        async with process(tmp_path, "run", stage.platform, **environment):
            await stage.until(lambda: texts(stage) == [answer])

    assert [shown.text for shown in stage.shown()] == [answer]


async def test_a_notice_that_was_told_just_before_a_kill_is_seen_once(tmp_path: Path, url: str, stage: Stage) -> None:
    """Whether its call had been made or not; and what is asked after it is answered beneath it."""
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        async with process(tmp_path, "run", stage.platform, **environment) as first:
            await stage.say("hello")
            await stage.until(lambda: texts(stage) == ["You said: hello"])
            await tell(url, stage, "This conversation starts anew tomorrow.")
            first.send_signal(signal.SIGKILL)
            await first.wait()

        async with process(tmp_path, "run", stage.platform, **environment):
            await stage.until(lambda: len(texts(stage)) > 1)
            await stage.say("and again")
            await stage.until(lambda: texts(stage)[-1] == "You said: and again")

    assert texts(stage) == ["You said: hello", "This conversation starts anew tomorrow.", "You said: and again"]


async def test_sigterm_lets_a_running_answer_finish(tmp_path: Path, url: str, stage: Stage) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold()
        async with process(tmp_path, "run", stage.platform, **environment) as running:
            await stage.say("hello")
            await model.until(lambda: len(model.requests) == 1)
            running.send_signal(signal.SIGTERM)
            model.release()
            assert await running.wait() == 0

    assert texts(stage) == ["You said: hello"]


async def test_work_that_the_drain_cut_off_is_done_by_the_next_start(tmp_path: Path, url: str, stage: Stage) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold()
        async with process(tmp_path, "run", stage.platform, **environment, BACKSCROLL_DRAIN_SECONDS="0.1") as running:
            await stage.say("hello")
            await model.until(lambda: len(model.requests) == 1)
            running.send_signal(signal.SIGTERM)
            assert await running.wait() == 0
        assert texts(stage) == []
        model.release()

        async with process(tmp_path, "run", stage.platform, **environment):
            await stage.until(lambda: texts(stage) == ["You said: hello"])


async def test_a_killed_console_answers_once_after_a_restart(tmp_path: Path, url: str) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **model.environment()}
        model.hold()
        async with process(tmp_path, "run", "console", **environment) as first:
            assert first.stdin is not None
            first.stdin.write(b"hello\n")
            await model.until(lambda: len(model.requests) == 1)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        model.release()

        async with process(tmp_path, "run", "console", **environment) as second:
            assert second.stdin is not None
            assert second.stdout is not None
            async with asyncio.timeout(20):
                line = await second.stdout.readline()
            rest, _ = await second.communicate(b"and again\n")

    assert line == b"You said: hello\n"
    assert rest.strip() == b"You said: and again"
