"""A day in an hour: `python -m tests.chaos.soak --seed N --minutes M --database sqlite|postgresql [--plot FILE]`.

Two replicas live from the beginning of a run to its end, under a steady load, while all breaks around them but what
ends them. In the end they must be as they were in the beginning: their memory, their open files, their tasks, and how
soon people are answered. What people see is judged as in any run of chaos.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from time import monotonic, time
from typing import NamedTuple

from tests.chaos.__main__ import REST_OF_A_RUN, table
from tests.chaos.plan import Plan, draw
from tests.chaos.run import Report, Run
from tests.chaos.vitals import Vitals, told
from tests.chaos.words import MARKER

_MESSAGES_A_MINUTE = 60

_WARM = 0.15
"""The part of a run after which caches are full and all code is loaded."""

_PART = 0.2
"""The part of a run that its beginning is, and its end."""


class Measure(NamedTuple):
    """Something that must not grow: in which unit, and by how much it may all the same, as a part and beside that."""

    name: str
    unit: str
    part: float
    beside: float
    of: Callable[[Vitals], float]


MEASURES = (
    Measure("memory", "MB", 0.05, 6.0, lambda one: one.memory),
    Measure("open files", "", 0.1, 6.0, lambda one: one.files),
    Measure("tasks", "", 0.1, 6.0, lambda one: one.tasks),
    Measure("loop stands still", "ms", 0.0, inf, lambda one: one.lag),  # it says more of the machine than of us
)
LATENCY = Measure("until an answer", "s", 0.5, 3.0, lambda one: one.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One measure over a run: when, in seconds from its beginning, and how much."""

    name: str
    measure: Measure
    points: Sequence[tuple[float, float]]

    @property
    def begins(self) -> float:
        """The median of what it was once all was warm."""
        return self._between(_WARM, _WARM + _PART)

    @property
    def ends(self) -> float:
        """The median of what it was last."""
        return self._between(1 - _PART, 1.0)

    @property
    def grows(self) -> bool:
        """Whether it is more in the end than it may be."""
        return self.ends > self.begins * (1 + self.measure.part) + self.measure.beside

    def _between(self, first: float, last: float) -> float:
        length = max((at for at, _ in self.points), default=0.0)
        found = [value for at, value in self.points if first * length <= at <= last * length]
        return median(found) if found else 0.0


class Soak(Run):
    """A run that also looks at how its replicas are, and how soon people are answered."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        super().__init__(plan, folder, patience=600.0)
        self._whole: dict[str, float] = {}
        self._began = self._ended = 0.0

    @property
    def courses(self) -> list[Course]:
        """What was measured while people talked."""
        found = [self._latency()]
        for replica in self.replicas:
            vitals = [one for one in told(replica.vitals) if self._began <= one.at <= self._ended]
            for measure in MEASURES:
                points = [(one.at - self._began, measure.of(one)) for one in vitals]
                found.append(Course(name=f"{measure.name}, replica {replica.number}", measure=measure, points=points))
        return found

    def _latency(self) -> Course:
        begins = self.chronicle.began + (self._began - self._started)
        asked = {version: one.at for one in self.people.asked.values() for version in one.versions[:1]}
        points = [(at - begins, self._whole[one] - at) for one, at in asked.items() if one in self._whole]
        points = [(at, seconds) for at, seconds in points if 0 <= at <= self._ended - self._began]
        return Course(name=LATENCY.name, measure=LATENCY, points=sorted(points))

    async def carry_out(self) -> Report:
        self._started = monotonic()
        return await super().carry_out()

    async def _perform(self) -> None:
        self._began = monotonic()
        await super()._perform()
        self._ended = monotonic()

    def _posts(self, words: str, session: str) -> None:
        super()._posts(words, session)
        marker = MARKER.search(words)
        if marker is not None and f"{marker[0]} ends here" in words:
            self._whole.setdefault(marker[0], time())


def steadiness(courses: Sequence[Course]) -> str:
    """One line for each course: how it begins and ends, and whether that is too much."""
    lines = [("", "begins", "ends", "")]
    for one in courses:
        unit = f" {one.measure.unit}" if one.measure.unit else ""
        lines.append((one.name, f"{one.begins:.1f}{unit}", f"{one.ends:.1f}{unit}", "GROWS" if one.grows else ""))
    width = max(len(line[0]) for line in lines)
    return "\n".join(f"{name:<{width}}{begins:>14}{ends:>14}  {grows}".rstrip() for name, begins, ends, grows in lines)


def draw_courses(courses: Sequence[Course], path: Path) -> None:
    """A picture of them, with matplotlib, which only those need who ask for one."""
    from benchmarks import chart

    names = list(dict.fromkeys(one.measure for one in courses))
    figure, axes = chart.canvas(len(names), size=(9, 2.2 * len(names)))
    colours = (chart.BLUE, chart.ORANGE, chart.GREEN)
    for row, measure in zip(axes, names, strict=True):
        for colour, one in zip(colours, [one for one in courses if one.measure is measure], strict=False):
            minutes, values = [at / 60 for at, _ in one.points], [value for _, value in one.points]
            row[0].plot(minutes, values, ".", markersize=3, color=colour, label=one.name)
        row[0].set_title(f"{measure.name}{f', {measure.unit}' if measure.unit else ''}")
        row[0].set_ylim(bottom=0)
        row[0].legend()
    axes[-1][0].set_xlabel("minutes")
    figure.savefig(path)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description="A day in an hour.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--plot", type=Path, help="where the picture is drawn")
    parser.add_argument("--folder", type=Path, help="where logs and the database are left; gone with the run if not")
    return parser.parse_args()


def main() -> int:
    """Exit status 0 when nothing grew, and people saw what they should."""
    given = _parsed()
    seconds = max(20.0, given.minutes * 60 - REST_OF_A_RUN)
    messages = round(seconds / 60 * _MESSAGES_A_MINUTE)
    plan = draw(seed=given.seed, database=given.database, seconds=seconds, messages=messages, lasting=True)
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(plan, folder)
        report = asyncio.run(soak.carry_out())
        courses = soak.courses
    told = [*report.stories, *report.unplanned, table([report]), "", steadiness(courses)]
    sys.stdout.write("\n".join(told) + "\n")
    if given.plot is not None:
        draw_courses(courses, given.plot)
    is_well = report.verdict.is_clean and not report.unplanned and not any(one.grows for one in courses)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
