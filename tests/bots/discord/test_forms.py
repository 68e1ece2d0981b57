"""Forms in Discord: a menu opens a modal, what is changed there is said as commands, what is wrong comes back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bots.discord.forms import FIELDS, components, here, modal, submission
from bots.discord.timings import Timings
from core.commands.table import COMMANDS
from core.seam.address import DIRECT, Address
from core.seam.forms import LATE, TAKEN_BACK, Field, Form
from core.seam.messages import Choice, Filled, Inbound, Rejected
from tests.bots.discord.conftest import Listener, listening, reply
from tests.stage import Shown
from tests.talk import Running
from tests.wire.discord import DiscordStage, held_by, name_of
from tests.wire.discord_rest import is_modal, is_row
from tests.wire.discord_world import Interaction
from tests.wire.openai import OpenAIServer

CALLBACK = "POST /interactions/"


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=lambda _: "well") as server:
        yield server


@pytest.fixture
def dialect() -> str:
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


async def said(stage: DiscordStage, words: str) -> Shown:
    """The newest message of the bot that says this, once it is there."""
    await stage.until(lambda: any(words in one.text for one in stage.shown()))
    return next(one for one in reversed(stage.shown()) if words in one.text)


async def begun(stage: DiscordStage) -> None:
    stage.empower("ada")
    await stage.say("hello")
    await said(stage, "well")


async def listed(stage: DiscordStage, what: str = "settings", author: str = "ada") -> Shown:
    """The end of the answer to `/session settings`, or `preferences`, which is given again each time: of several
    messages, the one with what may be pressed."""
    before = {one.id for one in stage.shown()}

    def new() -> list[Shown]:
        return [one for one in stage.shown() if one.id not in before and stage.kept(one.id).payload.get("components")]

    await stage.command(what, author=author)
    await stage.until(new)
    return new()[0]


async def opened(stage: DiscordStage, shown: Shown, *fields: str, author: str = "ada", row: int = 0) -> Interaction:
    """What choosing these fields beneath a message opens."""
    pressed = await stage.press(shown.id, *fields, author=author, row=row)
    await stage.until(lambda: pressed.modal)
    return pressed


def held(shown: Interaction) -> dict[str, str]:
    """What the fields of a modal hold."""
    assert shown.modal is not None
    return {name_of(one["component"]): held_by(one["component"]) for one in shown.modal["components"]}


async def test_what_is_changed_in_the_form_is_set_and_nothing_else(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        settings = await listed(stage)
        form = await opened(stage, settings, "hear", "answer_tokens", "may_set")
        assert settings.private
        assert held(form) == {"hear": "channel", "answer_tokens": "4,000", "may_set": "admins"}

        sent = await stage.submit(form, hear="off", answer_tokens="77")
        await said(stage, "`hear` is off for this channel")
        await said(stage, "`answer_tokens` is 77 for this channel")
        assert sent.first == 6
        assert not stage.shown()[-1].private, "as when it is typed, all see what is set"

        again = await opened(stage, await listed(stage), "hear", "answer_tokens")
        assert held(again) == {"hear": "off", "answer_tokens": "77"}
        await stage.submit(again, hear=TAKEN_BACK, answer_tokens="")
        await said(stage, "`hear` is no longer set for this channel")
        await said(stage, "`answer_tokens` is no longer set for this channel")
        assert sum("from the next answer on" in one.text for one in stage.shown()) == 4


async def test_the_workspace_has_a_form_of_its_own(url: str, stage: DiscordStage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        await stage.say("!set hear off")
        await said(stage, "`hear` is off")
        form = await opened(stage, await listed(stage), "hear", row=1)
        assert held(form) == {"hear": "channel"}
        await stage.submit(form, hear="thread")
        await said(stage, "`hear` is thread for all of the workspace, from the next answer on. Here it is off")


async def test_a_form_that_is_sent_as_it_was_says_nothing(url: str, stage: DiscordStage, model: OpenAIServer) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage), "hear")
        before = len(stage.shown())
        sent = await stage.submit(form)
        await stage.until(lambda: sent.deferred)
        await stage.say("and on")
        await stage.until(lambda: len(stage.shown()) > before)
        assert [one.text for one in stage.shown()[before:]] == ["well"]


async def test_of_a_wrong_form_nothing_is_done_and_its_writer_is_given_back_what_they_wrote(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    persona = "You are a pirate. " * 200
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage), "persona", "answer_tokens", "zone")
        before = sum(one.private for one in stage.shown())
        await stage.submit(form, persona=persona, answer_tokens="many", zone="Berlin")
        await said(stage, "I have changed nothing:")
        await stage.until(lambda: sum(one.private for one in stage.shown()) == before + 3)
        told = [one for one in stage.shown() if one.private][before:]
        whole = "".join(one.text for one in told)
        assert "- `answer_tokens`: many is no number of tokens" in whole
        assert "- `zone`: Berlin is no time zone: write one as Europe/Berlin." in whole
        assert persona.strip() in whole
        assert "!set answer_tokens many" in whole
        assert (await opened(stage, told[-1], "zone")).modal
        assert "(set for this channel)" not in (await listed(stage)).text


async def test_who_would_be_shut_out_is_told_so_and_nothing_of_the_form_is_set(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        settings = await listed(stage)
        form = await opened(stage, settings, "hear", "deny")
        await stage.submit(form, hear="off", deny=f"person:{stage.world.person('ada')['id']}")
        await stage.until(lambda: any("That would shut you out" in one.text for one in stage.shown()))
        (told,) = [one.text for one in stage.shown() if "That would shut you out" in one.text]
        assert told.startswith("I have changed nothing:")


async def test_whoever_may_not_is_told_so_by_the_menu_and_by_what_they_had_open(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage), "hear")
        stage.world.has_roles.clear()
        await stage.submit(form, hear="off")
        await said(stage, "Only admins may change my settings here.")
        pressed = await stage.press((await listed(stage, author="ben")).id, "hear", author="ben")
        await stage.until(lambda: pressed.original)
        shown = next(one for one in stage.shown() if one.id == pressed.original)
        assert (shown.text, shown.private) == ("Only admins may change my settings here.", True)
        assert pressed.acknowledged_after is not None
        assert pressed.acknowledged_after < Timings().store, "a word waits for no form"
        assert pressed.modal is None


async def test_what_another_has_changed_meanwhile_stands_unless_it_was_changed_here_as_well(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage), "hear", "answer_tokens")
        await stage.say("!set hear off")
        await stage.say("!set answer_tokens 55")
        await said(stage, "`answer_tokens` is 55")
        await stage.submit(form, answer_tokens="66")
        await said(stage, "`answer_tokens` is 66 for this channel")
        before = len(stage.shown())
        await listed(stage)
        after = "\n".join(one.text for one in stage.shown()[before:])
        assert "`hear`: off" in after
        assert "`answer_tokens`: 66" in after


async def test_menu_and_form_outlive_the_process(url: str, stage: DiscordStage, model: OpenAIServer) -> None:
    def connected(times: int) -> bool:
        return len(stage.gateway.identified) == times and bool(stage.gateway.connected)

    async with Running(url, model, stage):
        await begun(stage)
        settings = await listed(stage)
    async with Running(url, model, stage):
        await stage.until(lambda: connected(2))
        form = await opened(stage, settings, "hear")
    async with Running(url, model, stage):
        await stage.until(lambda: connected(3))
        await stage.submit(form, hear="thread")
        await said(stage, "`hear` is thread for this channel")


async def test_preferences_are_a_form_as_well_and_what_is_said_of_them_is_private(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    async with Running(url, model, stage):
        await begun(stage)
        form = await opened(stage, await listed(stage, "preferences"), "zone", "about")
        await stage.submit(form, zone="europe/rome", about="I row.\nAnd I sing.")
        told = [
            await said(stage, "your zone is `Europe/Rome`"),
            await said(stage, "your about is `I row. And I sing.`"),
        ]
        assert all(one.private for one in told)
        again = await opened(stage, await listed(stage, "preferences"), "zone", "about")
        assert held(again) == {"zone": "Europe/Rome", "about": "I row. And I sing."}
        await stage.submit(again, zone="")
        assert (await said(stage, "I know nothing of your zone any more")).private


async def test_a_form_that_discord_waits_for_no_longer_says_so_and_its_menu_is_there_again(
    stage: DiscordStage,
) -> None:
    async with listening(stage, timings=Timings(store=0.01)) as ear:
        await stage.connected()
        shown = await offered(stage, ear)
        pressed = await stage.press(shown, "hear")
        heard = await ear.number(2)
        await stage.until(lambda: pressed.first == 5)
        await ear.adapter.deliver(asked_for(heard))
        late = next(one for one in stage.shown() if one.text == LATE)
        assert late.private
        assert stage.kept(late.id).payload["components"] == components(BUTTONS(heard))


async def test_a_form_is_the_first_answer_however_long_it_is_stored(stage: DiscordStage, ear: Listener) -> None:
    shown = await offered(stage, ear)
    pressed = await stage.press(shown, "hear", "zone")
    heard = await ear.number(2)
    assert (heard.verb, heard.text, heard.address.id) == ("set", "", stage.session("main"))
    assert await ear.adapter.deliver(asked_for(heard)) == pressed.id
    assert pressed.first == 9
    assert held(pressed) == {"hear": "off"}
    assert len(stage.world.asked(CALLBACK)) == 1


async def test_a_form_whose_opening_is_repeated_by_the_library_is_not_called_late(
    stage: DiscordStage, ear: Listener
) -> None:
    shown = await offered(stage, ear)
    fault = stage.world.fault(CALLBACK, after=True)
    pressed = await stage.press(shown, "hear")
    heard = await ear.number(2)
    assert await ear.adapter.deliver(asked_for(heard)) == pressed.id
    assert (fault.hit, pressed.first) == (1, 9)
    assert [one.text for one in stage.shown()] == ["an answer"]


async def test_a_button_of_another_place_is_none_of_ours(stage: DiscordStage, ear: Listener) -> None:
    shown = await offered(stage, ear)
    elsewhere = Choice(label="x", verb="reset", address=Address(platform="discord", workspace="1", channel="2"))
    stage.kept(shown).payload["components"][0]["components"] = [{"type": 2, "custom_id": elsewhere.command}]
    await stage.press(shown)
    await stage.say("and on")
    assert (await ear.number(2)).text == "and on"


async def test_a_button_that_names_another_channel_around_its_thread_shows_nothing_of_that(
    url: str, stage: DiscordStage, model: OpenAIServer
) -> None:
    """Whoever presses it writes what it says: Discord hands that on."""
    async with Running(url, model, stage):
        await begun(stage)
        stage.empower("ada")
        await stage.say("!set persona The merger is a secret.", place="closed")
        await stage.until(lambda: any("persona" in one.text for one in stage.shown("closed")))
        await stage.thread("side")
        await stage.say("hello", place="side", author="eve")
        await stage.until(lambda: [one.text for one in stage.shown("side") if one.done] == ["well"])
        closed, side = Address.parse(stage.session("closed")), Address.parse(stage.session("side"))
        shown = stage.shown("side")[0].id
        for place in (replace(side, channel=closed.channel), side):
            forged = Choice(label="x", verb="settings", address=place).command
            stage.kept(shown).payload["components"] = [{"components": [{"type": 2, "custom_id": forged}]}]
            await stage.press(shown, author="eve")
        await stage.until(lambda: any("persona" in one.text for one in stage.shown("side")))

    assert "merger" not in "".join(one.text for one in stage.shown("side"))
    assert sum("persona" in one.text for one in stage.shown("side")) == 1


async def offered(stage: DiscordStage, ear: Listener) -> str:
    """A message of ours with the menu of a form beneath it."""
    await stage.say("hello")
    heard = await ear.number(1)
    return await ear.adapter.deliver(reply(heard, buttons=BUTTONS(heard)))


def BUTTONS(heard: Inbound) -> tuple[Choice, ...]:  # noqa: N802
    return (Choice(label="Change…", verb="set", address=heard.address),)


def asked_for(heard: Inbound) -> Any:
    form = replace(ASKED, command=f"set {heard.address.id}")
    return reply(heard, form=form, private=True, buttons=BUTTONS(heard))


# What needs no server

HERE = Address(platform="discord", workspace="1" * 19, channel="2" * 19, thread="3" * 19)
ASKED = Form(
    title="Settings of this channel",
    command=f"set {HERE.id}",
    fields=(Field(name="hear", label="hear", value="off", choices=("off", "thread")),),
)
PLACE = {"guild_id": HERE.workspace, "channel_id": HERE.thread}


@pytest.mark.parametrize("verb", [verb for verb, command in COMMANDS.items() if command.form])
def test_every_form_is_offered_within_discords_limits(verb: str) -> None:
    (row,) = components([Choice(label="Change…", verb=verb, address=HERE)])
    assert is_row(row)
    assert [option["value"] for option in row["components"][0]["options"]] == list(COMMANDS[verb].fields)


def test_a_modal_has_the_fields_that_are_wanted_and_no_more_than_discord_takes() -> None:
    many = tuple(Field(name=f"n{number}", label="l" * 60, hint="h" * 200, value="v" * 150) for number in range(9))
    form = replace(ASKED, fields=many)
    assert is_modal(modal(form, ()))
    assert len(modal(form, ())["components"]) == FIELDS
    assert [name_of(one["component"]) for one in modal(form, ("n7", "n2"))["components"]] == ["n2", "n7"]


def test_buttons_stand_side_by_side_and_what_is_too_long_for_one_is_left_out() -> None:
    reset = Choice(label="Start clean", verb="reset", address=HERE)
    rows = components([reset, replace(reset, verb="undo"), replace(reset, line="x" * 100)])
    assert [[one["custom_id"] for one in row["components"]] for row in rows] == [
        [f"reset {HERE.id}", f"undo {HERE.id}"]
    ]
    assert all(map(is_row, rows))


@pytest.mark.parametrize("asked", ["", "reset", f"dance {HERE.id}", f"reset {replace(HERE, thread=None).id}"])
def test_what_is_no_command_of_this_place_is_left_alone(asked: str) -> None:
    assert here(asked, PLACE) is None
    assert here(f"reset {HERE.id}", PLACE) is not None
    assert here(f"reset {HERE.id}", {"channel_id": HERE.thread}) is None
    direct = Address(platform="discord", workspace=DIRECT, channel="5")
    assert here(f"reset {direct.id}", {"channel_id": "5"}) is not None


def sent(**more: Any) -> dict[str, Any]:
    field = {"type": 3, "custom_id": ASKED.fields[0].id, "values": ["thread"]}
    known = {
        "type": 5,
        "id": "4" * 18,
        "token": "secret",
        "application_id": "9",
        "member": {"user": {"id": "1", "username": "ada"}},
        "data": {"custom_id": ASKED.command, "components": [{"type": 18, "component": field}]},
    }
    return known | PLACE | more


def test_what_was_filled_in_is_told_as_commands() -> None:
    form = submission(sent())
    assert isinstance(form, Filled)
    assert form.author.id == "1"
    assert [(one.verb, one.text, one.id) for one in form.orders.values()] == [
        ("set", "hear thread", f"{'4' * 18} hear")
    ]


@pytest.mark.parametrize("more", [{"data": {"custom_id": ASKED.command}}, {"id": "x"}, {"member": {}}, {"data": None}])
def test_a_form_that_can_not_be_read_is_kept_for_somebody_to_look_at(more: dict[str, Any]) -> None:
    assert isinstance(submission(sent(**more)), Rejected)
