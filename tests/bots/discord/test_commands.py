"""/session VERB: told to Discord once, acknowledged in time, answered where only the asker sees it."""

import asyncio
import json
import logging
from dataclasses import replace
from time import time

import pytest

from bots.discord import registration
from bots.discord.interactions import LOST
from bots.discord.timings import Timings
from core.commands.table import COMMANDS
from core.errors import DeliveryDelayed, DeliveryRefused
from core.seam.messages import Rejected
from tests.bots.discord.conftest import Listener, listening, reply
from tests.values import SET, SUMMARIZE
from tests.wire.discord import DiscordStage
from tests.wire.discord_world import EPHEMERAL, Interaction

CALLBACK = "POST /interactions/"


def interaction(stage: DiscordStage) -> Interaction:
    return list(stage.world.interactions.values())[-1]


async def test_the_commands_are_registered_once_and_again_only_when_they_changed(stage: DiscordStage) -> None:
    for _ in range(2):
        async with listening(stage):
            await stage.connected()
        await stage.until(lambda: not stage.gateway.connected)
    assert len(stage.world.asked("PUT /applications/")) == 1
    stage.world.commands[0]["options"][0]["description"] = "what it was in an older version"
    async with listening(stage):
        await stage.connected()
    assert len(stage.world.asked("PUT /applications/")) == 2


async def test_the_group_has_every_command_of_the_table(stage: DiscordStage, ear: Listener) -> None:
    (group, entry) = stage.world.commands
    assert group["name"] == "session"
    assert group["contexts"] == [0, 1]
    assert {option["name"]: option["description"] for option in group["options"]} == {
        command.name: command.help for command in COMMANDS.values()
    }
    assert all(len(option["description"]) <= 100 for option in group["options"])
    assert (entry["name"], entry["type"], entry["contexts"]) == ("What was shown for this", 3, [0, 1])
    assert "description" not in entry, "Discord refuses one"
    assert len(entry["name"]) <= 32


def test_the_parameters_of_a_command_are_its_options() -> None:
    options = {
        option["name"]: option["options"] for option in registration.group({"set": SET, "sum": SUMMARIZE})["options"]
    }

    assert [(one["name"], one.get("required"), len(one.get("choices", ()))) for one in options["set"]] == [
        ("name", True, 2),
        ("value", True, 0),
    ]
    assert [(one["name"], one.get("required")) for one in options["summarize"]] == [("since", None)]


def test_what_others_registered_is_kept() -> None:
    theirs = {"id": "5", "name": "weather", "type": 1}
    ours = [registration.group(), *registration.menu()]
    assert registration.overwrite([theirs]) == [theirs, *ours]
    assert registration.overwrite([theirs, *(one | {"id": "6", "nsfw": False} for one in ours)]) is None


@pytest.mark.parametrize("missing", [0, 1])
def test_what_is_missing_beside_the_rest_is_registered(missing: int) -> None:
    ours = [registration.group(), *registration.menu()]
    there = [one for number, one in enumerate(ours) if number != missing]
    assert registration.overwrite(there) == ours
    alike = {"name": ours[missing]["name"], "type": 2}
    assert registration.overwrite([*there, alike]) == [alike, *ours], (
        "what has its name, and is something else, is kept"
    )


async def test_commands_that_can_not_be_registered_do_not_keep_us_out(stage: DiscordStage) -> None:
    stage.world.fault("PUT /applications/", status=403, code=50001)
    async with listening(stage) as ear:
        await stage.say("hello")
        assert (await ear.number(1)).text == "hello"


async def test_a_command_is_stored_before_it_is_acknowledged(stage: DiscordStage, ear: Listener) -> None:
    asked: list[int] = []
    ear.script.append(lambda: asked.append(len(stage.world.asked(CALLBACK))))
    await stage.command("reset")
    heard = await ear.number(1)
    await stage.until(lambda: interaction(stage).deferred)
    assert asked == [0]
    assert (heard.verb, heard.reply_to, heard.address.id) == ("reset", None, stage.session("main"))
    assert heard.id == interaction(stage).id


@pytest.mark.parametrize(("verb", "private"), [("status", True), ("help", True), ("reset", False), ("stop", False)])
async def test_an_answer_is_private_where_the_command_is(
    stage: DiscordStage, ear: Listener, verb: str, private: bool
) -> None:
    await stage.command(verb)
    heard = await ear.number(1)
    number = await ear.adapter.deliver(reply(heard, private=private))
    (shown,) = stage.shown()
    assert (shown.id, shown.text, shown.private) == (number, "an answer", private)
    assert stage.world.asked(CALLBACK)[0].body == {"type": 5, "data": {"flags": EPHEMERAL if private else 0}}
    assert not stage.world.asked("POST /channels/")


async def test_an_answer_that_is_quicker_than_the_acknowledgement_waits_for_it(
    stage: DiscordStage, ear: Listener
) -> None:
    answers: list[asyncio.Task[str]] = []
    receive = ear.receive

    async def at_once(heard: object) -> None:
        await receive(heard)  # type: ignore[arg-type]
        answers.append(asyncio.create_task(ear.adapter.deliver(reply(heard, private=True))))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)

    await ear.stop()
    await stage.until(lambda: not stage.gateway.connected)
    ear.task = asyncio.create_task(ear.adapter.listen(at_once))
    await stage.command("status")
    await ear.number(1)
    await asyncio.wait(answers)
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("an answer", True)]


async def test_a_command_works_in_threads_and_direct_messages(stage: DiscordStage, ear: Listener) -> None:
    await stage.thread("aside", cached=False)
    await stage.direct("ada alone")
    await stage.command("status", place="aside")
    await stage.command("status", place="ada alone")
    heard = [await ear.number(1), await ear.number(2)]
    assert sorted(one.address.id for one in heard) == sorted([stage.session("aside"), stage.session("ada alone")])


async def test_a_command_without_a_channel_object_is_looked_up(stage: DiscordStage, ear: Listener) -> None:
    thread = await stage.thread("aside", cached=False)
    payload = stage.interaction("status", thread, "ada")
    del payload["channel"]
    await stage.gateway.dispatch("INTERACTION_CREATE", payload)
    assert (await ear.number(1)).address.id == stage.session("aside")


async def test_an_entry_in_a_messages_menu_is_a_command_with_the_link_to_it(stage: DiscordStage, ear: Listener) -> None:
    thread = await stage.thread("aside", cached=False)
    message = await stage.say("look at this", place="aside")
    await ear.number(1)
    await stage.menu("What was shown for this", message, place="aside", author="ben")
    heard = await ear.number(2)
    assert (heard.verb, heard.address.id) == ("context", stage.session("aside"))
    assert heard.text == f"https://discord.com/channels/{stage.world.guild}/{thread}/{message}"
    await ear.adapter.deliver(reply(heard, private=True))
    assert [shown.private for shown in stage.shown("aside")] == [True]


async def test_an_entry_of_others_is_left_alone(stage: DiscordStage, ear: Listener) -> None:
    message = await stage.say("look at this")
    await stage.menu("Translate", message)
    await stage.menu("Reset session", message)
    await stage.command("status")
    assert [(await ear.number(number)).verb for number in (1, 2)] == [None, "status"]


async def test_a_slow_store_does_not_fail_the_command(stage: DiscordStage) -> None:
    stored = asyncio.Event()
    async with listening(stage, timings=Timings(store=0.1)) as ear:
        await stage.connected()
        ear.script.append(stored.wait)
        await stage.command("status")
        await stage.until(lambda: interaction(stage).deferred)
        assert not ear.heard
        stored.set()
        assert (await ear.number(1)).verb == "status"


async def test_a_command_that_could_never_be_stored_is_answered_honestly(stage: DiscordStage) -> None:
    def fail() -> None:
        raise ConnectionError("no database")

    async with listening(stage, timings=Timings(again=(0.1, 0.2))) as ear:
        await stage.connected()
        ear.script += [fail, fail]
        await stage.command("status")
        await stage.until(lambda: stage.shown())
        assert [(shown.text, shown.private) for shown in stage.shown()] == [(LOST, True)]
        assert ear.paused == [0.1, 0.2]


async def test_a_command_is_answered_by_its_ticket_after_a_restart(stage: DiscordStage) -> None:
    async with listening(stage) as ear:
        await stage.command("status")
        heard = await ear.number(1)
        await stage.until(lambda: interaction(stage).deferred)
    adapter = stage.adapter()
    await adapter.deliver(reply(heard, private=True, attempt=2))
    await adapter.close()
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("an answer", True)]


async def test_an_expired_ticket_is_answered_plainly(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("status")
    heard = await ear.number(1)
    late = stage.adapter(now=lambda: time() + 901)
    await late.deliver(reply(heard))
    await late.close()
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("an answer", False)]
    assert not stage.world.asked("/webhooks/")


async def test_a_ticket_that_discord_no_longer_honours_is_answered_plainly(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("status")
    heard = await ear.number(1)
    await stage.until(lambda: interaction(stage).deferred)
    stage.world.token_lifetime = 0
    await ear.adapter.deliver(reply(heard, private=True))
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("an answer", False)]


async def test_a_ticket_that_is_over_is_no_word_about_our_token(
    stage: DiscordStage, ear: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a clock that was set back it is still good: F11."""
    await stage.command("summarize")
    heard = await ear.number(1)
    await stage.until(lambda: interaction(stage).deferred)
    stage.world.token_lifetime = 0
    with pytest.raises(DeliveryRefused):
        await ear.adapter.preview(reply(heard, "half"))
    await ear.adapter.deliver(reply(heard, "whole"))
    assert [shown.text for shown in stage.shown()] == ["whole"]
    assert "DISCORD_TOKEN" not in capsys.readouterr().out


async def test_a_command_that_another_process_is_acknowledging_is_waited_for(
    stage: DiscordStage, ear: Listener
) -> None:
    stage.world.fault(CALLBACK, status=400, code=50035)
    await stage.command("status")
    heard = await ear.number(1)
    with pytest.raises(DeliveryDelayed):
        await ear.adapter.deliver(reply(heard, private=True))
    late = stage.adapter(now=lambda: time() + 6)
    await late.deliver(reply(heard, private=True))
    await late.close()
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("an answer", False)]


async def test_a_clock_that_is_behind_keeps_no_command_waiting(stage: DiscordStage, ear: Listener) -> None:
    """Nor does an ID that is ahead of the time."""
    stage.world.fault(CALLBACK, status=400, code=50035)
    await stage.command("status")
    heard = await ear.number(1)
    behind = stage.adapter(now=lambda: time() - 1200)
    await behind.deliver(reply(heard, private=True))
    await behind.close()
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("an answer", False)]


async def test_a_private_draft_whose_ticket_expired_is_answered_plainly(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("status")
    answer = reply(await ear.number(1), "half", private=True)
    draft = await ear.adapter.preview(answer)
    stage.world.token_lifetime = 0
    late = stage.adapter(now=lambda: time() + 901)
    await late.deliver(replace(answer, text="whole", draft=draft))
    await late.close()
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("half", True), ("whole", False)]


async def test_a_public_draft_whose_ticket_expired_is_finished(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("summarize")
    answer = reply(await ear.number(1), "half")
    draft = await ear.adapter.preview(answer)
    late = stage.adapter(now=lambda: time() + 901)
    await late.deliver(replace(answer, text="whole", draft=draft))
    await late.close()
    assert [shown.text for shown in stage.shown()] == ["whole"]


async def test_previews_of_a_command_grow_its_answer(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("summarize")
    answer = reply(await ear.number(1), "")
    assert await ear.adapter.preview(answer) is None
    draft = await ear.adapter.preview(replace(answer, text="one"))
    assert draft is not None
    await ear.adapter.preview(replace(answer, text="one two", draft=draft))
    assert await ear.adapter.deliver(replace(answer, text="done", draft=draft)) == draft.id
    assert [shown.text for shown in stage.shown()] == ["done"]
    assert not stage.rest.typed


async def test_a_long_private_answer_stays_private(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("help")
    answer = reply(await ear.number(1), "one", private=True)
    await ear.adapter.deliver(answer)
    await ear.adapter.deliver(replace(answer, text="two", part=1, key="b" * 24))
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("one", True), ("two", True)]


async def test_a_long_public_answer_goes_on_as_ordinary_messages(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("summarize")
    answer = reply(await ear.number(1), "one")
    await ear.adapter.deliver(answer)
    await ear.adapter.deliver(replace(answer, text="two", part=1, key="b" * 24))
    assert [(shown.text, shown.private) for shown in stage.shown()] == [("one", False), ("two", False)]
    assert len(stage.world.asked("POST /channels/")) == 1


async def test_interactions_that_are_not_ours_are_left_alone(stage: DiscordStage, ear: Listener) -> None:
    place = await stage.place("main")
    await stage.gateway.dispatch("INTERACTION_CREATE", stage.interaction("x", place, "ada") | {"type": 3})
    await stage.gateway.dispatch("INTERACTION_CREATE", {"id": "9", "type": 2, "token": "x"})
    await stage.until(lambda: ear.heard)
    assert [isinstance(heard, Rejected) for heard in ear.heard] == [True]
    assert not stage.world.asked(CALLBACK)


async def test_rate_limits_are_logged_without_tokens(
    stage: DiscordStage, ear: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.command("status")
    heard = await ear.number(1)
    await stage.until(lambda: interaction(stage).deferred)
    body = {"retry_after": 0.01, "global": False, "message": "You are being rate limited."}
    stage.world.fault("PATCH /webhooks/", status=429, body=body, headers={"Via": "1.1 google"})
    with caplog.at_level(logging.WARNING):
        await ear.adapter.deliver(reply(heard, private=True))
    assert "rate limited" in caplog.text
    assert json.loads(heard.ticket or "")["token"] not in caplog.text


@pytest.mark.parametrize("ahead", [1_200, -1_200])
async def test_an_answer_stays_private_however_wrong_this_machines_clock_is(stage: DiscordStage, ahead: float) -> None:
    async with listening(stage, now=lambda: time() + ahead) as listener:
        await stage.command("status")
        heard = await listener.number(1)
        await stage.until(lambda: interaction(stage).deferred)
        await listener.adapter.deliver(reply(heard, private=True))
    assert [(one.text, one.private) for one in stage.shown()] == [("an answer", True)]


async def test_a_ticket_is_good_for_a_quarter_of_an_hour_after_it_came(stage: DiscordStage) -> None:
    ahead = 1_200.0
    async with listening(stage, now=lambda: time() + ahead) as listener:
        await stage.command("status")
        heard = await listener.number(1)
        await stage.until(lambda: interaction(stage).deferred)
        ahead += 16 * 60
        await listener.adapter.deliver(reply(heard))
    assert not stage.world.asked("/webhooks/")


@pytest.mark.parametrize("jump", [1_200, -1_200])
async def test_an_answer_stays_private_when_this_machines_clock_jumps_before_it(
    stage: DiscordStage, jump: float
) -> None:
    """F11."""
    ahead = 0.0
    async with listening(stage, now=lambda: time() + ahead) as listener:
        await stage.command("status")
        heard = await listener.number(1)
        await stage.until(lambda: interaction(stage).deferred)
        ahead = jump
        await listener.adapter.deliver(reply(heard, private=True))
    assert [(one.text, one.private) for one in stage.shown()] == [("an answer", True)]
