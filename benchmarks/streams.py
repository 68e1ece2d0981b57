"""A thousand conversations streaming at once in one process: how long does an event wait for its acknowledgement?

    .venv/bin/python -m benchmarks.streams [--quick]

The promise: on two cores no acknowledgement later than 3 s, none lost. `receive` returns when an event is stored, and
only then does a platform get its acknowledgement, so the time that it takes is what is measured: for the thousand
questions, which come in bursts of 100, and for one more every 50 ms while their answers stream, to a conversation that
is being answered (it queues) or to a new one. The clock runs from when an event was due, not from when a busy process
comes to read it.

What counts is how much text comes in all, so that is the scale: each answer takes 20 s, in 5 pieces a second, and in
less and more. Where the program can't keep up, the answers take longer than the server's 20 s, which is why that is in
the table, too. The model's server is a process of its own, the client is the real one; the platform takes every
preview, one a second for each conversation. Nothing is lost if every message is stored, answered and over in the end,
by what the database says.
"""

import asyncio
import itertools
import multiprocessing
import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, func, select

from benchmarks import chart, place, standin
from bots.program import logs, wiring
from core.config import Settings
from core.model.openai import OpenAIModel
from core.schema import turns
from core.seam.adapter import Receive
from core.seam.messages import Reply
from core.session import Progress, Role
from core.store import connect

RATES = (2.5, 5, 10)
"""Pieces a second in each stream."""

SECONDS = 20.0
"""How long an answer takes to be written."""

PROMISE = 3.0
BURST = 100
EVERY = 0.05
"""Seconds between two events while the answers stream."""

BRIEFLY = "Briefly, please: "
"""What comes later is answered in a few pieces, so that the measurement ends."""

CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"a word or "}}]}\n\n'
)
STOP = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":900,"completion_tokens":600,"total_tokens":1500}}\n\n'
    b"data: [DONE]\n\n"
)


@dataclass(slots=True)
class Course:
    """What was seen: acknowledgements as (when, how long), and the process every second as (when, cores, bytes).

    `spoken` is when the first questions were asked, `heard` how long each waited for the end of its answer.
    """

    rate: float
    most: int = 0
    spoken: dict[str, float] = field(default_factory=dict)
    heard: list[float] = field(default_factory=list)
    acks: list[tuple[float, float]] = field(default_factory=list)
    first: int = 0
    samples: list[tuple[float, float, int]] = field(default_factory=list)
    answered: int = 0
    said: int = 0
    unfinished: int = 0
    previews: int = 0
    took: float = 0.0


def serve(pipe: Pipe, pieces: int, seconds: float) -> None:
    """The model's server, in a process of its own: `pieces` over `seconds`, or three at once when asked briefly."""
    asyncio.run(_serve(pipe, pieces, seconds))


async def _serve(pipe: Pipe, pieces: int, seconds: float) -> None:
    running = most = 0

    async def chat(request: web.Request) -> web.StreamResponse:
        nonlocal running, most
        try:
            asked = (await request.json())["messages"][-1]["content"]
        except ConnectionError:  # the program begins an answer again, together with the message that follows
            return web.Response()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        count, pause = (3, 0.0) if BRIEFLY in asked else (pieces, seconds / pieces)
        running += 1
        most = max(most, running)
        started = time.monotonic()
        try:
            for number in range(count):
                await response.write(CHUNK)
                await asyncio.sleep(max(0.0, started + (number + 1) * pause - time.monotonic()))
            await response.write(STOP)
        except ConnectionError:
            pass  # the same
        finally:
            running -= 1
        return response

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.to_thread(pipe.recv)
    pipe.send(most)
    await runner.cleanup()


async def main() -> None:
    short = place.quick(__doc__)
    count, rates, seconds = (100, RATES[:2], 4.0) if short else (1_000, RATES, SECONDS)
    _allow_files()
    logs.configure("text", quiet=True)
    report([await course(count, rate, seconds) for rate in rates], count, seconds)


async def course(count: int, rate: float, seconds: float) -> Course:
    """So many conversations at this rate, against a server of their own."""
    pipe, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, round(rate * seconds), seconds), daemon=True
    )
    server.start()
    port = await asyncio.to_thread(pipe.recv)
    seen = Course(rate)
    with place.folder() as folder:
        await measure(seen, f"sqlite:///{folder}/streams.db", f"http://127.0.0.1:{port}/v1", count)
    pipe.send(None)
    seen.most = await asyncio.to_thread(pipe.recv)
    server.join()
    return seen


def _allow_files() -> None:
    """As many open files as this process may have: a stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def measure(course: Course, url: str, base_url: str, count: int) -> None:
    settings = Settings(_env_file=None, database_url=url, openai_base_url=base_url)  # type: ignore[call-arg]
    database = connect(url)
    model = OpenAIModel(api_key="none", base_url=base_url, model="m", api="chat")

    def delivered(reply: Reply) -> None:
        course.answered += 1
        asked = course.spoken.pop(reply.address.channel, None)
        if asked is not None:
            course.heard.append(time.perf_counter() - asked)

    source, stop = standin.Source(delivered, growing=True), asyncio.Event()
    run = asyncio.create_task(
        wiring.run(settings, database=database, model=model, adapters={"console": source}, stop=stop)
    )
    receive = await source.listening
    watching = asyncio.create_task(watch(course))
    started = time.perf_counter()
    await talk(receive, course, count, lambda: course.answered >= count // 2)
    while course.unfinished or not course.took:
        await asyncio.sleep(0.25)
        course.took = time.perf_counter() - started
        course.unfinished = await database.read(_unfinished)
        if course.took > 300:
            break
    course.unfinished += course.said - await database.read(_stored)
    course.previews = source.previews
    watching.cancel()
    stop.set()
    await run
    await model.close()
    await database.close()


async def talk(receive: Receive, course: Course, count: int, enough: Callable[[], bool]) -> None:
    """The thousand questions, and then one event after the other until half of them are answered."""
    began = time.perf_counter()
    numbers = itertools.count(1)

    async def say(thread: int, due: float, *, briefly: bool) -> None:
        """Counts from when it was due: a busy loop keeps an event waiting before anybody has read it."""
        text = f"{BRIEFLY if briefly else ''}an ordinary question of ordinary length, as people ask it."
        message = standin.said(standin.place(str(thread)), next(numbers), text=text)
        if not briefly:
            course.spoken[message.address.channel] = began + due
        await receive(message)
        course.acks.append((due, time.perf_counter() - began - due))
        course.said += 1

    async with asyncio.TaskGroup() as group:
        due = 0.0
        for first in range(0, count, BURST):
            await _until(began + due)
            for thread in range(first, min(first + BURST, count)):
                group.create_task(say(thread, due, briefly=False))
            due += EVERY
    course.first = len(course.acks)
    async with asyncio.TaskGroup() as group:
        due = time.perf_counter() - began
        while not enough():
            due += EVERY
            await _until(began + due)
            new = next(numbers) % 2 == 0
            group.create_task(say(random.randrange(count) + (count if new else 0), due, briefly=True))


async def _until(when: float) -> None:
    """What has become due meanwhile is said at once: a platform's connection hands it over in one go, too."""
    if when > time.perf_counter():
        await asyncio.sleep(when - time.perf_counter())


async def watch(course: Course) -> None:
    began = time.perf_counter()
    then, before = began, standin.cpu()
    while True:
        await asyncio.sleep(1)
        now, used = time.perf_counter(), standin.cpu()
        course.samples.append((now - began, (used - before) / (now - then), standin.resident()))
        then, before = now, used


def _unfinished(connection: Connection) -> int:
    open_ = turns.c.progress.not_in([Progress.DONE, Progress.STOPPED])
    mine = select(func.count()).select_from(turns).where(turns.c.role == Role.PERSON, open_)
    return int(connection.execute(mine).scalar_one())


def _stored(connection: Connection) -> int:
    mine = select(func.count()).select_from(turns).where(turns.c.role == Role.PERSON)
    return int(connection.execute(mine).scalar_one())


def report(courses: Sequence[Course], count: int, seconds: float) -> None:
    screen = Console()
    most = max(one.most for one in courses)
    title = f"{count:,} answers of {seconds:g} s, {most:,} at once: event to acknowledgement, ms"
    acks = Table(
        *("pieces/s", "asked", "median", "max", "meanwhile", "median", "p99", "max", "lost"),
        title=title,
        title_justify="left",
    )
    rest = Table("pieces/s", "answer s, median", "longest", "CPU, of a core", "RSS, MB", "previews")
    for one in courses:
        asked, later = ([took for _, took in part] for part in (one.acks[: one.first], one.acks[one.first :]))
        acks.add_row(
            f"{one.rate * count:,.0f}",
            f"{len(asked):,}",
            *(f"{took * 1000:,.0f}" for took in _spread(asked)[::2]),
            f"{len(later):,}",
            *(f"{took * 1000:,.0f}" for took in _spread(later)),
            f"{one.unfinished}",
        )
        rest.add_row(
            f"{one.rate * count:,.0f}",
            f"{statistics.median(one.heard):.1f}",
            f"{max(one.heard):.1f}",
            f"{statistics.median(cpu for _, cpu, _ in one.samples[: round(seconds)]):.0%}",
            f"{max(size for _, _, size in one.samples) / 2**20:,.0f}",
            f"{one.previews:,}",
        )
    kept = list(takewhile(lambda one: not one.unfinished and max(took for _, took in one.acks) <= PROMISE, courses))
    best = f"{kept[-1].rate * count:,.0f} pieces a second" if kept else "no rate that was measured"
    screen.print(acks, rest)
    screen.print(f"Within {PROMISE:g} s, none lost: up to {best}.")
    screen.print(f"drawn in {draw(courses, count)}")


def _spread(times: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(times)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]


def draw(courses: Sequence[Course], count: int) -> Path:
    figure, [[upper], [lower]] = chart.canvas(2, 1, size=(9, 6.5))
    colours = (chart.BLUE, chart.GREEN, chart.ORANGE, chart.PURPLE)
    for one, colour in zip(courses, colours, strict=False):
        label = f"{one.rate * count:,.0f} pieces a second"
        when, took = zip(*one.acks, strict=True)
        upper.scatter(when, [each * 1000 for each in took], s=6, color=colour, linewidths=0, label=label)
        seconds, cpu, _ = zip(*one.samples, strict=True)
        lower.plot(seconds, [each * 100 for each in cpu], color=colour, lw=1.5, label=label)
    upper.axhline(PROMISE * 1000, color=chart.VERMILION, lw=1, ls="--")
    upper.annotate(
        "3 s: the promise",
        (0.995, PROMISE * 1000),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color=chart.VERMILION,
    )
    upper.set(yscale="log")
    upper.yaxis.set_major_formatter("{x:,g}")
    upper.set_title(f"event to acknowledgement while {count:,} answers stream, milliseconds")
    upper.legend(markerscale=2)
    lower.set(xlabel="seconds", ylim=(0, None))
    lower.set_title("processor time of the process, % of a core")
    upper.sharex(lower)
    return chart.save(figure, "streams")


if __name__ == "__main__":
    asyncio.run(main())
