"""The judge is not blind: whatever can be wrong on people's screens is found, and nothing else."""

import pytest

from core.markdown import split
from tests.chaos.platforms import Seen
from tests.chaos.verdict import Asked, Kind, judge
from tests.chaos.words import answer

SESSION = "slack:T0TEST:C0CHAOS0:1.0"
FIRST, SECOND = "K00001S", "K00002S"


def question(marker: str, at: float, **more: object) -> Asked:
    known = {"id": f"q-{marker}", "session": SESSION, "max_text": 2000}
    return Asked(marker=marker, at=at, **(known | more))  # type: ignore[arg-type]


def shown(marker: str, order: float, **more: object) -> Seen:
    known = {"id": f"a-{order}", "session": SESSION, "text": answer(marker)}
    return Seen(order=order, **(known | more))  # type: ignore[arg-type]


ASKED = [question(FIRST, 1.0, seq=1), question(SECOND, 2.0, seq=2)]


def kinds(*seen: Seen, asked: list[Asked] = ASKED) -> list[Kind]:
    return [offence.kind for offence in judge(asked, seen).offences]


def test_one_whole_answer_to_each_in_order_is_well() -> None:
    assert kinds(shown(FIRST, 3), shown(SECOND, 4)) == []


def test_an_answer_in_several_messages_is_one_answer() -> None:
    asked, parts = [question("K00003L", 1.0)], split(answer("K00003L"), 2000)
    first, second = (shown("K00003L", order, text=part) for order, part in enumerate(parts))

    assert kinds(first, second, asked=asked) == []
    assert kinds(first, asked=asked) == ["incomplete"]
    assert kinds(first, second, shown("K00003L", 9, text=parts[1]), asked=asked) == ["doubled"]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([shown(FIRST, 3)], ["missing"]),
        ([shown(FIRST, 3), shown(SECOND, 4), shown(FIRST, 5)], ["doubled"]),
        ([shown(FIRST, 3, text=answer(FIRST)[:200]), shown(SECOND, 4)], ["incomplete"]),
        ([shown(FIRST, 3, done=False), shown(SECOND, 4)], ["incomplete"]),
        ([shown(FIRST, 3, text=f"{answer(FIRST)} And more."), shown(SECOND, 4)], ["wrong"]),
        ([shown(FIRST, 3, session="elsewhere"), shown(SECOND, 4)], ["wrong"]),
        ([shown(FIRST, 3, answers=f"q-{SECOND}"), shown(SECOND, 4)], ["wrong"]),
        ([shown(FIRST, 3), shown(SECOND, 4), shown(FIRST, 5, text="I gave up.")], ["wrong"]),
        ([shown(FIRST, 4), shown(SECOND, 3)], ["out of order"]),
    ],
)
def test_what_is_wrong_is_found(seen: list[Seen], expected: list[Kind]) -> None:
    assert kinds(*seen) == expected


def test_a_message_that_came_too_late_to_be_answered_first_is_no_offence() -> None:
    asked = [question(FIRST, 1.0, seq=2, heard=30.0), question(SECOND, 2.0, seq=1, begun=3.0)]

    verdict = judge(asked, [shown(FIRST, 5), shown(SECOND, 4)])

    assert verdict.is_clean
    assert verdict.overtaken == 1


def test_a_message_that_was_there_in_time_is_answered_first() -> None:
    asked = [question(FIRST, 1.0, seq=2, heard=3.0), question(SECOND, 2.0, seq=1, begun=30.0)]

    assert kinds(shown(FIRST, 5), shown(SECOND, 4), asked=asked) == ["out of order"]
