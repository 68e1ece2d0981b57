"""Forms in Slack: a button opens a modal, what is changed there is said as commands, what is wrong is told there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bots.slack.forms import FORM, modal, submission
from bots.slack.payloads import Ourselves, Unreadable, View
from core.seam.address import Address
from core.seam.forms import LATE, TAKEN_BACK, Field, Form
from tests.stage import Shown
from tests.talk import Running
from tests.test_admission import recorded
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL, Message, Modal

LIMIT = "answer_tokens"


@pytest.fixture
async def stage() -> AsyncIterator[SlackStage]:
    async with SlackStage() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=lambda _: "well") as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


async def said(stage: SlackStage, words: str) -> Shown:
    """The message of the bot that says this, once it is there."""
    await stage.until(lambda: any(words in one.text for one in stage.shown()))
    return next(one for one in reversed(stage.shown()) if words in one.text)


async def listed(stage: SlackStage, what: str = "settings", words: str = "- `hear`: ", author: str = "ada") -> Message:
    """The answer to `settings`, or `preferences`, which is given again each time."""
    before = len(stage.server.workspace.messages)
    await stage.say(f"!{what}", author=author)
    found = lambda: [one for one in stage.server.workspace.messages[before:] if one.bot and words in one.seen]  # noqa: E731
    await stage.until(found)
    return found()[0]


async def opened(stage: SlackStage, message: Message, author: str = "ada", nth: int = 0) -> Modal:
    """What the button beneath a message opens."""
    stage.press(message, author=author, nth=nth)
    await stage.until(lambda: stage.modal(author))
    found = stage.modal(author)
    assert found is not None
    return found


async def begun(stage: SlackStage) -> None:
    stage.empower("ada")
    await stage.say("hello")
    await said(stage, "well")


async def test_what_is_changed_in_the_form_is_set_and_nothing_else(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        settings = await listed(stage)
        form = await opened(stage, settings)
        assert settings.only_for == stage.user("ada")
        assert (form.shown("hear"), form.shown(LIMIT), form.shown("may_set")) == ("channel", "4,000", "admins")
        assert form.field("hear")["label"]["text"] == "hear · built in"

        stage.submit(form, **{LIMIT: "77", "hear": "off"})
        await said(stage, "`hear` is off for this channel")
        await said(stage, "`answer_tokens` is 77 for this channel")
        assert not form.is_open
        assert len([one for one in stage.shown() if "for this channel" in one.text]) == 2

        again = await opened(stage, await listed(stage))
        assert (again.shown("hear"), again.shown(LIMIT)) == ("off", "77")
        assert again.field("hear")["label"]["text"] == "hear · set for this channel"
        stage.submit(again, hear=TAKEN_BACK, **{LIMIT: ""})
        await said(stage, "`hear` is no longer set for this channel")
        await said(stage, "`answer_tokens` is no longer set for this channel")


async def test_the_workspace_has_a_form_of_its_own(url: str, stage: SlackStage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        await stage.say("!set hear off")
        await said(stage, "`hear` is off")
        form = await opened(stage, await listed(stage), nth=1)
        assert form.shown("hear") == "channel", "what holds in the channels that have none of their own"
        assert form.view["title"]["text"] == "Workspace settings"
        stage.submit(form, hear="thread", **{LIMIT: "many"})
        await stage.until(lambda: form.errors)
        stage.submit(form, hear="thread", **{LIMIT: "88"})
        await said(stage, "`hear` is thread for all of the workspace, from the next answer on. Here it is off")
        await said(stage, "`answer_tokens` is 88 for all of the workspace")


async def test_a_form_that_is_saved_as_it_was_says_nothing(url: str, stage: SlackStage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage))
        before = stage.shown()
        stage.submit(form)
        await stage.until(lambda: not form.is_open)
        await stage.say("and on")
        await stage.until(lambda: len(stage.shown()) > len(before))
        assert [one.text for one in stage.shown()[len(before) :]] == ["well"]


async def test_a_wrong_value_is_told_beneath_its_field_and_nothing_is_set_or_lost(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage))
        stage.submit(form, zone="Berlin", persona="word " * 500, context_tokens="600", **{LIMIT: "many"}, hear="off")
        await stage.until(lambda: form.errors)
        assert form.errors.keys() == {"zone", LIMIT, "context_tokens"}
        assert form.errors["zone"] == "Berlin is no time zone: write one as Europe/Berlin."
        assert "must be at least" in form.errors["context_tokens"]
        assert form.is_open

        stage.submit(form, zone="Europe/Berlin", **{LIMIT: "99"}, hear="off")
        await said(stage, "`zone` is Europe/Berlin for this channel")
        await said(stage, "`answer_tokens` is 99 for this channel")
        assert not form.is_open
        assert "persona`: none (built in)" in (await listed(stage)).seen


async def test_what_fits_only_together_is_set_together(url: str, stage: SlackStage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        await stage.say("!set context_tokens 1,000")
        await said(stage, "`context_tokens` is 1,000 for this channel")
        form = await opened(stage, await listed(stage))
        stage.submit(form, persona="word " * 600, context_tokens="1,200")
        await stage.until(lambda: form.errors)
        assert form.errors.keys() == {"persona"}
        assert "- `context_tokens`: 1,000 (set" in (await listed(stage)).seen, "nor is anything else set"

        stage.submit(form, persona="word " * 600, context_tokens="8,000")
        await said(stage, "`context_tokens` is 8,000 for this channel")
        await said(stage, "`persona` is `word word")
        again = await opened(stage, await listed(stage))
        stage.submit(again, persona="", context_tokens="1,000")
        await stage.until(lambda: [one.text for one in stage.shown()].count(_SMALL) == 2)
        assert "- `persona`: none (built in)" in (await listed(stage)).seen


_SMALL = "`context_tokens` is 1,000 for this channel, from the next answer on."


async def test_who_would_be_shut_out_is_told_so_in_the_form_and_nothing_of_it_is_set(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage))
        stage.submit(form, hear="off", deny=f"person:{stage.user('ada')}", **{LIMIT: "88"})
        await stage.until(lambda: form.errors or not form.is_open)
        assert form.errors == {"deny": "That would shut you out, so that you could not take it back."}
        assert "- `hear`: channel (built in)" in (await listed(stage)).seen


async def test_whoever_may_not_is_told_so_by_the_button_and_by_what_they_had_open(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage))
        stage.server.workspace.powers.clear()
        stage.submit(form, hear="off")
        await said(stage, "Only admins may change my settings here.")
        stage.press(await listed(stage, author="ben"), author="ben")
        await stage.until(
            lambda: [one.text for one in stage.shown()].count("Only admins may change my settings here.") == 2
        )
        assert stage.shown()[-1].private
        assert stage.modal("ben") is None
        assert "`hear`: channel (built in)" in (await listed(stage)).seen


async def test_who_was_taken_out_of_the_channel_sets_nothing_there_by_a_form_that_stands_open(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    stage.server.workspace.private.add(CHANNEL)
    async with Running(url, model, stage, backscroll_may_set="everyone"):
        await begun(stage)
        form = await opened(stage, await listed(stage, author="eve"), author="eve")
        stage.server.workspace.outside[CHANNEL] = {stage.user("eve")}
        stage.submit(form, author="eve", hear="off")
        await stage.until(lambda: form.errors == {"hear": "You don't see this place any more."})
        assert "`hear`: channel (built in)" in (await listed(stage)).seen
    assert await recorded(url) == [(stage.user("eve"), "set hear", "denied")]


async def test_what_another_has_changed_meanwhile_stands_unless_it_was_changed_here_as_well(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        stage.empower("ben")
        form = await opened(stage, await listed(stage))
        await stage.say("!set hear off", author="ben")
        await stage.say(f"!set {LIMIT} 55", author="ben")
        await said(stage, "`answer_tokens` is 55")
        stage.submit(form, **{LIMIT: "66"})
        await said(stage, "`answer_tokens` is 66 for this channel")
        after = (await listed(stage)).seen
        assert "`hear`: off" in after
        assert "`answer_tokens`: 66" in after


async def test_button_and_form_outlive_the_process(url: str, stage: SlackStage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        settings = await listed(stage)
    async with Running(url, model, stage):
        form = await opened(stage, settings)
    async with Running(url, model, stage):
        stage.submit(form, hear="thread")
        await said(stage, "`hear` is thread for this channel")
        assert not form.is_open


@pytest.mark.parametrize("late", ["before the call", "at the call"])
async def test_a_form_that_comes_too_late_says_so_and_its_button_is_there_again(
    url: str, stage: SlackStage, model: OpenAIServer, late: str
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        settings = await listed(stage)
        if late == "at the call":
            stage.server.workspace.trigger_seconds = 0
        else:
            stage.server.fail("views.open", "expired_trigger_id")
        stage.press(settings)
        shown = await said(stage, LATE)
        assert shown.private
        stage.server.workspace.trigger_seconds = 3
        (message,) = [one for one in stage.server.workspace.messages if one.seen == LATE]
        await opened(stage, message)


async def test_a_form_that_was_opened_by_a_call_without_an_answer_is_not_called_late(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        stage.server.fail("views.open", 500, after=True)
        await opened(stage, await listed(stage))
        await stage.until(lambda: stage.server.number_of("views.open") == 2)
        await stage.say("and on")
        await stage.until(lambda: stage.shown()[-1].text == "well" and len(stage.shown()) == 3)
        assert not any(LATE in one.text for one in stage.shown())


async def test_the_slash_command_alone_opens_the_form_and_typed_words_offer_it(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        stage.slash("set")
        await stage.until(lambda: stage.modal())
        stage.server.workspace.modals[0].is_open = False
        await stage.say("!set")
        told = await said(stage, "I miss NAME.")
        assert told.private
        (message,) = [one for one in stage.server.workspace.messages if "I miss NAME." in one.seen]
        await opened(stage, message)
        assert len(stage.server.workspace.modals) == 2


async def test_preferences_are_a_form_as_well_which_waits_for_no_answer(
    url: str, stage: SlackStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        mine = await listed(stage, "preferences", "You have told me nothing")
        model.hold()
        await stage.say("a long one")
        await model.until(lambda: len(model.requests) == 2)
        form = await opened(stage, mine)
        model.release()
        stage.submit(form, zone="nowhere at all", about="I row.\nAnd I sing.")
        await stage.until(lambda: form.errors)
        assert form.errors.keys() == {"zone"}
        stage.submit(form, zone="Europe/Rome", about="I row.\nAnd I sing.")
        told = await said(stage, "your about is `I row. And I sing.`")
        await said(stage, "your zone is `Europe/Rome`")
        assert told.private
        again = await opened(stage, await listed(stage, "preferences", "This is how you wish"))
        assert (again.shown("zone"), again.shown("about")) == ("Europe/Rome", "I row. And I sing.")
        stage.submit(again, zone="")
        await said(stage, "I know nothing of your zone any more")


# What needs no server

HERE = Address(platform="slack", workspace="T1", channel="C1", thread="1700000000.000100")
VIEW = View(us=Ourselves(workspace="T1", user="U0", bot="B0"), agent_view=True, now=1_700_000_000.0)
ASKED = Form(
    title="Settings of this channel",
    command=f"set {HERE.id}",
    fields=(Field(name="hear", label="hear", value="off", choices=("off", "thread")), Field(name="zone", label="zone")),
)


def sent(form: Form, **held: str | None) -> dict[str, Any]:
    values = {one.name: {one.id: {"type": "plain_text_input", "value": held.get(one.name)}} for one in form.fields}
    view = {**modal(form), "id": "V1", "state": {"values": values}}
    return {"type": "view_submission", "user": {"id": "U1", "name": "ada"}, "view": view}


def test_what_is_longer_than_slack_lets_anybody_type_is_left_to_words() -> None:
    fields = tuple(replace(one, value="x" * 3_001) if one.name == "zone" else one for one in ASKED.fields)
    assert [one["block_id"] for one in modal(replace(ASKED, fields=fields))["blocks"]] == ["hear"]


def test_a_form_that_is_sent_again_is_the_same_and_one_that_was_changed_is_not() -> None:
    first, again, other = (submission(sent(ASKED, hear="off", zone=zone), VIEW) for zone in ("UTC", "UTC", "CET"))
    assert first == again
    assert first is not None
    assert other is not None
    assert first.orders.keys() == other.orders.keys() == {"zone"}
    assert first.orders["zone"].id != other.orders["zone"].id
    assert (first.orders["zone"].verb, first.orders["zone"].text) == ("set", "zone UTC")


@pytest.mark.parametrize("metadata", ["set", "set nowhere", "dance " + HERE.id])
def test_a_form_that_names_no_command_of_a_session_here_is_unreadable(metadata: str) -> None:
    payload = sent(ASKED, zone="UTC")
    payload["view"]["private_metadata"] = metadata
    with pytest.raises(Unreadable):
        submission(payload, VIEW)


def test_what_is_filled_in_for_another_workspace_is_nothing_of_ours() -> None:
    payload = sent(ASKED, zone="UTC")
    payload["view"]["private_metadata"] = f"set {replace(HERE, workspace='T2').id}"
    assert submission(payload, VIEW) is None


def test_another_apps_modal_is_nothing_of_ours() -> None:
    payload = sent(ASKED, zone="UTC")
    payload["view"]["callback_id"] = f"not {FORM}"
    assert submission(payload, VIEW) is None
