"""What is stable of a window: what the next one begins with."""

import pytest

from core.memory.stable import ends
from core.model.llm import Message


def talk(roles: str) -> tuple[Message, ...]:
    return tuple(Message(role="assistant" if role == "a" else "user", text=role) for role in roles)


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("q", (1,)),
        ("qaq", (1, 2, 3)),
        ("qaqaq", (2, 3, 4, 5)),
        ("qaqaooq", (2, 3, 6, 7)),
        ("ooq", (2, 3)),
        ("aq", (1, 2)),
    ],
)
def test_the_stable_parts_end_around_the_question_before_and_before_this_one_and_at_the_end(
    roles: str, expected: tuple[int]
) -> None:
    assert ends(talk(roles), stays=True) == expected


def test_a_question_that_does_not_stay_is_no_stable_part() -> None:
    assert ends(talk("qaqaq"), stays=False) == (2, 3, 4)


def test_what_stands_in_place_of_turns_is_one() -> None:
    assert ends(talk("ccqaqaq"), stays=True, folded=2) == (2, 4, 5, 6, 7)
    assert ends(talk("ccq"), stays=True, folded=2) == (2, 3)


@pytest.mark.parametrize("roles", ["qaq", "qaqaq", "qaoooq", "ooq"])
def test_a_window_is_marked_where_the_one_before_it_was(roles: str) -> None:
    """A provider looks for what it has kept only there: behind the question, and before it if it did not stay."""
    before, after = talk(roles), talk(f"{roles}aooq")

    assert {len(before) - 1, len(before)} <= {*ends(after, stays=True)}
