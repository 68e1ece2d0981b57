"""Copies: what is forwarded, attached or hung beneath something goes with the words that it is a copy of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from core.seam.messages import Audience, Closed, Quote
from core.store import Database
from core.timings import Timings
from tests.script import house, memory
from tests.talk import Running
from tests.test_forgetting import forgotten, said, stored
from tests.test_off_the_record import words_in
from tests.values import ADA, BEN, HERE
from tests.wire.openai import OpenAIServer
from tests.wire.slack import Message, SlackStage
from tests.wire.slack.workspace import BOT_USER, CHANNEL

BRISK = Timings(poll=0.1, fold=0.05, erase=0.1, reconcile=0.1)
ELSEWHERE = "C0OTHER"


@dataclass(kw_only=True)
class Talk:
    """A running program with Slack and a model, and how many questions were answered."""

    stage: SlackStage
    model: OpenAIServer
    asked: int = 0

    async def ask(self, text: str, *, place: str = "main", author: str = "ben", **more: Any) -> str:
        """Somebody says this to the bot; all that the model was shown, once the answer is on screen."""
        before = sum(one.done for one in self.stage.shown(place))
        await self.stage.write(f"<@{BOT_USER}> {text}", place=place, author=author, **more)
        await self.stage.until(lambda: sum(one.done for one in self.stage.shown(place)) > before)
        return str(self.model.requests[-1].texts)

    async def file(self, *, author: str = "ada", place: str = "main") -> Message:
        """Somebody says something to the bot with a file."""
        workspace = self.stage.server.workspace
        upload = workspace.upload("plan.txt", b"the plan is zugzwang")
        assert "zugzwang" in await self.ask("my tuna", author=author, place=place, files=[upload])
        return [one for one in workspace.messages if one.files][-1]

    def forward(self, one: Message) -> dict[str, Any]:
        return {"attachments": [self.stage.server.workspace.forward(one)]}

    async def forget(self, author: str = "ada") -> None:
        await self.stage.say("!forget me yes", author=author, to_bot=False)
        await self.stage.until(lambda: any("I have forgotten you" in one.text for one in self.stage.shown()), 60)


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
async def talk(url: str) -> AsyncIterator[Talk]:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(SlackStage())
        model = await stack.enter_async_context(OpenAIServer(answer=lambda request: "Fine."))
        await stack.enter_async_context(Running(url, model, stage, timings=BRISK))
        yield Talk(stage=stage, model=model)


WORDS = ("tuna", "zugzwang")


@pytest.mark.parametrize("how", ["delete", "delete the file"])
async def test_a_file_in_a_forwarded_message_goes_with_the_message(url: str, talk: Talk, how: str) -> None:
    one = await talk.file()
    assert "zugzwang" in await talk.ask("what is that?", place="other", **talk.forward(one))
    if how == "delete":
        await talk.stage.delete(one.ts)
    else:
        talk.stage.server.workspace.remove_file(one, one.files[0]["id"])
    async with asyncio.timeout(20):
        while "zugzwang" in await words_in(url):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.02)
    asked = await talk.ask("and now?", place="other")
    assert "zugzwang" not in asked
    assert "zugzwang" not in await words_in(url)


@pytest.mark.parametrize("again", [False, True], ids=["new", "known"])
async def test_a_file_that_was_forgotten_is_not_learnt_again_from_a_forward(
    url: str, talk: Talk, *, again: bool
) -> None:
    one = await talk.file()
    if again:
        await talk.ask("what is that?", place="other", **talk.forward(one))
    await talk.forget()
    asked = await talk.ask("what is that?", place="other", **talk.forward(one))
    assert [word for word in WORDS if word in asked] == []
    assert [word for word in WORDS if word in await words_in(url)] == []


@pytest.mark.parametrize("how", ["forget", "delete"])
async def test_what_is_gone_is_not_learnt_again_from_a_forward_into_another_channel(
    url: str, talk: Talk, how: str
) -> None:
    one, workspace = await talk.file(), talk.stage.server.workspace
    forward = talk.forward(one)
    if how == "forget":
        await talk.forget()
    else:
        await talk.stage.delete(one.ts)
    workspace.channels.add(ELSEWHERE)
    asking = workspace.add(ELSEWHERE, talk.stage.user("ben"), f"<@{BOT_USER}> what is that?", **forward)
    before = len(talk.model.requests)
    talk.stage.sent(asking, to_bot=True)
    await talk.model.until(lambda: len(talk.model.requests) > before)
    await talk.stage.until(lambda: any(one.channel == ELSEWHERE and one.bot for one in workspace.messages))
    asked = str(talk.model.requests[-1].texts)
    assert "what is that?" in asked
    assert [word for word in WORDS if word in asked] == []
    assert [word for word in WORDS if word in await words_in(url)] == []


async def hung(talk: Talk, by: str, **what: Any) -> Message:
    """A long thread, by people alone, that hangs on such a message."""
    workspace = talk.stage.server.workspace
    root = workspace.add(CHANNEL, talk.stage.user(by), "see this", **what)
    for number in range(60):
        workspace.add(CHANNEL, talk.stage.user("cleo"), f"reply {number}", thread_ts=root.ts)
    talk.stage._roots["long"] = root.ts
    return root


async def test_nobody_is_quoted_by_what_a_thread_hangs_on_who_is_denied(url: str, talk: Talk) -> None:
    talk.stage.empower("ben")
    await talk.ask("hello")
    await talk.stage.say(f"!set deny person:{talk.stage.user('ada')}", author="ben", to_bot=False)
    await talk.stage.until(lambda: any("`deny` is" in one.text for one in talk.stage.shown()))
    theirs = talk.stage.server.workspace.add(CHANNEL, talk.stage.user("ada"), "my tuna")
    await hung(talk, "ben", **talk.forward(theirs))
    asked = await talk.ask("what is that?", place="long")
    assert "reply 59" in asked
    assert "see this" in asked
    assert "tuna" not in asked
    assert "tuna" not in await words_in(url)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_a_thread_hangs_on_is_forgotten_with_who_said_it(url: str, talk: Talk, when: str) -> None:
    await talk.ask("my tuna", author="ada")
    theirs = next(one for one in talk.stage.server.workspace.messages if "tuna" in one.text)
    await hung(talk, "ben", **talk.forward(theirs))
    if when == "after":
        assert "tuna" in await talk.ask("what is that?", place="long")
    await talk.forget()
    asked = await talk.ask("and now?", place="long")
    assert "see this" in asked
    assert "tuna" not in asked
    assert "tuna" not in await words_in(url)


TO_BOT: dict[str, object] = {"audience": Audience.BOT, "direct": False}


async def test_answers_to_others_lose_what_they_have_of_somebodys_file(database: Database) -> None:
    file = Quote(kind="attaches", title="plan.txt", text="the plan is zugzwang")
    async with house(database, "Fine.", "Noon. It is zugzwang. Bring bread.") as running:
        await said(running, "see this", author=ADA, quotes=(file,), **TO_BOT)
        await said(running, "when and what?", author=BEN, **TO_BOT)
        await said(running, "!forget me yes", author=ADA, **TO_BOT)
        await forgotten(running)

    assert "zugzwang" not in await stored(database)
    assert (await memory(database))[-1] == ("assistant", "Noon. […] Bring bread.")


async def test_answers_to_others_lose_what_they_have_of_somebody_whom_these_have_quoted(database: Database) -> None:
    """Of what was never said to us."""
    quote = Quote(kind="forwards", text="the plan is zugzwang", author=ADA, at=1.0)
    async with house(database, "Fine.", "Noon. It is zugzwang. Bring bread.", "Yes, zugzwang.") as running:
        await said(running, "hello", author=ADA, **TO_BOT)
        await said(running, "when and what?", author=BEN, quotes=(quote,), **TO_BOT)
        await said(running, "is it so?", author=BEN, **TO_BOT)
        await said(running, "!forget me yes", author=ADA, **TO_BOT)
        await forgotten(running)

    assert "zugzwang" not in await stored(database)
    assert ("assistant", "Noon. […] Bring bread.") in await memory(database)


async def test_nothing_is_left_of_a_place_that_is_gone(database: Database) -> None:
    async with house(database, "Salmon.", "Tuna.") as running:
        await said(running, "my tuna", author=ADA, **TO_BOT)
        await said(running, "!summarize", author=ADA, **TO_BOT)
        await running.say(Closed(address=HERE, gone=True))
        await running.over()

    assert [word for word in ("tuna", "Tuna", "Salmon") if word in await stored(database)] == []
