"""The judge of what ages is not blind: what is forgotten, comes back, is told twice or half done is found."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.session import Fold, Validity
from core.store.segments import EVERYTHING
from tests.chaos.ageing import judge_ageing
from tests.chaos.ages import Aged, Segment, Told
from tests.chaos.platforms import Seen
from tests.chaos.verdict import Asked, Changed, Kind, Ordered, Prompt
from tests.chaos.words import in_records, in_turns, record

SESSION = "slack:T0TEST:C0CHAOS0:1.0"
FIRST, SECOND, THIRD, LAST = "K00001S", "K00002L", "K00012Sb", "K00013S"
RESET, UNDO = (
    Ordered(verb="reset", id="3", session=SESSION, seq=3),
    Ordered(verb="undo", id="4", session=SESSION, seq=4),
)
WENT = Segment(number=1, kind="reset", start=3, seq=3, opened_at=50.0)
CAME = Segment(number=2, kind="undo", start=EVERYTHING, seq=4, opened_at=60.0)
ENDED = Segment(number=1, kind="timed out", start=EVERYTHING, seq=None, opened_at=50.0)


def question(marker: str, seq: int, **more: object) -> Asked:
    known = {"id": f"q-{marker}", "session": SESSION, "max_text": 2000, "at": float(seq), "seq": seq}
    return Asked(marker=marker, **(known | more))  # type: ignore[arg-type]


ASKED = [
    question(FIRST, 1),
    question(SECOND, 2),
    question("K00012S", 5, changes=(Changed(marker=THIRD, reached=9.0),)),
    question(LAST, 6),
]


def prompt(*told: str, at: float = 100.0, about: str = LAST) -> Prompt:
    return Prompt(at=at, told=told, about=about)


ALL = prompt(FIRST, SECOND, THIRD, LAST)


def aged(*segments: Segment, told: Sequence[Told] = (), **more: object) -> Aged:
    start = segments[-1].start if segments else EVERYTHING
    known = {"segment": len(segments), "start": start, "is_present": True, "wakings": 0}
    return Aged(segments=segments, told=told, **(known | more))  # type: ignore[arg-type]


def folded(text: str, *, first: int = 1, last: int = 2, validity: Validity = Validity.STANDS) -> Told:
    return Told(kind=Fold.CHECKPOINT, level=0, first=first, last=last, validity=validity, text=text)


def kinds(
    known: Aged, *prompts: Prompt, orders: Sequence[Ordered] = (), silences: int = 0, seen: Sequence[Seen] = ()
) -> list[Kind]:
    found = judge_ageing(ASKED, prompts or [ALL], orders, {SESSION: silences}, {SESSION: known}, seen, [LAST])
    return [one.kind for one in found]


def test_all_that_is_in_view_in_the_last_request_is_well() -> None:
    assert kinds(aged()) == []
    assert kinds(aged(told=[folded("- People asked about 1S, 2L (1-2)")])) == []
    assert kinds(aged(WENT), prompt(THIRD, LAST), orders=[RESET]) == []
    assert kinds(aged(WENT, CAME), orders=[RESET, UNDO]) == []
    assert kinds(aged(ENDED)) == []


def test_an_undo_takes_back_no_reset_that_was_said_after_it() -> None:
    """It was heard after it, while both waited: what was said first is done first."""
    early = replace(UNDO, id="2")
    assert kinds(aged(WENT), prompt(THIRD, LAST), orders=[RESET, early]) == []
    assert kinds(aged(WENT), prompt(THIRD, LAST), orders=[RESET, UNDO]) == ["torn"]


def test_what_is_in_view_and_not_shown_in_the_end_is_forgotten() -> None:
    assert kinds(aged(), prompt(FIRST, THIRD, LAST)) == ["forgotten"]
    assert kinds(aged(WENT, CAME), prompt(THIRD, LAST), orders=[RESET, UNDO]) == ["forgotten"] * 2
    assert kinds(aged(), prompt(FIRST, about=SECOND), ALL) == [], "it is the last that counts"


@pytest.mark.parametrize(("at", "expected"), [(40.0, []), (54.0, []), (56.0, ["returned"])])
def test_what_is_set_aside_and_shown_later_has_come_back(at: float, expected: list[Kind]) -> None:
    early = prompt(FIRST, "K00012S", at=at, about="K00012S")

    assert kinds(aged(WENT), early, prompt(THIRD, LAST), orders=[RESET]) == expected


def test_what_a_request_tells_twice_is_found() -> None:
    assert kinds(aged(), prompt(FIRST, SECOND, THIRD, LAST, FIRST)) == ["twice"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([folded("- People asked about 1S (1-2)")], ["torn"]),
        ([folded("- People asked about 1S, 2L, 13S (1-2)")], ["torn"]),
        ([folded("- People asked about 12S (5-5)", first=5, last=5)], ["torn"]),
        ([folded("- People asked about 12Sb (5-5)", first=5, last=5)], []),
        ([folded("", validity=Validity.STALE)], ["torn"]),
        ([folded("- People asked about 1S, 2L (1-2)"), folded("- People asked about 2L (2-2)", first=2)], ["twice"]),
    ],
)
def test_a_record_that_tells_too_little_or_too_much_is_found(told: list[Told], expected: list[Kind]) -> None:
    assert kinds(aged(told=told)) == expected


def test_records_of_one_turn_are_well_where_a_view_began_in_between() -> None:
    told = [folded("- People asked about 1S, 2L, 12Sb (1-5)", last=5), folded("- 12Sb (5-5)", first=5, last=5)]

    assert kinds(aged(told=told)) == ["twice"]
    assert kinds(aged(WENT, CAME, told=told), orders=[RESET, UNDO]) == []


@pytest.mark.parametrize(
    "known",
    [
        aged(WENT, segment=2),
        aged(WENT, start=EVERYTHING),
        aged(WENT, WENT._replace(number=2)),
        aged(WENT._replace(start=1)),
        aged(is_present=False),
        aged(),
    ],
)
def test_a_move_that_is_half_done_is_found(known: Aged) -> None:
    assert "torn" in kinds(known, prompt(THIRD, LAST), orders=[RESET])


@pytest.mark.parametrize(
    ("wakings", "silences", "lines", "expected"),
    [
        (1, 1, 1, []),
        (0, 1, 0, []),
        (1, 2, 1, []),
        (1, 1, 0, ["missing"]),
        (1, 1, 2, ["doubled"]),
        (2, 1, 2, ["doubled"]),
    ],
)
def test_a_waking_is_told_once(wakings: int, silences: int, lines: int, expected: list[Kind]) -> None:
    line = [Seen(id=f"{n}", session=SESSION, text="Picked up after 9 days", order=n) for n in range(lines)]

    assert kinds(aged(ENDED, wakings=wakings), silences=silences, seen=line) == expected


MATERIAL = f"""[[turns 1-2]]
#1 [Sunday 2026-11-29 18:10 +00:00] Ada (U0ADA):
> tell me about {FIRST} please
#1 [Sunday 2026-11-29 18:10 +00:00] the assistant:
> {SECOND} is answered here.
#2 [Sunday 2026-11-29 18:11 +00:00] Ben (U0BEN), not to the assistant:
> tell me about {THIRD} please
[[end of turns 1-2]]

Write the record of 1-2 now, and nothing else."""


def test_the_stand_in_folds_what_people_say_and_what_records_tell_and_nothing_else() -> None:
    assert list(in_turns(MATERIAL)) == [FIRST, THIRD]
    told = record(MATERIAL)
    assert told == "# about\n- People asked about 1S, 12Sb (1-2)"
    shown = (
        f"[[record of turns 1-2, from 2026-11-29 18:10 +00:00 to 2026-11-29 18:11 +00:00]]\n{told}\n[[end of record]]"
    )
    assert in_records(shown) == [FIRST, THIRD]
    assert record(f"{shown}\nWrite the record of -3--1 now") == "# about\n- People asked about 1S, 12Sb (-3--1)"
