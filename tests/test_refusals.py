"""A place that takes nothing that we say: no model is paid for it, and memory holds what people saw."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from core.schema import turns
from core.session import Progress, Role
from core.store import Database, dead
from tests.script import rows
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL

People = SlackStage | DiscordStage
CODES = [
    ("slack", "is_archived"),
    ("slack", "restricted_action"),
    ("slack", "restricted_action_read_only_channel"),
    ("slack", "not_in_channel"),
    ("discord", 50001),
    ("discord", 50013),
    ("discord", 160005),
]


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def shut(people: People, code: str | int) -> Callable[[], None]:
    """The place refuses whatever we say; returns what opens it again."""
    if isinstance(people, SlackStage):
        people.server.workspace.closed[CHANNEL] = str(code)
        return people.server.workspace.closed.clear
    assert isinstance(code, int)
    people.world.fault("(POST|PATCH) /channels/.*/messages", status=403, code=code, times=1_000)
    return people.world.faults.clear


async def over(database: Database, questions: int) -> None:
    """So many questions are over, with or without an answer; nobody tells of those to which nothing is said."""
    while await ended(database) < questions:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def ended(database: Database) -> int:
    """How many questions are over."""
    return sum(one.progress == Progress.DONE and one.role == Role.PERSON for one in await rows(database, turns))


@pytest.mark.parametrize(("platform", "code"), CODES)
async def test_what_may_not_be_said_in_a_place_is_learnt_before_the_model_is_paid_again(
    url: str, database: Database, model: OpenAIServer, platform: str, code: str | int
) -> None:
    async with {"slack": SlackStage, "discord": DiscordStage}[platform]() as people, Running(url, model, people):
        await people.say("hello")
        await people.until(lambda: people.shown())
        await over(database, 1)
        reopen = shut(people, code)
        for number, author in enumerate(("ada", "ben", "cy"), 1):
            await people.say(f"question {number}", author=author)
            await over(database, 1 + number)
        assert len(model.requests) == 2, "hello, and the first question of the three"
        assert len(await database.read(dead.listed, 10)) == 3, "the operator sees all of them"
        reopen()
        await people.say("and now?", author="dan")
        await people.until(lambda: [one.text for one in people.shown() if one.done][1:] == ["You said: and now?"])

    said = [text for role, text in model.requests[-1].texts if role == "assistant"]
    assert said == ["You said: hello"], "what nobody saw is not remembered"
    assert len(model.requests) == 3


@pytest.mark.parametrize("code", [240000, 200000])
async def test_words_that_a_filter_does_not_take_become_an_honest_sentence(
    url: str, database: Database, model: OpenAIServer, code: int
) -> None:
    sentence = "I can't say here what I have to say: a filter of this place does not let it through."
    async with DiscordStage() as people:

        def filtered(asked: str, json: object) -> None:
            if isinstance(json, dict) and "evil" in str(json.get("content")):
                people.world.fault("(POST|PATCH) /channels/.*/messages", status=400, code=code)

        people.rest.weighs = filtered
        async with Running(url, model, people):
            await people.say("is evil.example good?")
            await people.until(lambda: [one.text for one in people.shown()] == [sentence])
            await over(database, 1)
            await people.say("and now?", author="ben")
            await people.until(lambda: [one.text for one in people.shown()][1:] == ["You said: and now?"])
    assert [text for role, text in model.requests[-1].texts if role == "assistant"] == [sentence]
