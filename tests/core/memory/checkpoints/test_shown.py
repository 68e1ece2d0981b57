"""A checkpoint stands in a window between marks that name its turns, and one more changes nothing before it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.memory.checkpoints.shown import EXPLAINED, Record, block, record, told
from core.memory.checkpoints.wording import MARK, forges
from core.session import Checkpoint, Fold

TEXT = "# decided\n- [2026-03-03 14:05 +00:00] Ada chose v2 (12, 15-17)"


def checkpoint(kind: Fold = Fold.CHECKPOINT, first: int = 12, last: int = 87) -> Record:
    return Record(
        kind=kind,
        covers=(first, last),
        since=datetime(2026, 3, 3, 14, 5, tzinfo=UTC),
        until=datetime(2026, 3, 5, 9, 10, tzinfo=UTC),
        text=TEXT,
        tokens=60,
    )


def test_it_says_of_which_turns_and_from_when_until_when_it_tells() -> None:
    assert block(checkpoint()) == (
        "[[record of turns 12-87, from 2026-03-03 14:05 +00:00 to 2026-03-05 09:10 +00:00]]\n"
        f"{TEXT}\n"
        "[[end of record of turns 12-87]]"
    )


def test_an_old_summary_and_a_state_are_called_so() -> None:
    old, state = block(checkpoint(Fold.OLD)), block(checkpoint(Fold.STATE))

    assert old.startswith("[[record of turns 12-87, the oldest in short, from")
    assert state.startswith("[[record of turns 12-87, how things stood at their end, from")


def test_its_lines_are_known_with_their_turns() -> None:
    (entry,) = checkpoint().entries

    assert entry.words == "Ada chose v2"
    assert entry.seqs == ((12, 12), (15, 17))


@pytest.mark.parametrize("kind", Fold)
def test_the_marks_are_such_as_nobody_may_write(kind: Fold) -> None:
    begin, *_, end = block(checkpoint(kind)).splitlines()

    assert forges(begin)
    assert forges(end)


def test_the_instructions_say_what_the_marks_are() -> None:
    assert f"[[{MARK} …]]" in EXPLAINED
    assert f"[[end of {MARK} …]]" in EXPLAINED


def test_what_is_stored_is_told_between_its_marks_with_its_times() -> None:
    stored = Checkpoint(
        number=1,
        kind=Fold.CHECKPOINT,
        level=0,
        first=12,
        last=87,
        since=checkpoint().since.timestamp(),
        until=checkpoint().until.timestamp(),
        tokens=60,
        text=TEXT,
    )

    assert record(stored) == checkpoint()
    assert told([stored]) == [block(checkpoint())]


def test_its_times_are_told_in_the_zone_of_its_lines() -> None:
    """Which is what was set when it was written: what is set later changes no byte of it."""
    stored = Checkpoint(
        number=1,
        kind=Fold.CHECKPOINT,
        level=0,
        first=12,
        last=87,
        since=checkpoint().since.timestamp(),
        until=checkpoint().until.timestamp(),
        tokens=60,
        text="# decided\n- [2026-03-03 15:05 +01:00] Ada chose v2 [2026-01-01 00:00 +09:00] (12)",
    )

    (text,) = told([stored])
    assert text.startswith("[[record of turns 12-87, from 2026-03-03 15:05 +01:00 to 2026-03-05 10:10 +01:00]]\n")
    (text,) = told([replace(stored, text="Nothing")])
    assert text.startswith("[[record of turns 12-87, from 2026-03-03 14:05 +00:00 to")


def asking(kind: Fold, first: int, last: int) -> Checkpoint:
    lines = f"# facts\n- the shop; open ({first})\n# asks\n- Ada asked Ben for notes; open ({first}, {last})"
    return Checkpoint(number=1, kind=kind, level=0, first=first, last=last, tokens=60, text=lines)


def test_what_is_open_is_told_by_the_newest_alone() -> None:
    two, state = [asking(Fold.CHECKPOINT, 1, 9), asking(Fold.CHECKPOINT, 10, 19)], asking(Fold.STATE, 1, 19)

    assert [text.count("notes; open") for text in told(two)] == [0, 1]
    assert [text.count("notes; open") for text in told([*two, state])] == [0, 0, 1]
    assert [text.count("notes; open") for text in told([*two, replace(state, text="")])] == [0, 0, 0], "nothing is open"
    assert [text.count("notes; open") for text in told([*two, asking(Fold.STATE, 1, 9)])] == [0, 1, 0], "it is older"
    assert all("Ada asked Ben for notes" in text for text in told(two))
    assert all("- the shop; open (" in text for text in told(two)), "which is no ask"


def test_an_answered_ask_stays_answered_and_one_more_checkpoint_changes_nothing_before_its_state() -> None:
    one, state = asking(Fold.CHECKPOINT, 1, 9), asking(Fold.STATE, 1, 9)
    one = replace(one, text=f"{one.text}\n- Ben asked Ada for tea; answered (2)")
    more = [asking(Fold.CHECKPOINT, 10, 19), asking(Fold.STATE, 1, 19)]

    assert "tea; answered (2)" in told([one, state])[0]
    assert told([one, state])[0] == told([one, *more])[0]
