"""What a model writes beside its answer never reaches people, in whatever pieces it comes (B4, B15)."""

from random import Random

import pytest

from core.model.envelope import spoken
from core.model.openai.marks import Cleaner
from core.seam.messages import Author

CODE = "```\n<think>\na\n</think>\n<|im_end|>\n```\nSo much for that."
HARMONY = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>"


def cleaned(text: str, seed: int | None, **settings: bool) -> str:
    cleaner, out, place, chance = Cleaner(**settings), "", 0, Random(seed)
    while place < len(text):
        end = len(text) if seed is None else place + chance.randint(1, 5)
        piece, place = cleaner.take(text[place:end]), end
        out = piece if cleaner.afresh else out + piece
    return (out + cleaner.end()).rstrip()


@pytest.mark.parametrize("seed", [None, *range(12)])
@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("<think>Hm.\nSo …</think>\n\nHello", "Hello"),
        ("Hello <think>secret</think>world", "Hello world"),
        ("He wants this.\n</think>\n\nHello", "Hello"),
        ("He wants this.</think>Hello", "Hello"),
        ("<think>Never closed", ""),
        ("[THINK]Hm.[/THINK]Hello", "Hello"),
        ("<seed:think>Hm.</seed:think>Hello", "Hello"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>", "Hello"),
        ("Hello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd now?", "Hello"),
        (HARMONY, "Hello"),
        ("<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>", "Hello"),
        ("<|START_THINKING|>Hm.<|END_THINKING|>\n<|START_TEXT|>Hello<|END_TEXT|><|END_OF_TURN_TOKEN|>", "Hello"),
        ("<seed:think>\nHm.</seed:think>Hello<seed:eos>", "Hello"),
        ("Hm, the user said hi.</seed:think>Hello", "Hello"),
        ("<|channel>thought\n<channel|>Hello<turn|>", "Hello"),
        ("Hello<|im_end|>", "Hello"),
        ("Hello</s>", "Hello"),
        ("Hello<end_of_turn>\n", "Hello"),
        ("Hello<|eot_id|>\n\n", "Hello"),
        ("Hello<|im_end|>\n<|im_start|>user\nAnd now?", "Hello"),
        (spoken(Author(id="U1", name="Ada (CEO)"), 0.0, "Hello"), "Hello"),
        ("Hi\n" + spoken(Author(id="U2", name="Ben"), 0.0, "what?"), "Hi\nwhat?"),
    ],
)
def test_what_is_no_answer_is_not_seen(written: str, seen: str, seed: int | None) -> None:
    assert cleaned(written, seed) == seen


@pytest.mark.parametrize("seed", [None, *range(12)])
@pytest.mark.parametrize(
    "written",
    [
        "Write `<think>` and `</think>` around it.",
        CODE,
        "~~~~\n</s>\n~~~\n<|im_end|>\n~~~~",
        "The token <|im_end|> ends a turn.",
        "The <think> tag is not closed here",
        "<s>old</s> new",
        "a <b, and [c] or [d](https://e.example)",
        "[Ada (U1)] is not an envelope",
        "Hello 👩‍💻",
    ],
)
def test_what_is_talked_about_stays(written: str, seed: int | None) -> None:
    assert cleaned(written, seed) == written


@pytest.mark.parametrize("seed", [None, *range(12)])
def test_a_server_that_begins_in_thought_is_read_so(seed: int | None) -> None:
    assert cleaned("Hm, hm.</think>\nHello", seed, in_thought=True) == "Hello"
    assert cleaned("No thought this time", seed, in_thought=True) == "No thought this time"
