"""Memory of 100,000 idle sessions, each of which was used once in this process: nothing of them may be kept.

    .venv/bin/python -m benchmarks.memory [--quick]

The promise: memory per idle session in the process: none. The program answers one message in each session, with an
instant model on SQLite; resident memory is read as they go by, after a collection of garbage. A process grows to its
working size first, so the growth is taken from the second half. What is kept shows in a second way, which needs no
luck with the allocator: the number of Python objects of each type, before and after.
"""

import asyncio
import gc
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, func, select

from benchmarks import chart, place, standin
from bots.program import logs, wiring
from core.config import Settings
from core.schema import sessions
from core.seam.messages import Reply
from core.store import connect

AT_ONCE = 128


@dataclass(slots=True)
class Growth:
    """Resident bytes by sessions used, and the objects of each type after a tenth of them and at the end."""

    points: list[tuple[int, int]] = field(default_factory=list)
    early: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    between: int = 0
    seconds: float = 0.0


async def main() -> None:
    count = 4_000 if place.quick(__doc__) else 100_000
    logs.configure("text", quiet=True)
    with place.folder() as folder:
        growth = await measure(f"sqlite:///{folder}/memory.db", count)
    report(growth)


async def measure(url: str, count: int) -> Growth:
    waiting: dict[str, asyncio.Event] = {}

    def delivered(reply: Reply) -> None:
        waiting[reply.address.channel].set()

    source, stop = standin.Source(delivered), asyncio.Event()
    settings = Settings(_env_file=None, database_url=url)  # type: ignore[call-arg]
    database = connect(url)
    run = asyncio.create_task(
        wiring.run(settings, database=database, model=standin.InstantModel(), adapters={"console": source}, stop=stop)
    )
    receive = await source.listening
    growth, slots = Growth(), asyncio.Semaphore(AT_ONCE)
    started = time.perf_counter()

    async def one(number: int) -> None:
        name = f"c{number:06}"
        async with slots:
            waiting[name] = asyncio.Event()
            await receive(standin.said(standin.place(name), number))
            await waiting[name].wait()
            del waiting[name]

    step = count // 40
    for first in range(0, count, step):
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + step):
                group.create_task(one(number))
        while await database.read(_busy):  # noqa: ASYNC110 – the receipts of the last answers are on their way
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)  # the tasks hear of them, too
        gc.collect()
        growth.points.append((first + step, standin.resident()))
        if first + step == count // 10:
            growth.early = _objects()
    growth.late, growth.between = _objects(), count - count // 10
    growth.seconds = time.perf_counter() - started
    stop.set()
    await run
    await database.close()
    return growth


def _busy(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).where(sessions.c.due_at.is_not(None))).scalar_one())


def _objects() -> Counter[str]:
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def slope(points: Sequence[tuple[int, int]]) -> float:
    """Bytes for each further session, over the second half."""
    half = points[len(points) // 2 :]
    return statistics.linear_regression([used for used, _ in half], [size for _, size in half]).slope


def report(growth: Growth) -> None:
    screen = Console()
    used, _ = growth.points[-1]
    table = Table("sessions", "RSS, MB", title=f"{used / growth.seconds:,.0f} turns a second", title_justify="left")
    tenth = len(growth.points) // 10
    for number, size in growth.points[tenth - 1 :: tenth]:
        table.add_row(f"{number:,}", f"{size / 2**20:.1f}")
    table.caption = f"{slope(growth.points):.1f} bytes for each further session, in the second half"
    kept = Table(
        "objects kept", "for each session", title="that grew by more than one for 100 sessions", title_justify="left"
    )
    for name, more in (growth.late - growth.early).most_common(12):
        if more > max(growth.between / 100, 500):  # the event loop itself lets go of what was cancelled by the hundred
            kept.add_row(name, f"{more / growth.between:.2f}")
    if not kept.row_count:
        kept.add_row("none", "")
    screen.print(table, kept, f"drawn in {draw(growth)}")


def draw(growth: Growth) -> Path:
    figure, [[axes]] = chart.canvas(size=(8, 4))
    used, size = zip(*growth.points, strict=True)
    axes.plot(used, [one / 2**20 for one in size], color=chart.BLUE, lw=2)
    axes.set(ylim=(0, max(size) / 2**20 * 1.25), xlabel="sessions used once")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(f"memory of the process, MB ({slope(growth.points):.0f} bytes for each further session)")
    return chart.save(figure, "memory")


if __name__ == "__main__":
    asyncio.run(main())
