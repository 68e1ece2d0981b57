"""The turn cycle: load a window of 20, store the question, store the answer, all durable, beside the peers and a floor.

    .venv/bin/python -m benchmarks.turns [--quick]

The promises: with 64 sessions at a time at least 4 times the fastest peer and half of the raw driver on SQLite, 3 times
and 40 % on PostgreSQL; alone, half of the raw driver; at 50,000 turns at most 1.3 times the cost of 10; at most 420
bytes on disk for a message of 279.

Everybody is measured in short rounds that take turns, so that a busy machine slows all alike; a ratio is the median of
the rounds' own ratios. The raw driver does two things: the three statements of the peers on the peers' tables, and all
that Backscroll stores and guards on Backscroll's tables. "With receipt" adds what is stored once the answer was seen,
which the peers do not know.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import chart, ours, peers, place, raw_postgresql, raw_sqlite
from benchmarks.contenders import TEXT, Contender
from bots.program import garbage

CROWD = 64
LENGTHS = (10, 100, 1_000, 10_000, 50_000)
_BETWEEN_VACUUMS = 500  # cycles; a vacuum is due when a fifth of a table is dead, looked at once a minute
COPIES = {10: 200, 100: 40, 1_000: 5}
"""Sessions of a length that take turns, so that the short ones stay short while they are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How long it is measured: seconds of a round, rounds, histories, messages written for the size on disk."""

    seconds: float
    rounds: int
    lengths: Sequence[int]
    written: int


FULL = Extent(seconds=0.4, rounds=9, lengths=LENGTHS, written=4_000)
QUICK = Extent(seconds=0.15, rounds=3, lengths=(10, 1_000), written=400)


@dataclass(slots=True)
class Score:
    """What one contender did: cycles per second in each round, by case, and bytes per message."""

    contender: Contender
    rates: dict[str, list[float]] = field(default_factory=dict)
    bytes: dict[str, float] = field(default_factory=dict)


async def main() -> None:
    extent = QUICK if place.quick(__doc__) else FULL
    screen = Console()
    results: dict[str, list[Score]] = {}
    with place.folder() as folder, place.postgresql(folder) as server:
        results["SQLite"] = await measure(on_sqlite(folder), extent)
        await disk(results["SQLite"], on_sqlite(folder / "size"), extent.written)
        show(screen, "SQLite", results["SQLite"], extent.lengths)
        results["PostgreSQL"] = await measure([kind(await server.fresh()) for kind in ON_POSTGRESQL], extent)
        await disk(results["PostgreSQL"], [kind(await server.fresh()) for kind in ON_POSTGRESQL], extent.written)
        show(screen, "PostgreSQL", results["PostgreSQL"], extent.lengths)
    screen.print(f"drawn in {draw(results, extent.lengths)}")


def show(screen: Console, database: str, scores: Sequence[Score], lengths: Sequence[int]) -> None:
    screen.print(crowd_table(database, scores), alone_table(database, scores, lengths), size_table(database, scores))


def on_sqlite(folder: Path) -> list[Contender]:
    folder.mkdir(exist_ok=True)
    return [
        ours.Backscroll(f"sqlite:///{folder}/ours.db"),
        ours.BackscrollWithReceipt(f"sqlite:///{folder}/ours-receipt.db"),
        raw_sqlite.Bare(folder / "bare.db"),
        raw_sqlite.Same(folder / "same.db"),
        raw_sqlite.SameWithReceipt(folder / "same-receipt.db"),
        peers.OfSQLite(folder / "peer.db"),
        peers.OfSQLAlchemy(folder / "peer-sqlalchemy.db"),
    ]


ON_POSTGRESQL: tuple[Any, ...] = (
    ours.Backscroll,
    ours.BackscrollWithReceipt,
    raw_postgresql.Bare,
    raw_postgresql.Same,
    raw_postgresql.SameWithReceipt,
    peers.OfSQLAlchemyOnPostgreSQL,
)


async def measure(contenders: Sequence[Contender], extent: Extent) -> list[Score]:
    cases = sessions(extent.lengths)
    histories = {
        session: int(case) if case.isdecimal() else 20 for case, numbers in cases.items() for session in numbers
    }
    scores = [Score(contender) for contender in contenders]
    with garbage.loading():
        for contender in contenders:
            await contender.open()
            await contender.fill(histories)
    for number in range(extent.rounds + 1):
        for case, numbers in cases.items():
            for score in scores[number % len(scores) :] + scores[: number % len(scores)]:
                rate = await run(score.contender, numbers, extent.seconds, crowd=case == "crowd")
                if number:  # the first round only warms up
                    score.rates.setdefault(case, []).append(rate)
    for contender in contenders:
        await contender.close()
    return scores


def sessions(lengths: Sequence[int]) -> dict[str, list[int]]:
    """The cases, and which sessions take turns in each: the crowd of 64, and one at a time by its length."""
    cases = {"crowd": list(range(1, CROWD + 1))}
    for length in lengths:
        first = max(numbers[-1] for numbers in cases.values()) + 1
        cases[str(length)] = list(range(first, first + COPIES.get(length, 1)))
    return cases


async def run(contender: Contender, numbers: Sequence[int], seconds: float, *, crowd: bool) -> float:
    """Cycles per second in one round."""
    done = 0
    started = time.perf_counter()

    async def one(mine: Sequence[int]) -> None:
        nonlocal done
        while True:
            for session in mine:
                if await contender.cycle(session) < 10:
                    raise AssertionError(f"{contender.name} has loaded no window")
                done += 1
                if time.perf_counter() - started > seconds:
                    return

    async with asyncio.TaskGroup() as group:
        for mine in [[number] for number in numbers] if crowd else [numbers]:
            group.create_task(one(mine))
    rate = done / (time.perf_counter() - started)
    await contender.settle()
    return rate


async def disk(scores: Sequence[Score], contenders: Sequence[Contender], messages: int) -> None:
    """Bytes per message, each written by a cycle: in one long session, and in sessions of 20 messages.

    A cycle without its receipt leaves a text behind that is on its way to the screen, so only whole ones are measured.
    """
    whole = {"Backscroll", "raw: our work"}
    for score, contender in zip(scores, contenders, strict=True):
        if contender.name in whole:
            continue
        await contender.open()
        many = list(range(1, messages // 20 + 1))
        await contender.fill(dict.fromkeys([0, *many], 2))
        before = await contender.size()
        for number in range(messages // 2):
            if number % _BETWEEN_VACUUMS == 0:
                await contender.vacuum()
            await contender.cycle(0)
        await contender.settle()
        between = await contender.size()
        for start in range(0, len(many), CROWD):
            await contender.vacuum()
            async with asyncio.TaskGroup() as group:
                for session in many[start : start + CROWD]:
                    group.create_task(_say(contender, session, 10))
        await contender.settle()
        after = await contender.size()
        await contender.close()
        score.bytes = {"one": (between - before) / messages, "many": (after - between) / (len(many) * 20)}


async def _say(contender: Contender, session: int, cycles: int) -> None:
    for _ in range(cycles):
        await contender.cycle(session)


def ratio(score: Score, against: Sequence[Score], case: str) -> float:
    """The median of the rounds' ratios to the fastest of those; 0 where there is none."""
    best = max(against, key=lambda one: statistics.median(one.rates[case]), default=None)
    if best is None:
        return 0.0
    return statistics.median(a / b for a, b in zip(score.rates[case], best.rates[case], strict=True))


def floor(scores: Sequence[Score], score: Score, *, same: bool) -> list[Score]:
    """The raw drivers that a score is held against: doing the peers' work, or the same work."""
    raw = [one for one in scores if one.contender.kind == "raw"]
    if same:
        return [
            one for one in raw if "our work" in one.contender.name and one.contender.receipt is score.contender.receipt
        ]
    return [one for one in raw if "peers' work" in one.contender.name]


def crowd_table(database: str, scores: Sequence[Score]) -> Table:
    result = Table(
        "",
        "min",
        "median",
        "max",
        "× fastest peer",
        "of raw",
        "of raw, same work",
        title=f"{database}: cycles a second, {CROWD} sessions at a time",
        title_justify="left",
    )
    _fill_rates(result, scores, "crowd")
    return result


def _fill_rates(result: Table, scores: Sequence[Score], case: str) -> None:
    fastest = [one for one in scores if one.contender.kind == "peer"]
    for score in scores:
        rates = score.rates[case]
        own = score.contender.kind == "ours"
        result.add_row(
            score.contender.name,
            f"{min(rates):,.0f}",
            f"{statistics.median(rates):,.0f}",
            f"{max(rates):,.0f}",
            f"{ratio(score, fastest, case):.2f}",
            f"{ratio(score, floor(scores, score, same=False), case):.0%}" if own else "",
            f"{ratio(score, floor(scores, score, same=True), case):.0%}" if own else "",
        )


def alone_table(database: str, scores: Sequence[Score], lengths: Sequence[int]) -> Table:
    result = Table(
        "",
        *(f"{length:,}" for length in lengths),
        f"{lengths[-1]:,} : {lengths[0]:,}",
        "of raw",
        "of raw, same work",
        title=f"{database}: milliseconds of a cycle (median), alone, by the turns of its session",
        title_justify="left",
    )
    shortest, longest = str(lengths[0]), str(lengths[-1])
    for score in scores:
        own = score.contender.kind == "ours"
        growth = statistics.median(a / b for a, b in zip(score.rates[shortest], score.rates[longest], strict=True))
        result.add_row(
            score.contender.name,
            *(f"{1000 / statistics.median(score.rates[str(length)]):.2f}" for length in lengths),
            f"{growth:.2f}",
            f"{ratio(score, floor(scores, score, same=False), '1000'):.0%}" if own else "",
            f"{ratio(score, floor(scores, score, same=True), '1000'):.0%}" if own else "",
        )
    return result


def size_table(database: str, scores: Sequence[Score]) -> Table:
    result = Table(
        "",
        "one session",
        "sessions of 20",
        title=f"{database}: bytes on disk per message of {len(TEXT.encode())} bytes",
        title_justify="left",
    )
    for score in scores:
        if score.bytes:
            result.add_row(score.contender.name, f"{score.bytes['one']:.0f}", f"{score.bytes['many']:.0f}")
    return result


COLOURS = {
    "Backscroll": chart.BLUE,
    "Backscroll, receipt": chart.SKY,
    "raw: peers' work": "#444444",
    "raw: our work": chart.GREY,
    "raw: our work, receipt": "#BFBFBF",
    "SQLiteSession": chart.ORANGE,
    "SQLAlchemySession": chart.VERMILION,
}


def draw(results: dict[str, list[Score]], lengths: Sequence[int]) -> Path:
    figure, axes = chart.canvas(2, 2, size=(12.5, 7.5))
    for (database, scores), (left, right) in zip(results.items(), axes, strict=True):
        names = [score.contender.name for score in scores]
        labels = [f"openai-agents {one}" if one.endswith("Session") else one for one in names]
        medians = [statistics.median(score.rates["crowd"]) for score in scores]
        reach = [
            [middle - min(score.rates["crowd"]) for middle, score in zip(medians, scores, strict=True)],
            [max(score.rates["crowd"]) - middle for middle, score in zip(medians, scores, strict=True)],
        ]
        left.barh(labels, medians, color=[COLOURS[name] for name in names], xerr=reach, error_kw={"ecolor": "#222222"})
        for row, middle in enumerate(medians):
            left.annotate(
                f"{middle:,.0f}",
                (max(scores[row].rates["crowd"]), row),
                (5, 0),
                textcoords="offset points",
                va="center",
            )
        left.invert_yaxis()
        left.margins(x=0.12)
        left.xaxis.set_major_formatter("{x:,.0f}")
        left.grid(visible=False, axis="y")
        left.set_title(f"{database}: cycles a second, {CROWD} sessions at a time")
        for score in scores:
            took = [1000 / statistics.median(score.rates[str(length)]) for length in lengths]
            style = "--" if score.contender.receipt else "-"
            right.plot(
                lengths, took, style, marker="o", ms=4, color=COLOURS[score.contender.name], label=score.contender.name
            )
        right.set(xscale="log", yscale="log", xlabel="turns in the session")
        right.set_xticks(lengths, [f"{length:,}" for length in lengths])
        least, most = right.get_ylim()
        steps = [step for step in (0.2, 0.5, 1, 2, 5, 10, 20, 50) if least <= step <= most]
        right.set_yticks(steps, [f"{step:g}" for step in steps])
        right.yaxis.set_minor_formatter("")
        right.set_title(f"{database}: milliseconds of a cycle, alone")
    return chart.save(figure, "turns")


if __name__ == "__main__":
    asyncio.run(main())
