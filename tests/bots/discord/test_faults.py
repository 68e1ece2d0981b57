"""Whatever becomes of a request, people see one message, and the core is told what is certain."""

import asyncio
from dataclasses import replace

import pytest

from bots.discord import DiscordAdapter
from bots.discord.timings import Timings
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown
from core.seam.messages import Inbound
from tests.bots.discord.conftest import Listener, asked, reply
from tests.wire.discord import DiscordStage
from tests.wire.discord_gateway import Twist
from tests.wire.faults import Fault

POST, EDIT = "POST /channels/{channel}/messages", "PATCH /channels/{channel}/messages/{message}"
POSTS, EDITS = "POST /channels/.*/messages$", "PATCH /channels/.*/messages/"


def texts(stage: DiscordStage) -> list[str]:
    return [shown.text for shown in stage.shown()]


def plan(stage: DiscordStage, route: str, *faults: Fault) -> list[object]:
    """These faults befall the next requests of this route; returns what the requests said."""
    said: list[object] = []
    left = list(faults)

    def befall(asked: str, json: object) -> Fault | None:
        if asked != route:
            return None
        said.append(json)
        return left.pop(0) if left else None

    stage.rest.faults = befall
    return said


@pytest.mark.parametrize("kind", ["before", "after", "late", "limit"])
async def test_a_post_that_the_library_repeats_is_one_message(
    stage: DiscordStage, mouth: DiscordAdapter, kind: str
) -> None:
    said = plan(stage, POST, Fault(kind, seconds=0.05))  # type: ignore[arg-type]
    await mouth.deliver(reply(await asked(stage)))
    assert texts(stage) == ["an answer"]
    assert len(said) == 2


@pytest.mark.parametrize("kind", ["hang", "drop"])
@pytest.mark.parametrize("window", [180.0, -1.0], ids=["nonce known", "nonce forgotten"])
async def test_a_post_that_nobody_answered_for_is_looked_up(stage: DiscordStage, kind: str, window: float) -> None:
    stage.world.nonce_window = window
    plan(stage, POST, Fault(kind))  # type: ignore[arg-type]
    mouth = stage.adapter(timings=Timings(patience=0.3))
    answer = reply(await asked(stage))
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(answer)
    first = await mouth.deliver(replace(answer, attempt=2))
    assert [(shown.id, shown.text) for shown in stage.shown()] == [(first, "an answer")]
    await mouth.close()


@pytest.mark.parametrize("seconds", [0.05, 1.5], ids=["before the repetition", "after it"])
async def test_a_post_that_landed_late_is_taken_away(
    stage: DiscordStage, mouth: DiscordAdapter, seconds: float
) -> None:
    """The library repeats a post by itself; if Discord has forgotten the nonce by then, two messages come of it."""
    stage.world.nonce_window = -1.0
    plan(stage, POST, Fault("late", seconds=seconds))
    answer = reply(await asked(stage))
    number = await mouth.deliver(answer)
    await stage.until(lambda: len(texts(stage)) == 2)
    await mouth.reconcile(answer, number)
    assert [(shown.id, shown.text) for shown in stage.shown()] == [(number, "an answer")]


async def test_a_preview_whose_outcome_is_unknown_is_finished_by_the_answer(stage: DiscordStage) -> None:
    plan(stage, POST, Fault("drop"))
    mouth = stage.adapter()
    answer = reply(await asked(stage), "half")
    with pytest.raises(DeliveryUnknown):
        await mouth.preview(answer)
    stage.world.forget_nonces()
    await mouth.deliver(replace(answer, text="whole", attempt=2))
    assert texts(stage) == ["whole"]
    await mouth.close()


@pytest.mark.parametrize("kind", ["before", "after", "drop", "limit"])
async def test_an_edit_may_be_repeated_freely(stage: DiscordStage, mouth: DiscordAdapter, kind: str) -> None:
    answer = reply(await asked(stage), "half")
    draft = await mouth.preview(answer)
    plan(stage, EDIT, Fault(kind, seconds=0.05))  # type: ignore[arg-type]
    whole = replace(answer, text="whole", draft=draft)
    try:
        await mouth.deliver(whole)
    except DeliveryUnknown:
        await mouth.deliver(replace(whole, attempt=2))
    assert texts(stage) == ["whole"]


async def test_after_a_take_over_the_same_message_is_edited_to_the_end(stage: DiscordStage) -> None:
    answer = reply(await asked(stage), "half")
    one, another = stage.adapter(), stage.adapter()
    draft = await one.preview(answer)
    assert draft is not None
    await one.close()
    grown = await another.preview(replace(answer, text="half and more", draft=draft))
    assert grown is not None
    assert await another.deliver(replace(answer, text="whole", draft=grown, attempt=2)) == draft.id
    assert [(shown.id, shown.text) for shown in stage.shown()] == [(draft.id, "whole")]
    assert len(stage.world.asked(POSTS)) == 1
    await another.close()


async def test_two_owners_at_the_same_time_make_one_message(stage: DiscordStage) -> None:
    answer = reply(await asked(stage))
    one, another = stage.adapter(), stage.adapter()
    first, second = await asyncio.gather(one.deliver(answer), another.deliver(replace(answer, attempt=2)))
    assert first == second
    assert texts(stage) == ["an answer"]
    await one.close()
    await another.close()


async def test_a_call_that_is_given_up_ends_at_once_and_holds_up_nothing(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    answer = reply(await asked(stage))
    stage.world.fault(POSTS, hang=True, after=True)
    call = asyncio.create_task(mouth.deliver(answer))
    await stage.until(lambda: texts(stage))
    call.cancel()
    await asyncio.wait_for(asyncio.wait([call]), 1)
    assert call.cancelled()
    assert await asyncio.wait_for(mouth.deliver(replace(answer, attempt=2)), 5) == stage.shown()[0].id


async def test_the_librarys_own_repetitions_end_when_patience_does(stage: DiscordStage) -> None:
    mouth = stage.adapter(timings=Timings(patience=0.3))
    stage.world.fault(POSTS, status=500, times=9)
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(reply(await asked(stage)))
    assert {request.body["nonce"] for request in stage.world.asked(POSTS)} == {reply(await asked(stage)).key}
    await mouth.close()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, 50001, DeliveryRefused),
        (403, 50013, DeliveryRefused),
        (404, 10003, DeliveryRefused),
        (400, 160005, DeliveryRefused),
        (401, 0, DeliveryDelayed),
        (400, 30046, DeliveryDelayed),
        (429, 20016, DeliveryDelayed),
        (400, 20028, DeliveryDelayed),
        (503, 0, DeliveryUnknown),
    ],
)
async def test_what_discord_says_of_a_last_edit(
    stage: DiscordStage, status: int, code: int, error: type[DeliveryError]
) -> None:
    now = 0.0
    mouth = stage.adapter(clock=lambda: now)
    answer = reply(await asked(stage), "half")
    draft = await mouth.preview(answer)
    stage.world.fault(EDITS, status=status, code=code)
    whole = replace(answer, text="whole", draft=draft)
    with pytest.raises(error):
        await mouth.deliver(whole)
    assert texts(stage) == ["half"]
    now = 60.0
    await mouth.deliver(whole)
    assert texts(stage) == ["whole"]
    await mouth.close()


async def test_a_token_that_was_revoked_meanwhile_burns_nothing(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    await mouth.mark(answer.address, answer.reply_to or "", waits=True)
    token, stage.world.token = stage.world.token, "another"
    with pytest.raises(DeliveryDelayed, match="DISCORD_TOKEN"):
        await mouth.deliver(answer)
    stage.world.token = token
    await mouth.deliver(answer)
    assert texts(stage) == ["an answer"]


async def test_events_that_come_twice_or_late_are_what_they_are(stage: DiscordStage, ear: Listener) -> None:
    def twisted(event: str, data: dict[str, object]) -> Twist | None:
        if data.get("content") == "<@900000000000000001> late":
            return Twist(late=0.05)
        return Twist(times=2) if data.get("content") == "<@900000000000000001> twice" else None

    stage.gateway.twists = twisted
    late = await stage.say("late")
    twice = await stage.say("twice")
    await ear.number(3)
    assert [event.id for event in ear.heard if isinstance(event, Inbound)] == [twice, twice, late]


@pytest.mark.parametrize("kind", ["before", "after", "late"])
async def test_an_edit_of_unknown_outcome_is_not_repeated_behind_our_back(
    stage: DiscordStage, mouth: DiscordAdapter, kind: str
) -> None:
    """A first edit that lands late would undo a newer one, and nobody would look again."""
    answer = reply(await asked(stage))
    draft = await mouth.preview(answer)
    said = plan(stage, EDIT, Fault(kind, seconds=0.0))  # type: ignore[arg-type]
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(replace(answer, draft=draft, text="the whole answer"))
    assert len(said) == 1
