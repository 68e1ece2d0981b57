"""The collector rests while the program loads, and is at work again afterwards, whatever happened."""

import gc
from collections.abc import Iterator

import pytest

from bots.program import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()


def test_what_was_loaded_is_not_searched_again() -> None:
    with garbage.loading():
        assert not gc.isenabled()

    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_the_collector_works_also_when_loading_has_failed() -> None:
    with pytest.raises(LookupError), garbage.loading():
        raise LookupError

    assert gc.isenabled()
