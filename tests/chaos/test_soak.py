"""A soak that sees nothing grow is worth nothing: what grows is seen, what goes up and down is not."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.soak import MEASURES, Course, Measure, steadiness
from tests.chaos.vitals import Vitals, pulse, told

MEMORY, FILES, TASKS, LAG = MEASURES


def course(measure: Measure, value: Callable[[float], float]) -> Course:
    """An hour of it, looked at every ten seconds."""
    return Course(name=measure.name, measure=measure, points=[(at, value(at)) for at in range(0, 3_600, 10)])


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (MEMORY, lambda at: 200 + at / 100),
        (FILES, lambda at: 20 + at // 180),
        (TASKS, lambda at: 30 + at // 180),
    ],
)
def test_what_grows_all_the_time_is_told(measure: Measure, value: Callable[[float], float]) -> None:
    one = course(measure, value)

    assert one.grows
    assert steadiness([one]).splitlines()[1].endswith("GROWS")


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (MEMORY, lambda at: 120 if at < 300 else 200),
        (MEMORY, lambda at: 200 + at % 70),
        (FILES, lambda at: 20 + at % 7),
        (TASKS, lambda at: 500 if at == 3_000 else 30),
        (LAG, lambda at: at),
    ],
)
def test_what_warms_up_or_goes_up_and_down_is_not(measure: Measure, value: Callable[[float], float]) -> None:
    one = course(measure, value)

    assert not one.grows
    assert "GROWS" not in steadiness([one])


async def test_a_process_says_how_it_is(tmp_path: Path) -> None:
    path = tmp_path / "vitals"
    beating = asyncio.create_task(pulse(path))
    while not told(path):  # noqa: ASYNC110 – a file tells nobody
        await asyncio.sleep(0.05)
    beating.cancel()

    (one,) = told(path)[:1]
    assert one.memory > 10
    assert one.files >= 3
    assert one.tasks >= 2


def test_a_line_that_was_cut_off_by_a_kill_is_none(tmp_path: Path) -> None:
    path = tmp_path / "vitals"
    path.write_text(json.dumps(Vitals(1.0, 2.0, 3, 4, 5.0)) + "\n[1.0, 2")

    assert told(path) == [Vitals(1.0, 2.0, 3, 4, 5.0)]
