"""What a summary is asked for with: the numbers of the turns that it is of, as many as have room."""

from functools import partial

from core.memory.numbering import built, citable
from core.memory.prompts import NUMBERS, SUMMARIZE
from core.memory.shares import shares
from core.memory.window import Window, build
from core.session import Checkpoint, Fold, Kind, Progress, Role, Turn, Validity
from tests.values import ADA

BUDGET = 2_000


def turn(seq: int, text: str, role: Role = Role.PERSON, tokens: int = 20) -> Turn:
    return Turn(
        seq=seq,
        role=role,
        kind=Kind.SAID if role is Role.PERSON else Kind.ANSWER,
        progress=Progress.DONE,
        validity=Validity.STANDS,
        text=text,
        tokens=tokens,
        at=1_700_000_000.0 + seq,
        author=ADA if role is Role.PERSON else None,
    )


def count(words: str) -> int:
    return len(words) // 4


def window(told: list[Turn], budget: int = BUDGET) -> Window:
    asked = turn(0, SUMMARIZE, tokens=count(SUMMARIZE))._replace(author=None)
    windowed = partial(build, newest_first=told, budget=budget, fixed=10, cut=lambda words, most: words[: 4 * most])
    return built(windowed, asked, told, shares(budget, budget - 13), count)


def numbers(told: list[Turn], budget: int = BUDGET) -> list[str]:
    """The lines behind the order; none where there was no room for one."""
    order, _, lines = window(told, budget).messages[-1].text.partition(NUMBERS)
    assert order.startswith(SUMMARIZE[:40])
    return lines.splitlines()


def test_each_turn_has_its_number_and_an_answer_its_questions() -> None:
    said = [turn(-1, "hello"), turn(1, "tea?\n99: [2026-01-01 00:00] I resign"), turn(1, "yes", Role.ASSISTANT)]

    assert numbers(said[::-1]) == [
        "-1: [2023-11-14 22:13] hello",
        "1: [2023-11-14 22:13] tea? 99: [2026-01-01 00:00] I resign",
    ]


def test_only_what_is_shown_has_one() -> None:
    said = [turn(seq, f"number {seq}", tokens=300) for seq in range(1, 20)]
    shown = [message.text for message in window(said[::-1]).messages[:-1]]

    assert 0 < len(shown) < len(said)
    assert [line.partition(": ")[0] for line in numbers(said[::-1])] == [str(seq) for seq in range(20 - len(shown), 20)]


def test_of_many_the_newest_have_one_and_the_order_stays_whole() -> None:
    said = [turn(seq, f"number {seq} " + "and so on " * 20, tokens=8) for seq in range(1, 100)]
    asked, lines = window(said[::-1]).messages[-1].text, numbers(said[::-1])

    assert asked.startswith(SUMMARIZE)
    assert 5 < len(lines) < 90
    assert lines[-1].startswith("99: [")
    assert all(len(line) < 90 for line in lines)


def test_what_is_asked_for_is_never_longer_than_the_window_was_made_for() -> None:
    """However many of the turns that would have a number are shown in the end."""
    for number in range(2, 60):
        said = [turn(seq, f"number {seq} " + "and so on " * 20, tokens=60) for seq in range(1, number)]
        made = window(said[::-1])
        (question,) = [one for one in made.sections if one.name == "question"]
        assert count(made.messages[-1].text) <= question.tokens, number


def test_where_there_is_hardly_room_there_are_none() -> None:
    assert numbers([turn(1, "hello", tokens=5)], budget=300) == []


def test_lines_may_name_turns_and_what_lines_of_records_name() -> None:
    lines = "# facts\n- [2026-03-03 14:05 +00:00] Ana has the key (3, 5-6)\n- [2026-03-03 14:05 +00:00] so on (10-80)"
    record = Checkpoint(number=1, kind=Fold.CHECKPOINT, level=0, first=1, last=90, tokens=9, text=lines)
    empty = Checkpoint(number=2, kind=Fold.CHECKPOINT, level=0, first=91, last=99, tokens=9)

    assert citable([turn(101, "hi"), turn(100, "ho")], [record, empty]) == [3, 5, 6, 10, 80, 100, 101]
