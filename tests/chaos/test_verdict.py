"""The judge is not blind: whatever can be wrong on people's screens is found, and nothing else."""

from dataclasses import replace

import pytest

from core.delivery.markdown import split
from tests.chaos.platforms import Seen
from tests.chaos.verdict import Asked, Changed, Kind, Prompt, judge
from tests.chaos.words import answer

SESSION = "slack:T0TEST:C0CHAOS0:1.0"
FIRST, SECOND, NOTICE = "K00001S", "K00002S", "N00001S"


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


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([(FIRST, 3), (NOTICE, 4), (SECOND, 5)], []),
        ([(FIRST, 3), (SECOND, 5)], ["missing"]),
        ([(FIRST, 3), (NOTICE, 4), (SECOND, 5), (NOTICE, 6)], ["doubled"]),
        ([(NOTICE, 3), (FIRST, 4), (SECOND, 5)], ["out of order"]),
        ([(FIRST, 3), (SECOND, 4), (NOTICE, 5)], ["out of order"]),
    ],
)
def test_a_notice_is_seen_once_and_in_its_place(seen: list[tuple[str, float]], expected: list[Kind]) -> None:
    asked = [question(FIRST, 1.0, seq=1), question(NOTICE, 2.0, seq=2, id=NOTICE), question(SECOND, 3.0, seq=3)]

    assert kinds(*(shown(marker, order) for marker, order in seen), asked=asked) == expected


def test_a_notice_replies_to_nobody() -> None:
    asked = [question(NOTICE, 2.0, seq=2, id=NOTICE)]

    assert kinds(shown(NOTICE, 3, answers="q-1"), asked=asked) == ["wrong"]


def test_a_message_that_came_too_late_to_be_answered_first_is_no_offence() -> None:
    asked = [question(FIRST, 1.0, seq=2, heard=30.0), question(SECOND, 2.0, seq=1, begun=3.0)]

    verdict = judge(asked, [shown(FIRST, 5), shown(SECOND, 4)])

    assert verdict.is_clean
    assert verdict.overtaken == 1


def test_a_message_that_was_there_in_time_is_answered_first() -> None:
    asked = [question(FIRST, 1.0, seq=2, heard=3.0), question(SECOND, 2.0, seq=1, begun=30.0)]

    assert kinds(shown(FIRST, 5), shown(SECOND, 4), asked=asked) == ["out of order"]


EDITED = f"{FIRST}b"


def edited(*, over: bool = False, reached: float | None = 10.0, finished: float | None = None) -> list[Asked]:
    """A question that was edited, while the model said its first answer by then or not."""
    changes = (Changed(marker=EDITED, over=over, reached=reached),)
    return [question(FIRST, 1.0, changes=changes, finished={FIRST: finished} if finished else {})]


def deleted(*, over: bool = False, reached: float | None = 10.0, finished: float | None = None) -> list[Asked]:
    changes = (Changed(over=over, reached=reached),)
    return [question(FIRST, 1.0, changes=changes, finished={FIRST: finished} if finished else {})]


@pytest.mark.parametrize(
    ("asked", "seen", "expected"),
    [
        (edited(), [shown(EDITED, 3)], []),
        (edited(), [shown(FIRST, 3)], ["outdated"]),
        (edited(finished=11.0), [shown(FIRST, 3)], ["outdated"]),
        (edited(finished=9.0), [shown(FIRST, 3)], []),
        (edited(finished=9.0), [shown(EDITED, 3)], []),
        (edited(reached=None), [shown(FIRST, 3)], []),
        (edited(over=True), [shown(FIRST, 3)], []),
        (edited(over=True), [shown(EDITED, 3)], ["outdated"]),
        (edited(finished=9.0), [shown(FIRST, 3), shown(EDITED, 4)], ["doubled"]),
        (edited(), [shown(EDITED, 3), shown(EDITED, 4)], ["doubled"]),
        (edited(), [shown(EDITED, 3, text=answer(EDITED)[:200])], ["incomplete"]),
        (edited(), [], ["missing"]),
    ],
)
def test_an_edited_message_has_one_answer_to_what_it_was_when_that_was_finished(
    asked: list[Asked], seen: list[Seen], expected: list[Kind]
) -> None:
    assert kinds(*seen, asked=asked) == expected


@pytest.mark.parametrize(
    ("asked", "seen", "expected"),
    [
        (deleted(), [], []),
        (deleted(), [shown(FIRST, 3)], ["unwanted"]),
        (deleted(), [shown(FIRST, 3, text=answer(FIRST)[:200])], ["unwanted"]),
        (deleted(finished=11.0), [shown(FIRST, 3)], ["unwanted"]),
        (deleted(finished=9.0), [shown(FIRST, 3)], []),
        (deleted(finished=9.0), [], []),
        (deleted(finished=9.0), [shown(FIRST, 3, text=answer(FIRST)[:200])], ["incomplete"]),
        (deleted(over=True), [shown(FIRST, 3)], []),
        (deleted(over=True), [], ["missing"]),
    ],
)
def test_a_deleted_message_has_a_whole_answer_of_before_or_none(
    asked: list[Asked], seen: list[Seen], expected: list[Kind]
) -> None:
    assert kinds(*seen, asked=asked) == expected


def test_a_message_that_was_edited_and_then_deleted_has_no_answer_to_either() -> None:
    changes = (Changed(marker=EDITED, reached=10.0), Changed(reached=20.0))
    asked = [question(FIRST, 1.0, changes=changes, finished={EDITED: 21.0})]

    assert kinds(asked=asked) == []
    assert kinds(shown(EDITED, 3), asked=asked) == ["unwanted"]
    assert kinds(shown(FIRST, 3), asked=asked) == ["unwanted"]


@pytest.mark.parametrize(
    ("asked", "marker", "at", "expected"),
    [
        (edited(over=True), FIRST, 30.0, ["leaked"]),
        (edited(over=True), EDITED, 30.0, []),
        (edited(over=True), FIRST, 12.0, []),
        (edited(over=True, reached=None), FIRST, 30.0, []),
        (deleted(over=True), FIRST, 30.0, ["leaked"]),
        (deleted(over=True), SECOND, 30.0, []),
    ],
)
def test_what_is_gone_and_shown_to_the_model_all_the_same_is_found(
    asked: list[Asked], marker: str, at: float, expected: list[Kind]
) -> None:
    prompts = [Prompt(at=at, told=(marker,))]

    assert [one.kind for one in judge(asked, [shown(FIRST, 3)], prompts).offences] == expected


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        (edited(over=True), f"about {EDITED}", []),
        (edited(over=True), f"about {FIRST}", ["kept"]),
        (edited(over=True), f"about {FIRST} about {EDITED}", ["kept"]),
        (edited(over=True), "", ["kept"]),
        (deleted(over=True), "", []),
        (deleted(over=True), f"about {FIRST}", ["kept"]),
    ],
)
def test_what_is_gone_and_remembered_all_the_same_is_found(asked: list[Asked], text: str, expected: list[Kind]) -> None:
    assert kinds(shown(FIRST, 3), asked=[replace(one, text=text) for one in asked]) == expected
