"""Which messages of ours are a reply: what may be taken up, and what may be taken away."""

from typing import Any

import pytest

from bots.discord.lookup import copies, likely
from core.seam.address import Address
from core.seam.messages import Reply
from tests.bots.discord.conftest import KEY

TEXT = "An answer that says a lot.\n```py\nprint()\n```\nAnd ends."
OTHER = "b" * 24


def answer(text: str = TEXT, **more: Any) -> Reply:
    known: dict[str, Any] = {"key": KEY, "address": Address(platform="discord", workspace="1", channel="2")}
    return Reply(**(known | {"text": text, "asked_at": 0.0, "reply_to": "10"} | more))


def ours(number: int, content: str = TEXT, *, answers: str | None = None, **more: Any) -> dict[str, Any]:
    reference = {"message_reference": {"message_id": answers}} if answers else {}
    return {"id": str(number), "content": content} | reference | more


def taken_up(*messages: dict[str, Any], reply: Reply) -> str | None:
    found = likely(messages, reply)
    return found and found["id"]


def taken_away(*messages: dict[str, Any], reply: Reply, stays: str = "20") -> list[str]:
    return [one["id"] for one in copies(messages, reply, stays)]


def test_a_nonce_decides() -> None:
    marked = (ours(20, answers="10", nonce=OTHER), ours(21, "something else", nonce=KEY), ours(22, answers="10"))
    assert taken_up(*marked, reply=answer()) == "21"
    assert taken_away(*marked, reply=answer(), stays="22") == ["21"]
    assert taken_up(ours(20, answers="10", nonce=OTHER), reply=answer()) is None
    assert taken_away(ours(21, answers="10", nonce=OTHER), reply=answer()) == []


def test_the_first_part_is_known_by_the_question_that_it_replies_to() -> None:
    assert taken_up(ours(20, "whatever", answers="10"), reply=answer()) == "20"
    assert taken_up(ours(20, answers="11"), reply=answer()) is None
    assert taken_up(ours(20, answers="10"), ours(21, answers="10"), reply=answer()) == "20"


def test_what_says_the_reply_already_is_taken_up_before_what_only_replies() -> None:
    assert taken_up(ours(20, "one moment", answers="10"), ours(21, answers="10"), reply=answer()) == "21"


def test_a_question_that_could_not_be_replied_to_leaves_the_text() -> None:
    assert taken_up(ours(20), reply=answer()) == "20"
    assert taken_up(ours(20), reply=answer(reply_to=None)) == "20"


def test_a_later_part_is_known_by_its_text_within_its_answer() -> None:
    part = answer("the rest", part=1)
    own, rest = ours(20, answers="10"), ours(21, "the rest")
    assert taken_up(own, rest, reply=part) == "21"
    assert taken_up(rest, reply=part) == "21"
    assert taken_up(own, ours(21, answers="11"), ours(22, "the rest"), reply=part) is None
    assert taken_up(own, ours(21, "the rest", answers="11"), reply=part) is None


@pytest.mark.parametrize("shown", [TEXT, "An answer", "An answer that says a lot.\n```py\nprint()\n```", f" {TEXT}\n"])
def test_an_early_or_a_late_copy_of_the_first_part_goes(shown: str) -> None:
    assert taken_away(ours(20, answers="10"), ours(21, shown, answers="10"), reply=answer()) == ["21"]
    assert taken_away(ours(19, shown, answers="10"), ours(20, answers="10"), reply=answer()) == ["19"]


def test_a_copy_of_what_stays_goes_also_when_the_reply_says_something_else_by_now() -> None:
    half = (ours(20, "half", answers="10"), ours(21, "half", answers="10"))
    assert taken_away(*half, reply=answer("another answer")) == ["21"]


@pytest.mark.parametrize(
    "other",
    [
        ours(21, "Your message waits.", answers="10"),
        ours(21, "", answers="10"),
        ours(21, "```", answers="10"),
        ours(21, answers="11"),
        ours(21),
        ours(21, webhook_id="5"),
    ],
)
def test_another_answer_never_goes(other: dict[str, Any]) -> None:
    assert taken_away(ours(20, answers="10"), other, reply=answer()) == []


def test_a_late_copy_of_the_last_part_goes_and_a_part_that_says_the_same_stays() -> None:
    parts = (ours(18, "one", answers="10"), ours(19, "same"), ours(20, "same"), ours(21, "same"))
    assert taken_away(*parts, reply=answer("same", part=2)) == ["21"]
    assert taken_away(*parts, reply=answer("same", part=1, last=False), stays="19") == []


@pytest.mark.parametrize(
    "behind", [(ours(21, answers="11"), ours(22, "same")), (ours(22, "same", webhook_id="5"),), (ours(22, "other"),)]
)
def test_what_may_belong_to_another_answer_stays(behind: tuple[dict[str, Any], ...]) -> None:
    assert taken_away(ours(20, "same"), *behind, reply=answer("same", part=1)) == []


def test_an_answer_to_nothing_has_no_copies_but_by_its_nonce() -> None:
    again = (ours(20, "Done."), ours(21, "Done."), ours(22, "Done.", nonce=KEY))
    assert taken_away(*again, reply=answer("Done.", reply_to=None)) == ["22"]


def test_a_question_that_is_to_have_no_answer_is_left_with_none() -> None:
    shown = (ours(20, "half", answers="10"), ours(21, "else", answers="11"), ours(22, answers="10", nonce=OTHER))
    assert taken_away(*shown, reply=answer(""), stays="") == ["20"]
    assert taken_away(*shown, reply=answer(), stays="") == []


@pytest.mark.parametrize("part", [0, 1])
def test_what_could_not_reply_to_a_question_that_was_gone_goes_up_to_the_next_answer(part: int) -> None:
    before, stray, at_a_command = ours(18, "one", answers="9"), ours(19, "half"), ours(20, "Done.", webhook_id="5")
    behind = (ours(21, "three", answers="11"), ours(22, "the rest of three"))
    assert taken_away(before, stray, at_a_command, *behind, reply=answer("", part=part), stays="") == ["19"]
    assert taken_away(stray, reply=answer("", part=part, reply_to=None), stays="") == []


def test_a_text_that_nobody_remembers_is_that_of_the_message_that_stays() -> None:
    shown = (ours(20, "half", answers="10"), ours(21, "half", answers="10"), ours(22, "a notice", answers="10"))
    assert taken_away(*shown, reply=answer("")) == ["21"]
