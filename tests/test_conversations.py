"""Whole conversations, on every platform: who says what where, and what is heard where.

Behind each runs the platform's real client library against a server on loopback, the real OpenAI client, the real core,
and a real database.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.stage import Shown, Stage
from tests.stages import STAGES
from tests.talk import Running, tell
from tests.wire.openai import OVERLOADED, WRONG_KEY, OpenAIServer, Request


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """Conversations run on SQLite; that both databases behave alike is the store's tests' matter."""
    return "sqlite"


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage, place: str = "main") -> list[str]:
    return [shown.text for shown in stage.shown(place) if shown.done]


async def answered(stage: Stage, *expected: str, place: str = "main") -> None:
    """Waits until the bot's messages in this place are these, and no others."""
    try:
        await stage.until(lambda: texts(stage, place) == list(expected))
    except TimeoutError:
        assert texts(stage, place) == list(expected)
        raise


def shown_to_model(model: OpenAIServer, nth: int = -1) -> list[tuple[str, str]]:
    """What the model was shown, without the brackets that name the speaker."""
    return [(role, text.partition("] ")[2] if role == "user" else text) for role, text in model.requests[nth].texts]


async def test_a_mention_gets_a_streamed_answer(url: str, stage: Stage, model: OpenAIServer) -> None:
    """People see it grow before it is complete."""
    model.answer = lambda request: "It grows word by word until it is complete."
    model.hold(after=3)
    async with Running(url, model, stage):
        await stage.say("hello")
        await stage.until(lambda: any(shown.text.strip() for shown in stage.shown()))
        growing = stage.shown()[0].text
        model.release()
        await answered(stage, "It grows word by word until it is complete.")

    assert growing.strip()
    assert "It grows word by word until it is complete.".startswith(growing.strip())


async def test_a_follow_up_is_answered_with_the_earlier_turns_in_mind(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    model.answer = echo
    async with Running(url, model, stage):
        await stage.say("my cat is called Ada")
        await answered(stage, "You said: my cat is called Ada")
        await stage.say("what is she called?", author="ben")
        await answered(stage, "You said: my cat is called Ada", "You said: what is she called?")

    assert shown_to_model(model) == [
        ("user", "my cat is called Ada"),
        ("assistant", "You said: my cat is called Ada"),
        ("user", "what is she called?"),
    ]


async def test_the_same_event_twice_gets_one_answer(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = echo
    async with Running(url, model, stage):
        message = await stage.say("once")
        await stage.again(message)
        await answered(stage, "You said: once")
        await stage.again(message)
        await stage.say("twice")
        await answered(stage, "You said: once", "You said: twice")

    assert len(model.requests) == 2


async def test_a_reset_sets_old_turns_aside_and_undo_brings_them_back(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    model.answer = echo
    async with Running(url, model, stage):
        await stage.say("old")
        await answered(stage, "You said: old")
        await stage.command("reset")
        await stage.until(lambda: any("2 turns aside" in text for text in texts(stage)))
        await stage.say("new")
        await stage.until(lambda: texts(stage)[-1] == "You said: new")
        assert shown_to_model(model) == [("user", "new")]

        await stage.command("undo")
        await stage.until(lambda: any("remember 4 turns again" in text for text in texts(stage)))
        await stage.say("both?")
        await stage.until(lambda: texts(stage)[-1] == "You said: both?")

    assert [text for role, text in shown_to_model(model) if role == "user"] == ["old", "new", "both?"]


async def test_two_sessions_at_once_do_not_mix_and_do_not_wait_for_each_other(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    model.answer = echo
    model.hold()
    async with Running(url, model, stage):
        await stage.say("slow")
        await model.until(lambda: len(model.requests) == 1)
        await stage.say("quick", place="side")
        await model.until(lambda: len(model.requests) == 2)
        model.requests[1].gate.set()
        await answered(stage, "You said: quick", place="side")
        assert not texts(stage)
        model.release()
        await answered(stage, "You said: slow")

    assert shown_to_model(model, 0) == [("user", "slow")]
    assert shown_to_model(model, 1) == [("user", "quick")]


async def test_twenty_messages_in_one_session_are_answered_in_order(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    """Two people take turns; at the console there is but one, whose bursts are answered as one."""
    model.answer = echo
    expected = [f"You said: number {number}" for number in range(20)]
    async with Running(url, model, stage):
        for number in range(20):
            await stage.say(f"number {number}", author=("ada", "ben")[number % 2])
        await stage.until(lambda: expected[-1] in texts(stage), seconds=60)

    shown = texts(stage)
    assert shown == ([text for text in expected if text in shown] if not stage.overhears else expected)
    assert len(model.requests) >= len(shown)
    asked = [text for role, text in shown_to_model(model) if role == "user"]
    assert asked == [f"number {number}" for number in range(20)]


def blocks(text: str) -> Iterator[str]:
    """The code blocks of a message; an unclosed one fails."""
    inside = False
    block: list[str] = []
    for line in text.splitlines():
        if line.startswith("```"):
            if inside:
                assert line == "```", "a fence is closed before another is opened"
                yield "\n".join(block)
                block = []
            else:
                assert line == "```python", "a reopened fence keeps its language"
            inside = not inside
        elif inside:
            block.append(line)
    assert not inside, "every fence is closed in its own message"


async def test_a_long_answer_with_code_arrives_whole(url: str, stage: Stage, model: OpenAIServer) -> None:
    """9,000 characters: fences are closed and reopened where the platform's limit parts them."""
    lines = [f"value_{number} = compute({number})  # line {number}" for number in range(240)]
    code = "\n".join(lines)
    answer = f"Here is the code.\n\n```python\n{code}\n```\n\nAnd that is all of it, " + "really " * 120 + "all."
    assert len(answer) > 9_000
    model.answer = lambda request: answer
    async with Running(url, model, stage):
        await stage.say("write it all down")
        await stage.until(lambda: texts(stage) and texts(stage)[-1].rstrip().endswith("all."), seconds=40)
        await stage.say("done?")
        model.answer = lambda request: "yes"
        await stage.until(lambda: texts(stage)[-1] == "yes", seconds=40)

    parts = texts(stage)[:-1]
    assert "\n".join(block for part in parts for block in blocks(part)).splitlines() == lines
    assert shown_to_model(model)[1] == ("assistant", answer), "the session remembers it as one"


async def test_a_restart_in_the_middle_of_a_conversation_forgets_nothing(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    model.answer = echo
    async with Running(url, model, stage):
        await stage.say("before")
        await answered(stage, "You said: before")
    async with Running(url, model, stage):
        await stage.say("after")
        await stage.until(lambda: texts(stage) and texts(stage)[-1] == "You said: after")

    assert [text for _, text in shown_to_model(model)] == ["before", "You said: before", "after"]


async def test_status_context_and_help_answer_the_asker(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = echo
    async with Running(url, model, stage):
        await stage.say("hello")
        await answered(stage, "You said: hello")
        await stage.say("!status")
        await stage.until(lambda: any("I remember 2 turns" in text for text in texts(stage)))
        await stage.say("!context")
        await stage.until(
            lambda: any("2 turns word for word" in text and ("█" in text) is not stage.draws for text in texts(stage))
        )
        await stage.say("!help")
        await stage.until(lambda: any("summarize" in text for text in texts(stage)))

    assert len(model.requests) == 1, "commands are no matter for the model"


async def test_a_running_answer_can_be_stopped(url: str, stage: Stage, model: OpenAIServer) -> None:
    """What is on screen stays, and is what the session remembers."""
    model.answer = lambda request: (
        "one two three four five six seven eight nine ten" if "count" in request.last else "ok"
    )
    model.hold(after=4)
    async with Running(url, model, stage):
        await stage.say("count")
        await stage.until(lambda: any("one" in shown.text for shown in stage.shown()))
        await stage.say("!stop")
        await stage.until(lambda: "Stopped." in texts(stage))
        await stage.until(lambda: all(shown.done for shown in stage.shown()))
        model.release()
        kept: Shown = next(shown for shown in stage.shown() if "one" in shown.text)
        await stage.say("go on")
        await stage.until(lambda: texts(stage)[-1] == "ok")

    assert "ten" not in kept.text
    assert ("assistant", kept.text.strip()) in [(role, text.strip()) for role, text in shown_to_model(model)]


async def test_a_summary_is_posted_in_the_conversation(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = lambda request: "You talked about tea." if "Summarize this" in request.last else "Yes."
    async with Running(url, model, stage):
        await stage.say("do you like tea?")
        await answered(stage, "Yes.")
        await stage.command("summarize")
        await stage.until(lambda: any("You talked about tea." in text for text in texts(stage)))
        await stage.until(lambda: any(": 2 turns." in text for text in texts(stage)))

    assert shown_to_model(model)[0] == ("user", "do you like tea?")


async def test_a_summary_since_a_moment_is_of_what_was_said_since(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = lambda request: "You talked about tea." if "Summarize this" in request.last else "Yes."
    async with Running(url, model, stage):
        await stage.say("do you like tea?")
        await answered(stage, "Yes.")
        await stage.say("!summarize since 2020-01-01")
        await stage.until(lambda: any("You talked about tea." in text for text in texts(stage)))
        await stage.say("!summarize since 2100-01-01")
        await stage.until(lambda: any("Nothing was said here since 2100-01-01" in text for text in texts(stage)))
        await stage.say("!summarize since the flood")
        await stage.until(lambda: any("I don't know when `the flood` is" in text for text in texts(stage)))

    assert shown_to_model(model)[0] == ("user", "do you like tea?")
    assert len(model.requests) == 2


async def test_what_is_no_command_is_talk(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = echo
    async with Running(url, model, stage):
        await stage.say("!nice work")
        await answered(stage, "You said: !nice work")


async def test_a_model_that_fails_once_is_tried_again(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = echo
    model.faults.append(OVERLOADED)
    async with Running(url, model, stage):
        await stage.say("hello")
        await answered(stage, "You said: hello")

    assert len(model.requests) == 2


async def test_a_wrong_key_is_said_in_one_honest_sentence(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.faults.append(WRONG_KEY)
    model.answer = echo
    async with Running(url, model, stage):
        await stage.say("hello")
        await stage.until(lambda: any("not set up" in text for text in texts(stage)))
        await stage.say("and now?")
        await stage.until(lambda: texts(stage)[-1] == "You said: and now?")


async def test_model_output_can_not_call_people(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = lambda request: "Wake up <!channel> and @everyone and <@U999>!"
    async with Running(url, model, stage):
        await stage.say("ping them all")
        await stage.until(lambda: bool(texts(stage)))

    (text,) = texts(stage)
    broken = "Wake up <\u200b!channel> and @everyone and <\u200b@U999>!"
    unbroken = "Wake up <!channel> and @everyone and <@U999>!"
    assert text == (broken if stage.adapter().rings else unbroken), "where we tell whom to call, nothing is inserted"


async def test_code_that_people_copy_is_whole(url: str, stage: Stage, model: OpenAIServer) -> None:
    """C9"""
    answer = "Run `npm install @here/maps-api`:\n\n```sh\nnpm install @here/maps-api\necho '<!here> <@U999>'\n```"
    model.answer = lambda request: answer
    async with Running(url, model, stage):
        await stage.say("how do I install it?")
        await answered(stage, answer)


async def test_many_sessions_are_answered_at_once(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = echo
    model.hold()
    async with Running(url, model, stage):
        for number in range(8):
            await stage.say(f"from {number}", place=f"place {number}")
        await model.until(lambda: len(model.requests) == 8)
        model.release()
        async with asyncio.timeout(30):
            for number in range(8):
                await answered(stage, f"You said: from {number}", place=f"place {number}")


async def test_a_notice_stands_between_two_answers_and_the_model_is_not_shown_it(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    model.answer = echo
    notice = "This conversation starts **anew** tomorrow."
    async with Running(url, model, stage):
        await stage.say("hello")
        await answered(stage, "You said: hello")
        await tell(url, stage, notice)
        await stage.until(lambda: len(texts(stage)) > 1)
        await stage.say("and again")
        await stage.until(lambda: texts(stage)[-1] == "You said: and again")

    before, told, after = texts(stage)
    assert (before, after) == ("You said: hello", "You said: and again")
    assert told.replace("*", "") == notice.replace("*", ""), "in the platform's own dialect"
    asked = [("user", "hello"), ("assistant", "You said: hello"), ("user", "and again")]
    assert [one for one in shown_to_model(model) if one[0] in ("user", "assistant")] == asked
