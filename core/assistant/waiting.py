"""Waiting: how long a question waits for what is away, be it a model or a platform's word."""

from core.session import ATTEMPTS, Lease, Turn
from core.timings import Clock, Timings


class Patience:
    """Measures by our own clock how long a question has waited."""

    def __init__(self, *, timings: Timings, clock: Clock) -> None:
        self._timings = timings
        self._clock = clock

    def is_late(self, question: Turn, retry_after: float | None) -> bool:
        """Whether people are to be told that its answer will be late: it is tried again in so many seconds, or soon."""
        return self._clock() + (retry_after or 0) > question.heard_at + self._timings.excuse_after

    def is_over(self, lease: Lease, question: Turn) -> bool:
        """Whether another try is no use any more. A few it gets in any case: a clock may have been set meanwhile."""
        waited = self._clock() - question.heard_at
        return waited >= self._timings.patience and lease.attempts >= ATTEMPTS - 1
