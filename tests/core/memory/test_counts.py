"""Counts that hold: what is sent never exceeds the budget, whatever people are called, write and change."""

import asyncio
import base64
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from structlog.testing import capture_logs
from tiktoken import Encoding

from core.memory.window import MESSAGE_TOKENS, REPLY_TOKENS, build, text
from core.model import tokens
from core.model.cutting import cut_middle
from core.model.envelope import spoken
from core.model.llm import Finish, Prompt, Usage
from core.model.tokens import Estimate, Vocabulary
from core.seam.messages import Audience, Author, Edited, Inbound
from core.session import Kind, Progress, Role, Turn, Validity
from core.store import Database
from core.store.engine.sql import storable
from tests.script import House, ScriptedModel, TranscriptAdapter
from tests.values import ADA, HERE, message

both = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)

EMOJI = Author(id="U1", name="👩🏽‍🚀" * 40)
NAMES = ["Ada", EMOJI.name, "😀" * 80, "😀\x00" * 80, "田中" * 40, "\ud83d" * 80, "(]" * 90, "", "नमस्ते" * 15, "ᚠ" * 200]
TEXTS = [
    "yes",
    "no " * 300,
    "語" * 50,
    "👩🏽‍🚀" * 30,
    "\ud83d\ude00" * 40,
    '{"id": 17, "ok": true}' * 20,
    base64.b64encode(bytes(range(200))).decode(),
    "a\x00b" * 30,
]


@pytest.fixture(scope="module")
def exact() -> Vocabulary:
    counter = asyncio.run(tokens.load("gpt-5"))
    assert isinstance(counter, Vocabulary)
    return counter


def sent(prompt: Prompt, encoding: Encoding) -> int:
    """What OpenAI would bill for this prompt, counted of nothing but what is sent."""
    texts = [prompt.instructions, *(one.text for one in prompt.messages)]
    return sum(len(encoding.encode_ordinary(text)) + MESSAGE_TOKENS for text in texts) + REPLY_TOKENS


def house(database: Database, exact: Vocabulary, budget: int) -> House:
    there = House(database, ScriptedModel(), TranscriptAdapter(max_text=100_000), budget=budget)
    there.mind.counter = exact
    return there


@both
async def test_a_message_that_was_said_under_a_long_name_and_edited_under_a_short_one_is_counted_as_it_is_shown(
    database: Database, exact: Vocabulary
) -> None:
    async with house(database, exact, budget=1500) as there:
        for number in range(40):
            said = message(f"{number}", author=EMOJI)
            await there.say(said)
            await there.over()
            await there.say(Edited(message=replace(said, author=ADA, text=f"{number}!"), at=said.at + 5))
        await there.say(message("and now?"))
        await there.over()

    last = there.model.prompts[-1]
    assert sent(last, exact._encoding) <= last.tokens <= 1500
    assert last.messages[0].text.startswith("[Ada (U1)"), "people are called what they were when they last said it"


@both
async def test_what_was_overheard_under_one_name_and_is_called_upon_by_another_is_counted_as_it_is_shown(
    database: Database, exact: Vocabulary
) -> None:
    async with house(database, exact, budget=1500) as there:
        await there.say(message("hello", direct=False, audience=Audience.BOT))
        await there.over()
        for number in range(40):
            heard = message(f"{number}", author=EMOJI, direct=False, audience=Audience.OTHERS)
            await there.say(heard, replace(heard, author=ADA, audience=Audience.BOT))
            await there.over()

    last = there.model.prompts[-1]
    assert sent(last, exact._encoding) <= last.tokens <= 1500
    assert last.messages[-1].text.startswith("[Ada (U1)")


def chaos(seed: int, length: int) -> Iterator[list[Inbound | Edited]]:
    """What people with changing names say, overhear, call upon and edit, one moment after the other."""
    dice = random.Random(seed)
    said: list[Inbound] = []
    for _ in range(length):
        author = Author(id=f"U{dice.randrange(3)}", name=dice.choice(NAMES))
        text = dice.choice(TEXTS)
        if said and dice.random() < 0.4:
            old = dice.choice(said)
            yield [Edited(message=replace(old, author=replace(author, id=old.author.id), text=text), at=2e9)]
            continue
        one = message(text, author=author, direct=dice.random() < 0.6)
        said.append(one)
        yield [one, replace(one, author=replace(author, name=dice.choice(NAMES)), direct=True)]


@both
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_people_are_called_write_and_edit_the_budget_holds(
    database: Database, exact: Vocabulary, seed: int
) -> None:
    async with house(database, exact, budget=1200) as there:
        for events in chaos(seed, 40):
            await there.say(*events)
            await there.over()

    assert len(there.model.prompts) > 10
    for prompt in there.model.prompts:
        assert sent(prompt, exact._encoding) <= prompt.tokens <= 1200


class Billing(ScriptedModel):
    """Reports what it was sent, but no more than it reads, as some servers do that drop the rest."""

    def __init__(self, exact: Vocabulary, *, reads: int = 10**9) -> None:
        super().__init__()
        self._encoding = exact._encoding
        self._reads = reads

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        self.usage = Usage(shown=min(sent(prompt, self._encoding), self._reads), written=1)
        async with aclosing(super().stream(prompt)) as pieces:
            async for piece in pieces:
                yield piece


async def talk(there: House, words: str, channel: str, times: int) -> None:
    for _ in range(times):
        await there.say(message(words, address=replace(HERE, channel=channel)))
        await there.over()


OTHER_WORDS = {
    "japanese": "委員会は昨日、すべての依頼は公開前に二人で確認しなければならないと決めました。" * 7,
    "json": '{"id": 17, "ts": 1700000023.29, "ok": true, "tags": ["a", "b"], "n": null}, ' * 5,
    "emoji": "👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈" * 4,
    "rare": "ᚠᚢᚦ ሰላም ߒߞߏ 𐍈𐍉 ᎠᎡ ꦗꦮ" * 4,
}


@pytest.mark.parametrize("other", OTHER_WORDS)
async def test_what_english_talk_teaches_sends_no_more_than_the_budget_of_anything_else(
    database: Database, exact: Vocabulary, other: str
) -> None:
    """D12: there is no vocabulary here."""
    async with House(database, Billing(exact), TranscriptAdapter(max_text=100_000), budget=2500) as there:
        await talk(there, "We all agreed that the release can wait until everybody has had some sleep. " * 3, "a", 30)
        there_too = replace(HERE, channel="b")
        await talk(there, "hello", "b", 1)
        for _ in range(20):
            await there.say(message(OTHER_WORDS[other], address=there_too, direct=False, audience=Audience.OTHERS))
        await talk(there, "and now?", "b", 1)

    assert len(there.model.prompts[-1].messages) > 3
    assert all(sent(prompt, exact._encoding) <= 2500 for prompt in there.model.prompts)


async def test_a_server_that_drops_the_head_of_the_prompt_is_sent_no_more_than_the_budget(
    database: Database, exact: Vocabulary
) -> None:
    """B11."""
    model = Billing(exact, reads=400)
    there = House(database, model, TranscriptAdapter(max_text=100_000), budget=2000)
    there.mind.counter = exact
    with capture_logs() as logs:
        async with there:
            await talk(there, "We all agreed that the release can wait until everybody has slept. " * 5, "a", 30)

    assert all(sent(prompt, exact._encoding) <= 2000 for prompt in model.prompts)
    assert [line["event"] for line in logs if "reports less" in line["event"]] == [
        "the server reports less than it was sent"
    ]
    assert there.mind.calibration.read == 400


names = some.text(max_size=120) | some.sampled_from(NAMES)
texts = some.text(max_size=300) | some.sampled_from(TEXTS)
halves = some.text(some.characters(categories=["Cs", "Cc", "So", "Lo"]), max_size=120)


@given(names | halves, texts | halves)
@example("0\x010", "")
@example("0\x000", "")
def test_what_is_counted_before_it_is_stored_is_what_is_shown_after(name: str, text: str) -> None:
    stored = Author(id="U1", name=storable(name))

    assert spoken(Author(id="U1", name=name), 0, text) == spoken(stored, 0, text.encode("utf-8", "replace").decode())


@given(names | halves)
def test_no_name_costs_more_than_a_long_sentence(exact: Vocabulary, name: str) -> None:
    assert exact.count(spoken(Author(id="U1", name=name), 0, "")) <= 180


@given(some.lists(some.tuples(names, texts), max_size=12), some.integers(500, 3000), some.booleans())
def test_a_window_of_any_names_and_texts_fits_the_budget_by_the_real_vocabulary(
    exact: Vocabulary, said: list[tuple[str, str]], budget: int, guess: bool
) -> None:
    counter = Estimate() if guess else exact
    turns = []
    for seq, (name, words) in enumerate(said):
        turn = Turn(
            seq=seq,
            role=Role.PERSON,
            kind=Kind.SAID,
            progress=Progress.DONE,
            validity=Validity.STANDS,
            text=words.encode("utf-8", "replace").decode(),
            tokens=0,
            at=60.0 * seq,
            author=Author(id="U1", name=name),
        )
        turns.append(turn._replace(tokens=counter.count(text(turn)) + MESSAGE_TOKENS))

    def cut(words: str, most: int) -> str:
        return cut_middle(words, most, counter)

    window = build(None, reversed(turns), budget=budget, fixed=4, cut=cut)

    prompt = Prompt(instructions="", messages=window.messages, tokens=window.tokens, conversation="")
    assert sent(prompt, exact._encoding) <= window.tokens <= budget
