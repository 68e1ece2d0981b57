"""Kills that are aimed: into the middle of a fold, a time-out, a waking, a reset or an undo, by what is seen of it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from time import monotonic
from typing import Literal

Aim = Literal["fold", "folded", "time-out", "waking", "woken", "reset", "undo", "obeyed"]
"""What was seen: a record is asked for, or written; days have passed; somebody speaks again, or is told that it goes
on; a command is given, or its reply posted.
"""

_LATEST: dict[Aim, float] = {
    "fold": 0.4,
    "folded": 0.06,
    "time-out": 1.0,
    "waking": 1.0,
    "woken": 0.1,
    "reset": 0.3,
    "undo": 0.3,
    "obeyed": 0.1,
}
"""The longest that lies between that and the kill, in seconds."""

_APART = 6.0
"""Seconds between two of them: what is begun has to come to an end as well."""


class Aims:
    """Strikes by chance at what is seen, while `on`; those who were struck at least come last."""

    def __init__(self, seed: int, strike: Callable[[Aim, str, int | None], Awaitable[None]]) -> None:
        self.on = False
        self.struck: Counter[Aim] = Counter()
        self._random = Random(f"aims {seed}")
        self._strike = strike
        self._last = -_APART
        self._running: set[asyncio.Task[None]] = set()

    def see(self, aim: Aim, session: str = "", replica: int | None = None) -> None:
        """This has happened in a session, or in a replica, where that is known."""
        rare = self.struck[aim] <= min(self.struck[one] for one in _LATEST)
        now = monotonic()
        if not self.on or now - self._last < _APART or not (rare or self._random.random() < 0.2):
            return
        self._last = now
        self.struck[aim] += 1
        task = asyncio.create_task(self._later(aim, session, replica))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def rest(self) -> None:
        """Strikes no more, once what is in the air has come down."""
        self.on = False
        await asyncio.gather(*self._running)

    async def _later(self, aim: Aim, session: str, replica: int | None) -> None:
        await asyncio.sleep(self._random.uniform(0, _LATEST[aim]))
        await self._strike(aim, session, replica)
