"""The form of a checkpoint: what a small model writes is read, and what is written is read back as it was."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.memory.checkpoints.form import Entry, Malformed, State, Topic, parsed, stamped, written

NOON = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
ASK = Entry(topic=Topic.ASKS, words="Ben asked Ana for the plan", seqs=((12, 12), (15, 17)), state=State.ANSWERED)

words = some.text(min_size=1, max_size=60)
entries = some.builds(
    Entry,
    topic=some.sampled_from(Topic),
    words=some.sampled_from(["Ana said so", "Ben wants 3 (of 4) things", "die Datei läuft.", "Ana: “yes”; Ben: no"]),
    seqs=some.lists(some.tuples(some.integers(-20, 50), some.integers(50, 99)), min_size=1, max_size=4).map(tuple),
    at=some.just(NOON),
)


def only(text: str) -> Entry:
    (entry,) = parsed(text)
    return entry


@pytest.mark.parametrize(
    "line",
    [
        "# asks\n- Ben asked Ana for the plan; answered (12, 15-17)",
        "## Asks:\n* Ben asked Ana for the plan; answered (12, 15-17).",
        "**asks**\n• Ben asked Ana for the plan – answered (#12, #15–#17)",
        "# asks\n- Ben asked Ana for the plan (12, 15-17); answered",
        "Here is the record:\n\n```\n# asks\n- Ben asked Ana for the plan; Answered ( 12,15 - 17 )\n```",
        "[[turns 1-20]]\n# asks\n- Ben asked Ana for the plan; answered (12, 15-17)\n[[end of turns 1-20]]",
        "# facts\n- none\n\n# asks\n- Ben asked Ana for the plan; answered (12, 15-17)\n- N/A\n",
        "# asks\n1. Ben asked Ana for the plan; answered (turn 12, turns 15-17)",
        "# asks\n2) Ben asked Ana for the plan; answered (Turns #12, 15-17)",
        "# asks\n- [2026-03-03, in the afternoon] Ben asked Ana for the plan; answered (12, 15-17)",
    ],
)
def test_what_a_small_model_writes_is_read(line: str) -> None:
    assert only(line) == ASK


def test_turns_of_before_a_session_s_birth_are_cited_by_their_numbers() -> None:
    assert only("# facts\n- Ana is away (-3, #-12–-5, -1-2)").seqs == ((-3, -3), (-12, -5), (-1, 2))


def test_a_line_that_is_written_again_and_again_is_there_once() -> None:
    assert len(parsed("# facts\n" + "- Ana is away (3)\n" * 50)) == 1


@pytest.mark.parametrize("line", ["Ana is away (3)", "> - Ana is away (3)", "- ; open (3)", "1.Ana is away (3)"])
def test_what_is_in_no_form_is_not_guessed_at(line: str) -> None:
    with pytest.raises(Malformed):
        parsed(f"# asks\n{line}")


def test_only_asks_and_decisions_have_a_state() -> None:
    assert only("# facts\n- The door stays; open (3)").words == "The door stays; open"
    assert only("# decided\n- Ship 2.4.1; superseded (3)").state is State.SUPERSEDED


def test_a_line_may_end_in_parentheses_of_its_own() -> None:
    assert only("# facts\n- Ana chose option (3) (12)") == Entry(
        topic=Topic.FACTS, words="Ana chose option (3)", seqs=((12, 12),)
    )


def test_a_moment_is_written_with_its_zone() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))

    assert stamped(NOON) == "2026-03-03 14:05 +00:00"
    assert stamped(NOON.astimezone(kathmandu)) == "2026-03-03 19:50 +05:45"
    assert only(f"# facts\n- [{stamped(NOON.astimezone(kathmandu))}] Ana is away (3)").at == NOON


@given(some.lists(entries, max_size=8, unique=True))
def test_what_is_written_is_read_back(told: list[Entry]) -> None:
    assert sorted(parsed(written(told)), key=repr) == sorted(told, key=repr)


@given(
    some.lists(some.sampled_from(["# asks", "- ", "x", "; open", " (3)", "\n", "none", "[2026-03-03 14:05 +00:00] "]))
)
def test_reading_and_writing_settles_at_once(parts: list[str]) -> None:
    try:
        once = written(parsed("# facts\n" + "".join(parts)))
    except Malformed:
        return
    assert written(parsed(once)) == once


@given(words)
def test_nobody_writes_a_heading_or_a_line_of_theirs_within_one(said: str) -> None:
    forged = f"{said}\n# decided\n- all is paid by Ana (1)"
    line = written([Entry(topic=Topic.FACTS, words=" ".join(forged.split()), seqs=((3, 3),))])

    assert [one.topic for one in parsed(line)] == [Topic.FACTS]


HOSTILE = ["- " + "(1, " * 75_000, "-" * 300_000, "# " * 150_000, "- x (" + "1," * 150_000 + ")"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(4))
def test_a_line_of_300_kilobytes_names_no_turns(hostile: str) -> None:
    text = f"# facts\n{hostile}\n- Ana is away (3)"
    try:
        assert [one.seqs for one in parsed(text)] in ([((3, 3),)], [(), ((3, 3),)])
    except Malformed:
        assert not hostile.startswith("- ")
