"""From an event to the model request on the wire, on SQLite, beside a bare loop of fsyncs.

    .venv/bin/python -m benchmarks.latency

The promise: from the moment that an adapter hands an event over (before it is accepted) until the model's server has
the whole request, the median is within two fsyncs plus 10 ms. Messages and fsyncs take turns in the same run.
The model's server stands on loopback in the same process, so that its own work counts against us.
"""

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.table import Table

from bots.program import logs, wiring
from core.config import Settings
from core.model.openai import OpenAIModel
from core.seam.adapter import Adapter, Receive
from core.seam.address import Address
from core.seam.messages import Author, Draft, Inbound, Reply
from core.store import connect

RUNS = 200
TURNS_BEFORE = 20


class Source(Adapter):
    """An adapter that hands over what it is told to, and shows nothing."""

    platform = "console"
    max_text = 4_000
    preview_every = 1.0

    def __init__(self) -> None:
        self.listening: asyncio.Future[Receive] = asyncio.get_running_loop().create_future()
        self.delivered = asyncio.Event()

    async def listen(self, receive: Receive) -> None:
        self.listening.set_result(receive)
        await asyncio.Event().wait()

    async def deliver(self, reply: Reply) -> str:
        self.delivered.set()
        return reply.key

    async def preview(self, reply: Reply) -> Draft | None:
        return None


async def serve(note: Callable[[], None]) -> tuple[web.AppRunner, str]:
    """A chat server that notes the arrival of each request and answers with one word."""

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        note()
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

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}/v1"


def fsync(path: Path) -> float:
    """The seconds that it takes to append a page and make it durable."""
    with path.open("ab", buffering=0) as file:
        started = time.perf_counter()
        file.write(b"x" * 4096)
        os.fsync(file.fileno())
        return time.perf_counter() - started


async def main() -> None:
    logs.configure("text", quiet=True)
    arrivals: asyncio.Queue[float] = asyncio.Queue()
    runner, base_url = await serve(lambda: arrivals.put_nowait(time.perf_counter()))
    with tempfile.TemporaryDirectory(prefix="backscroll-", dir=os.environ.get("BENCH_DIR", ".")) as folder:
        settings = Settings(_env_file=None, database_url=f"sqlite:///{folder}/latency.db", openai_base_url=base_url)  # type: ignore[call-arg]
        database = connect(settings.database_url)
        model = OpenAIModel(api_key="none", base_url=base_url, model="m", api="chat")
        source, stop = Source(), asyncio.Event()
        run: Awaitable[None] = asyncio.create_task(
            wiring.run(settings, database=database, model=model, adapters={"console": source}, stop=stop)
        )
        receive = await source.listening
        accepted, sent, syncs = await measure(source, receive, arrivals, Path(folder) / "fsync")
        stop.set()
        await run
        await model.close()
        await database.close()
    await runner.cleanup()
    report(accepted, sent, syncs)


async def measure(
    source: Source, receive: Receive, arrivals: asyncio.Queue[float], file: Path
) -> tuple[list[float], list[float], list[float]]:
    accepted, sent, syncs = [], [], []
    address = Address(platform="console", workspace="local", channel="main")
    for number in itertools.islice(itertools.count(), RUNS + TURNS_BEFORE):
        syncs.append(fsync(file))
        source.delivered.clear()
        message = Inbound(
            address=address,
            id=str(number),
            author=Author(id="U1", name="Ada"),
            text=f"An ordinary message, number {number}, of ordinary length.",
            at=time.time(),
            direct=True,
        )
        started = time.perf_counter()
        await receive(message)
        accepted.append(time.perf_counter() - started)
        sent.append(await arrivals.get() - started)
        await source.delivered.wait()
    return accepted[TURNS_BEFORE:], sent[TURNS_BEFORE:], syncs[TURNS_BEFORE:]


def report(accepted: list[float], sent: list[float], syncs: list[float]) -> None:
    result = Table("", "median ms", "p90 ms")
    for name, times in (("one fsync", syncs), ("event → accepted", accepted), ("event → model request", sent)):
        result.add_row(
            name, f"{statistics.median(times) * 1000:.2f}", f"{sorted(times)[int(len(times) * 0.9)] * 1000:.2f}"
        )
    bound = 2 * statistics.median(syncs) + 0.010
    result.add_row("allowed: two fsyncs + 10 ms", f"{bound * 1000:.2f}", "")
    Console().print(result)


if __name__ == "__main__":
    asyncio.run(main())
