"""Capacity: how much may be in hand here, and whether what is answered here is to be less."""

from core.session import Lease
from core.work.leases import Leases
from core.work.suspects import Suspects


class Capacity:
    """At most so many sessions, fewer beside a suspect, and none while nothing is claimed."""

    def __init__(self, leases: Leases, most: int) -> None:
        self._leases = leases
        self._most = most
        self._suspects = Suspects()
        self.claims = False
        """Whether sessions are claimed here at all."""
        self.drains = False
        """Whether nothing more is begun, for good."""

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be begun here."""
        in_hand = len(self._leases)
        return not self.claims or self.drains or in_hand >= self._most or self._suspects.is_full(in_hand)

    @property
    def free(self) -> int:
        """How many sessions may be claimed now."""
        return max(0, min(self._most, self._suspects.room) - len(self._leases))

    @property
    def is_exceeded(self) -> bool:
        """Whether more is in hand than may be beside the suspects that are held."""
        return len(self._leases) >= self._suspects.room

    @property
    def makes_room(self) -> bool:
        """Whether what is answered here is to be less: nothing more is, or a suspect waits to be answered apart."""
        return self.drains or self._suspects.is_crowded(len(self._leases))

    @property
    def is_patient(self) -> bool:
        """Whether the suspect that waits longest is waited for."""
        return self._suspects.patient

    def want(self, room: int, *, patient: bool) -> None:
        """The queue has been asked: no more than that may be in hand before the suspect that waits can be claimed."""
        self._suspects.want(room, patient=patient)

    def take(self, lease: Lease) -> None:
        """This session is in hand from now on."""
        self._suspects.take(lease)

    def clear(self, lease: Lease) -> None:
        """It is in hand no more, or what processes ended over is done."""
        self._suspects.clear(lease)
