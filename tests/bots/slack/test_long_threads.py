"""Slack: of a long thread the newest is what is heard, and what it hangs on."""

from collections.abc import Sequence

import pytest

from bots.slack import SlackAdapter
from core.seam.address import Address
from core.seam.messages import Author, Inbound, Quote
from core.session import OVERHEARD_BEFORE_QUESTION
from tests.bots.slack.ear import Clock, Ear, asked
from tests.talk import Running
from tests.wire.faults import Fault
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import BOT, BOT_USER, CHANNEL


@pytest.fixture
def dialect() -> str:
    return "sqlite"


def _texts(said: Sequence[Inbound]) -> list[str]:
    return [one.text for one in said]


def _talked(stage: SlackStage, number: int, *, root: str = "the root", user: str = "U0BEN", **more: str) -> str:
    """So many replies in a thread that nobody has told us of."""
    workspace = stage.server.workspace
    opened = workspace.add(CHANNEL, user, root, **more).ts
    stage._roots["main"] = opened
    for reply in range(number):
        workspace.add(CHANNEL, stage.user("ben"), str(reply), thread_ts=opened)
    return opened


@pytest.mark.parametrize("number", [300, 1_200])
async def test_the_newest_of_a_long_thread_are_shown_and_what_it_hangs_on(
    url: str, stage: SlackStage, number: int
) -> None:
    """C7 and C6: mentioned there for the first time."""
    _talked(stage, number)
    async with OpenAIServer() as model, Running(url, model, stage):
        await stage.say("what was decided?")
        await model.until(lambda: model.requests and model.requests[0].done)
        first, *others, question = (text for _, text in model.requests[0].texts)
    newest = [str(reply) for reply in range(number - OVERHEARD_BEFORE_QUESTION, number)]
    brackets, hangs, root, _, words = first.split("\n")
    assert brackets.startswith("[ben (U0BEN) ")
    assert hangs.startswith("> [hangs on ben (U0BEN) ")
    assert (root, words) == (">> the root", newest[0])
    assert [text.partition("] ")[2] for text in others] == newest[1:]
    assert question.endswith("what was decided?")


async def test_a_thread_hangs_on_the_bots_own_message_too(url: str, stage: SlackStage) -> None:
    """C6."""
    root = _talked(stage, 40, root="my own words", user=BOT_USER, bot=BOT)
    async with OpenAIServer() as model, Running(url, model, stage):
        await stage.say("is that so?")
        await model.until(lambda: model.requests and model.requests[0].done)
        first = model.requests[0].texts[0][1].split("\n")
        assert first[1].startswith("> [hangs on you 20")
        assert first[2] == ">> my own words"
        stage._roots["other"] = stage.server.workspace.add(CHANNEL, BOT_USER, "other words", bot=BOT).ts
        await stage.say("and that?", place="other")
        await model.until(lambda: len(model.requests) == 2 and model.requests[1].done)
    assert model.requests[1].texts[0] == ("assistant", "other words"), root


async def test_what_a_thread_hangs_on_follows_its_edits(url: str, stage: SlackStage) -> None:
    root = _talked(stage, 40, root="my password is swordfish")
    async with OpenAIServer() as model, Running(url, model, stage):
        await stage.say("well?")
        await model.until(lambda: model.requests and model.requests[0].done)
        await stage.edit(root, "never mind", to_bot=False)
        await stage.say("and now?")
        await model.until(lambda: len(model.requests) == 2 and model.requests[1].done)
    shown = model.requests[1].texts[0][1]
    assert ">> never mind" in shown
    assert "swordfish" not in shown


async def test_under_the_ration_the_newest_that_were_heard_are_told(
    stage: SlackStage, adapter: SlackAdapter, clock: Clock, ear: Ear
) -> None:
    """C7: with one page of 15 a minute, in a thread whose end has been heard."""
    stage.server.workspace.rationed = True
    for number in range(60):
        await stage.say(str(number), to_bot=False)
    heard = sorted(await ear.until(60), key=lambda one: one.at)
    newest = [str(number) for number in range(59 - 20, 59)]
    assert _texts(await adapter.backscroll(heard[-1], 20)) == ["0", *newest[:14]], "what the ration is, is known now"
    stage.server.workspace._read_at.clear()
    clock.ahead += 61
    said = await adapter.backscroll(heard[-1], 20)
    assert _texts(said) == ["0", *newest[-14:]]
    assert stage.server.number_of("conversations.replies") == 3, "the second page of the first was too much"


async def test_a_page_that_fails_leaves_what_was_read(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    root = _talked(stage, 1_200)
    await stage.say("well?", to_bot=False)
    (message,) = await ear.until(1)
    stage.server.faults = lambda method, given: Fault("before") if given.get("cursor") else None
    said = await adapter.backscroll(message, 20)
    assert _texts(said) == [str(reply) for reply in range(998 - 20, 998)]
    assert said[0].quotes[0] == Quote(
        kind="hangs on", text="the root", author=Author(id="U0BEN", name="ben"), at=float(root), message=root
    )


async def test_where_we_alone_have_replied_what_opened_the_thread_is_told_itself(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    await stage.say("root", to_bot=False)
    reply = await asked(stage, "mine")
    await adapter.deliver(reply)
    await stage.say("well?", to_bot=False)
    (*_, message) = sorted(await ear.until(4), key=lambda one: one.at)
    assert message.address == Address.parse(stage.session("main"))
    assert _texts(await adapter.backscroll(message, 1)) == ["root"]
