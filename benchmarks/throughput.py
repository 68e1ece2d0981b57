"""End to end: how many answers a second one, two and four processes give on one database, with an instant model.

    .venv/bin/python -m benchmarks.throughput [--quick]

The promise: two processes on one PostgreSQL carry at least 1.6 times the load of one where the cores allow it. They do
not where the processes, PostgreSQL and the load share two cores: there, the time per turn in the database says what it
could carry: database time is what PostgreSQL's processes spent on their processors for one turn, or SQLite's threads.

Each process is the real program with a platform that hands it its own conversations, as a platform hands each replica
its share: 64 at a time, each says the next thing when it has been answered. An answer may come from any process.
"""

import asyncio
import json
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
from rich.console import Console
from rich.table import Table

import migrations
from benchmarks import chart, place, standin
from bots.program import logs, wiring
from core.config import Settings
from core.seam.messages import Reply
from core.store import connect

TALKING = 64
"""Conversations of each process that are being answered at the same time."""

_WARM = 4 * TALKING
"""Answers of a process after which its sessions are born, its connections open and its statements known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What so many processes did in one round, in all: seconds are per turn."""

    database: str
    processes: int
    rate: float
    program: float
    inside: float
    commits: float
    lost: int


async def main() -> None:
    seconds, rounds = (2.0, 1) if place.quick(__doc__) else (8.0, 3)
    results: list[Result] = []
    with place.folder() as folder, place.postgresql(folder) as server:
        for number in range(rounds):
            for database, most in (("PostgreSQL", (1, 2, 4)), ("SQLite", (1, 2))):
                for processes in most:
                    url = (
                        await server.fresh()
                        if database == "PostgreSQL"
                        else f"sqlite:///{folder}/{number}-{processes}.db"
                    )
                    await _migrate(url)
                    results.append(await measure(database, url, processes, seconds, server.process, folder))
    report(results)


async def _migrate(url: str) -> None:
    database = connect(url)
    await database.write(migrations.upgrade)
    await database.close()


async def measure(database: str, url: str, processes: int, seconds: float, server: int, folder: Path) -> Result:
    """One round: all processes start together, warm up, are measured together, and answer what is left."""
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.throughput",
            "--process",
            json.dumps({"url": url, "number": number, "folder": str(folder)}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(processes)
    ]
    await _hear(running)  # ready
    _tell(running, "talk")
    await _hear(running)  # warm
    on_postgresql = database == "PostgreSQL"
    before = await _commits(url) if on_postgresql else 0
    used = _cpu_of(server) if on_postgresql else 0.0
    _tell(running, "measure")
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    _tell(running, "enough")
    figures = await _hear(running)
    took = time.perf_counter() - started
    used = _cpu_of(server) - used if on_postgresql else sum(one["database_cpu"] for one in figures)
    commits = (await _commits(url) - before) if on_postgresql else 0
    last = await _hear(running)
    _tell(running, "end")
    await asyncio.gather(*(process.wait() for process in running))
    answered = sum(one["answered"] for one in figures)
    return Result(
        database=database,
        processes=processes,
        rate=answered / took,
        program=sum(one["cpu"] for one in figures) / answered,
        inside=used / answered,
        commits=commits / answered,
        lost=int(sum(one["lost"] for one in last)),
    )


def _tell(running: Sequence[asyncio.subprocess.Process], word: str) -> None:
    for process in running:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n".encode())


async def _hear(running: Sequence[asyncio.subprocess.Process]) -> list[dict[str, float]]:
    """What each of the processes says next."""
    lines = await asyncio.gather(*(process.stdout.readline() for process in running if process.stdout is not None))
    return [json.loads(line) for line in lines]


async def _commits(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await asyncio.sleep(0.1)
        return int(
            await connection.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        )
    finally:
        await connection.close()


def _cpu_of(server: int) -> float:
    """Processor seconds of a PostgreSQL: of its processes that run, and of those that have ended."""
    main_process = psutil.Process(server)
    times = main_process.cpu_times()
    total = times.children_user + times.children_system
    for process in [main_process, *main_process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:2])
    return float(total)


class Talk:
    """This process's conversations: each says the next thing when the last one has been answered, wherever it was."""

    def __init__(self, number: int, folder: Path) -> None:
        self._number = number
        self._folder = folder
        self._said: dict[str, asyncio.Event] = {}
        self._going = True
        self.answered = 0
        self.warm = asyncio.Event()
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._mouth = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def listen(self) -> None:
        """Answers that other processes gave to our conversations are told to us through a socket."""
        path = self._path(self._number)
        path.unlink(missing_ok=True)
        self._ear.bind(str(path))
        self._ear.setblocking(False)  # noqa: FBT003 – the standard library's
        asyncio.get_running_loop().add_reader(self._ear, lambda: self._heard(self._ear.recv(200).decode()))

    def _path(self, number: int) -> Path:
        return self._folder / f"p{number}"

    def _heard(self, name: str) -> None:
        self._said[name].set()

    def delivered(self, reply: Reply) -> None:
        """The platform's part: whose conversation this is, hears of it."""
        self.answered += 1
        if self.answered == _WARM:
            self.warm.set()
        name = reply.address.channel
        owner = int(name.partition("-")[0])
        if owner == self._number:
            self._heard(name)
        else:
            self._mouth.sendto(name.encode(), str(self._path(owner)))

    async def run(self, source: standin.Source) -> None:
        """Talks until `hush`; returns when everything has been answered."""
        receive = await source.listening

        async def one(name: str) -> None:
            address, number = standin.place(name), 0
            while self._going:
                number += 1
                heard = self._said[name] = asyncio.Event()
                await receive(standin.said(address, number))
                await heard.wait()

        async with asyncio.TaskGroup() as group:
            for place_ in range(TALKING):
                group.create_task(one(f"{self._number}-{place_}"))

    def hush(self) -> None:
        """Nobody says anything more."""
        self._going = False


async def process(order: str) -> None:
    """One process of the program, steered by words on its standard input."""
    given = json.loads(order)
    logs.configure("text", quiet=True)
    talk = Talk(given["number"], Path(given["folder"]))
    talk.listen()
    words = await _words()
    database = connect(given["url"])
    source, stop = standin.Source(talk.delivered), asyncio.Event()
    settings = Settings(_env_file=None, database_url=given["url"])  # type: ignore[call-arg]
    run = asyncio.create_task(
        wiring.run(settings, database=database, model=standin.InstantModel(), adapters={"console": source}, stop=stop)
    )
    await source.listening
    _say({})
    await words.readline()  # talk
    talking = asyncio.create_task(talk.run(source))
    await talk.warm.wait()
    _say({})
    await words.readline()  # measure
    answered, cpu, inside = talk.answered, standin.cpu(), _threads()
    await words.readline()  # enough
    _say({"answered": talk.answered - answered, "cpu": standin.cpu() - cpu, "database_cpu": _threads() - inside})
    talk.hush()
    lost = 0
    try:
        async with asyncio.timeout(60):
            await talking
    except TimeoutError:
        lost = 1
    _say({"lost": lost})
    await words.readline()  # end
    stop.set()
    await run
    await database.close()


async def _words() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(figures: dict[str, float]) -> None:
    print(json.dumps(figures), flush=True)


def _threads() -> float:
    """Processor seconds of the threads that serve SQLite."""
    ours = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("sqlite")}
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for number in ours:
        fields = Path(f"/proc/self/task/{number}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def report(results: Sequence[Result]) -> None:
    screen = Console()
    table = Table(
        "",
        "processes",
        "min",
        "median",
        "max",
        "× one",
        "program ms",
        "database ms",
        "commits",
        "lost",
        title=f"answers a second; CPU and commits per turn ({TALKING} conversations each, {os.cpu_count()} cores)",
        title_justify="left",
    )
    groups: dict[tuple[str, int], list[Result]] = {}
    for one in results:
        groups.setdefault((one.database, one.processes), []).append(one)
    for (database, processes), rounds in groups.items():
        rates = [one.rate for one in rounds]
        alone = [one.rate for one in groups[database, 1]]
        table.add_row(
            database,
            f"{processes}",
            f"{min(rates):,.0f}",
            f"{statistics.median(rates):,.0f}",
            f"{max(rates):,.0f}",
            f"{statistics.median(a / b for a, b in zip(rates, alone, strict=True)):.2f}",
            f"{statistics.median(one.program for one in rounds) * 1000:.2f}",
            f"{statistics.median(one.inside for one in rounds) * 1000:.2f}",
            f"{statistics.median(one.commits for one in rounds):.1f}" if database == "PostgreSQL" else "",
            f"{sum(one.lost for one in rounds)}",
        )
    screen.print(table)
    screen.print("On SQLite the database's share is part of the program's.")
    screen.print(f"drawn in {draw(groups)}")


def draw(groups: dict[tuple[str, int], list[Result]]) -> Path:
    figure, [[left, right]] = chart.canvas(1, 2, size=(11.5, 4.2))
    labels = [f"{database}\n{number} process{'es' * (number > 1)}" for database, number in groups]
    colours = [chart.BLUE if database == "PostgreSQL" else chart.ORANGE for database, _ in groups]
    middle = [statistics.median(one.rate for one in rounds) for rounds in groups.values()]
    bars = left.bar(labels, middle, color=colours)
    left.bar_label(bars, [f"{one:,.0f}" for one in middle], padding=2)
    left.set_title("answers a second, by processes")
    inside = [statistics.median(one.inside for one in rounds) * 1000 for rounds in groups.values()]
    whole = [statistics.median(one.program for one in rounds) * 1000 for rounds in groups.values()]
    own = [
        all_ - part if database == "SQLite" else all_
        for (database, _), all_, part in zip(groups, whole, inside, strict=True)
    ]
    right.bar(labels, inside, color=chart.GREY, label="database")
    right.bar(labels, own, bottom=inside, color=chart.SKY, label="program")
    right.set_title("processor milliseconds for one turn")
    right.legend()
    for axes in (left, right):
        axes.grid(visible=False, axis="x")
        axes.margins(y=0.12)
    return chart.save(figure, "throughput")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        asyncio.run(process(sys.argv[2]))
    else:
        asyncio.run(main())
