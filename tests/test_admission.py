"""Who is talked with, and who sees what, through the real clients: allow, deny, guests, externals, roles, programs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from bots.slack.history import hanging
from core.access import quotable
from core.policy import Policy
from core.schema import denials, presence, sessions
from core.seam.messages import Standing
from core.store import Database, audit, connect, dead
from core.timings import Timings
from tests.script import rows
from tests.stage import Shown, Stage
from tests.stages import STAGES
from tests.talk import Running
from tests.values import message
from tests.wire.discord import DiscordStage
from tests.wire.discord_world import VIEW_CHANNEL
from tests.wire.faults import Fault
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import BOT_USER, CHANNEL

SECRET = "the plan is zugzwang"


@pytest.fixture(params=["slack", "discord"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture
async def slack() -> AsyncIterator[SlackStage]:
    async with SlackStage() as stage:
        yield stage


@pytest.fixture
async def discord() -> AsyncIterator[DiscordStage]:
    async with DiscordStage() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def person(stage: Stage, name: str) -> str:
    if isinstance(stage, SlackStage):
        return stage.user(name)
    assert isinstance(stage, DiscordStage)
    return str(stage.world.person(name)["id"])


def channel(stage: Stage) -> str:
    return stage.session("main").split(":")[2]


async def said(stage: Stage, text: str, *, author: str = "ada", place: str = "main") -> Shown:
    """What the bot says to this: an answer, which has it to its end, what a command gives, or a denial."""
    before = len(stage.shown(place))
    await stage.say(text, author=author, place=place)

    def is_whole(one: Shown) -> bool:
        if one.text.startswith("I ") or text.startswith("!"):
            return one.done and bool(one.text)
        return one.done and one.text.endswith(text)

    await stage.until(lambda: len(stage.shown(place)) > before and is_whole(stage.shown(place)[-1]))
    return stage.shown(place)[-1]


def stored(url: str) -> bytes:
    """All that is in the database's files."""
    path = Path(url.removeprefix("sqlite:///"))
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


async def recorded(url: str) -> list[tuple[str | None, str, str]]:
    """Who did what, or was refused, as the audit has it."""
    database = connect(url)
    try:
        return [(one.actor, one.deed, one.outcome) for one in await database.read(audit.found, most=99)]
    finally:
        await database.close()


def asked(model: OpenAIServer) -> str:
    """All that the model was shown."""
    return "\n".join(text for request in model.requests for _, text in request.texts)


async def test_deny_a_person_who_is_told_once_a_day_and_of_whom_nothing_is_kept(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage, backscroll_deny=f"person:{person(stage, 'eve')}"):
        await said(stage, "hello")
        denial = await said(stage, SECRET, author="eve")
        assert denial.text.startswith("I can't talk with you here")
        assert denial.private == isinstance(stage, SlackStage), "as far as the platform can"
        await stage.say(f"again, {SECRET}", author="eve")
        await stage.say(SECRET, author="eve", to_bot=False)
        assert "what did eve say" in (await said(stage, "what did eve say?")).text
        assert sum(one.text == denial.text for one in stage.shown()) == 1

        day_ago = denials.c.told_at - 86_400_000
        database = connect(url)
        await database.write(lambda connection: connection.execute(update(denials).values(told_at=day_ago)))
        await database.close()
        assert (await said(stage, SECRET, author="eve")).text == denial.text

    assert "zugzwang" not in asked(model)
    assert b"zugzwang" not in stored(url)


async def test_deny_also_what_was_said_before_the_bot_was_called(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage, backscroll_deny=f"person:{person(stage, 'eve')}"):
        await stage.say(SECRET, author="eve", to_bot=False)
        await stage.say("what a day", author="ben", to_bot=False)
        await said(stage, "hello")

    assert "what a day" in asked(model)
    assert "zugzwang" not in asked(model)
    assert b"zugzwang" not in stored(url)


async def rewrite(stage: Stage, message: str, text: str) -> None:
    assert isinstance(stage, SlackStage | DiscordStage)
    await (stage.edit(message, text, to_bot=False) if isinstance(stage, SlackStage) else stage.edit(message, text))


async def test_deny_also_what_somebody_writes_by_an_edit_from_then_on(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    stage.empower("ada")
    async with Running(url, model, stage):
        await said(stage, "hello")
        overheard = await stage.say("a lovely morning", author="eve", to_bot=False)
        asked_ = await stage.say("what a day", author="eve")
        await stage.until(lambda: any(one.done and one.text.endswith("what a day") for one in stage.shown()))
        await stage.say(f"!set deny person:{person(stage, 'eve')}")
        await stage.until(lambda: any("`deny` is" in one.text for one in stage.shown()))
        for message in (overheard, asked_):
            await rewrite(stage, message, SECRET)
        await said(stage, "and now?")
        await said(stage, "and then?")

    assert "[eve (" in asked(model)
    assert "[eve (" not in str(model.requests[-1].texts), "it is on screen no longer"
    assert "zugzwang" not in asked(model)
    assert b"zugzwang" not in stored(url)


async def point(stage: Stage, message: str) -> None:
    """Ada asks what somebody's message is about: a forward on Slack, a reply on Discord."""
    if isinstance(stage, SlackStage):
        workspace = stage.server.workspace
        shared = workspace.forward(workspace.find(CHANNEL, message))
        await stage.write(f"<@{BOT_USER}> what is that?", attachments=[shared])
    else:
        assert isinstance(stage, DiscordStage)
        await stage.answer(f"<@{stage.world.bot['id']}> what is that?", message)


async def test_deny_also_whom_somebody_else_quotes(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage, backscroll_deny=f"person:{person(stage, 'eve')}"):
        await said(stage, "hello")
        message = await stage.say(SECRET, author="eve", to_bot=False)
        await point(stage, message)
        unread = "I have not read a message (I don't talk with its author)"
        await stage.until(lambda: stage.shown()[-1].done and unread in stage.shown()[-1].text)
        await point(stage, await stage.say("what a day", author="ben", to_bot=False))
        await stage.until(lambda: len(stage.shown()) == 3 and stage.shown()[-1].done)
        assert "I have not read" not in stage.shown()[-1].text

    assert ">> what a day" in asked(model)
    assert "zugzwang" not in asked(model)
    assert b"zugzwang" not in stored(url)


async def test_allow_a_person_and_nobody_else(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage, backscroll_allow=f"person:{person(stage, 'ada')}"):
        assert "hello" in (await said(stage, "hello")).text
        assert "certain people" in (await said(stage, "hello", author="eve")).text

    assert len(model.requests) == 1


async def test_a_channel_keeps_out_whom_its_admins_name_and_admins_cant_shut_themselves_out(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    stage.empower("ada")
    async with Running(url, model, stage):
        await said(stage, "hello", author="eve")
        assert "would shut you out" in (await said(stage, f"!set deny channel:{channel(stage)}")).text
        assert "would shut you out" in (await said(stage, f"!set allow person:{person(stage, 'eve')}")).text
        assert "`deny` is person:" in (await said(stage, f"!set deny person:{person(stage, 'eve')}")).text
        assert "can't talk with you" in (await said(stage, "hello again", author="eve")).text
        assert "no longer set" in (await said(stage, "!unset deny")).text
        assert "hello once more" in (await said(stage, "hello once more", author="eve")).text


@pytest.mark.parametrize("setting", ["deny role:55", "allow role:56"])
async def test_nobody_shuts_themselves_out_by_a_role(
    url: str, discord: DiscordStage, model: OpenAIServer, setting: str
) -> None:
    discord.world.has_roles[person(discord, "ada")] = ["55"]
    discord.empower("ada")
    async with Running(url, model, discord):
        await said(discord, "hello")
        assert "would shut you out" in (await said(discord, f"!set {setting}")).text
        assert "is role:55" in (await said(discord, "!set allow role:55")).text
        assert "hello again" in (await said(discord, "hello again")).text


@pytest.mark.parametrize(
    ("facts", "setting"), [({"is_restricted": True}, "guests no"), ({"team_id": "T0PARTNER"}, "external no")]
)
async def test_nobody_shuts_themselves_out_by_what_they_are(
    url: str, slack: SlackStage, model: OpenAIServer, facts: dict[str, object], setting: str
) -> None:
    slack.server.workspace.facts[slack.user("pat")] = facts
    async with Running(url, model, slack, backscroll_external="yes", backscroll_may_set="everyone"):
        await said(slack, "hello", author="pat")
        assert "would shut you out" in (await said(slack, f"!set {setting}", author="pat")).text
        assert "hello again" in (await said(slack, "hello again", author="pat")).text


async def test_guests_are_talked_with_unless_it_is_set_otherwise(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    slack.server.workspace.facts[slack.user("gil")] = {"is_ultra_restricted": True}
    slack.empower("ada")
    async with Running(url, model, slack):
        assert "hello" in (await said(slack, "hello", author="gil")).text
        await said(slack, "!set guests no")
        denial = await said(slack, "hello again", author="gil")
        assert "with guests" in denial.text
        assert denial.private


async def test_whoever_may_be_a_guest_is_not_talked_with_where_guests_are_not(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    slack.server.fail("users.info", 429, times=99, retry_after=30)
    async with Running(url, model, slack, backscroll_guests="no"):
        assert "can't find out just now" in (await said(slack, "hello", author="gil")).text

    assert not model.requests


async def test_whoever_may_be_from_elsewhere_is_not_talked_with_where_those_are_not(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    """What is said by `/me` tells of no team; and Slack, asked who says it, does not answer."""
    slack.server.fail("users.info", 429, times=99, retry_after=30)
    async with Running(url, model, slack):
        await slack.write(f"<@{BOT_USER}> waves", author="pat", subtype="me_message")
        await slack.until(lambda: slack.shown() and slack.shown()[-1].text)
        assert "can't find out just now" in slack.shown()[-1].text

    assert not model.requests


async def test_one_page_in_place_of_who_somebody_is_keeps_nobody_out(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    pages = iter([Fault("page", status=503)])
    slack.server.faults = lambda method, given: next(pages, None) if method == "users.info" else None
    async with Running(url, model, slack, backscroll_guests="no"):
        assert "hello" in (await said(slack, "hello", author="gil")).text


async def test_externals_are_talked_with_where_the_channel_opts_in(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    slack.server.workspace.facts[slack.user("pat")] = {"team_id": "T0PARTNER"}
    slack.empower("ada")
    async with Running(url, model, slack):
        await said(slack, "hello")
        denial = await said(slack, SECRET, author="pat")
        assert "people of this workspace" in denial.text
        assert denial.private
        assert "`external` is yes" in (await said(slack, "!set external yes")).text
        assert "hello too" in (await said(slack, "hello too", author="pat")).text

    assert b"zugzwang" not in stored(url)


NO_MEMBERS: list[tuple[dict[str, object], dict[str, object]]] = [
    ({"team_id": "T0PARTNER"}, {}),
    ({"is_restricted": True}, {"backscroll_guests": "no"}),
]


@pytest.mark.parametrize(("facts", "settings"), NO_MEMBERS, ids=["external", "guest"])
async def test_nobody_is_quoted_who_is_not_talked_with_for_what_they_are(
    url: str, slack: SlackStage, model: OpenAIServer, facts: dict[str, object], settings: dict[str, object]
) -> None:
    slack.server.workspace.facts[slack.user("pat")] = facts
    async with Running(url, model, slack, **settings):
        await said(slack, "hello", place="first")
        message = await slack.say(SECRET, author="pat", to_bot=False)
        workspace = slack.server.workspace
        shared = workspace.forward(workspace.find(CHANNEL, message))
        await slack.write(f"<@{BOT_USER}> what is that?", place="first", attachments=[shared])
        unread = "I have not read a message (I don't talk with its author)"
        await slack.until(lambda: slack.shown("first")[-1].done and unread in slack.shown("first")[-1].text)

    assert "zugzwang" not in asked(model)
    assert b"zugzwang" not in stored(url)


def test_nobody_is_quoted_by_what_a_long_thread_hangs_on_who_is_not_talked_with() -> None:
    partner = Standing(home="T0PARTNER", is_external=True)
    root = message(SECRET, direct=False, standing=partner)
    (told,) = hanging(root, [message("what is that?", direct=False)])
    assert SECRET in str(told.quotes)
    assert SECRET not in str(quotable(told, Policy()))
    assert SECRET in str(quotable(told, Policy(external=True)))


async def test_allow_a_role_on_the_platform_that_has_them(url: str, discord: DiscordStage, model: OpenAIServer) -> None:
    discord.world.has_roles[person(discord, "ada")] = ["55"]
    async with Running(url, model, discord, backscroll_allow="role:55"):
        assert "hello" in (await said(discord, "hello")).text
        assert "certain people" in (await said(discord, "hello", author="eve")).text
        await discord.command("status", author="ada")
        await discord.until(lambda: "I remember" in discord.shown()[-1].text)
        await discord.command("status", author="eve")
        await discord.until(lambda: "certain people" in discord.shown()[-1].text)
        assert discord.shown()[-1].private


async def test_bots_are_never_talked_with(url: str, stage: Stage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await said(stage, "hello")
        if isinstance(stage, SlackStage):
            await stage.write("<@U0BACKSCROLL> hello from a program", author="robot", bot="B0ROBOT")
        else:
            assert isinstance(stage, DiscordStage)
            robot = stage.world.person("robot", bot=True)
            await stage.speak(f"<@{stage.world.bot['id']}> hello from a program", author=robot)
        assert "good day" in (await said(stage, "good day")).text

    assert len(model.requests) == 2


async def test_the_console_has_one_person_who_is_always_talked_with(url: str, model: OpenAIServer) -> None:
    async with STAGES["console"]() as stage, Running(url, model, stage, backscroll_guests="no"):
        assert "hello" in (await said(stage, "hello")).text


def remove(stage: Stage, name: str) -> None:
    """Somebody is taken out of the channel, or leaves the server."""
    if isinstance(stage, SlackStage):
        stage.server.workspace.outside[CHANNEL] = {stage.user(name)}
    else:
        assert isinstance(stage, DiscordStage)
        stage.world.left.add(person(stage, name))


async def test_who_is_removed_while_queued_gets_no_answer_there(url: str, stage: Stage, model: OpenAIServer) -> None:
    if isinstance(stage, SlackStage):
        stage.server.workspace.private.add(CHANNEL)
    model.hold()
    with capture_logs() as logs:
        async with Running(url, model, stage):
            await stage.say("a long question")
            await model.until(lambda: model.requests)
            await stage.say("and mine?", author="eve")
            await stage.say("what of me?", author="ben")
            remove(stage, "eve")
            model.release()
            await stage.until(lambda: any("what of me?" in one.text and one.done for one in stage.shown()))

    assert not any("and mine?" in request.last for request in model.requests)
    (withheld,) = [one for one in logs if one["event"] == "answer withheld"]
    assert withheld["session"] == stage.session("main")


async def test_who_is_denied_while_queued_is_told_so_in_place_of_an_answer(
    url: str, stage: Stage, model: OpenAIServer, database: Database
) -> None:
    """What is set holds from the next answer on."""
    stage.empower("ada")
    model.hold()
    async with Running(url, model, stage):
        await stage.say("a long question")
        await model.until(lambda: model.requests)
        question = await stage.say("and mine?", author="eve")
        await stage.say("!summarize", author="eve")
        await stage.say("what of me?", author="ben")
        await stage.say(f"!set deny person:{person(stage, 'eve')}")
        await stage.until(lambda: any("`deny` is" in one.text for one in stage.shown()))
        await stage.again(question)
        model.release()
        await stage.until(lambda: any("what of me?" in one.text and one.done for one in stage.shown()))
        told = [one for one in stage.shown() if one.text.startswith("I can't talk with you here")]

    assert [one.private for one in told] == [isinstance(stage, SlackStage)] * 2
    assert len(model.requests) == 2, "two are answered"
    assert await database.read(dead.listed, 9) == [], "and nobody is to have it answered after all"


async def test_who_is_denied_and_removed_while_queued_is_told_of_to_nobody(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    """Slack shows what is for one person's eyes to nobody who is not there: it would stand there for all to see."""
    slack.empower("ada")
    slack.server.workspace.private.add(CHANNEL)
    model.hold()
    async with Running(url, model, slack):
        await slack.say("a long question")
        await model.until(lambda: model.requests)
        await slack.say("and mine?", author="eve")
        await slack.say("what of me?", author="ben")
        eve = slack.user("eve")
        await slack.say(f"!set deny person:{eve}")
        await slack.until(lambda: any("`deny` is" in one.text for one in slack.shown()))
        slack.server.workspace.outside[CHANNEL] = {eve}
        model.release()
        await slack.until(lambda: any("what of me?" in one.text and one.done for one in slack.shown()))

    assert not any("can't talk with you" in one.text for one in slack.shown())
    assert len(model.requests) == 2


SET_SINCE = [
    ("slack", {"is_restricted": True}, "guests no", "with guests"),
    ("slack", {"team_id": "T0PARTNER"}, "external no", "people of this workspace"),
    ("slack", {"team_id": "T0PARTNER"}, "deny workspace:T0PARTNER", "I can't talk with you here"),
    ("discord", {}, "deny role:66", "I can't talk with you here"),
]


@pytest.mark.parametrize(("platform", "facts", "setting", "why"), SET_SINCE)
async def test_who_is_denied_for_what_they_are_while_queued_is_told_so_as_well(
    url: str, model: OpenAIServer, platform: str, facts: dict[str, object], setting: str, why: str
) -> None:
    async with STAGES[platform]() as stage, Running(url, model, stage, backscroll_external="yes"):
        if isinstance(stage, SlackStage):
            stage.server.workspace.facts[stage.user("pat")] = facts
        elif isinstance(stage, DiscordStage):
            stage.world.has_roles[person(stage, "pat")] = ["66"]
        stage.empower("ada")
        model.hold()
        await stage.say("a long question")
        await model.until(lambda: model.requests)
        await stage.say("and mine?", author="pat")
        await stage.say("what of me?", author="ben")
        await stage.say(f"!set {setting}")
        await stage.until(lambda: any(f"`{setting.split()[0]}` is" in one.text for one in stage.shown()))
        model.release()
        await stage.until(lambda: any("what of me?" in one.text and one.done for one in stage.shown()))
        (told,) = [one for one in stage.shown() if why in one.text]

    assert told.private == (platform == "slack"), "as far as the platform can"
    assert len(model.requests) == 2
    assert not any("and mine?" in request.last for request in model.requests)


def plan_page(stage: Stage) -> None:
    """The next time that somebody asks who sees a place, a page answers."""
    who_sees = {"conversations.members", "GET /guilds/{guild}/members/{user}"}
    pages = iter([Fault("page", status=503)])
    server = stage.server if isinstance(stage, SlackStage) else stage.rest
    server.faults = lambda asked, given: next(pages, None) if asked in who_sees else None


async def test_who_is_queued_is_turned_away_by_no_page_in_the_platforms_place(
    url: str, stage: Stage, model: OpenAIServer, database: Database
) -> None:
    if isinstance(stage, SlackStage):
        stage.server.workspace.private.add(CHANNEL)
    model.hold()
    with capture_logs() as logs:
        async with Running(url, model, stage, timings=Timings(patience=0.0)):
            await stage.say("a long question")
            await model.until(lambda: model.requests)
            await stage.say("and mine?", author="eve")
            async with asyncio.timeout(20):
                while (await rows(database, sessions))[0].waiting < 2:  # noqa: ASYNC110 – a database tells nobody
                    await asyncio.sleep(0.02)
            plan_page(stage)
            model.release()
            await stage.until(lambda: any("and mine?" in one.text and one.done for one in stage.shown()))

    assert any(one["event"] == "not known who sees a place" for one in logs)


async def test_a_command_that_had_to_wait_is_not_done_for_who_is_removed(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    if isinstance(stage, SlackStage):
        stage.server.workspace.private.add(CHANNEL)
    model.hold()
    async with Running(url, model, stage, timings=Timings(waited=0.0)):
        await stage.say("a long question")
        await model.until(lambda: model.requests)
        await stage.say("!summarize", author="eve")
        await stage.say("!reset", author="eve")
        await stage.say("still there?", author="ben")
        remove(stage, "eve")
        model.release()
        await stage.until(lambda: any("still there?" in one.text and one.done for one in stage.shown()))

    assert len(model.requests) == 2
    assert "a long question" in str(model.requests[-1].texts), "nothing was set aside"
    denied = [(person(stage, "eve"), one, "denied") for one in ("summarize", "reset")]
    assert await recorded(url) == denied, "the audit tells of what was refused"


async def test_where_it_cannot_be_asked_who_sees_a_place_people_are_answered(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    slack.server.scopes = slack.server.scopes.replace("groups:read,", "")
    slack.server.workspace.private.add(CHANNEL)
    async with Running(url, model, slack, timings=Timings(waited=0.0)):
        assert "hello" in (await said(slack, "hello")).text


async def open_up(stage: Stage, *, public: bool) -> None:
    """A channel becomes one that all of the workspace sees, or is one for some alone."""
    if isinstance(stage, SlackStage):
        (stage.server.workspace.private.discard if public else stage.server.workspace.private.add)(CHANNEL)
        return
    assert isinstance(stage, DiscordStage)
    place = stage.world.channels[await stage.place("main")]
    closed = {"id": stage.world.guild, "type": 0, "allow": "0", "deny": str(VIEW_CHANNEL)}
    ada = {"id": person(stage, "ada"), "type": 1, "allow": str(VIEW_CHANNEL), "deny": "0"}
    place["permission_overwrites"] = [] if public else [closed, ada]
    await stage.gateway.dispatch("CHANNEL_UPDATE", place)


async def test_a_private_channel_that_becomes_public_does_not_take_its_memory_along(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    timings = replace(Timings(), burst=0.0)
    async with Running(url, model, stage, timings=timings):
        if isinstance(stage, DiscordStage):
            await stage.connected()
        await open_up(stage, public=False)
        await said(stage, SECRET)
        await said(stage, "do you know the plan?")
        assert "zugzwang" in str(model.requests[-1].texts)
        await open_up(stage, public=True)
        await stage.say("and now?", author="eve")
        await stage.until(lambda: sum("set aside" in one.text for one in stage.shown()) == 1)
        await stage.until(lambda: any("and now?" in one.text and one.done for one in stage.shown()))
        assert "zugzwang" not in str(model.requests[-1].texts)
        assert "no reset to undo" in (await said(stage, "!undo", author="eve")).text
        await said(stage, "once more", author="eve")
        assert "zugzwang" not in str(model.requests[-1].texts)
        assert "and now?" in str(model.requests[-1].texts), "what was said since is remembered"
        assert sum("seen by everybody" in one.text for one in stage.shown()) == 1


async def test_what_was_missed_while_a_private_channel_became_public_is_told_nothing_of_before(
    url: str, database: Database, stage: Stage, model: OpenAIServer
) -> None:
    timings = replace(Timings(), burst=0.0)
    async with Running(url, model, stage, timings=timings):
        if isinstance(stage, DiscordStage):
            await stage.connected()
        await open_up(stage, public=False)
        await said(stage, SECRET)
        async with asyncio.timeout(20):
            while not await rows(database, presence):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.02)
    if isinstance(stage, SlackStage):
        stage.server.keeps = False  # nothing is sent again
    if isinstance(stage, DiscordStage):
        stage.gateway.sessions.clear()
    await open_up(stage, public=True)
    await stage.miss("do I know the plan?")
    long_ago = presence.c.heard_at - 600_000
    await database.write(lambda connection: connection.execute(update(presence).values(heard_at=long_ago)).rowcount)
    async with Running(url, model, stage, timings=timings):
        await stage.until(lambda: any("do I know" in one.text and one.done for one in stage.shown()), seconds=60)
        await stage.until(lambda: sum("set aside" in one.text for one in stage.shown()) == 1)

    assert "zugzwang" not in str(model.requests[-1].texts)


async def test_no_export_brings_back_what_others_said_before_a_channel_became_public(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    """Not every platform shows it to the admin alone who asks for it; what is their own they may be handed."""
    stage.empower("eve")
    async with Running(url, model, stage, timings=replace(Timings(), burst=0.0)):
        if isinstance(stage, DiscordStage):
            await stage.connected()
        await open_up(stage, public=False)
        await said(stage, SECRET)
        await open_up(stage, public=True)
        await stage.say("and now?", author="eve")
        await stage.until(lambda: any("and now?" in one.text and one.done for one in stage.shown()))
        await stage.say("!export session", author="eve")
        await stage.until(lambda: any("stored of this session." in one.text for one in stage.shown()))
        (whole,) = (one.text for one in stage.shown() if "stored of this session." in one.text)
        assert "and now?" in whole
        assert "zugzwang" not in whole
        await stage.say("!export", author="ada")
        await stage.until(lambda: any("stored of you" in one.text and "zugzwang" in one.text for one in stage.shown()))


async def offered(stage: SlackStage, *, author: str) -> str:
    """What somebody is shown to choose a session from who gives a command in the channel."""
    messages = stage.server.workspace.messages
    before = len(messages)
    stage.slash("status", author=author)
    await stage.until(lambda: any("Which session" in one.seen for one in messages[before:]))
    return next(str(one.payload()) for one in messages[before:] if "Which session" in one.seen)


@pytest.mark.parametrize("learnt", [True, False])
async def test_no_list_of_sessions_tells_what_was_said_before_a_channel_became_public(
    url: str, slack: SlackStage, model: OpenAIServer, *, learnt: bool
) -> None:
    """Also of a session in which nobody has said anything since."""
    async with Running(url, model, slack, timings=replace(Timings(), burst=0.0)):
        await open_up(slack, public=False)
        await said(slack, SECRET)
        assert "zugzwang" in await offered(slack, author="ada")
        await open_up(slack, public=True)
        await said(slack, "and now?", author="eve", place="main" if learnt else "other")
        shown = await offered(slack, author="eve")
        assert slack.session("main") in shown, "it may be chosen"
        assert "zugzwang" not in shown
        assert "and now?" in shown


async def test_no_list_of_sessions_tells_their_words_to_who_may_not_read(
    url: str, slack: SlackStage, model: OpenAIServer
) -> None:
    slack.empower("ada")
    async with Running(url, model, slack):
        await said(slack, SECRET)
        assert "zugzwang" in await offered(slack, author="eve")
        await said(slack, "!set may_read admins")
        assert "zugzwang" not in await offered(slack, author="eve")
        assert "zugzwang" in await offered(slack, author="ada")


async def test_a_public_channel_that_becomes_private_keeps_its_memory(
    url: str, stage: Stage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await said(stage, SECRET)
        await open_up(stage, public=False)
        await said(stage, "do you know the plan?")

    assert "zugzwang" in str(model.requests[-1].texts)


async def test_a_denial_of_a_deed_is_for_its_asker_alone(url: str, slack: SlackStage, model: OpenAIServer) -> None:
    slack.empower("ada")
    async with Running(url, model, slack):
        await said(slack, "hello", author="eve")
        await said(slack, "!set may_read admins")
        await said(slack, "!set may_reset admins")
        for verb, why in (("summarize", "may see what I remember"), ("status", "may see"), ("reset", "may reset")):
            denial = await said(slack, f"!{verb}", author="eve")
            assert why in denial.text
            assert denial.private
        assert not (await said(slack, "!summarize")).private

    assert len(model.requests) == 2, "eve's question, and the admin's summary"


@pytest.mark.parametrize("goes_wrong", [None, "after"])
async def test_a_denial_by_discords_own_command_is_for_its_asker_alone(
    url: str, discord: DiscordStage, model: OpenAIServer, goes_wrong: Literal["after"] | None
) -> None:
    """Although Discord was promised an answer for all, before it was known; also where that has to be said again."""
    faults = [] if goes_wrong is None else [Fault(goes_wrong)]
    discord.rest.faults = lambda route, _: faults.pop() if faults and route.startswith("POST /webhooks") else None
    discord.empower("ada")
    async with Running(url, model, discord):
        await said(discord, "hello", author="eve")
        for policy in ("may_reset", "may_read"):
            await said(discord, f"!set {policy} admins")
        for verb, why in (("reset", "may reset"), ("summarize", "may see what"), ("stop", "no answer to stop")):
            await discord.command(verb, author="eve")
            await discord.until(lambda why=why: any(why in one.text for one in discord.shown()))

    shown = [(one.private, one.text) for one in discord.shown()]
    assert {private for private, text in shown if "may reset" in text or "may see" in text} == {True}
    assert [private for private, text in shown if "no answer to stop" in text] == [False], "it is no denial"
    assert [text for _, text in shown if "for whoever asked" in text] == []
