"""Slips: what is only known of a turn while it waits is read as it was written, by this release and others."""

import pytest

from core.seam.messages import MEMBER, UNTOLD, Standing
from core.session import Slip
from core.store.slips import read, written

GUEST = Standing(home="T2", is_external=None, is_guest=True, roles=frozenset({"5", "7"}))


@pytest.mark.parametrize("standing", [MEMBER, UNTOLD, GUEST])
def test_a_slip_is_read_as_it_was_written(standing: Standing) -> None:
    slip = Slip(direct=True, ticket="t", heard=1.5, standing=standing)
    assert read(written(slip)) == slip


def test_another_release_reads_what_it_knows() -> None:
    """Of whom an older one has written no standing nothing is told, nor of whom it can't be opened."""
    assert read('{"direct": true}') == Slip(direct=True, standing=UNTOLD)
    assert read("{}") == read(None) == Slip()
    assert read('{"more": 1, "standing": {"roles": [], "rank": 3}}') == Slip(standing=MEMBER)
