"""Start-up: from the start of the program as a process until it is ready, and where the time goes.

    .venv/bin/python -m benchmarks.startup [--quick]

Ready is the line that the program logs when it has prepared its database and begins to listen; the process is ended
right after it. The platform is a Slack that is not there, which matters only after that line. The cases take turns.
The second table is what each package costs to import (`python -X importtime`), as its own time, in another process.
"""

import asyncio
import os
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

import bots
import migrations
from benchmarks import chart, place
from core.store import connect

ROOT = Path(bots.__file__).parent.parent
OFFLINE = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_API_URL": "http://127.0.0.1:9/"}
WITH_MODEL = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}


async def main() -> None:
    rounds = 2 if place.quick(__doc__) else 9
    took: dict[str, list[float]] = {}
    with place.folder() as folder, place.postgresql(folder) as server:
        url = await server.fresh()
        for existing in (url, f"sqlite:///{folder}/old.db"):
            await _migrate(existing)
        for number in range(rounds):
            cases = {
                "Python, nothing else": None,
                "`backscroll --help`": {},
                "SQLite, new": {"DATABASE_URL": f"sqlite:///{folder}/{number}.db"},
                "SQLite": {"DATABASE_URL": f"sqlite:///{folder}/old.db"},
                "SQLite, with a model": {"DATABASE_URL": f"sqlite:///{folder}/old.db", **WITH_MODEL},
                "PostgreSQL": {"DATABASE_URL": url},
            }
            for name, environment in cases.items():
                took.setdefault(name, []).append(await start(folder, environment))
    costs = await imports()
    report(took, costs)


async def _migrate(url: str) -> None:
    database = connect(url)
    await database.write(migrations.upgrade)
    await database.close()


async def start(folder: Path, environment: Mapping[str, str] | None) -> float:
    """Seconds from the start of the process to its readiness; without settings, to its end."""
    words = ["-c", ""] if environment is None else ["-m", "bots", *(["run", "slack"] if environment else ["--help"])]
    began = time.perf_counter()
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        cwd=folder,
        env=_surroundings() | OFFLINE | dict(environment or {}),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert running.stderr is not None
    said = b""
    try:
        async for line in running.stderr:
            said += line
            if environment and b"started" in line:  # what a platform takes to have us is its own
                return time.perf_counter() - began
        if environment:
            raise RuntimeError(said.decode())
        await running.wait()
        return time.perf_counter() - began
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


def _surroundings() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": os.environ.get("HOME", "/")}


async def imports() -> dict[str, float]:
    """Milliseconds of each top-level package's own time at import, ours as one."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-X", "importtime", "-m", "bots", "--help"),
        cwd=ROOT.anchor,
        env=_surroundings(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await running.communicate()
    costs: defaultdict[str, float] = defaultdict(float)
    for own, name in re.findall(r"import time: +(\d+) \| +\d+ \| +(\S+)", said.decode()):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            top = "Python's own"
        elif top in {"bots", "core", "migrations"}:
            top = "Backscroll"
        costs[top] += int(own) / 1000
    return dict(sorted(costs.items(), key=lambda one: -one[1]))


def report(took: Mapping[str, list[float]], costs: Mapping[str, float]) -> None:
    screen = Console()
    table = Table("from start to ready", "min ms", "median ms", "max ms")
    for name, times in took.items():
        table.add_row(name, *(f"{one * 1000:,.0f}" for one in (min(times), statistics.median(times), max(times))))
    breakdown = Table("imported", "own ms", "share")
    total = sum(costs.values())
    for name, cost in list(costs.items())[:12]:
        breakdown.add_row(name, f"{cost:,.0f}", f"{cost / total:.0%}")
    breakdown.add_row("all", f"{total:,.0f}", "")
    screen.print(table, breakdown, f"drawn in {draw(took, costs)}")


def draw(took: Mapping[str, list[float]], costs: Mapping[str, float]) -> Path:
    figure, [[left, right]] = chart.canvas(1, 2, size=(11, 4))
    names = [name.replace("`", "") for name in took]
    middle = [statistics.median(times) * 1000 for times in took.values()]
    bars = left.barh(names, middle, color=[chart.GREY, chart.GREY, *[chart.BLUE] * (len(names) - 2)])
    left.bar_label(bars, [f"{one:,.0f}" for one in middle], padding=3)
    left.set_title("milliseconds until ready")
    most = list(costs.items())[:10]
    bars = right.barh([name for name, _ in most], [cost for _, cost in most], color=chart.ORANGE)
    right.bar_label(bars, [f"{cost:,.0f}" for _, cost in most], padding=3)
    right.set_title("milliseconds of imports, by package")
    for axes in (left, right):
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(visible=False, axis="y")
    return chart.save(figure, "startup")


if __name__ == "__main__":
    asyncio.run(main())
