"""Slack: quotes and the words of blocks, as tables; whole conversations are in `test_pointing`."""

from typing import Any

import pytest

from bots.slack.blocks import written
from bots.slack.markup import readable
from bots.slack.payloads import Ourselves, View
from bots.slack.quotes import pointed
from core.seam.messages import Author, Quote

VIEW = View(us=Ourselves(workspace="T1", user="U0BOT", bot="B0BOT"), agent_view=True, now=1.0, names={"U1": "Ben"})
SHARE = {"is_share": True, "is_msg_unfurl": True, "author_id": "U1", "ts": "1.5", "channel_id": "C2", "text": "hi"}


def _text(words: str, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": words}


def _rich(*elements: dict[str, Any], **part: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements, **part}]}


@pytest.mark.parametrize(
    ("attachment", "quote"),
    [
        (SHARE, Quote(kind="forwards", text="hi", author=Author(id="U1", name="Ben"), at=1.5)),
        (
            SHARE | {"channel_id": "C1", "is_share": False},
            Quote(kind="embeds", text="hi", author=Author(id="U1", name="Ben"), at=1.5, message="1.5"),
        ),
        (
            SHARE | {"author_id": None, "bot_id": "B1", "author_name": "CI", "ts": "soon", "channel_id": "C1"},
            Quote(kind="forwards", text="hi", author=Author(id="B1", name="CI")),
        ),
        (
            {"is_share": True, "fallback": "a &lt;b&gt;"},
            Quote(kind="forwards", text="a <b>", author=Author(id="unknown", name="unknown")),
        ),
        ({"service_name": "GitHub", "text": "Fix it"}, Quote(kind="embeds", title="GitHub", text="Fix it")),
        (
            {"title": "A", "pretext": "new", "author_name": "Cara", "text": "<@U1>", "fallback": "no"},
            Quote(kind="embeds", title="A", text="new\nCara\n@Ben (U1)"),
        ),
        ({"fallback": "red"}, Quote(kind="embeds", text="red")),
        ({"blocks": [{"type": "section", "text": _text("red")}], "fallback": "x"}, Quote(kind="embeds", text="red")),
        (
            {"is_share": True, "text": 7, "ts": 7},
            Quote(kind="forwards", text="7", author=Author(id="unknown", name="unknown")),
        ),
    ],
)
def test_an_attachment_is_a_quote(attachment: dict[str, Any], quote: Quote) -> None:
    """C1."""
    assert pointed({"attachments": [attachment]}, "C1", VIEW) == (quote,)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "markdown", "text": "a < b <@U1>"}, "a < b <@U1>"),
        ({"type": "header", "text": _text("Title", "plain_text")}, "Title"),
        (
            {"type": "section", "text": _text("to <@U1>"), "fields": [_text("one"), _text("two")]},
            "to @Ben (U1)\none\ntwo",
        ),
        ({"type": "context", "elements": [_text("note"), {"type": "image", "alt_text": "x"}]}, "note"),
        ({"type": "image", "alt_text": "a chart"}, "a chart"),
        ({"type": "image", "title": _text("Chart"), "alt_text": "a chart"}, "Chart"),
        ({"type": "divider"}, ""),
        ({"type": "actions", "elements": [{"type": "button", "text": _text("Go")}]}, ""),
        ({"type": "table", "rows": [[_text("a"), _rich(_text("b", "text"))], [_text("<1>")]]}, "a | b\n<1>"),
        (
            _rich({"type": "user", "user_id": "U1"}, _text(" <hi> & ", "text"), {"type": "emoji", "name": "wave"}),
            "@Ben (U1) <hi> & :wave:",
        ),
        (_rich({"type": "text", "text": "x = <1>", "style": {"code": True}}), "`x = <1>`"),
        (
            _rich({"type": "link", "url": "https://x.example"}, {"type": "broadcast", "range": "here"}),
            "https://x.example@here",
        ),
        (_rich({"type": "usergroup", "usergroup_id": "S1"}, {"type": "channel", "channel_id": "C1"}), "@S1#C1"),
        (_rich({"type": "date", "timestamp": 1700000000, "fallback": ""}), "2023-11-14 22:13 UTC"),
        (_rich(_text("one\ntwo", "text"), type="rich_text_quote"), "> one\n> two"),
        (_rich(_text("x < 1", "text"), type="rich_text_preformatted"), "```\nx < 1\n```"),
        (
            _rich({"type": "rich_text_section", "elements": [_text("a", "text")]}, type="rich_text_list", indent=1),
            "  - a",
        ),
        (_rich({"type": "new"}, type="rich_text_new"), ""),
        ({"type": "rich_text", "elements": 7}, None),
    ],
)
def test_the_words_of_a_block(block: dict[str, Any], words: str | None) -> None:
    """C1: what apps post, and what is forwarded of it."""
    if words is None:
        with pytest.raises(TypeError):
            written([block])
    else:
        assert readable(written([block]), VIEW.names) == words
