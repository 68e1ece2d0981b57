"""`python -m tests.chaos --seed N --minutes M --database sqlite|postgresql`: runs, and a table of what came of them."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.plan import Plan, draw
from tests.chaos.run import Report, Run
from tests.sealed import seal_all, seal_if_told

REST_OF_A_RUN = 40.0
"""Seconds of a run in which nobody speaks: the start, and coming to rest."""


def table(reports: list[Report]) -> str:
    """One column for each run."""
    rows = [_figures(report) for report in reports]
    width = max(len(name) for name in rows[0])
    return "\n".join(f"{name:<{width}}  " + "".join(f"{row[name]:>14}" for row in rows) for name in rows[0])


def _figures(report: Report) -> dict[str, str]:
    verdict, taken = report.verdict, [seconds for seconds, _, _ in report.takeovers]
    share = report.ambiguous / report.writes if report.writes else 0.0
    return {
        "seed": f"{report.plan.seed}",
        "database": report.plan.database,
        "delivery": "naive" if report.naive else "",
        "replicas": f"{report.plan.replicas}",
        "messages": f"{len(report.plan.lines)}",
        **{name: f"{number}" for name, number in report.counts.items()},
        "writes": f"{report.writes}",
        "ambiguous": f"{report.ambiguous} ({share:.0%})",
        "missing": f"{verdict.number('missing')}",
        "doubled": f"{verdict.number('doubled')}",
        "out of order": f"{verdict.number('out of order')}",
        "wrong": f"{verdict.number('wrong') + verdict.number('incomplete')}",
        "outdated": f"{verdict.number('outdated')}",
        "unwanted": f"{verdict.number('unwanted')}",
        "leaked, kept": f"{verdict.number('leaked')}, {verdict.number('kept')}",
        "forgotten, returned": f"{verdict.number('forgotten')}, {verdict.number('returned')}",
        "twice, torn": f"{verdict.number('twice')}, {verdict.number('torn')}",
        "overtaken on the way": f"{verdict.overtaken}",
        "taken over": f"{len(taken)}",
        "longest, seconds": f"{max(taken, default=0):.1f}",
        "median, seconds": f"{sorted(taken)[len(taken) // 2] if taken else 0:.1f}",
        "unplanned ends": f"{len(report.unplanned)}",
        "run, seconds": f"{report.seconds:.0f}",
    }


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Breaks everything, and looks.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long one run takes, about")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--messages", type=int, help="how many people say; 90 a minute if not given")
    parser.add_argument("--naive", action="store_true", help="the negative control: deliveries that do not look")
    parser.add_argument("--sealed", action="store_true", help="with a key ring: what is stored is sealed")
    parser.add_argument("--folder", type=Path, help="where logs and databases are left; gone with the run if not given")
    return parser.parse_args()


def _plans(given: argparse.Namespace) -> list[Plan]:
    seconds = max(20.0, given.minutes * 60 - REST_OF_A_RUN)
    messages = given.messages or round(seconds / 60 * 100)
    return [
        draw(seed=given.seed, database=database, seconds=seconds, messages=messages)
        for database in ("sqlite", "postgresql")
        if given.database in (database, "both")
    ]


async def _all(given: argparse.Namespace, folder: Path) -> list[Report]:
    reports = []
    for plan in _plans(given):
        place = folder / f"{plan.database}-{plan.seed}{'-naive' if given.naive else ''}"
        place.mkdir(parents=True)
        seal_if_told()  # each database has data keys of its own
        report = await Run(plan, place, naive=given.naive).carry_out()
        _say("\n".join([*report.stories, *report.unplanned, table([report])]))
        reports.append(report)
    return reports


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit status 0 when nothing was lost, doubled, out of order, wrong or kept; for the control, when it doubled."""
    given = _parsed()
    if given.sealed:
        seal_all()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as temporary:
        reports = asyncio.run(_all(given, given.folder or Path(temporary)))
    if len(reports) > 1:
        _say("\n" + table(reports))
    if given.naive:
        return 0 if all(report.verdict.number("doubled") for report in reports) else 1
    return 0 if all(report.verdict.is_clean for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
