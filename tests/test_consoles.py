"""Several consoles on one database, as processes of their own: each is answered where it was typed at."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from core.schema import turns
from core.store import Database
from tests.process import process
from tests.script import rows
from tests.wire.openai import OpenAIServer, Request

SECONDS = 60.0
"""The longest that a pipe may take; without what is tested here, it takes for ever."""


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


class Console:
    """One of them: lines are typed into it, until they end, and its screen is what it has written by then."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self.running = running

    async def type(self, *lines: str) -> None:
        assert self.running.stdin is not None
        self.running.stdin.write("".join(f"{line}\n" for line in lines).encode())
        await self.running.stdin.drain()

    async def screen(self) -> Sequence[str]:
        """What is on it once nothing more is typed, and the process has ended."""
        out, _ = await asyncio.wait_for(self.running.communicate(b""), SECONDS)
        assert self.running.returncode == 0
        return out.decode().splitlines()


@asynccontextmanager
async def consoles(tmp_path: Path, number: int, **environment: str) -> AsyncIterator[Sequence[Console]]:
    """So many of them in one folder."""
    async with AsyncExitStack() as stack:
        yield [
            Console(await stack.enter_async_context(process(tmp_path, "run", "console", **environment)))
            for _ in range(number)
        ]


async def stored(database: Database, number: int) -> None:
    """Waits until so many lines are stored."""
    async with asyncio.timeout(SECONDS):
        while len(await rows(database, turns)) < number:  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.02)


async def test_what_is_typed_at_one_console_is_answered_there_and_every_pipe_ends(tmp_path: Path, url: str) -> None:
    typed = [[f"{name}{number}" for number in range(3)] for name in ("a", "b", "c")]
    async with (
        OpenAIServer(answer=echo) as model,
        consoles(tmp_path, 3, DATABASE_URL=url, **model.environment()) as all_of_them,
    ):
        for one, lines in zip(all_of_them, typed, strict=True):
            await one.type(*lines)
        screens = await asyncio.gather(*(one.screen() for one in all_of_them))

    assert screens == [[f"You said: {line}" for line in lines] for lines in typed]


async def test_a_line_that_waits_behind_another_consoles_is_answered_where_it_was_typed(
    tmp_path: Path, url: str, database: Database
) -> None:
    """The two are one person in one conversation: what is remembered is the same for both."""
    async with (
        OpenAIServer(answer=echo) as model,
        consoles(tmp_path, 2, DATABASE_URL=url, **model.environment()) as (first, second),
    ):
        model.hold()
        await first.type("one")
        await model.until(lambda: len(model.requests) == 1)
        await second.type("two")
        await stored(database, 2)
        model.release()
        waited = await second.screen()  # the first one is there all the time
        answered = await first.screen()

    assert (answered, waited) == (["You said: one"], ["You said: two"])
    assert [bare for _, bare in _shown(model.requests[-1])] == ["one", "You said: one", "two"]


async def test_what_a_killed_console_leaves_behind_keeps_nobody_waiting(
    tmp_path: Path, url: str, database: Database
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **model.environment()}
        model.hold()
        async with consoles(tmp_path, 1, **environment) as (killed,):
            await killed.type("one")
            await model.until(lambda: len(model.requests) == 1)
            killed.running.send_signal(signal.SIGKILL)
            await killed.running.wait()
        model.release()
        async with consoles(tmp_path, 1, **environment) as (following,):
            await following.type("two")
            screen = await following.screen()

    assert screen == ["You said: one", "You said: two"]


def _shown(request: Request) -> list[tuple[str, str]]:
    """Roles and words, without the brackets that name their speakers."""
    return [(role, text.partition("] ")[2] if role == "user" else text) for role, text in request.texts]
