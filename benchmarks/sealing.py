"""What sealing costs: the turn cycle and the disk, and people's time while 100,000 rows are sealed anew.

    .venv/bin/python -m benchmarks.sealing [--quick]

The promises: a turn cycle has at least 85 % of the speed that it has in the clear; a message of 279 bytes takes at most
460 bytes on SQLite; while `backscroll keys rotate --data` seals everything anew, killed once in between and called
again, an answer takes at most 10 ms longer at the median, and nothing is lost.

Both stores are measured in rounds that take turns, with the receipt inside the clock; a ratio is the median of the
rounds' own ratios. Changing over from one to the other forgets what was opened, as no running process does, so each
session has a turn before the clock starts.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.console import Console
from rich.table import Table

from benchmarks import place
from benchmarks.contenders import TEXT
from benchmarks.ours import BackscrollWithReceipt, address
from benchmarks.turns import CROWD, run
from bots.program import garbage
from core.chores.sealing import HearingOfKeys
from core.store import bodies, keys, places, remembered, resealing
from core.store.sealing import Vault
from core.vault import ring

PER_ROTATION = 3.0  # seconds after which the first rotation is killed
SESSIONS = 200  # that the rows are spread over


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How long it is measured: seconds of a round, rounds, messages for the size, rows that are sealed anew."""

    seconds: float
    rounds: int
    written: int
    rows: int


FULL = Extent(seconds=0.4, rounds=9, written=4_000, rows=100_000)
QUICK = Extent(seconds=0.15, rounds=3, written=400, rows=10_000)


class InTheClear(BackscrollWithReceipt):
    """The store as it is without a ring."""

    name: ClassVar[str] = "in the clear"
    vault: Vault | None = None

    def enter(self) -> None:
        """From here on this process seals for this store."""
        bodies.use(self.vault)


class Sealed(InTheClear):
    """The store as it is with one."""

    name: ClassVar[str] = "sealed"

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url)
        self.vault = Vault(ring.read(key))

    async def open(self) -> None:
        assert self.vault is not None
        await super().open()
        await self._database.write(keys.ensure, keys.DEPLOYMENT, keys.PROOF, self.vault.wrap_new)
        await resealing.mark(self.vault, self._database)

    @property
    def hearing(self) -> HearingOfKeys:
        """What a running process does time and again."""
        assert self.vault is not None
        return HearingOfKeys(database=self._database, vault=self.vault)

    async def whole(self, session: int) -> tuple[int, int]:
        """How many turns of a session there are, and how many of them can be read."""
        found = await self._database.read(places.find, address(session))
        assert found is not None
        turns = await self._database.read(remembered.newest, found.key, budget=10**9)
        return len(turns), sum(turn.text == TEXT for turn in turns)


async def main() -> None:
    extent = QUICK if place.quick(__doc__) else FULL
    screen, key = Console(), ring.generate()
    with place.folder() as folder, place.postgresql(folder) as server:
        for kind in ("SQLite", "PostgreSQL"):
            numbers = iter(range(9))

            async def fresh(kind: str = kind, numbers: Iterator[int] = numbers) -> str:
                return f"sqlite:///{folder}/{next(numbers)}.db" if kind == "SQLite" else await server.fresh()

            pair = [InTheClear(await fresh()), Sealed(await fresh(), key)]
            screen.print(await cycles(kind, pair, extent))
            sizes = [InTheClear(await fresh()), Sealed(await fresh(), key)]
            screen.print(await disk(kind, sizes, extent.written))
            screen.print(await rotation(kind, await fresh(), key, extent.rows, folder))


async def cycles(kind: str, pair: Sequence[InTheClear], extent: Extent) -> Table:
    """Turn cycles a second, alone and by 64 sessions at a time."""
    sessions = list(range(1, CROWD + 1))
    rates: dict[tuple[str, str], list[float]] = {}
    with garbage.loading():
        for one in pair:
            one.enter()
            await one.open()
            await one.fill(dict.fromkeys(sessions, 20))
    for number in range(extent.rounds + 1):
        for case in ("alone", "crowd"):
            for one in pair if number % 2 else pair[::-1]:
                one.enter()
                await run(one, sessions, 0.0, crowd=True)  # a process that goes on has its windows at hand
                rate = await run(one, sessions, extent.seconds, crowd=case == "crowd")
                if number:  # the first round only warms up
                    rates.setdefault((one.name, case), []).append(rate)
    table = Table("turn cycles a second", "in the clear", "sealed", "ratio", title=kind)
    for case in ("alone", "crowd"):
        clear, sealed = (rates[one.name, case] for one in pair)
        ratio = statistics.median(ours / theirs for ours, theirs in zip(sealed, clear, strict=True))
        table.add_row(case, f"{statistics.median(clear):,.0f}", f"{statistics.median(sealed):,.0f}", f"{ratio:.0%}")
    for one in pair:
        await one.close()
    return table


async def disk(kind: str, pair: Sequence[InTheClear], messages: int) -> Table:
    """Bytes per message, each written by a cycle, in one long session."""
    table = Table("bytes on disk per message", "in the clear", "sealed", title=kind)
    found = []
    for one in pair:
        one.enter()
        await one.open()
        await one.fill({0: 2})
        before = await one.size()
        for number in range(messages // 2):
            if number % 500 == 0:
                await one.vacuum()
            await one.cycle(0)
        found.append((await one.size() - before) / messages)
        await one.close()
    table.add_row("279 bytes of text", *(f"{each:.0f}" for each in found))
    return table


async def rotation(kind: str, url: str, key: str, rows: int, folder: Path) -> Table:
    """All is sealed anew by another process, which is killed once, while this one answers."""
    ours = Sealed(url, key)
    ours.enter()
    with garbage.loading():
        await ours.open()
        await ours.fill(dict.fromkeys(range(SESSIONS), rows // SESSIONS))
    hearing = asyncio.create_task(_hear(ours.hearing))
    quiet = await _answers(ours, 0, asyncio.create_task(asyncio.sleep(10)))
    started = time.perf_counter()
    first = await _rotate(url, key, folder)
    during = await _answers(ours, len(quiet), asyncio.create_task(asyncio.sleep(PER_ROTATION)))
    first.kill()
    await first.wait()
    again = await _rotate(url, key, folder)
    during += await _answers(ours, len(quiet) + len(during), asyncio.create_task(again.wait()))
    took = time.perf_counter() - started
    hearing.cancel()
    _, told = await again.communicate()
    if again.returncode:
        raise AssertionError(told.decode())
    counted = [await ours.whole(session) for session in range(SESSIONS)]
    await ours.close()
    table = Table("sealed anew under load", "before", "meanwhile", title=f"{kind}, {rows:,} rows in {took:.0f} s")
    for name, share in (("median", 0.5), ("99th percentile", 0.99)):
        table.add_row(f"an answer, ms, {name}", f"{_at(quiet, share):.1f}", f"{_at(during, share):.1f}")
    expected = rows + 2 * (len(quiet) + len(during))
    table.add_row("turns that can be read", f"{expected:,}", f"{sum(read for _, read in counted):,}")
    return table


def _at(seconds: Sequence[float], share: float) -> float:
    return 1000 * sorted(seconds)[int(share * (len(seconds) - 1))]


async def _answers(ours: Sealed, start: int, until: "asyncio.Task[object]") -> list[float]:
    """How long each of the turns took that people have begun meanwhile, twenty a second."""
    found = list[float]()
    while not until.done():
        begun = time.perf_counter()
        await ours.cycle((start + len(found)) % SESSIONS)
        found.append(time.perf_counter() - begun)
        await asyncio.sleep(max(0.0, 0.05 - found[-1]))
    return found


async def _hear(hearing: HearingOfKeys) -> None:
    while True:
        await hearing.look()
        await asyncio.sleep(5)


async def _rotate(url: str, key: str, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", "keys", "rotate", "--data"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "DATABASE_URL": url, "BACKSCROLL_KEYS": key},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )


if __name__ == "__main__":
    asyncio.run(main())
