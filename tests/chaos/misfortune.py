"""What goes wrong on the platforms' wires: a seeded choice for each request, and the count of it."""

from collections import Counter
from random import Random
from typing import Literal

from core.assistant.answering import CUTS
from tests.chaos.words import asked, folds
from tests.wire.faults import Fault
from tests.wire.openai import Break, Request, Weather
from tests.wire.openai import Fault as Failure

_KINDS: dict[Literal["before", "after", "hang", "drop", "late", "page", "passed"], int] = {
    "before": 15,
    "after": 25,
    "hang": 10,
    "drop": 18,
    "late": 16,
    "page": 8,
    "passed": 8,
}
"""How an ambiguous write ends, and how often of a hundred."""

_HARMLESS = ("users.", "assistant.", "agents.", "reactions.")
"""Calls that put nothing on screen that anybody waits for."""

_BEFORE_ALL = ("apps.", "auth.")
"""Calls without which nothing is heard: now and then a page answers them."""

_PAGES = (200, 403, 404, 502, 503)
"""The status of what a proxy or a firewall says in a platform's place; with 429 it says for how long as well."""

_TO_A_START, _LIMITS = 0.1, 0.15
"""How often such a page comes, and how often a page is about limits."""

_CERTAIN = ("limit", "reading", "page to a start")
"""What leaves nobody in doubt whether something is on screen."""

_LATEST = 6.0
"""The longest that a write lands after its answer, in seconds."""


_NUMBER = len("K00000")
"""The part of a marker that no edit changes."""


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
        if request.startswith(_BEFORE_ALL):
            return self._page("page", "page to a start") if self._random.random() < _TO_A_START else None
        self.writes += not is_reading
        drawn = self._random.random()
        if is_reading:
            return self._reading(drawn)
        if drawn < self._limited:
            return self._count(Fault("limit", 1.0))
        if drawn < self._limited + self._ambiguous:
            kind = self._random.choices(list(_KINDS), list(_KINDS.values()))[0]
            if kind in ("page", "passed"):
                return self._page(kind, kind)
            return self._count(Fault(kind, self._random.uniform(0.3, _LATEST) if kind == "late" else 0.0))
        return None

    @property
    def ambiguous(self) -> int:
        """How many writes ended without the bot knowing how."""
        return sum(number for kind, number in self.met.items() if kind not in _CERTAIN)

    def _reading(self, drawn: float) -> Fault | None:
        if drawn > 0.06:
            return None
        self.met["reading"] += 1
        return Fault("before") if drawn < 0.03 else Fault("drop") if drawn < 0.05 else Fault("limit", 1.0)

    def _page(self, kind: Literal["page", "passed"], name: str) -> Fault:
        self.met[name] += 1
        if self._random.random() < _LIMITS:
            return Fault(kind, 1.0, status=429)
        return Fault(kind, status=self._random.choice(_PAGES))

    def _count(self, fault: Fault) -> Fault:
        self.met[fault.kind] += 1
        return fault


class Gusts:
    """The model's failures by chance. No answer breaks off in the middle so often that its asker is told so.

    An edit leaves a message what it is: the bot counts on.
    """

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self._breaks: Counter[str] = Counter()

    def meet(self, request: Request) -> Failure | None:
        """The failure of this request."""
        failure, message = self.weather(request), asked(request.last)[:_NUMBER]
        if not isinstance(failure, Break) or folds(request.last):
            return failure
        self._breaks[message] += 1
        return failure if self._breaks[message] < CUTS else None
