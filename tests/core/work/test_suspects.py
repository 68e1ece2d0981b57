"""Suspects: how much else a process holds beside a session over which processes have ended."""

from dataclasses import replace

import pytest

from core.session import Lease, SessionKey
from core.store import claims
from core.work.suspects import MAKES_ROOM, Suspects
from tests.values import HERE

LEASE = Lease(key=SessionKey(workspace=1, session=1, address=HERE), fence=1, attempts=1, backscroll_read=True)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("deaths", "together"), [(0, 1000), (1, 125), (2, 15), (3, 1), (6, 1)])
def test_what_has_seen_more_processes_end_is_held_beside_fewer_others(deaths: int, together: int) -> None:
    suspects, lease = Suspects(), replace(LEASE, deaths=deaths)

    suspects.take(LEASE)
    suspects.take(lease)

    assert suspects.room == together
    assert suspects.is_full(together)
    assert not suspects.is_full(together - 1)
    suspects.clear(lease)
    assert suspects.room == claims.MOST


def test_nothing_is_begun_while_one_waits_that_is_to_be_answered_alone() -> None:
    suspects = Suspects()
    suspects.want(0, patient=True)

    assert suspects.is_full(0)
    assert suspects.is_crowded(1)

    suspects.want(claims.MOST, patient=True)
    assert not suspects.is_full(0)
    assert not suspects.is_crowded(1)


def test_where_what_is_in_hand_has_no_end_others_are_answered_again_after_a_while() -> None:
    """A reply that waits for its platform must not hold everybody up, even where a suspect waits for room."""
    clock = Clock()
    suspects = Suspects(clock)
    for _ in range(3):
        suspects.want(0, patient=suspects.patient)
        assert suspects.patient
        clock.now += MAKES_ROOM
        assert not suspects.patient
        suspects.want(claims.MOST, patient=False)
        clock.now += MAKES_ROOM - 1
        assert not suspects.patient
        clock.now += 1
        assert suspects.patient
