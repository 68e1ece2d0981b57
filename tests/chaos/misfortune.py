"""What goes wrong on the platforms' wires: a seeded choice for each request, and the count of it."""

from collections import Counter
from random import Random
from typing import Literal

from tests.wire.faults import Fault

_KINDS: dict[Literal["before", "after", "hang", "drop", "late"], int] = {
    "before": 15,
    "after": 30,
    "hang": 12,
    "drop": 23,
    "late": 20,
}
"""How an ambiguous write ends, and how often of a hundred."""

_HARMLESS = ("apps.", "auth.", "users.", "assistant.", "agents.", "reactions.")
"""Calls that put nothing on screen that anybody waits for, or that come before anything else."""

_LATEST = 6.0
"""The longest that a write lands after its answer, in seconds."""


class Misfortune:
    """Decides what each request meets while `on`. A write is ambiguous when the bot can't know whether it was done."""

    def __init__(self, seed: int, *, ambiguous: float, limited: float = 0.03) -> None:
        self._random = Random(f"misfortune {seed}")
        self._ambiguous, self._limited = ambiguous, limited
        self.on = True
        self.writes = 0
        self.met: Counter[str] = Counter()

    def meet(self, request: str) -> Fault | None:
        """The fault of this request: a Slack method, or a verb and what it is about."""
        if request.startswith(_HARMLESS) or "/reactions/" in request:
            return None
        is_reading = request.startswith(("conversations.", "GET"))
        if not self.on:
            return None
        self.writes += not is_reading
        drawn = self._random.random()
        if is_reading:
            return self._reading(drawn)
        if drawn < self._limited:
            return self._count(Fault("limit", 1.0))
        if drawn < self._limited + self._ambiguous:
            kind = self._random.choices(list(_KINDS), list(_KINDS.values()))[0]
            return self._count(Fault(kind, self._random.uniform(0.3, _LATEST) if kind == "late" else 0.0))
        return None

    @property
    def ambiguous(self) -> int:
        """How many writes ended without the bot knowing how."""
        return sum(number for kind, number in self.met.items() if kind not in ("limit", "reading"))

    def _reading(self, drawn: float) -> Fault | None:
        if drawn > 0.06:
            return None
        self.met["reading"] += 1
        return Fault("before") if drawn < 0.03 else Fault("drop") if drawn < 0.05 else Fault("limit", 1.0)

    def _count(self, fault: Fault) -> Fault:
        self.met[fault.kind] += 1
        return fault
