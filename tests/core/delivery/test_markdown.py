"""A long text becomes messages that read well one by one, whatever is in it."""

import sys
from collections.abc import Callable
from random import Random
from re import match, sub
from re import split as parts
from types import FrameType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.delivery.markdown import Growing, split

NASTY = [
    *(
        "```\n",
        "```py\n",
        '```python title="x y"\n',
        "~~~\n",
        "~~~~ruby\n",
        "````md\n",
        "   ```js\n",
        "\n```",
        "```a`b\n",
    ),
    *(
        "    ```deep\n",
        "```\n```\n",
        "```",
        "``",
        "`",
        "~~~",
        "\n",
        "\n\n",
        "\r\n",
        "\r\n\r\n",
        " ",
        "   ",
        "\t",
        "\x0b",
    ),
    *(
        "word ",
        "Sentence one. ",
        "x" * 37,
        "- item\n",
        "  - nested\n",
        "    1. deep\n",
        "1. one\n",
        "# Head\n",
        "> quote\n",
    ),
    *(
        "| a | b |\n",
        "|---|---|\n",
        "[link](http://a.b/(c)) ",
        "`code span` ",
        "<@U123>",
        "me@here.org ",
        "**bold text** ",
    ),
    *(
        "🇩🇪",
        "👨‍👩‍👧",
        "e\u0301\u0302",
        "漢字。",
        "\ud83d",
        "\ude00",
        "\u200b",
        "\u00ad",
        "\u2028",
        "http://a.b/c?d=e ",
        "end:\n",
    ),
]
texts = st.one_of(st.lists(st.sampled_from(NASTY), max_size=25).map("".join), st.text(max_size=200))
limits = st.sampled_from([1, 2, 5, 9, 12, 16, 20, 30, 64, 100])


def check(text: str, limit: int, every: int = 1) -> None:
    pieces = split(text, limit)
    assert all(0 < len(piece.strip()) <= len(piece) <= limit for piece in pieces)
    for length in range(0, len(text), every):
        settled = split(text[:length], limit)[:-1]
        assert settled == pieces[: len(settled)]


@settings(deadline=None)
@given(texts, limits)
@example("```\n" + "x" * 40 + "\n```", 12)
@example("word\n```py\n", 12)
@example("```python\ncode\n```", 5)
@example("\n" * 50 + "x", 5)
@example("```" + "x" * 50 + "\ncode\n```\ntext", 16)
def test_pieces_fit_are_never_blank_and_stay_while_the_text_grows(text: str, limit: int) -> None:
    check(text, limit, every=1 + len(text) // 40)


def test_pieces_fit_are_never_blank_and_stay_while_the_text_grows_in_long_nasty_texts() -> None:
    for seed in range(30):
        random = Random(seed)
        text = "".join(random.choice(NASTY) * random.choice((1, 1, 1, 1, 15)) for _ in range(20))
        check(text, random.choice((5, 12, 20, 40, 100, 200)), every=11)


def code(text: str) -> tuple[list[tuple[str, str | None]], bool]:
    """Every character that shows, with the fence and language around it; and whether a fence is still open."""
    shown: list[tuple[str, str | None]] = []
    fence = language = None
    for line in parts(r"\r?\n", text):
        found = match(r"^ {0,3}(`{3,}|~{3,})(.*)$", line)
        if found and fence is None and not (found[1][0] == "`" and "`" in found[2]):
            fence, language = found[1], found[1] + found[2].strip().split(" ")[0]
        elif found and fence and found[1].startswith(fence) and not found[2].strip():
            fence = language = None
        else:
            shown += [(character, language) for character in line if not character.isspace()]
    return shown, fence is not None


def document(random: Random) -> str:
    words = [
        "alpha",
        "beta.",
        "x" * 50,
        "- item",
        "  - sub",
        "| a | b |",
        "# Head",
        "[a](http://b.c)",
        "`co de`",
        "<@U1>",
    ]
    words += ["Intro:", "", "    deep", "> q", "1. one", "**b c**", "漢字漢字。漢字"]
    lines: list[str] = []
    for _ in range(random.randrange(1, 40)):
        if random.random() > 0.3:
            lines.append(" ".join(random.choice(words) for _ in range(random.randrange(1, 8))))
            continue
        indent, mark = random.choice(("", "", " ", "   ")), random.choice(("```", "~~~", "````", "~~~~~"))
        lines.append(indent + mark + random.choice(("", "py", "python title=x", "  c++")))
        inner = ("code code", "y" * random.randrange(90), "", "| t |", "```" if mark == "````" else "q")
        lines += [random.choice(("  ", "")) + random.choice(inner) for _ in range(random.randrange(12))]
        lines += [indent + mark + random.choice(("", mark[0], "  "))] if random.random() < 0.9 else []
    return random.choice(("\n", "\r\n")).join(lines)


def test_nothing_is_lost_and_code_stays_code_in_its_language() -> None:
    for seed in range(400):
        random = Random(seed)
        text, limit = document(random), random.choice((64, 80, 120, 200, 400))
        pieces = split(text, limit)
        assert not any(code(piece)[1] for piece in pieces[:-1]), seed
        assert [shown for piece in pieces for shown in code(piece)[0]] == code(text)[0], seed


@given(st.text(alphabet=st.characters(blacklist_characters="`~"), max_size=300), st.integers(1, 50))
def test_without_fences_only_white_space_is_dropped(text: str, limit: int) -> None:
    assert sub(r"\s", "", "".join(split(text, limit))) == sub(r"\s", "", text)


def test_a_short_text_is_one_piece_without_its_outer_white_space() -> None:
    assert split("\n\nHello\n\nthere \n", 100) == ["Hello\n\nthere"]
    assert split("  - indented\n", 100) == ["  - indented"]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t\r\n\x0b\u2003"])
def test_a_blank_text_has_no_pieces(text: str) -> None:
    assert split(text, 10) == []


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="0 characters"):
        split("text", 0)


@pytest.mark.parametrize(
    ("text", "limit", "first"),
    [
        ("one two\nthree four\n\nfive six\nseven eight", 34, "one two\nthree four"),
        ("Some words\nmore words\n- item one\nand on\nand on and on and on", 45, "Some words\nmore words"),
        ("Some words\nmore words\nand more of them", 30, "Some words\nmore words"),
        ("First sentence. Second sentence. Third one here", 40, "First sentence. Second sentence."),
        ("words and words and words", 12, "words and"),
        ("x" * 30, 12, "x" * 12),
        ("see the [very long link](http://a.b) there", 30, "see the"),
        ("see the `inline code which is long` there", 30, "see the"),
        ("hello to all <@U1234567890123456> there", 30, "hello to all"),
        ("a line of text\n\n# Heading\n\ntext that follows the heading", 40, "a line of text"),
        ("Text before.\n\nAs follows:\n\n- item one\n- item two", 38, "Text before."),
        ("Text.\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |", 38, "Text."),
        ("text and text\n\n```py\nsome code\nmore code\n```", 36, "text and text"),
        ("漢字漢字漢字。漢字漢字", 9, "漢字漢字漢字。"),
    ],
)
def test_the_best_border_is_cut_at(text: str, limit: int, first: str) -> None:
    assert split(text, limit)[0] == first


def test_a_table_that_does_not_fit_is_cut_between_rows() -> None:
    table = "\n".join(f"| {row} | {row} |" for row in range(10, 30))
    assert "\n".join(split(table, 50)) == table


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("```py\nfirst = 1\nsecond = 2\nthird = 3\n```", 28, ["```py\nfirst = 1\n```", "```py\nsecond = 2\n```",
         "```py\nthird = 3\n```"]),
        ("~~~~\nsome code\nmore code\n~~~~", 22, ["~~~~\nsome code\n~~~~", "~~~~\nmore code\n~~~~"]),
        ("  ```c\none one one\ntwo two\n  ```", 30, ["  ```c\none one one\n  ```", "  ```c\ntwo two\n  ```"]),
        ("```c\none one one\n\n   two two\n```\nend", 26, ["```c\none one one\n\n```", "```c\n   two two\n```\nend"]),
        ("```\none two three four\n```", 20, ["```\none two \n```", "```\nthree four\n```"]),
        ("```\none\n    ```\ntwo two\n```", 20, ["```\none\n    ```\n```", "```\ntwo two\n```"]),
        ("```\none\ntwo\n```\nend", 15, ["```\none\ntwo\n```", "end"]),
    ],
)  # fmt: skip
def test_fences_are_closed_and_opened_again(text: str, limit: int, pieces: list[str]) -> None:
    assert split(text, limit) == pieces


def test_a_fence_in_a_list_is_one_however_deep() -> None:
    first, second = split("1. Do:\n\n    ```sh\n    one one one\n    two two two\n    ```", 48)
    assert first.endswith("\n    ```")
    assert second.startswith("    ```sh\n")


def test_an_opening_line_too_long_to_repeat_is_repeated_in_short() -> None:
    text = "```python title=averylongtitle\n" + "code code code\n" * 4 + "```"
    assert split(text, 50)[1].startswith("```python\n")


def test_code_goes_out_bare_where_no_fence_fits() -> None:
    assert split("```\nabcdef\n```", 5) == ["```\na", "bcdef", "```"]


@pytest.mark.parametrize("cluster", ["🇩🇪", "👨‍👩‍👧", "e\u0301\u0302", "👍🏽", "\ud83d\ude00", "❤\ufe0f", "\\*", "각"])
def test_graphemes_stay_whole(cluster: str) -> None:
    for shift in range(8):
        for piece in split("x" * shift + cluster * 20, 20):
            assert piece.replace(cluster, "").strip("x") == ""


@pytest.mark.parametrize(
    "bit", ["x", "x\n", "`a``b", "[a](", "@", "<", "\u0301", "\\", " ", "**a", "| a |\n", "```\n", "&"]
)
def test_no_text_hangs_the_splitting(bit: str) -> None:
    """What backtracks or looks back over everything would not be back before the night."""
    text = bit * (100_000 // len(bit))
    pieces = split(text, 1900)
    assert all(len(piece) <= 1900 for piece in pieces)
    assert bool(pieces) == bool(text.strip())


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), limits, st.integers(1, 9))
def test_a_text_that_grows_is_cut_as_if_it_had_always_been_there(others: list[str], limit: int, step: int) -> None:
    growing = Growing(limit)
    for text in others:
        for length in range(0, len(text) + step, step):
            assert growing.split(text[:length]) == split(text[:length], limit)


def steps(work: Callable[[], object]) -> int:
    """How many functions are called for this."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


ITEMS = "- an item of a list\n"


@pytest.mark.parametrize("bit", [ITEMS, "word ", "- \n", "a\n\n", "a:\n", "| a | b |\n", "```\ncode\n```\n"])
def test_ten_times_the_text_takes_ten_times_the_work(bit: str) -> None:
    short, long = bit * (12_000 // len(bit)), bit * (120_000 // len(bit))

    assert steps(lambda: split(long, 1900)) <= 12 * steps(lambda: split(short, 1900))


def test_a_text_that_grows_is_looked_at_no_further_than_it_has_grown() -> None:
    text, growing = ITEMS * 6_000, Growing(1900)
    seen = [steps(lambda end=end: growing.split(text[:end])) for end in range(0, len(text), 400)]
    early, late = seen[:100], seen[-100:]

    assert len(text) == 120_000
    assert max(late) <= 1.5 * max(early)
    assert sum(late) <= 1.1 * sum(early)
