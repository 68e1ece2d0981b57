"""What the model writes calls nobody, and what is shown of a growing text stays as it is shown."""

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.delivery.guard import BREAK, guard, settled
from core.delivery.markdown import split

PIECES = [
    *("<", "!", "@", "&", "\\", ">", "|", "_", "`", "```", "~~~", "```py\n", "\n", " ", "\u00ad", "\u2060", BREAK),
    *("channel", "here", "everyone", "HERE", "group", "subteam", "^S1", "U123", "U", "W9Z", "123", "x", "é", "😀"),
    *("<!channel>", "<@U123>", "<@!U123>", "<@&123>", "@everyone", "@here", "me@here.org", "@hereditary"),
    *("&lt;", "&amp;lt;", "&#60;", "&#x3C;", "&#33;", "&#64;", "&commat;", "&excl;", "amp;", "lt", "#60;", ";"),
    *("<!DOCTYPE html>", "<!DOC", "<!-- ", "TYPE", "List<@NonNull T>", "\ud83d", "\ude00", "a", "e", "chan", "nel"),
]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=60))

LIVE = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<!group>",
    "<!HERE>",
    "<!here|here>",
    "<!subteam^S0123|@team>",
    "<!anything|label>",
    "<!date^1700000000^{date}|then>",
    "<@U123>",
    "<@U123|ada>",
    "<@W0AB>",
    "<@1234567890>",
    "<@!1234567890>",
    "<@&1234567890>",
    "**<!channel>**",
    "- `<!channel>",
    "`` <!channel> ``",
    "~~~\n<!channel>\n~~~",
    "````\n<!channel>\n````",
    "a ` b\n`<!channel>`",
    "a `` b `<!channel>`",
    r"\`<!channel>`",
    '<a title="`">`<!channel>`',
    "| ` | <!channel> ` |",
    "- a\n  ```\n```\nx\n```\n<!channel>",
    "~~~\n```\n~~~\n<!channel>",
    "<!--\n```\n-->\n<!channel>",
    "> ```\n<!channel>",
    "```\nx\n```\n<!channel>",
    "```\rx\r```\r<!channel>",
    "```<!channel>",
    "`" + "x" * 80 + "<!channel>`",
    "&lt;!channel&gt;",
    "&amp;lt;!channel&amp;gt;",
    "&#60;!channel>",
    "&#x3C;@U123>",
    "<&#33;channel>",
    "<&#64;U123>",
    "&LT;@123&GT;",
    r"\<!channel\>",
    r"<\!channel>",
    r"<\@U123>",
    "<!chan\u00adnel>",
    "<\u00ad!channel>",
    "<!\u2060channel>",
    "<!\ufeffhere>",
    "<\u200d@U123>",
    "<! channel>",
    "<!\nchannel>",
    "< !here>",
    "< @U123>",
    "<@ U123>",
    "<!&#99;hannel>",
]


@pytest.mark.parametrize("text", LIVE)
def test_every_form_that_a_platform_may_act_on_is_broken(text: str) -> None:
    assert guard(text) != text
    assert guard(text).replace(BREAK, "") == text


def test_the_break_stands_after_the_sign_that_begins_the_mention() -> None:
    assert guard("<!channel> <@U1> @here") == f"<{BREAK}!channel> <{BREAK}@U1> @here"


CODE = [
    "`<!channel>`",
    "Write `<!here>` or `<@U123>`, not <b>.",
    "first `a`, then `<!here>`",
    "```\n<!channel>\n```",
    "```py\nsend('<!here>')\n```\nand `<!here>`",
    "```\n<!channel>",
    "text\n```\n``\n<@U123>\n```",
    "an odd ` here\n\nand `<!here>`",
]


@pytest.mark.parametrize("text", CODE)
def test_code_is_left_whole(text: str) -> None:
    """C9: people copy it."""
    assert guard(text) == text


@pytest.mark.parametrize("text", ["npm install @here/maps-api", "`npm install @here/maps-api`", "@channel, @everyone"])
def test_what_rings_nobody_is_left_whole(text: str) -> None:
    """C9"""
    assert guard(text) == text


ORDINARY = [
    "<!DOCTYPE html>",
    "<!doctype html>",
    "<!-- here -->",
    "<![CDATA[here]]>",
    "<!ELEMENT note (to)>",
    "List<@NonNull String>",
    "Map<@UnderInitialization String, T>",
    "x <@count",
    "@here_we_go",
    "@hereditary",
    "@channels",
    "@everyones",
    "me@hereford.org",
    "me@here.org",
    "first.last@channel.io",
    "@app.route('/')",
    "@property",
    "<#C123>",
    "<t:1700000000:R>",
    "<:smile:123>",
    "<https://example.com>",
    "a < b && !here",
    "if (a < !flag) {}",
    "!here",
    "R&D",
    "&lt;div&gt;",
    "a <= b",
    "<!",
    "<",
    "@",
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_and_code_are_left_alone(text: str) -> None:
    assert guard(text) == text


@pytest.mark.parametrize("text", ["<@U123>", "<@!U123>", "Hello <@U123>!", "**<@U123>**"])
def test_the_asker_may_be_mentioned(text: str) -> None:
    assert guard(text, "U123") == text
    assert guard(text, "U12") != text
    assert guard(text, "U1234") != text


@pytest.mark.parametrize("text", ["<@&123>", "<@123", "<@1234>", "&lt;@123>", r"<\@123>", "<@123|everyone>"])
def test_nothing_but_the_plain_mention_of_the_asker_lives(text: str) -> None:
    assert guard(text, "123") != text


@given(texts, st.sampled_from([None, "U123", "123"]))
def test_guarding_twice_changes_nothing_more_and_only_ever_adds_breaks(text: str, asker: str | None) -> None:
    once = guard(text, asker)
    assert guard(once, asker) == once
    assert once.replace(BREAK, "") == text.replace(BREAK, "")


@given(texts, st.integers(40, 120), st.sampled_from([None, "U123", "123"]))
def test_no_cut_brings_a_mention_back(text: str, limit: int, asker: str | None) -> None:
    for piece in split(guard(text.replace("`", ""), asker), limit):
        assert guard(piece, asker) == piece


def test_no_cut_brings_a_mention_back_in_a_line_without_a_space() -> None:
    for shift in range(60):
        for word in ("<!DOCTYPE", "<@U123>"):
            for piece in split("x" * shift + word * 40, 40):
                assert guard(piece, "U123") == piece


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from([None, "U123", "123"]))
@example("<!&am", None)
@example("<@U123>", "U123")
@example("@here" + "\\", None)
@example("<!DOC@here", None)
def test_what_is_settled_stays_whatever_follows(text: str, asker: str | None) -> None:
    final = guard(text, asker)
    for length in range(len(text) + 1):
        shown = settled(text[:length])
        assert text.startswith(shown)
        assert length - len(shown) <= 80
        assert final.startswith(guard(shown, asker))


def test_what_is_settled_stays_in_long_nasty_texts() -> None:
    for seed in range(20):
        random = Random(seed)
        text = "".join(random.choice(PIECES) * random.choice((1, 1, 1, 30)) for _ in range(30))
        final = guard(text)
        for length in range(len(text) + 1):
            assert final.startswith(guard(settled(text[:length]))), (seed, length)


@pytest.mark.parametrize(
    "end",
    [
        *("<", "<!", "<!chan", "<@", "<@U12", "<@!12", "<@&", "&", "&lt", "&amp;l", "&lt;!he"),
        *("`<!here>", "`<!here>`", "`x <@U123> y"),
        *("\\", "\ud83d", "<\\!", "<\u00ad", "\n``", "\n```", "\n```py", "\n~~~", "\n  ```c++"),
    ],
)
def test_an_end_that_may_become_something_else_is_held_back(end: str) -> None:
    assert settled(f"Well {end}") == f"Well {end[:1] if end[0] == chr(10) else ''}"


@pytest.mark.parametrize(
    "text",
    ["Well", "a < b", "me@example", "x & y", "```py\n", "a ``", "<!channel>", "@here", "a\n", "`a b", "`<!here>` "],
)
def test_a_decided_end_is_shown(text: str) -> None:
    assert settled(text) == text


def test_a_long_first_line_of_a_fence_is_shown_in_the_end() -> None:
    assert settled("~~~" + "x" * 100) == "~~~" + "x" * 100
