"""The judge is not blind: whatever can be wrong on people's screens is found, and nothing else."""

import pytest

from tests.real.tap import Request
from tests.real.verdict import Kind, Told, judge

CEILING = 200
FITS = Request(status=200, shown=900, written=40, finish="stop")
TOO_LONG = Request(status=400, too_long=True, shown=2918)


def told(number: int, *texts: str, **more: object) -> Told:
    known = {"author": "ada", "seconds": 1.0, "tokens": 40, "why": None, "over": True, "requests": (FITS,)}
    return Told(number=number, texts=texts, **(known | more))  # type: ignore[arg-type]


def kinds(*conversation: Told) -> list[Kind]:
    return [offence.kind for offence in judge(conversation, ceiling=CEILING)]


def test_an_answer_and_an_honest_sentence_are_well() -> None:
    sorry = told(2, "I can't answer: …", why="WindowTooLong", requests=(TOO_LONG, TOO_LONG))

    assert kinds(told(1, "Tea."), sorry, told(3, "Yes.", requests=(TOO_LONG, FITS))) == []


@pytest.mark.parametrize("nothing", [told(2), told(2, " "), told(2, "_thinking_", over=False)])
def test_who_asks_and_hears_nothing_is_found(nothing: Told) -> None:
    assert kinds(told(1, "Tea."), nothing) == ["nothing said"]


def test_a_length_that_is_not_learnt_is_found() -> None:
    """B7."""
    first = told(2, "I can't answer: …", why="WindowTooLong", requests=(TOO_LONG, TOO_LONG))
    again = told(3, "I can't answer: …", why="WindowTooLong", requests=(TOO_LONG,))

    assert kinds(told(1, "Tea."), first, again) == ["too long again"]


@pytest.mark.parametrize("begins", ["[Ada (U1) 2026-11-22 14:03] Tea.", " [Ben O. (U0BEN) 2026-11-22 14:03 UTC]\nTea."])
def test_an_answer_in_the_chat_system_s_brackets_is_found(begins: str) -> None:
    """B15."""
    assert kinds(told(1, begins)) == ["envelope"]
    assert kinds(told(1, f"You wrote: {begins}"), told(2, "[Tea](https://x.test) (2026-11-22)")) == []


def test_an_answer_without_an_end_is_found() -> None:
    """B13."""
    assert kinds(told(1, "Tea, tea, tea", tokens=CEILING + 20)) == []
    assert kinds(told(1, "Tea, tea, tea", "tea", tokens=CEILING + 200)) == ["runaway"]


def test_a_model_that_answers_nothing_at_all_is_found() -> None:
    assert kinds(told(1, "I can't answer: …", why="ModelMisconfigured")) == ["no answer at all"]
