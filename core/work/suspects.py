"""Suspects: sessions over which processes have ended, and how much else may be in hand here because of them."""

from collections.abc import Callable
from time import monotonic

from core.session import Lease
from core.store import claims

MAKES_ROOM = 60.0
"""Seconds for which nothing is begun so that a suspect can be answered apart; then things are begun for as long."""


class Suspects:
    """Those that this process holds, and the one that waits longest in the queue. `clock` counts from anywhere."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._held: dict[tuple[int, int, int], Lease] = {}
        self._wanted = claims.MOST
        self._since: float | None = None

    def take(self, lease: Lease) -> None:
        """This session is in hand from now on."""
        if lease.deaths:
            self._held[lease.fenced] = lease

    def clear(self, lease: Lease) -> None:
        """It is in hand no more, or what processes ended over is done."""
        self._held.pop(lease.fenced, None)

    @property
    def room(self) -> int:
        """How many sessions may be in hand."""
        return min((claims.company(lease.deaths) for lease in self._held.values()), default=claims.MOST)

    def is_crowded(self, in_hand: int) -> bool:
        """Whether this is more than may be in hand when the suspect that waits is to be claimed."""
        return in_hand > self._wanted

    def is_full(self, in_hand: int) -> bool:
        """Whether nothing more may be begun."""
        return in_hand >= min(self.room, self._wanted)

    @property
    def patient(self) -> bool:
        """Whether one that waits longest is waited for. Not for ever: what is in hand may have no end."""
        if self._since is not None and self._clock() - self._since >= 2 * MAKES_ROOM:
            self._since = None
        return self._since is None or self._clock() - self._since < MAKES_ROOM

    def want(self, room: int, *, patient: bool) -> None:
        """The queue has been asked: that is as much as may be in hand before the one that waits can be claimed."""
        self._wanted = room
        if room < claims.MOST:
            self._since = self._clock() if self._since is None else self._since
        elif patient:
            self._since = None
