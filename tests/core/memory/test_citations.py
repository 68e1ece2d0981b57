"""The lines of a summary and the messages that they come from: as a model names them, as people see and open them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.memory.citations import MOST, Source, bare, settled, told

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()


def link(seq: int) -> str:
    return f"https://links.example/{seq}"


SOURCES = {seq: Source(at=NOON + 60 * seq, link=link(seq)) for seq in (-2, 1, 2, 3, 5, 6, 7, 8, 9)}
UNLINKED = {seq: Source(at=one.at) for seq, one in SOURCES.items()}

WRITTEN = """\
# about
- Ana and Ben talked about the release (1-3)

# decided
- Ana and Ben agreed to ship 2.4.1 on 2026-03-05 (2, 5)
# links
- https://example.org/notes has the notes (-2)
"""
SEEN = f"""\
### About
- Ana and Ben talked about the release · 2026-03-03 12:01 [1]({link(1)}) [2]({link(2)}) [3]({link(3)})

### Decided
- Ana and Ben agreed to ship 2.4.1 on 2026-03-05 · 2026-03-03 12:02 [1]({link(2)}) [2]({link(5)})

### Links
- https://example.org/notes has the notes · 2026-03-03 11:58 [1]({link(-2)})"""


def line(words: str) -> str:
    """What becomes of one line under a heading."""
    heading, _, rest = told(f"# open\n{words}", SOURCES, UTC).partition("\n")
    assert heading == "### Open"
    return rest


def test_every_line_has_its_time_and_a_link_for_each_message() -> None:
    assert told(WRITTEN, SOURCES, UTC) == SEEN


def test_without_links_it_has_its_time() -> None:
    seen = told(WRITTEN, UNLINKED, ZoneInfo("Europe/Berlin"))

    assert "- Ana and Ben agreed to ship 2.4.1 on 2026-03-05 · 2026-03-03 13:02\n" in seen
    assert "](" not in seen


@pytest.mark.parametrize(
    "words",
    [
        "- Ben asked for tea (3)",
        "* Ben asked for tea (3).",
        "- Ben asked for tea (#3)",
        "- Ben asked for tea [3]",
        "1. Ben asked for tea (turn 3)",
        "- [2026-03-03 12:03 +00:00] Ben asked for tea (messages 3, 4)",
        "- Ben asked for tea (3, 99)",
    ],
)
def test_what_models_make_of_the_form_is_understood(words: str) -> None:
    assert line(words).endswith(f" Ben asked for tea · 2026-03-03 12:03 [1]({link(3)})")


@pytest.mark.parametrize("words", ["- Ana has been here for long (2019)", "- Ana likes (green) tea", "- tea (x)"])
def test_what_names_no_turn_stays(words: str) -> None:
    assert line(words) == words


def test_a_turn_that_is_gone_leaves_no_number() -> None:
    assert line("- Ben asked for tea (4)") == "- Ben asked for tea"


@pytest.mark.parametrize(
    "text",
    [
        "You talked about tea (3).",
        "Here is what happened:\n- tea (3)\n- more tea [1](https://example.org)",
        "# Summary\n- tea (3)",
        "## Tea\n\n\tYes (3)\n",
    ],
)
def test_what_is_in_no_form_of_ours_is_a_summary_as_it_is(text: str) -> None:
    assert told(text, SOURCES, UTC) == text.strip("\n")


def test_a_long_run_has_the_links_of_its_ends() -> None:
    assert line("- all of it (1-9)").endswith(f" [1]({link(1)}) [2]({link(9)})")
    assert line("- all of it (1, 2, 3, 5, 6, 7, 8)").count("](") == MOST
    assert line("- all of it (-999999999999-999999999999)").endswith(f"[1]({link(-2)}) [2]({link(9)})")


def test_a_growing_summary_is_the_beginning_of_the_whole() -> None:
    whole, before = told(WRITTEN, SOURCES, UTC), ""
    for end in range(len(WRITTEN) + 1):
        seen = told(settled(WRITTEN[:end]), SOURCES, UTC).rstrip()
        assert whole.startswith(seen), WRITTEN[:end]
        assert seen.startswith(before), "nothing that was seen goes away"
        before = seen


def test_the_model_is_shown_no_links() -> None:
    shown = bare(SEEN)

    assert "links.example" not in shown
    assert "- Ana and Ben agreed to ship 2.4.1 on 2026-03-05 · 2026-03-03 12:02\n" in shown
    assert "https://example.org/notes has" in shown, "what people wrote stays"
    assert bare(SEEN.replace("](", "](<").replace(")", ">)")) == shown, (
        "as does one on a screen that wants it otherwise"
    )
    assert bare("see [the notes](https://example.org)") == "see [the notes](https://example.org)"
