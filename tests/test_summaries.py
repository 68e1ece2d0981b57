"""Dialogues about summaries: under headings, each line with the messages that it comes from, on every platform."""

import re
from collections.abc import AsyncIterator

import pytest

from core.timings import Timings
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.test_conversations import answered, shown_to_model, texts
from tests.test_folded_talk import TALK, asked_to_fold
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage

_NUMBER = re.compile(r"^(-?\d+): \[\d{4}-\d\d-\d\d \d\d:\d\d\] (.*)", re.MULTILINE)
_LINK = re.compile(r"\[\d+\]\(<?(https://[^\s()<>]+?)>?\)")
_DATED = re.compile(r" · \d{4}-\d\d-\d\d \d\d:\d\d")


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=answer) as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """Conversations run on SQLite; that both databases behave alike is the store's tests' matter."""
    return "sqlite"


def answer(request: Request) -> str:
    """A summary in the form that is asked for, with a line for each message that has a number; else a word."""
    if "Summarize this" not in request.last:
        return "Yes."
    lines = [f"- somebody asked {words!r} ({seq})" for seq, words in _NUMBER.findall(request.last)]
    return "\n".join(["# about", f"- so many: {len(lines)}", "# open", *lines])


async def summary(stage: Stage, command: str = "!summarize", place: str = "main") -> str:
    """What is posted for it, once it is whole."""
    before = len(texts(stage, place))
    await stage.say(command, place=place)
    await stage.until(lambda: any("_(This tells of" in text for text in texts(stage, place)[before:]))
    return "\n".join(texts(stage, place)[before:])


async def opened(stage: Stage, line: str) -> list[str]:
    """The IDs of the messages that the links in a line open."""
    adapter = stage.adapter()
    found = [await adapter.linked(link) for link in _LINK.findall(line)]
    await adapter.close()
    return [one.message for one in found if one is not None]


async def assert_opens(stage: Stage, said: str, words: str, message: str) -> None:
    """The line with these words leads to this message, or where there are no links, says when it was said."""
    (line,) = [line for line in said.splitlines() if f"asked '{words}" in line]
    assert _DATED.search(line)
    assert await opened(stage, line) == ([message] if stage.has_links else [])


async def test_each_link_opens_the_message_whose_words_gave_the_line(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        tea = await stage.say("is there tea?")
        await answered(stage, "Yes.")
        milk = await stage.say("is there milk?", author="ben")
        await answered(stage, "Yes.", "Yes.")
        said = await summary(stage)

    assert "### About\n- so many: 2\n\n### Open\n- somebody" in said
    await assert_opens(stage, said, "is there tea?", tea)
    await assert_opens(stage, said, "is there milk?", milk)
    assert not re.search(r"\(\d+\)", said), "nobody sees our numbers"


@pytest.mark.parametrize("since", ["yesterday", "2020-01-01", "1h"])
async def test_so_do_those_of_a_summary_since_a_moment(url: str, stage: Stage, model: OpenAIServer, since: str) -> None:
    async with Running(url, model, stage):
        tea = await stage.say("is there tea?")
        await answered(stage, "Yes.")
        said = await summary(stage, f"!summarize since {since}")

    await assert_opens(stage, said, "is there tea?", tea)


async def test_so_do_those_of_one_since_its_askers_last_visit(url: str, stage: Stage, model: OpenAIServer) -> None:
    if not stage.overhears:
        pytest.skip("everybody here is one person")
    async with Running(url, model, stage):
        await stage.say("is there tea?")
        await answered(stage, "Yes.")
        milk = await stage.say("is there milk?", author="ben")
        await answered(stage, "Yes.", "Yes.")
        said = await summary(stage, "!summarize since my last visit")

    await assert_opens(stage, said, "is there milk?", milk)
    assert "tea" not in said


async def test_a_line_from_a_record_opens_its_messages_too(url: str, stage: Stage, model: OpenAIServer) -> None:
    def folder(request: Request) -> str:
        if (asked := asked_to_fold(request)) is not None:
            return f"# facts\n- Ada keeps the key in the blue box ({asked[1]})"
        if "Summarize this" in request.last:
            shown = "\n".join(text for _, text in request.texts)
            return "# decided\n" + "\n".join(re.findall(r"- \[.*the blue box \(-?\d+\)", shown))
        return "Noted."

    model.answer = folder
    async with Running(url, model, stage, timings=Timings(fold=0.05), backscroll_context_tokens=6_000):
        key = await stage.say("The key is in the blue box.")
        await answered(stage, "Noted.")
        for many in range(2, 60):
            await stage.say(TALK)
            await answered(stage, *["Noted."] * many)
            if any("[[record of turns" in text for _, text in model.requests[-1].texts):
                break
        said = await summary(stage)

    lines = [line for line in said.splitlines() if "Ada keeps the key in the blue box" in line]
    assert lines
    assert all(_DATED.search(line) for line in lines)
    assert await opened(stage, lines[0]) == ([key] if stage.has_links else [])
    assert "+00:00" not in said


async def test_a_model_that_does_not_keep_the_form_has_written_a_summary(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    model.answer = lambda request: "You talked about tea (1)." if "Summarize this" in request.last else "Yes."
    async with Running(url, model, stage):
        await stage.say("is there tea?")
        await answered(stage, "Yes.")
        said = await summary(stage)

    assert said.startswith("You talked about tea (1).\n\n_(This tells of")


async def test_the_model_is_shown_a_summary_without_its_links(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await stage.say("is there tea?")
        await answered(stage, "Yes.")
        said = await summary(stage)
        await stage.say("thanks")
        await stage.until(lambda: texts(stage)[-1] == "Yes.")

    (again,) = [text for role, text in shown_to_model(model) if role == "assistant" and "### Open" in text]
    assert "https://" not in again
    assert again == re.sub(rf" {_LINK.pattern}", "", said)


def eight_times(request: Request) -> str:
    """A summary that has a long line for each message again and again."""
    numbers = 8 * _NUMBER.findall(request.last)
    return "\n".join(["# open", *(f"- {words} {'and so on ' * 9}({seq})" for seq, words in numbers)])


async def test_a_long_summary_parts_no_link(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        said = list[str]()
        for number in range(6):
            said.append(await stage.say(f"question {number}", place="long"))
            await answered(stage, *["Yes."] * (number + 1), place="long")
        model.answer = eight_times
        told = await summary(stage, place="long")
        parts = texts(stage, "long")[len(said) :]

    assert len(parts) > 1 or stage.adapter().max_text > len(told)
    assert all(part.count("](") == len(_LINK.findall(part)) for part in parts)
    opens = [message for part in parts for message in await opened(stage, part)]
    assert opens == (8 * said if stage.has_links else [])


async def test_a_summary_calls_nobody(url: str, model: OpenAIServer) -> None:
    async with SlackStage() as stage, Running(url, model, stage):
        ben = stage.user("ben")
        model.answer = lambda request: (
            f"# open\n- <@{ben}> asked <!channel> for tea (1)" if "Summarize this" in request.last else "Yes."
        )
        await stage.say("is there tea?", author="ben")
        await answered(stage, "Yes.")
        said = await summary(stage)

    assert "asked" in said
    assert f"<@{ben}>" not in said
    assert "<!channel>" not in said
