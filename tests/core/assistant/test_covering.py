"""What a summary says of how much it tells of."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.assistant.covering import told
from core.memory.window import Section, Window
from core.session import Checkpoint, Fold

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def window(turns: int, *records: Checkpoint, overheard: int = 0, since: float | None = None) -> Window:
    """One with so many turns, said from noon on, and what was overheard among them."""
    sections = (
        Section(name="turns", tokens=1, turns=turns),
        Section(name="overheard", tokens=1, turns=overheard),
        Section(name="question", tokens=1, turns=1),
    )
    oldest = NOON.timestamp() if turns else None
    return Window(messages=(), sections=sections, oldest=oldest, since=since, checkpoints=records)


def record(kind: Fold = Fold.CHECKPOINT) -> Checkpoint:
    """One of what was said in the three hours before noon."""
    since, until = NOON.timestamp() - 10_800, NOON.timestamp()
    return Checkpoint(number=1, kind=kind, level=0, first=1, last=9, tokens=9, since=since, until=until, text="x")


def test_a_summary_says_how_many_turns_it_tells_of_and_since_when() -> None:
    assert told(window(2), None, UTC) == "\n\n_(This tells of what was said since 2026-11-25 12:00 UTC: 2 turns.)_"
    assert told(window(1, overheard=3), None, ZoneInfo("Europe/Berlin")) == (
        "\n\n_(This tells of what was said since 2026-11-25 13:00 Europe/Berlin: 1 turn, 3 messages that I overheard.)_"
    )


def test_it_says_how_much_of_it_is_from_records() -> None:
    shown = window(4, record(Fold.OLD), record(), record(Fold.STATE))

    assert told(shown, None, UTC) == (
        "\n\n_(This tells of what was said since 2026-11-25 09:00 UTC: 4 turns, 2 records of older ones.)_"
    )
    assert told(shown, NOON.replace(hour=10), UTC) == (
        "\n\n_(This tells of what was said since 2026-11-25 10:00 UTC: 4 turns, 2 records of older ones, "
        "from before that as well.)_"
    )


def test_it_says_where_there_was_more_than_can_be_read() -> None:
    assert told(window(2, since=NOON.timestamp()), None, UTC) == (
        "\n\n_(This session is longer than what I can read at once: "
        "this tells of what was said since 2026-11-25 12:00 UTC: 2 turns.)_"
    )


def test_of_nothing_it_says_nothing() -> None:
    assert told(window(0), None, UTC) == ""
