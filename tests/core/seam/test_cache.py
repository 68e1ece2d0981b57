"""Hints are kept for a while, and never more than so many."""

from core.seam.cache import Recent


def test_the_oldest_is_forgotten_first() -> None:
    recent: Recent[int] = Recent(2)
    for number, key in enumerate("abc"):
        recent.note(key, number)
    assert [recent.get(key) for key in "abc"] == [None, 1, 2]


def test_what_is_noted_again_is_the_newest() -> None:
    recent: Recent[int] = Recent(2)
    for number, key in enumerate("abac"):
        recent.note(key, number)
    assert [recent.get(key) for key in "abc"] == [2, None, 3]


def test_nothing_noted_is_told_from_nothing_known() -> None:
    recent: Recent[None] = Recent()
    recent.note("a", None)
    assert ("a" in recent, "b" in recent) == (True, False)
    recent.forget("a")
    recent.forget("b")
    assert "a" not in recent


def test_what_has_not_been_noted_for_long_goes_with_the_next_that_is() -> None:
    now = 0.0
    recent: Recent[int] = Recent(lasts=10.0, clock=lambda: now)
    for number, key in enumerate("abcd"):
        recent.note(key, number)
    now = 9.0
    recent.note("a", 9)
    now = 10.5
    assert len(recent) == 4, "of a process in which nothing happens, nothing is asked"
    recent.note("e", 10)
    assert [key for key in "abcde" if key in recent] == ["a", "e"]
