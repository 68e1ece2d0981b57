"""A page is an answer of somebody between us and Discord: it ends nothing, and says nothing of what was done."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from bots.discord import DiscordAdapter
from core.errors import DeliveryDelayed, DeliveryUnknown
from core.seam.address import Address
from core.seam.messages import Draft
from tests.bots.discord.conftest import asked, listening, reply
from tests.bots.discord.test_faults import EDIT, EDITS, POST, POSTS, plan, texts
from tests.bots.slack.ear import Clock
from tests.wire.discord import DiscordStage
from tests.wire.faults import Fault

BLOCKED = '{"message": "internal network error", "code": 40333}'
PAGES = [
    Fault("page", status=200),
    Fault("page", status=401),
    Fault("page", status=403),
    Fault("page", status=404),
    Fault("page", status=400, type="text/plain", text="no"),
    Fault("page", status=403, type="application/json", text=BLOCKED),
    Fault("page", status=403, type="application/json", text='{"error": "blocked"}'),
    Fault("page", status=404, type="application/json", text="<html>"),
    Fault("page", status=200, type="application/json", text="<html>"),
    Fault("page", status=200, type="application/json", text='{"error": "sign in"}'),
    Fault("page", status=200, type="application/json", text="[]"),
    Fault("page", status=401, type="application/json", text='{"message": "Unauthorized"}'),
    Fault("page", status=404, type="application/json", text='{"message": "no Route matched", "errors": ["no"]}'),
    Fault("page", status=403, type="application/json", text='{"message": "no", "code": "forbidden"}'),
    Fault("page", status=403, type="application/json", text="[" * 100_000),
    Fault("page", status=200, type="application/json", text="[" * 100_000),
]
ME, BOT, HISTORY = "GET /users/@me", "GET /gateway/bot", "GET /channels/{channel}/messages"
WHO_SEES = {
    "member": "GET /guilds/{guild}/members/{user}",
    "guild": "GET /guilds/{guild}",
    "channel": "GET /channels/{channel}",
    "thread": "GET /channels/{channel}/thread-members/{user}",
}


def _named(fault: Fault) -> str:
    return f"{fault.status} {fault.type} {fault.text[:12]}"


@pytest.mark.parametrize("page", PAGES, ids=_named)
async def test_a_page_at_login_ends_nothing_and_blames_nobody(stage: DiscordStage, page: Fault) -> None:
    said = plan(stage, ME, page, page)
    async with listening(stage) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
    assert len(said) >= 3


@pytest.mark.parametrize("page", PAGES, ids=_named)
@pytest.mark.parametrize("kind", ["page", "passed"])
async def test_a_post_that_a_page_answers_twice_is_one_message(
    stage: DiscordStage, mouth: DiscordAdapter, page: Fault, kind: str
) -> None:
    page = replace(page, kind=kind)  # type: ignore[arg-type]  # one of its kinds
    answer = reply(await asked(stage))
    plan(stage, POST, page, page)
    for attempt in (1, 2):
        with suppress(DeliveryUnknown):  # the second call may find what the first has left
            await mouth.deliver(replace(answer, attempt=attempt))
    await mouth.deliver(replace(answer, attempt=3))
    assert texts(stage) == ["an answer"]


@pytest.mark.parametrize("page", PAGES, ids=_named)
async def test_a_last_edit_that_a_page_answers_twice_is_made(
    stage: DiscordStage, mouth: DiscordAdapter, page: Fault
) -> None:
    answer = reply(await asked(stage), "half")
    draft = await mouth.preview(answer)
    plan(stage, EDIT, page, page)
    whole = replace(answer, text="whole", draft=draft)
    for attempt in (1, 2):
        with pytest.raises(DeliveryUnknown):
            await mouth.deliver(replace(whole, attempt=attempt))
    assert texts(stage) == ["half"]
    await mouth.deliver(replace(whole, attempt=3))
    assert texts(stage) == ["whole"]


@pytest.mark.parametrize("page", [one for one in PAGES if one.status >= 400], ids=_named)
async def test_a_page_in_place_of_a_history_closes_no_place(stage: DiscordStage, page: Fault) -> None:
    async with listening(stage) as listener:
        await stage.say("a question")
        heard = await listener.number(1)
        plan(stage, HISTORY, page)
        with pytest.raises(DeliveryDelayed):
            await listener.adapter.since(heard.address, heard.at - 60)
        assert [one.text for one in await listener.adapter.since(heard.address, heard.at - 60)] == ["a question"]


@pytest.mark.parametrize(
    ("page", "least"),
    [
        (Fault("page", 3_600, status=429, text="error code: 1015", type="text/plain"), 3_600),
        (Fault("page", 90_000, status=429, text="error code: 1015", type="text/plain"), 3_600),
        (Fault("page", 0, status=429, text="error code: 1015", type="text/plain"), 60),
        (Fault("page", 120, status=429, type="application/json", text='{"message": "slow", "retry_after": 7}'), 120),
        (Fault("page", 0, status=429, type="application/json", text='{"message": "slow", "retry_after": 77}'), 77),
        (Fault("page", 0, status=429, type="application/json", text='{"message": "slow", "retry_after": 0}'), 2),
        (Fault("page", 600, status=503), 600),
        (Fault("page", 600, status=502), 600),
        (Fault("page", 600, status=403), 600),
    ],
)
async def test_the_wait_that_is_asked_for_at_login_is_waited_whoever_asks(
    stage: DiscordStage, page: Fault, least: float
) -> None:
    clock, waited = Clock(), asyncio.Event()
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)
        waited.set()
        clock.ahead += seconds
        await asyncio.sleep(0)

    said = plan(stage, ME, page)
    async with listening(stage, clock=clock, pause=pause) as listener:
        await asyncio.wait_for(waited.wait(), 20)
        assert paused == [least]
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
    assert len(said) >= 2


@pytest.mark.parametrize("everywhere", [False, True])
async def test_after_a_429_with_a_minute_that_route_is_quiet_or_all_are_where_it_says_so(
    stage: DiscordStage, *, everywhere: bool
) -> None:
    clock = Clock()
    mouth = stage.adapter(clock=clock)
    answer, other = reply(await asked(stage)), reply(await asked(stage, place="another"), key="b" * 24)
    draft, others = await mouth.preview(answer), await mouth.preview(other)
    body = {"message": "You are being rate limited.", "retry_after": 60.0, "global": everywhere}
    stage.world.fault(EDITS, status=429, body=body, headers={"Retry-After": "60", "Via": "1.1 google"})
    for number in range(5):
        with pytest.raises(DeliveryDelayed):
            await mouth.preview(replace(answer, text=f"{number}", draft=draft))
    assert len(stage.world.asked(EDITS)) == 1
    if everywhere:
        with pytest.raises(DeliveryDelayed):
            await mouth.deliver(replace(other, text="other", draft=others))
    else:
        await mouth.deliver(replace(other, text="other", draft=others))
    clock.ahead += 60
    await mouth.deliver(replace(answer, text="whole", draft=draft))
    assert texts(stage) == ["whole"]
    await mouth.close()


async def test_a_wall_that_wants_no_requests_gets_none(stage: DiscordStage) -> None:
    clock = Clock()
    mouth = stage.adapter(clock=clock)
    answer = reply(await asked(stage))
    plan(stage, POST, Fault("page", 600, status=429))
    with pytest.raises(DeliveryUnknown) as unknown:  # it is not Discord's own word that nothing was done
        await mouth.deliver(answer)
    assert unknown.value.retry_after == 600
    for _ in range(2):
        with pytest.raises(DeliveryDelayed) as wait:
            await mouth.deliver(replace(answer, attempt=2))
        assert 500 < wait.value.retry_after <= 600
    assert len(stage.world.asked(POSTS)) == 1
    clock.ahead += 601
    await mouth.deliver(answer)
    assert texts(stage) == ["an answer"]
    await mouth.close()


async def test_a_post_that_was_made_before_a_page_spoke_of_limits_is_one_message(stage: DiscordStage) -> None:
    clock = Clock()
    mouth = stage.adapter(clock=clock)
    answer = reply(await asked(stage))
    plan(stage, POST, Fault("passed", 600, status=429))
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(answer)
    clock.ahead += 601
    await mouth.deliver(replace(answer, attempt=2))
    assert texts(stage) == ["an answer"]
    await mouth.close()


@pytest.mark.parametrize("route", WHO_SEES)
@pytest.mark.parametrize("page", PAGES, ids=_named)
async def test_a_page_says_of_nobody_that_they_see_a_thread_or_dont(
    stage: DiscordStage, route: str, page: Fault
) -> None:
    world, adapter = stage.world, stage.adapter()
    await stage.place("main")
    number, ada = await stage.thread("side"), world.person("ada")["id"]
    place = Address.parse(stage.session("side"))
    world.channels[number]["type"] = 12
    world.in_thread[number] = {ada}
    plan(stage, WHO_SEES[route], page)

    with pytest.raises(DeliveryDelayed):
        await adapter.sees(place, ada)
    await adapter.close()


async def test_where_the_history_may_not_be_read_an_answer_replies_to_nothing(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    answer = reply(await asked(stage))
    stage.world.fault(POSTS, status=403, code=160002)
    draft = await mouth.preview(replace(answer, text="an"))
    assert isinstance(draft, Draft)
    await mouth.deliver(replace(answer, draft=draft))
    assert [(one.text, one.reply_to) for one in stage.shown()] == [("an answer", None)]
