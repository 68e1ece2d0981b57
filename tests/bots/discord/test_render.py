"""Markdown in Discord's dialect."""

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.render import render, width


def test_a_table_becomes_an_aligned_block_of_code() -> None:
    table = """\
        Prices:
        | Name | Amount | Note |
        |:-----|-------:|:----:|
        | **tea** | 4 | a \\| b |
        | coffee | 12 |
        That is all."""
    shown = """\
        Prices:
        ```
        Name    Amount  Note
        ------  ------  -----
        tea          4  a | b
        coffee      12
        ```
        That is all."""
    assert render(dedent(table)) == dedent(shown)


def test_columns_align_with_wide_characters_and_combining_marks() -> None:
    lines = render("| a | b |\n|---|---|\n| 日本 | x |\n| cafe\u0301 | y |\n| plain | z |").split("\n")
    columns = {width(line[: line.index(last)]) for line, last in zip(lines[3:6], "xyz", strict=True)}
    assert len(columns) == 1


def test_a_table_without_outer_bars_is_a_table() -> None:
    assert render("a | b\n--|--\n1 | 2") == "```\na  b\n-  -\n1  2\n```"


@pytest.mark.parametrize(
    "text", ["a | b", "a | b\n---", "a | b\nc | d", "| a | b |\n|---|", "yes\n---", "| a |\n| b |"]
)
def test_bars_without_a_rule_of_as_many_cells_are_no_table(text: str) -> None:
    assert render(text) == text


def test_code_in_a_cell_can_not_end_the_block_around_the_table() -> None:
    assert render("| a | b |\n|--|--|\n| ```x``` | `y` |").count("```") == 2


def test_a_link_to_a_message_has_no_preview() -> None:
    link = "https://discord.com/channels/@me/1/2"

    assert render(f"- tea [1]({link}) [2]({link})") == f"- tea [1](<{link}>) [2](<{link}>)"
    assert render(f"`[1]({link})` {link} [1](<{link}>)") == f"`[1]({link})` {link} [1](<{link}>)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("#### Fourth", "**Fourth**"),
        ("###### **Sixth** ##", "**Sixth**"),
        ("### Third", "### Third"),
        ("####### seven", "####### seven"),
        ("#hash", "#hash"),
        ("- [ ] open\n- [x] done\n  1. [X] also", "- ☐ open\n- ☑ done\n  1. ☑ also"),
        ("- [link](http://a.b)", "- [link](http://a.b)"),
        ('![A chart](http://a.b/c.png "Title")', "[A chart](http://a.b/c.png)"),
        ("![](http://a.b/c_(d).png)", "[image](http://a.b/c_(d).png)"),
        ("`![A](b)` ![A](b)", "`![A](b)` [A](b)"),
        ("``a ` ![A](b)``", "``a ` ![A](b)``"),
    ],
)
def test_what_discord_does_not_draw_is_written(text: str, shown: str) -> None:
    assert render(text) == shown


INSIDE = "#### x\n| a | b |\n|---|---|\n| 1 | 2 |\n- [ ] t\n![i](u)"


@pytest.mark.parametrize(
    "text",
    [
        f"```md\n{INSIDE}\n```",
        f"```\n{INSIDE}",
        "   ```\n   " + INSIDE.replace("\n", "\n   ") + "\n   ```",
    ],
)
def test_code_is_left_as_it_is(text: str) -> None:
    assert render(text) == text


lines = st.sampled_from(
    ["#### x", "| a | b |", "|---|---|", "- [ ] t", "![i](u)", "", "text", "`c`", "日本|x", "~~~", "``", "**b**"]
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"~~~\n{INSIDE}\n~~~", f"```\n{INSIDE}\n```"),
        (f"~~~~~md\n{INSIDE}\n~~~~~", f"```md\n{INSIDE}\n```"),
        (f"````\n{INSIDE}\n````", f"```\n{INSIDE}\n```"),
        (f"~~~\n{INSIDE}", f"```\n{INSIDE}"),
        ("  ~~~py\n  x\n  ~~~", "  ```py\n  x\n  ```"),
        ('```py title="x"\nx\n```', "```py\nx\n```"),
        ("```{python}\nx\n```", "```\nx\n```"),
        ("~~~\n\nx\n~~~", "```\n\nx\n```"),
    ],
)
def test_every_fence_becomes_one_that_discord_draws(text: str, shown: str) -> None:
    """C11"""
    assert render(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "````md\n# Title\n```py\nprint(1)\n```\n````",
            "```md\n# Title\n```\n\\`\\`\\`py\n```md\nprint(1)\n```\n\\`\\`\\`",
        ),
        ("~~~\n```\n\nx\n~~~", "\\`\\`\\`\n```\n\nx\n```"),
        ("```sh\necho '```'\n```", "echo \\'\\`\\`\\`\\'"),
        ("````\na\n\n```", "```\na\n\n```\n\\`\\`\\`"),
    ],
)
def test_code_that_holds_three_backticks_is_whole(text: str, shown: str) -> None:
    """C11: they would end any block on Discord; so their lines stand between blocks."""
    assert render(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The area is $\\pi r^2$.", "The area is `\\pi r^2`."),
        (r"with \( a_1 + b_1 \) and \(n\)", "with `a_1 + b_1` and `n`"),
        (r"$n$-th, $O(n)$, $O(n \log n)$", r"`n`-th, `O(n)`, `O(n \log n)`"),
        ("$$E = mc^2$$", "`E = mc^2`"),
        (r"\[ x_1 = 2 \]", "`x_1 = 2`"),
        ("**$x$**", "**`x`**"),
        ("$$\nE = mc^2\n$$", "```latex\nE = mc^2\n```"),
        ("\\[\na &= b \\\\\nc &= d\n\\],", "```latex\na &= b \\\\\nc &= d\n```"),
        ("  $$ a\n  = b $$", "  ```latex\n a\n  = b \n  ```"),
    ],
)
def test_formulas_are_code(text: str, shown: str) -> None:
    """C11: Discord draws none, and takes their signs for marks."""
    assert render(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "between $5 and 10$",
        "from $5-$10",
        "US$5 or CA$6",
        "$HOME/bin:$PATH and $HOME",
        "${A}/${B}",
        "file\\(s\\)",
        r"as it \[sic\] was, \[1\]",
        "`$x$` and ``\\(x\\)``",
        "```\n$x^2$\n$$\ny\n$$\n```",
        "$$\nnever closed",
        "$$\n\na\n$$",
        "echo $$",
        "$",
        "$$$$",
        r"\(\)",
    ],
)
def test_money_and_shells_are_no_formulas(text: str) -> None:
    """C11"""
    assert render(text) == text


@given(st.lists(lines), st.lists(lines), st.lists(lines), st.sampled_from(["```", "```py"]))
def test_code_between_anything_is_left_as_it_is(
    before: list[str], code: list[str], after: list[str], opening: str
) -> None:
    before = [line for line in before if not line.startswith("~")]
    block = [opening, *code, re.sub(r"[a-z]", "", opening)]
    assert "\n".join(block) in render("\n".join([*before, *block, *after]))


@given(st.text(alphabet="ab|-:`~#*_![]()\\$ \n日", max_size=200))
def test_every_text_is_rendered(text: str) -> None:
    render(text)


@pytest.mark.parametrize(
    "text", ["`" * 8000, "|" * 8000, "**" * 8000, "![" * 8000, "[" * 8000, "|-" * 8000, "- [" * 4000]
)
def test_no_text_hangs_the_rendering(text: str) -> None:
    """A pattern that backtracks would not be back before the night."""
    assert render(f"{text}\n{text}\n{text}")


N = 40_000
NASTY = [
    *(unit * N for unit in (" ", "[", "*", "`", "|", "<", "&", "\n", "![](", "[](", " **a", "- | ", "` ``")),
    *(unit * N for unit in ("$", "$a", "$ ", "\\(", "\\[", "\\(a", "\\", "$$\n", "\\[\n")),
    f"#### a{' ' * N}b",
    f"- {' ' * N}[x",
    f"|a|b|\n{'-' * N}{' ' * N}|",
    f"a|b\n-{' ' * N}x|-",
]


@pytest.mark.parametrize("text", NASTY, ids=lambda text: repr(text[:5]))
def test_no_text_keeps_us_busy(text: str) -> None:
    assert render(f"x{text}x").startswith("x")
    assert render(text).strip().strip("*")[:1] == text.strip().lstrip("#* ")[:1]
    assert render(f"|a|\n|-|\n|{text}|")


@pytest.mark.parametrize("unit", ["~~~\n", "````\n```\n", "```\n````\n", "```\n\n", "\\[\na\n", "$$a\n"])
def test_no_fences_keep_us_busy(unit: str) -> None:
    assert render(unit * 10_000)


@pytest.mark.parametrize(
    "table", [f"|a|\n|-|\n|{'x' * N}|\n" + "|y|\n" * 100, "|" * 200 + "\n" + "|-" * 199 + "|\n" + "|\n" * 200]
)
def test_a_table_that_would_be_huge_stays_as_it_was_written(table: str) -> None:
    assert render(table) == table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("> - [ ] quoted", "> - ☐ quoted"),
        ("see - [x] here", "see - [x] here"),
        ("#### a#", "**a#**"),
        ("#### `![a](b)` ####  ", "**`![a](b)`**"),
        ("```![a](b)` ![a](b)", "```[a](b)` [a](b)"),
        ("|a|\n|-|\n|**b** __c__ 2 ** 3|", "```\na\n----------\nb c 2 ** 3\n```"),
    ],
)
def test_marks_count_where_they_belong(text: str, shown: str) -> None:
    assert render(text) == shown
