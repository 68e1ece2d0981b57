"""Nothing lost, forgotten, said twice or kept against anybody's will, while everything around replicas breaks."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.__main__ import table
from tests.chaos.plan import Database, draw
from tests.chaos.run import Report, Run

SEED = 1
DATABASES: tuple[Database, ...] = ("sqlite", "postgresql")
SECONDS = 30.0
MESSAGES = 60
PATIENCE = 300.0
"""Seconds for coming to rest, on a machine that has other things to do."""


async def _all(folder: Path) -> list[Report]:
    """Side by side: what takes time is waiting."""
    runs = [_run(folder / one, one).carry_out() for one in DATABASES]
    return await asyncio.gather(*runs, _naive(folder))


async def _naive(folder: Path) -> Report:
    """The negative control: what it meets is chance, so several times, until something was said twice."""
    for seed in range(SEED, SEED + 5):
        report = await _run(folder / f"naive-{seed}", "sqlite", seed=seed, naive=True).carry_out()
        if report.verdict.number("doubled"):
            break
    return report


def _run(folder: Path, database: Database, *, seed: int = SEED, naive: bool = False) -> Run:
    folder.mkdir()
    plan = draw(seed=seed, database=database, seconds=SECONDS, messages=MESSAGES)
    return Run(plan, folder, naive=naive, patience=PATIENCE)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Report]:
    """What came of all runs, in a loop of their own."""
    folder = tmp_path_factory.mktemp("chaos")
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, _all(folder)).result()
    return dict(zip(("sqlite", "postgresql", "naive"), done, strict=True))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_message_has_one_whole_answer_in_its_place_and_order(
    reports: Mapping[str, Report], database: str
) -> None:
    report = reports[database]

    assert report.verdict.is_clean, "\n".join([*report.stories, *report.unplanned, table([report])])
    assert report.counts["kills"] >= 2
    assert report.counts["freezes"] >= 1
    assert report.counts["edits"] >= 3
    assert report.counts["deletions"] >= 3
    assert report.counts["notices"] >= 3
    assert report.ambiguous >= 0.1 * report.writes


def test_sessions_age_in_these_runs(reports: Mapping[str, Report]) -> None:
    """How much of that falls into half a minute depends on how busy the machine is."""
    ages = ("records", "time-outs", "resets", "undos", "wakings", "aimed kills")

    assert sum(report.counts[name] for report in reports.values() for name in ages) >= 3


def test_without_looking_before_it_repeats_it_says_things_twice(reports: Mapping[str, Report]) -> None:
    assert reports["naive"].verdict.number("doubled") > 0, "the kit is blind"
