"""A server that wants to be left alone is, whoever says so and in whatever form; but not for days."""

import pytest

from core.seam.quiet import CEILING, FLOOR, Quiet, asked_for, bounded

NOON = "Sun, 29 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "30"}, None, 30.0),
        ({"Retry-After": "0.5"}, {"retry_after": 7}, 0.5),
        ({"Retry-After": "soon"}, {"retry_after": 7}, 7.0),
        ({}, {"retry_after": "7.5"}, 7.5),
        ({"Retry-After": "Sun, 29 Nov 2026 12:02:00 GMT", "Date": NOON}, None, 120.0),
        ({"Retry-After": "Sun, 29 Nov 2026 11:00:00 GMT", "Date": NOON}, None, 0.0),
        ({"Retry-After": "Sun, 29 Nov 2026 12:02:00 GMT"}, None, None),
        ({"Retry-After": "Sun, 29 Nov 99999999999999 12:00:00 GMT", "Date": NOON}, None, None),
        ({"Retry-After": "-5"}, None, 0.0),
        ({"Retry-After": "nan"}, None, None),
        ({"Retry-After": "inf"}, None, None),
        ({"Retry-After": "9" * 400}, None, None),
        ({}, {"retry_after": [1]}, None),
        ({}, "retry_after", None),
        ({}, None, None),
    ],
)
def test_a_wait_is_read_in_whatever_form_it_is_asked_for(
    headers: dict[str, str], body: object, seconds: float | None
) -> None:
    assert asked_for(headers, body) == seconds


def test_no_pause_is_idle_and_none_is_for_ever() -> None:
    assert (bounded(0), bounded(60), bounded(1e9)) == (FLOOR, 60, CEILING)


def test_what_is_asked_for_one_kind_of_call_holds_for_it_alone_and_what_is_for_all_for_all() -> None:
    now = 0.0
    quiet = Quiet(lambda: now)
    quiet.keep(10, "edit")
    quiet.keep(5, "edit")
    assert (quiet.left("edit"), quiet.left("post")) == (10, 0)
    quiet.keep(30)
    assert (quiet.left("edit"), quiet.left("post")) == (30, 30)
    now = 31.0
    assert (quiet.left("edit"), quiet.left("post")) == (0, 0)


def test_what_is_over_is_forgotten() -> None:
    now = 0.0
    quiet = Quiet(lambda: now)
    for number in range(5_000):
        now += 10
        quiet.keep(5, str(number))
    assert len(quiet._until) < 2_000  # it must not grow with what was asked for long ago
