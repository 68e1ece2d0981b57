"""Settings on every platform: an admin there sets something, who is none is told so, and the next answer obeys."""

from collections.abc import AsyncIterator

import pytest

from core.model.openai.asking import THINKING
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage


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
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


async def said(stage: Stage, text: str, *, author: str = "ada", native: bool = False) -> str:
    """What the bot says to this."""
    before = len(stage.shown())
    if native:
        await stage.command(text, author=author)
    else:
        await stage.say(text, author=author)
    await stage.until(lambda: len(stage.shown()) > before and all(one.done and one.text for one in stage.shown()))
    return stage.shown()[-1].text


async def test_an_admin_sets_and_the_next_answer_obeys(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = lambda _: "well"
    async with Running(url, model, stage):
        await said(stage, "hello")
        if stage.admins != "everyone":
            assert "Only admins may change my settings here." in await said(stage, "!set answer_tokens 77")
        if stage.admins == "nobody":
            return
        stage.empower("ada")
        assert "`answer_tokens` is 77" in await said(stage, "!set workspace answer_tokens 77")
        await said(stage, "hello again")
        assert "77 (set for the workspace)" in await said(stage, "settings", native=True)

    limits = [request.body.get("max_tokens", request.body.get("max_output_tokens")) for request in model.requests]
    assert limits == [4_000, 77 + THINKING], "the answers of this server show that it thinks"


async def test_another_model_of_the_same_server_answers_where_it_is_set(url: str, model: OpenAIServer) -> None:
    model.answer = lambda _: "well"
    async with STAGES["console"]() as stage, Running(url, model, stage, backscroll_models="better, high"):
        await said(stage, "hello")
        await said(stage, "!set model better")
        await said(stage, "!set reasoning high")
        await said(stage, "hello again")
        assert "- `model`: better (set for this channel)" in await said(stage, "!settings")

    usual, better = model.requests
    assert usual.body["model"] != "better"
    assert better.body["model"] == "better"
    assert "high" in str(better.body.get("reasoning_effort", better.body.get("reasoning")))
    assert not {"reasoning", "reasoning_effort"} & usual.body.keys()


async def test_whom_a_mention_names_may_do_what_is_set(url: str, model: OpenAIServer) -> None:
    model.answer = lambda _: "well"
    async with SlackStage() as stage, Running(url, model, stage):
        stage.empower("ada")
        await said(stage, "hello")
        before = len(stage.shown())
        await stage.write(f"!set may_set <@{stage.user('ben')}>, admins")
        await stage.until(lambda: len(stage.shown()) > before)
        assert "`answer_tokens` is 77" in await said(stage, "!set answer_tokens 77", author="ben")
        assert "may change my settings" in await said(stage, "!set answer_tokens 77", author="eve")


@pytest.mark.parametrize("platform", ["slack", "discord"])
@pytest.mark.parametrize("named", ["Doe, Jane (she/her) 🦊", "x (7), everyone, @y"])
async def test_a_mention_names_one_person_whatever_that_person_is_called(
    url: str, model: OpenAIServer, platform: str, named: str
) -> None:
    """Commas part the people of a list, and anybody may call themselves what would be several."""
    model.answer = lambda _: "well"
    async with STAGES[platform]() as stage, Running(url, model, stage):
        stage.empower("ada")
        await said(stage, "hello")
        if isinstance(stage, SlackStage):
            number = stage.user(named)
            mentioning = stage.write(f"!set may_set <@{number}>")
        else:
            assert isinstance(stage, DiscordStage)
            number = stage.world.person(named)["id"]
            mentioning = stage.speak(f"!set may_set <@{number}>", mentions=stage.world.mentioned(f"<@{number}>"))
        before = len(stage.shown())
        await mentioning
        await stage.until(lambda: len(stage.shown()) > before and stage.shown()[-1].done)
        assert f"`may_set` is {number} for this channel" in stage.shown()[-1].text
        assert "`answer_tokens` is 77" in await said(stage, "!set answer_tokens 77", author=named)
        assert "may change my settings" in await said(stage, "!set answer_tokens 77", author="eve")


async def test_a_persona_is_told_as_code_and_calls_nobody(url: str, stage: Stage, model: OpenAIServer) -> None:
    """What people set is told to others: it must not ring, nor pass for words of ours."""
    persona = "**Boss** `x` <!channel> @everyone <@U999>"
    model.answer = lambda _: "well"
    async with Running(url, model, stage):
        await said(stage, "hello")
        stage.empower("ada")
        if stage.admins == "nobody":
            return
        answer = await said(stage, f"!set persona {persona}")
        listed = await said(stage, "settings", native=True)

    code = "`**Boss** 'x' <!channel> @everyone <@U999>`"
    for text in (answer, listed):
        assert code in text.replace("&lt;", "<").replace("&gt;", ">")


@pytest.mark.parametrize("value", ["```", "~~~", "<!channel>", "３０m", "x" * 900])
async def test_whatever_a_wrong_value_looks_like_what_would_be_right_is_read(
    url: str, stage: Stage, model: OpenAIServer, value: str
) -> None:
    model.answer = lambda _: "well"
    async with Running(url, model, stage):
        await said(stage, "hello")
        stage.empower("ada")
        if stage.admins == "nobody":
            return
        answer = await said(stage, f"!set idle {value}")

    assert answer.endswith(" is no duration: write 30m, 12h, 7d or never.")


async def test_an_admin_undoes_what_would_lock_everybody_out(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = lambda _: "well"
    async with Running(url, model, stage):
        await said(stage, "hello")
        stage.empower("ada")
        if stage.admins == "nobody":
            return
        assert "`may_set` is U0" in await said(stage, "!set may_set U0")
        if stage.overhears:
            assert "Only those who are named" in await said(stage, "!set answer_tokens 77")
        else:
            assert "`answer_tokens` is 78" in await said(stage, "!set answer_tokens 78"), "it is all their own"
        assert "`may_set` is no longer set" in await said(stage, "!unset may_set")
        assert "`answer_tokens` is 77" in await said(stage, "!set answer_tokens 77")


async def test_members_may_what_others_may_not(url: str, stage: Stage, model: OpenAIServer) -> None:
    model.answer = lambda _: "well"
    async with Running(url, model, stage, backscroll_may_reset="members"):
        first = await said(stage, "!reset")
        if stage.overhears:
            assert "Only those who have said something to me here" in first
        else:
            assert "this session is new" in first, "it is all their own"
        await said(stage, "hello")
        assert "A fresh start" in await said(stage, "!reset")


async def test_what_is_answered_is_as_it_is_set(url: str, stage: Stage, model: OpenAIServer) -> None:
    """All, then nothing but commands while it listens, then nothing at all, and all that is kept of it."""
    model.answer = lambda request: f"You said: {request.last.partition('] ')[2]}"
    async with Running(url, model, stage, backscroll_answers="all"):
        await stage.say("hello")
        await stage.until(lambda: [one.text for one in stage.shown()] == ["You said: hello"])
        if stage.overhears:
            await stage.say("to nobody", place="new", author="ben", to_bot=False)
            await stage.until(lambda: [one.text for one in stage.shown("new")] == ["You said: to nobody"])
    shown = len(stage.shown())
    async with Running(url, model, stage, backscroll_answers="observe", backscroll_may_set="everyone"):
        await stage.say("we ship on Friday")
        assert "I remember" in await said(stage, "!status"), "it comes after what was said before"
        assert "off for this channel" in await said(stage, "!set answers off")
        assert len(stage.shown()) == shown + 2
        await stage.say("we ship on Monday")
        assert "no longer set" in await said(stage, "!unset answers")
        assert len(stage.shown()) == shown + 3
    async with Running(url, model, stage):
        await said(stage, "when do we ship?")

    heard = [text.partition("] ")[2] for role, text in model.requests[-1].texts if role == "user"]
    assert "we ship on Friday" in heard
    assert "we ship on Monday" not in heard


@pytest.mark.parametrize(("platform", "verb"), [("discord", "status"), ("discord", "reset"), ("slack", "reset")])
async def test_where_we_are_off_a_native_command_is_told_so_and_what_is_typed_is_not(
    url: str, model: OpenAIServer, platform: str, verb: str
) -> None:
    """Discord shows a command of its own that nobody answers as one that failed."""
    model.answer = lambda _: "well"
    async with STAGES[platform]() as stage:
        async with Running(url, model, stage):
            await said(stage, "hello")
        before = len(stage.shown())
        async with Running(url, model, stage, backscroll_answers="off"):
            await stage.say(f"!{verb}")
            await stage.command(verb)
            await stage.until(lambda: len(stage.shown()) > before and stage.shown()[-1].done)

    (told,) = stage.shown()[before:]
    assert told.text == "I am switched off here, and listen only to those who may change my settings."
    assert told.private or (platform, verb) == ("discord", "reset"), "who sees it is decided when that is given"
