"""How long answers take while 100,000 idle sessions are timed out, against the same without, on both databases.

    .venv/bin/python -m benchmarks.ageing [--quick]

The promise: no answer comes later by more than 5 ms at the median. One person talks, one message after the other, while
the chore goes through the sessions in one pass. Every few messages the chore is held where it stands, or let go again,
so that a busy machine slows both alike; what is compared are the medians of neighbouring rounds. The rest of the pass
is then timed by itself. The model's server stands on loopback in the same process. PostgreSQL has looked at the table
before, as it does by itself within a minute of so many new rows.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, func, select, text

import migrations
from benchmarks import latency, place
from bots.program import logs, wiring
from core.config import Settings
from core.model.openai import OpenAIModel
from core.schema import segments, sessions
from core.seam.adapter import Receive
from core.seam.address import Address
from core.seam.messages import Author, Inbound
from core.store import Database, connect, workspaces
from core.store.engine.sql import now
from core.store.segments import EVERYTHING

_DAY = 86_400_000
_AT_ONCE = 1_000
_LOOK = 5.0  # seconds between two looks at how far the rest of the pass is: counting is work, too
_UNFOLDED = 2_500  # tokens of a window in which nothing is folded, so that nothing else is at work
HERE = Address(platform="console", workspace="local", channel="main")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How many sessions are over, and how much is said: messages in a round, and rounds of each kind."""

    sessions: int
    messages: int
    rounds: int


FULL = Extent(sessions=100_000, messages=10, rounds=60)
QUICK = Extent(sessions=5_000, messages=5, rounds=10)


@dataclass(slots=True)
class Score:
    """Seconds until each answer of a round, with the chore held and with the chore at work, and those of its pass."""

    held: list[list[float]] = field(default_factory=list)
    at_work: list[list[float]] = field(default_factory=list)
    passed: float = 0.0


class Source(latency.Source):
    """A platform on which the sign of a session that is over can be shown only while `gate` is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def presence(self, address: Address, *, is_present: bool) -> None:
        await self.gate.wait()


async def main() -> None:
    extent = QUICK if place.quick(__doc__) else FULL
    logs.configure("text", quiet=True)
    console = Console()
    heading = f"{extent.sessions:,} sessions"
    result = Table("median ms until an answer", "chore held", "at work", "later by", "p90 held", "p90 at work", heading)
    with place.folder() as folder, place.postgresql(folder) as server:
        for name, url in (("SQLite", f"sqlite:///{folder}/ageing.db"), ("PostgreSQL", await server.fresh())):
            console.print(f"{name}:", style="bold")
            result.add_row(name, *shown(await measured(url, extent, console)))
    console.print(result)


def shown(score: Score) -> list[str]:
    held, at_work = ([one for round_ in rounds for one in round_] for rounds in (score.held, score.at_work))
    later = [statistics.median(b) - statistics.median(a) for a, b in zip(score.held, score.at_work, strict=True)]
    medians = [statistics.median(times) for times in (held, at_work, later)]
    tails = [sorted(times)[int(len(times) * 0.9)] for times in (held, at_work)]
    return [*(f"{seconds * 1000:.1f}" for seconds in (*medians, *tails)), f"{score.passed:.0f} s"]


async def measured(url: str, extent: Extent, console: Console) -> Score:
    """Tells as it goes what is done, and how far."""
    database, score, begun = connect(url, statement_seconds=None), Score(), time.perf_counter()
    await database.write(migrations.upgrade)
    for first in range(0, extent.sessions, _AT_ONCE):
        await database.write(aged, range(first, min(first + _AT_ONCE, extent.sessions)))
    await database.write(looked_at)
    console.print(f"  {extent.sessions:,} sessions stored in {time.perf_counter() - begun:.0f} s")
    async with running(url, database) as (source, receive):
        await talked(source, receive, extent.messages * 3)  # which warms up
        for nth in range(1, extent.rounds + 1):
            source.gate.clear()
            score.held.append(await talked(source, receive, extent.messages))
            source.gate.set()
            started = time.perf_counter()
            score.at_work.append(await talked(source, receive, extent.messages))
            score.passed += time.perf_counter() - started
            if nth % (extent.rounds // 5) == 0:
                number = await database.read(ended)
                console.print(f"  round {nth} of {extent.rounds}: {number:,} timed out in {score.passed:.0f} s")
        started = time.perf_counter()
        while (number := await database.read(ended)) < extent.sessions:
            past = score.passed + time.perf_counter() - started
            console.print(f"  {number:,} timed out in {past:.0f} s")
            await asyncio.sleep(_LOOK)
        score.passed += time.perf_counter() - started
    await database.close()
    return score


def aged(connection: Connection, numbers: range) -> None:
    """Stores so many sessions in channels of their own, in which nobody has talked for two days."""
    workspace = workspaces.workspace_of(connection, HERE.platform, HERE.workspace)
    long_ago = connection.execute(select(now(connection))).scalar_one() - 2 * _DAY
    facts = {"platform": HERE.platform, "waiting": 0, "tail": 2, "backscroll_read": True, "segment": 0}
    facts |= {"start": EVERYTHING, "fence": 1, "attempts": 0, "live_since": long_ago * 1000}
    facts |= dict.fromkeys(("touched_at", "spoken_at", "present_since"), long_ago)
    rows = [
        {"workspace": workspace, "session": 1_000 + number, "address": f"console:local:aged{number}", **facts}
        for number in numbers
    ]
    connection.execute(sessions.insert(), [{**row, "channel": row["address"]} for row in rows])


def looked_at(connection: Connection) -> None:
    """Has PostgreSQL look at the table."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE sessions"))


def ended(connection: Connection) -> int:
    number: int = connection.execute(select(func.count()).select_from(segments)).scalar_one()
    return number


@asynccontextmanager
async def running(url: str, database: Database) -> AsyncIterator[tuple[Source, Receive]]:
    """The program at work on one platform, whose chore begins at once and is held."""
    runner, base_url = await latency.serve(lambda: None)
    facts = {"database_url": url, "openai_base_url": base_url, "backscroll_context_tokens": _UNFOLDED}
    settings = Settings(_env_file=None, **facts)  # type: ignore[arg-type,call-arg]  # as in the environment
    model = OpenAIModel(api_key="none", base_url=base_url, model="m", api="chat")
    source, stop = Source(), asyncio.Event()
    run = asyncio.create_task(
        wiring.run(settings, database=database, model=model, adapters={"console": source}, stop=stop)
    )
    try:
        yield source, await source.listening
    finally:
        source.gate.set()
        stop.set()
        await run
        await model.close()
        await runner.cleanup()


async def talked(source: Source, receive: Receive, number: int) -> list[float]:
    """Says so many messages, one after the other; the seconds until each is answered."""
    times = []
    for _ in range(number):
        source.delivered.clear()
        started = time.perf_counter()
        await receive(
            Inbound(
                address=HERE,
                id=str(time.time_ns()),
                author=Author(id="U1", name="Ada"),
                text="An ordinary message of ordinary length.",
                at=time.time(),
                direct=True,
            )
        )
        await source.delivered.wait()
        times.append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    asyncio.run(main())
