"""The window's shares, by its size."""

import pytest

from core.memory.shares import Folding, shares


def folding(budget: int) -> Folding:
    found = shares(budget, budget - 350).folding
    assert found is not None
    return found


def test_a_small_window_is_not_folded() -> None:
    assert shares(2_999, 2_500).folding is None
    assert shares(3_000, 2_500).folding is not None


def test_a_window_of_the_default_size_is_folded_at_85_per_cent_down_to_35() -> None:
    assert folding(24_000) == Folding(
        begins=20_400,
        idle=14_400,
        takes=10_800,
        after=8_400,
        stretch=6_000,
        verbatim=3_600,
        checkpoint=1_920,
        summaries=4_800,
        old=1_440,
        state=300,
    )


def test_a_small_model_is_given_no_more_to_fold_than_it_can_read() -> None:
    assert [folding(budget).stretch for budget in (3_000, 6_000, 100_000)] == [2_000, 5_000, 6_000]


def test_an_idle_fold_and_a_state_block_are_for_windows_that_they_pay_in() -> None:
    assert [folding(budget).idle for budget in (3_000, 6_000, 12_000, 100_000)] == [None, None, 7_200, 40_000]
    assert [folding(budget).state for budget in (3_000, 6_000, 12_000, 100_000)] == [0, 180, 300, 400]


@pytest.mark.parametrize(
    ("budget", "room", "message"),
    [(24_000, 20_000, 4_000), (3_000, 2_700, 540), (2_900, 2_500, 750), (900, 800, 400), (300, 200, 100)],
)
def test_one_message_has_a_fifth_of_the_room_and_500_tokens_where_there_are_as_many(
    budget: int, room: int, message: int
) -> None:
    assert shares(budget, room).message == message


@pytest.mark.parametrize("room", [-9, 1, 50, 700, 2_600, 5_650, 23_650])
def test_what_was_overheard_has_constants_of_its_own(room: int) -> None:
    found = shares(room + 350, room)

    assert found.gap == max(room * 15 // 100, 5) <= found.message
    assert found.overheard == max(room // 4, 0)
