"""What a replica says of itself while it runs: memory, open files, tasks, and for how long its loop stood still.

It writes a line every few seconds, which the kit reads when all is over.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import NamedTuple

_STEP = 0.05
"""Seconds of sleep, of which each is looked at: what it took longer, the loop did something else."""

_STEPS = 40
"""In one line."""


class Vitals(NamedTuple):
    """One line: when (by the machine's monotonic clock), megabytes, open files, tasks, and the longest stand in ms."""

    at: float
    memory: float
    files: int
    tasks: int
    lag: float


async def pulse(path: Path) -> None:
    """Writes for ever."""
    loop = asyncio.get_running_loop()
    while True:
        lag = 0.0
        for _ in range(_STEPS):
            before = loop.time()
            await asyncio.sleep(_STEP)
            lag = max(lag, loop.time() - before - _STEP)
        line = Vitals(monotonic(), _memory(), _files(), len(asyncio.all_tasks()), lag * 1000)
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def told(path: Path) -> list[Vitals]:
    """All that was written there."""
    return list(_lines(path)) if path.exists() else []


def _lines(path: Path) -> Iterator[Vitals]:
    for line in path.read_text().splitlines():
        try:
            yield Vitals(*json.loads(line))
        except ValueError:  # it was killed over it
            continue


def _memory() -> float:
    """Megabytes in use now; where the system does not tell, the most that were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most / 1e3


def _files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
