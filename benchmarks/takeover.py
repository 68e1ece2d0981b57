"""Take-over: from the kill of the process that is answering until another one asks the model in its place.

    .venv/bin/python -m benchmarks.takeover [--quick]

The program runs as it is, with its console, against a chat server that lets its first request hang. Once another
process (this one) is there already and has to wait for the lease, as on another host; once there is none, and the same
program is started again at the moment of the kill, as a supervisor does. Promised are a lease and a second, and two
seconds.
"""

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.table import Table

import bots
import migrations
from benchmarks import chart, place
from benchmarks.standin import InstantModel, Source
from bots.program import logs, wiring
from core.config import Settings
from core.model.llm import Finish, Prompt
from core.store import connect

ROOT = Path(bots.__file__).parent.parent
LEASE = 5.0


class HangingModel:
    """A chat server; every request is noted with who asks, and only those that do not hang are answered."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self.hangs = True
        self._over = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["HangingModel"]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.put_nowait(((await request.json())["model"], time.perf_counter()))
        if self.hangs:
            await self._over.wait()
            return web.Response(status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        chunk = '{{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{}]}}'
        for choice in (
            '{"index":0,"delta":{"role":"assistant","content":"Yes."}}',
            '{"index":0,"delta":{},"finish_reason":"stop"}',
        ):
            await response.write(f"data: {chunk.format(choice)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


class Program:
    """The program as a process. It asks the model by its own name, so that the server knows who asks."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process

    @classmethod
    async def start(cls, name: str, folder: Path, url: str, model: HangingModel) -> "Program":
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "DATABASE_URL": url,
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API": "chat",
            "OPENAI_MODEL": name,
            "BACKSCROLL_LEASE_SECONDS": str(LEASE),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bots", "run", "console"),
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return cls(name, process)

    async def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def kill(self) -> float:
        self.process.send_signal(signal.SIGKILL)
        killed = time.perf_counter()
        await self.process.wait()
        return killed


class Noting(InstantModel):
    """A model that notes when it is asked."""

    def __init__(self) -> None:
        self.asked: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        if not self.asked.done():
            self.asked.set_result(time.perf_counter())
        async for piece in super().stream(prompt):
            yield piece


async def elsewhere(folder: Path, url: str, model: HangingModel) -> float:
    """Another process is there; nobody tells it that the first one is dead."""
    model.hangs = True
    one = await Program.start("one", folder, url, model)
    await one.say("hello?")
    await model.asked.get()
    other, source, stop = Noting(), Source(lambda _: None), asyncio.Event()
    settings = Settings(_env_file=None, database_url=url, backscroll_lease_seconds=LEASE)  # type: ignore[call-arg]
    database = connect(url)
    running = asyncio.create_task(
        wiring.run(settings, database=database, model=other, adapters={"console": source}, stop=stop)
    )
    await source.listening
    killed = await one.kill()
    took = await other.asked - killed
    stop.set()
    await running
    await database.close()
    return took


async def again(folder: Path, url: str, model: HangingModel) -> float:
    """The same program is started again at once."""
    model.hangs = True
    one = await Program.start("one", folder, url, model)
    await one.say("hello?")
    await model.asked.get()
    model.hangs = False
    killed = await one.kill()
    another = await Program.start("one", folder, url, model)
    _, at = await model.asked.get()
    await another.kill()
    return at - killed


async def main() -> None:
    logs.configure("text", quiet=True)
    rounds = 2 if place.quick(__doc__) else 10
    took: dict[str, list[float]] = {}
    async with HangingModel().running() as model:
        with place.folder() as folder, place.postgresql(folder) as server:
            for number in range(rounds):
                for name, make in (("PostgreSQL", server.fresh), ("SQLite", None)):
                    url = await make() if make else f"sqlite:///{folder}/{number}.db"
                    database = connect(url)
                    await database.write(migrations.upgrade)
                    await database.close()
                    took.setdefault(f"{name}, another host", []).append(await elsewhere(folder, url, model))
                    took.setdefault(f"{name}, started again", []).append(await again(folder, url, model))
    report(took)


def report(took: dict[str, list[float]]) -> None:
    result = Table("taken over by", "min s", "median s", "max s", "promised s")
    figure, axes = chart.canvas(size=(7, 2.6))
    axis = axes[0][0]
    for row, (name, seconds) in enumerate(took.items()):
        promised = LEASE + 1 if "host" in name else 2.0
        figures = (min(seconds), statistics.median(seconds), max(seconds), promised)
        result.add_row(name, *(f"{one:.2f}" for one in figures))
        axis.plot(seconds, [row] * len(seconds), "o", color=chart.BLUE, alpha=0.6)
        axis.plot([promised], [row], "|", color=chart.VERMILION, markersize=22, markeredgewidth=2)
    axis.set_yticks(range(len(took)), list(took))
    axis.set_xlim(left=0)
    axis.invert_yaxis()
    axis.set_title(f"From a kill to the next request (lease {LEASE:.0f} s; red: promised)")
    axis.set_xlabel("seconds")
    Console().print(result)
    Console().print(f"drawn in {chart.save(figure, 'takeover')}")


if __name__ == "__main__":
    asyncio.run(main())
