"""The stand-in model: it works without anything, says so, and shows that memory does."""

from contextlib import aclosing

import pytest

from core.memory.prompts import SUMMARIZE
from core.model.envelope import spoken
from core.model.llm import Finish, Message, Model, Prompt
from core.model.offline import OfflineModel, compose
from core.seam.messages import Author, Quote


def prompt(*texts, tokens=0):
    roles = ["user", "assistant"] * len(texts)
    messages = tuple(Message(role=role, text=text) for role, text in zip(roles, texts, strict=False))
    return Prompt(instructions="Be brief.", messages=messages, tokens=tokens, conversation="c-1")


def ada(text, *quotes):
    return spoken(Author(id="U1", name="Ada"), 1_700_000_000, text, quotes)


async def read(model: Model, prompt):
    pieces = [piece async for piece in model.stream(prompt)]
    assert all(isinstance(piece, str) for piece in pieces[:-1])
    return pieces[:-1], pieces[-1]


async def test_it_streams_in_small_pieces_and_ends_with_a_finish():
    pieces, finish = await read(OfflineModel(pause=0), prompt("hello", tokens=12))
    assert max(map(len, pieces)) < 40
    assert isinstance(finish, Finish)
    assert (finish.model, finish.cut) == ("offline stand-in", None)
    assert (finish.usage.shown, finish.usage.written) == (12, len("".join(pieces)) // 4)


async def test_the_pieces_are_the_whole_answer_and_the_same_every_time():
    asked = prompt(ada("hello\n\nworld  "), "Hi.", ada("and now?"))
    first, _ = await read(OfflineModel(pause=0), asked)
    again, _ = await read(OfflineModel(pause=0.001), asked)
    assert first == again
    assert "".join(first) == compose(asked)


def test_its_first_line_says_what_it_is_and_what_to_set():
    first = compose(prompt("hello")).splitlines()[0]
    assert "stand-in" in first
    assert "OPENAI_API_KEY" in first
    assert "OPENAI_BASE_URL" in first


@pytest.mark.parametrize(("count", "words"), [(1, "1 message of"), (2, "2 messages of"), (3, "3 messages of")])
def test_it_counts_in_proper_english(count, words):
    assert f"shown {words}" in compose(prompt(*["hello"] * count))


def test_it_repeats_the_speakers_own_words_without_what_they_quote():
    answer = compose(prompt(ada("Is it?\n\nReally?", Quote(kind="prefers", text="tone: dry"))))
    assert "Ada just said:\n\n> Is it? Really?" in answer


def test_it_repeats_what_was_said_and_remembers_what_was_said_before():
    answer = compose(prompt(ada("I like teal."), "Noted.", ada("What do I like?")))
    assert "Ada just said:\n\n> What do I like?" in answer
    assert "Before that, Ada said:\n\n> I like teal." in answer
    assert "U1" not in answer


def test_it_remembers_nothing_of_a_conversation_that_has_just_begun():
    assert "before" not in compose(prompt(ada("hello"))).lower()


def test_a_text_without_a_speaker_is_quoted_as_it_is():
    assert "You just said:\n\n> hello" in compose(prompt("hello"))


def test_an_empty_prompt_is_answered_too():
    assert compose(prompt()).endswith("I was shown 0 messages of this conversation.")


def test_the_request_for_a_summary_is_answered_like_any_other():
    answer = compose(prompt(ada("We ship on Friday."), "Good.", SUMMARIZE))
    assert "We ship on Friday." in answer
    assert len(answer) < 1000


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("x" * 500, "> " + "x" * 200 + " …"),
        ("one\n\n# two\n```\nthree", r"> one # two \`\`\` three"),
        ("# Title", r"> \# Title"),
        ("- item", r"> \- item"),
        ("12. item", r"> 12\. item"),
        ("> quote", r"> \> quote"),
        ("---", r"> \---"),
        ("[here](https://evil.example)", r"> \[here\](https://evil.example)"),
        (r"\[here](https://evil.example)", r"> \\\[here\](https://evil.example)"),
        ("12 apples", "> 12 apples"),
        (" \n ", "> …"),
    ],
)
def test_a_quote_is_one_short_line_without_links_code_or_headings(text, quote):
    assert compose(prompt(text)).splitlines()[-1] == quote


async def test_it_may_be_left_in_the_middle():
    async with aclosing(OfflineModel(pause=0).stream(prompt("hello"))) as stream:
        assert await anext(stream)


def test_its_name_says_what_it_is():
    assert OfflineModel().name == "offline stand-in"


async def test_the_doctor_says_that_no_model_is_set_up_and_that_this_is_no_fault():
    model = OfflineModel()
    (finding,) = await model.examine()
    assert finding.ok
    assert "OPENAI_API_KEY" in finding.detail
    await model.close()
