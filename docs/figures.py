"""The house in figures: how long its files, functions and classes are, who imports whom, and what one message visits.

python -m docs.figures
"""

import ast
import asyncio
import statistics
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

import migrations
from core.store import connect
from tests.talk import Running
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage

ROOT = Path(__file__).parent.parent
HOUSES = ("bots", "core", "migrations")

FLOORS = (
    "bots.program",
    "bots.slack",
    "bots.discord",
    "bots.console",
    "core.chores",
    "core.intake",
    "core.work",
    "core.assistant",
    "core.commands",
    "core.memory",
    "core.delivery",
    "core.journal",
    "core.events",
    "core.budget",
    "core.access",
    "core.model",
    "core.store",
    "core.schema",
    "core.session",
    "core.vault",
    "core.seam",
    "core.spelling",
    "core.config",
    "core.proxies",
    "core.files",
    "core.policy",
    "core.timings",
    "core.errors",
)
"""Rooms from the roof down: whoever imports something above is told of."""


def files() -> list[Path]:
    """The program's own files, no tests."""
    return sorted(path for house in HOUSES for path in (ROOT / house).rglob("*.py"))


def spread(lengths: Sequence[int]) -> str:
    """Median, the longest but a tenth, and the longest."""
    ordered = sorted(lengths)
    return f"{statistics.median(ordered):.0f} / {ordered[int(0.9 * (len(ordered) - 1))]} / {ordered[-1]}"


def lengths(paths: Iterable[Path]) -> dict[str, list[tuple[int, str]]]:
    """How many lines each file, function and class has, and its name."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for path in paths:
        text, name = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        found["files"].append((len(text.splitlines()), name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                kind = "classes" if isinstance(node, ast.ClassDef) else "functions"
                found[kind].append(((node.end_lineno or node.lineno) - node.lineno + 1, f"{name}: {node.name}"))
    return found


def room_of(module: str) -> str | None:
    """The room that a module stands in; None for a house's own threshold."""
    return next((room for room in FLOORS if module == room or module.startswith(f"{room}.")), None)


def imports(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Who imports whom, from room to room, once for each import."""
    for path in paths:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        mine = room_of(module)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in _targets(node):
                theirs = room_of(target)
                if mine is not None and theirs is not None and mine != theirs:
                    yield mine, theirs


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def drawn(counted: Counter[tuple[str, str]]) -> Table:
    """A row imports its columns; what points up is marked."""
    rooms = [room for room in FLOORS if any(room in pair for pair in counted)]
    table = Table("", *(room.partition(".")[2] for room in rooms), title="imports from room to room")
    for row in rooms:
        cells = []
        for column in rooms:
            number = counted[row, column]
            up = number and FLOORS.index(column) < FLOORS.index(row)
            cells.append(f"[red]{number}[/]" if up else str(number or ""))
        table.add_row(row, *cells)
    return table


def circles(counted: Counter[tuple[str, str]]) -> int:
    """How many circles of rooms that import one another were found: the search ends at the first."""
    graph: dict[str, set[str]] = defaultdict(set)
    for mine, theirs in counted:
        graph[mine].add(theirs)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        return 1
    return 0


class Trace:
    """Which of our functions are called, in whatever thread."""

    def __init__(self) -> None:
        self.visited: set[tuple[str, str]] = set()
        self._prefixes = tuple(str(ROOT / house) for house in ("bots", "core"))

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """As a profile function of `sys.setprofile`."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self._prefixes):
            self.visited.add((code.co_filename, code.co_qualname))


async def one_message() -> Trace:
    """A message in a Slack thread that has a session, from its arrival to its answer on screen."""
    trace = Trace()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/traced.db"
        database = connect(url)
        await database.write(migrations.upgrade)
        await database.close()
        async with SlackStage() as stage, OpenAIServer() as model, Running(url, model, stage):
            await stage.say("hello")
            await stage.until(lambda: [shown for shown in stage.shown() if shown.done])
            threading.setprofile_all_threads(trace) if sys.version_info >= (3, 12) else threading.setprofile(trace)
            sys.setprofile(trace)
            await stage.say("and how are you?")
            await stage.until(lambda: len([shown for shown in stage.shown() if shown.done]) == 2)
            sys.setprofile(None)
            threading.setprofile(None)
    return trace


def main() -> None:
    """Prints all of it."""
    screen, paths = Console(width=200), files()
    table = Table("", "number", "median / p90 / longest", "the longest", title="lines")
    for kind, found in lengths(paths).items():
        table.add_row(kind, str(len(found)), spread([length for length, _ in found]), max(found)[1])
    counted = Counter(imports(paths))
    upward = sum(n for (mine, theirs), n in counted.items() if FLOORS.index(theirs) < FLOORS.index(mine))
    screen.print(table, drawn(counted), f"upward {upward}, circles {circles(counted)}")
    visited = asyncio.run(one_message()).visited
    screen.print(f"one message on Slack visits {len({file for file, _ in visited})} files, {len(visited)} functions")


if __name__ == "__main__":
    main()
