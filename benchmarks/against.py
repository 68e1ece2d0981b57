"""The turn cycle of another checkout beside this one's, in rounds that take turns, so that a busy machine slows both.

    .venv/bin/python -m benchmarks.against FOLDER [--rounds 40]

FOLDER is a checkout of an earlier commit (`git worktree add`), with what `benchmarks.turns` had there. Each runs in a
process of its own, on databases of its own, and beside its own raw driver that does the same work. A share is the
median of the rounds' own shares of that driver; a difference, the median of the rounds' own differences, in points.
The two raw drivers differ by the schemas and by chance alone: what is held against the mean of both is free of that
chance, and of what the schema costs as well.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

SECONDS = 0.3
WARMING = 2  # rounds
HERE = Path(__file__).parents[1]
LENGTHS = (1_000,)
CASES = {"crowd": "64 sessions at a time", "1000": "alone, 1,000 turns"}
READY, OVER = "ready", ""


async def serve(urls: Sequence[str]) -> None:
    """What runs in a checkout: a round of ours and one of the raw driver for each case that a line names."""
    from benchmarks import ours, raw_postgresql, raw_sqlite, turns  # the other checkout's, where this runs for it
    from bots.program import garbage

    mine, raw = urls
    same = raw_sqlite.Same(Path(raw)) if mine.startswith("sqlite") else raw_postgresql.Same(raw)
    contenders = [ours.Backscroll(mine), same]
    cases = turns.sessions(LENGTHS)
    lengths = {one: int(case) if case.isdecimal() else 20 for case, numbers in cases.items() for one in numbers}
    with garbage.loading():
        for contender in contenders:
            await contender.open()
            await contender.fill(lengths)
    print(READY, flush=True)
    while case := (await asyncio.to_thread(sys.stdin.readline)).strip():
        rates = [await turns.run(one, cases[case], SECONDS, crowd=case == "crowd") for one in contenders]
        print(json.dumps(rates), flush=True)
    for contender in contenders:
        await contender.close()


@dataclass(frozen=True, slots=True)
class Rates:
    """Cycles per second of one round: ours, and the raw driver's."""

    ours: float
    raw: float

    @property
    def share(self) -> float:
        """Of the raw driver, in per cent."""
        return 100 * self.ours / self.raw


class Checkout:
    """A checkout's turn cycle, in a process of its own."""

    def __init__(self, folder: Path, urls: Sequence[str]) -> None:
        command = [sys.executable, "-W", "ignore", str(Path(__file__)), "--serve", *urls]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def until_ready(self) -> None:
        while self._line() != READY:
            pass

    def round(self, case: str) -> Rates:
        self._say(case)
        return Rates(*json.loads(self._line()))

    def close(self) -> None:
        self._say(OVER)
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("A checkout's process has ended; what it said of that stands above.")
        return line.strip()


async def main() -> None:
    from benchmarks import place  # not where this runs for another checkout

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("other", type=Path, metavar="FOLDER", help="a checkout of an earlier commit")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    table = Table("", "cycles a second", "of its own raw", "points", "of both raws' mean", "points", "of the cycle")
    with place.folder() as folder, place.postgresql(folder) as server:
        for database in ("SQLite", "PostgreSQL"):
            checkouts = []
            for number, checkout in enumerate((given.other.absolute(), HERE)):
                urls = [f"sqlite:///{folder}/{number}.db", f"{folder}/{number}-raw.db"]
                if database == "PostgreSQL":
                    urls = [await server.fresh(), await server.fresh()]
                checkouts.append(Checkout(checkout, urls))
            for one in checkouts:
                one.until_ready()
            for case, name in CASES.items():
                rounds = list(_rounds(checkouts, case, given.rounds))
                table.add_row(f"{database}, {name}", *_figures(rounds))
            for one in checkouts:
                one.close()
    Console(width=150).print(table)


Round = tuple[Rates, Rates]


def _rounds(checkouts: Sequence[Checkout], case: str, number: int) -> Iterator[Round]:
    """Each of both in turn, and now the one first, now the other."""
    for each in range(WARMING + number):
        first = each % 2
        rates = {which: checkouts[which].round(case) for which in (first, 1 - first)}
        if each >= WARMING:
            yield rates[0], rates[1]


def _figures(rounds: Sequence[Round]) -> Iterator[str]:
    middle = statistics.median
    before, after = middle(one.ours for one, _ in rounds), middle(two.ours for _, two in rounds)
    yield f"{before:,.0f} → {after:,.0f}"
    yield f"{middle(one.share for one, _ in rounds):.1f} → {middle(two.share for _, two in rounds):.1f} %"
    yield f"{middle(two.share - one.share for one, two in rounds):+.1f}"
    shares = [tuple(200 * each.ours / (one.raw + two.raw) for each in (one, two)) for one, two in rounds]
    yield f"{middle(one for one, _ in shares):.1f} → {middle(two for _, two in shares):.1f} %"
    yield f"{middle(two - one for one, two in shares):+.1f}"
    yield f"{100 * middle(two.ours / one.ours - 1 for one, two in rounds):+.1f} %"


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[2:]) if sys.argv[1:2] == ["--serve"] else main())
