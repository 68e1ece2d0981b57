"""What an answer has of somebody's words goes sentence by sentence, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.memory import traces

ADA = traces.of(["the code is tuna, we meet at noon at the pier", "我明天去北京开会"], ["Ada Lovelace"])
BEN = traces.of(["shall we meet at noon?", "hello there"], ["Ben"])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hello there. Noon is fine.", "Hello there. Noon is fine."),
        ("It is tuna.", ""),
        ("Well, Ben. The code is Tuna! We meet at noon.", "Well, Ben. […] We meet at noon."),
        ("- tuna\n- at 3.5 things. Good.", "[…]\n- at 3.5 things. Good."),
        ("Lovelace wants it. Fine.", "[…] Fine."),
        ("Tuna. Tuna. Tuna. Fine.", "[…] Fine."),
        ("Fine. Bread", "Fine. Bread"),
        ("See https://a.b/tuna?x=1. Fine.", "[…] Fine."),
        ("你明天去北京。别的事。", "[…] 别的事。"),
        ("", ""),
    ],
)
def test_only_the_sentences_go_that_have_what_nobody_else_has_said(text: str, left: str) -> None:
    assert ADA.without(BEN).taken_out_of(text) == left


@given(st.text())
def test_nothing_is_left_that_would_be_taken_out_again(text: str) -> None:
    shorter = ADA.taken_out_of(text + " tuna " + text)

    assert not ADA.is_in(shorter)
    assert ADA.taken_out_of(shorter) == shorter
