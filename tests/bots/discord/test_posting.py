"""What people see: once, in the right place, and mentioning nobody but the asker."""

import asyncio
import json
from dataclasses import replace
from time import time

import pytest

from bots.discord import DiscordAdapter
from bots.discord.timings import Timings
from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown
from core.seam.messages import Choice, Draft
from tests.bots.discord.conftest import KEY, asked, reply
from tests.wire.discord import DiscordStage

POSTS, EDITS = "POST /channels/.*/messages$", "PATCH /channels/.*/messages/"


def texts(stage: DiscordStage, place: str = "main") -> list[str]:
    return [shown.text for shown in stage.shown(place)]


async def test_an_answer_is_a_reply_that_pings_nobody_but_may_name_the_asker(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    question = await asked(stage)
    number = await mouth.deliver(reply(question, "@everyone <@5> <@&6>"))
    (shown,) = stage.shown()
    assert (shown.id, shown.reply_to) == (number, question.id)
    (request,) = stage.world.asked(POSTS)
    assert request.body["allowed_mentions"] == {"parse": [], "users": [question.author.id], "replied_user": False}
    assert (request.body["nonce"], request.body["enforce_nonce"]) == (KEY, True)
    assert request.body["message_reference"] == {"message_id": question.id, "fail_if_not_exists": False}
    assert request.body["flags"] == 1 << 2


async def test_every_write_carries_the_mentions_that_are_allowed(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    draft = await mouth.preview(replace(answer, text="one two", draft=draft))
    await mouth.deliver(replace(answer, text="one two three", draft=draft))
    writes = stage.world.asked(f"{POSTS}|{EDITS}")
    assert [write.body["content"] for write in writes] == ["one", "one two", "one two three"]
    assert all(write.body["allowed_mentions"]["parse"] == [] for write in writes)


async def test_a_draft_grows_and_becomes_the_answer(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    assert draft is not None
    assert draft.text == "one"
    grown = await mouth.preview(replace(answer, text="one two", draft=draft))
    assert grown == Draft(id=draft.id, text="one two")
    assert await mouth.deliver(replace(answer, text="done", draft=grown)) == draft.id
    (shown,) = stage.shown()
    assert (shown.text, shown.edits, shown.reply_to) == ("done", 2, answer.reply_to)


async def test_only_the_first_part_is_a_reply(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    question = await asked(stage)
    await mouth.deliver(reply(question, "one"))
    await mouth.deliver(reply(question, "two", part=1, key="b" * 24))
    assert [(shown.text, shown.reply_to) for shown in stage.shown()] == [("one", question.id), ("two", None)]


async def test_typing_shows_until_there_is_text_and_seldom(stage: DiscordStage) -> None:
    now = [0.0]
    mouth = stage.adapter(clock=lambda: now[0])
    answer = reply(await asked(stage), "")
    assert await mouth.preview(answer) is None
    assert await mouth.preview(answer) is None
    assert len(stage.rest.typed) == 1
    now[0] += 8
    await mouth.preview(answer)
    assert len(stage.rest.typed) == 2
    await mouth.preview(replace(answer, text="text"))
    assert len(stage.rest.typed) == 2
    await mouth.close()


async def test_typing_is_not_tried_again_where_it_is_forbidden(stage: DiscordStage) -> None:
    now = [0.0]
    mouth = stage.adapter(clock=lambda: now[0])
    stage.world.fault("POST /channels/.*/typing", status=403, code=50001, times=9)
    answer = reply(await asked(stage), "")
    for _ in range(3):
        await mouth.preview(answer)
        now[0] += 60
    assert len(stage.world.asked("typing")) == 1
    await mouth.close()


async def test_typing_that_was_forbidden_once_is_tried_again_after_the_next_answer(stage: DiscordStage) -> None:
    now = [0.0]
    mouth = stage.adapter(clock=lambda: now[0])
    stage.world.fault("POST /channels/.*/typing", status=403, code=50001, times=1)
    answer = reply(await asked(stage), "")
    await mouth.preview(answer)
    await mouth.deliver(replace(answer, text="text"))
    now[0] += 60
    await mouth.preview(replace(answer, key="b" * 24))
    assert len(stage.rest.typed) == 1
    await mouth.close()


async def test_typing_goes_on_when_this_machines_clock_is_set_back(stage: DiscordStage) -> None:
    """F11."""
    now, behind = 0.0, 0.0
    mouth = stage.adapter(now=lambda: time() - behind, clock=lambda: now)
    answer = reply(await asked(stage), "")
    await mouth.preview(answer)
    now, behind = 8.0, 1_200.0
    await mouth.preview(answer)
    assert len(stage.rest.typed) == 2
    await mouth.close()


async def test_a_preview_is_skipped_while_another_one_waits(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    stage.world.fault(EDITS, hang=True, status=500)
    waiting = asyncio.create_task(mouth.preview(replace(answer, text="one two", draft=draft)))
    await stage.until(lambda: stage.world.asked(EDITS))
    other = reply(await asked(stage), "other", key="c" * 24)
    assert await mouth.preview(replace(answer, text="one two three", draft=draft)) == draft
    assert await mouth.preview(other) is None
    assert len(stage.world.asked(f"{EDITS}|{POSTS}")) == 2
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_preview_never_lands_on_top_of_the_final_text(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    stage.world.fault(EDITS, hang=True, after=True, status=403)
    late = asyncio.create_task(mouth.preview(replace(answer, text="stale", draft=draft)))
    await stage.until(lambda: texts(stage) == ["stale"])
    final = asyncio.create_task(mouth.deliver(replace(answer, text="final", draft=draft)))
    await asyncio.sleep(0.05)
    assert not final.done()
    stage.rest.hung.set()
    await final
    await asyncio.wait([late])
    assert late.exception() is not None
    assert texts(stage) == ["final"]


async def test_previews_leave_old_messages_alone(stage: DiscordStage) -> None:
    mouth = stage.adapter(now=lambda: time() + 56 * 60)
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    assert await mouth.preview(replace(answer, text="one two", draft=draft)) == draft
    assert texts(stage) == ["one"]
    await mouth.deliver(replace(answer, text="done", draft=draft))
    assert texts(stage) == ["done"]
    await mouth.close()


async def test_a_draft_that_people_deleted_stays_deleted(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    assert draft is not None
    await stage.delete(draft.id)
    assert await mouth.deliver(replace(answer, text="done", draft=draft)) == draft.id
    assert texts(stage) == []


async def test_a_draft_in_an_archived_thread_becomes_the_answer_all_the_same(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    thread = await stage.thread("aside")
    answer = reply(await asked(stage, place="aside"), "one")
    draft = await mouth.preview(answer)
    await stage.archive("aside")
    await mouth.deliver(replace(answer, text="done", draft=draft))
    assert texts(stage, "aside") == ["done"]
    assert not stage.world.archived(thread)


async def test_a_repetition_within_minutes_is_one_message(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    assert await mouth.deliver(answer) == await mouth.deliver(answer)
    assert await mouth.deliver(replace(answer, attempt=2)) == stage.shown()[0].id
    assert texts(stage) == ["an answer"]


@pytest.mark.parametrize("part", [0, 1])
async def test_a_repetition_after_hours_is_looked_up(stage: DiscordStage, mouth: DiscordAdapter, part: int) -> None:
    answer = reply(await asked(stage), part=part)
    first = await mouth.deliver(answer)
    await stage.say("meanwhile")
    stage.world.forget_nonces()
    assert await mouth.deliver(replace(answer, attempt=2)) == first
    assert texts(stage) == ["an answer"]
    assert len(stage.world.asked(POSTS)) == 1


async def test_a_preview_that_nobody_remembers_is_finished(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), "half")
    await mouth.preview(answer)
    await mouth.deliver(replace(answer, text="half and half"))
    assert texts(stage) == ["half and half"]
    stage.world.forget_nonces()
    await mouth.deliver(replace(answer, text="whole", attempt=2))
    assert texts(stage) == ["whole"]


async def test_a_message_without_a_question_is_found_by_its_text(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage), reply_to=None)
    await mouth.deliver(answer)
    stage.world.forget_nonces()
    await mouth.deliver(replace(answer, attempt=2))
    assert texts(stage) == ["an answer"]


async def test_a_server_error_after_the_message_was_stored_makes_no_second(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    stage.world.fault(POSTS, status=500, after=True)
    await mouth.deliver(reply(await asked(stage)))
    assert texts(stage) == ["an answer"]
    assert len(stage.world.asked(POSTS)) == 2


async def test_an_unknown_outcome_is_unknown_and_then_looked_up(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.fault(POSTS, status=503, after=True)
    answer = reply(await asked(stage))
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(answer)
    stage.world.forget_nonces()
    await mouth.deliver(replace(answer, attempt=2))
    assert texts(stage) == ["an answer"]


async def test_no_answer_from_discord_is_an_unknown_outcome(stage: DiscordStage) -> None:
    mouth = stage.adapter(timings=Timings(patience=0.3))
    stage.world.fault(POSTS, hang=True, after=True)
    answer = reply(await asked(stage))
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(answer)
    assert await mouth.deliver(replace(answer, attempt=2)) == stage.shown()[0].id
    await mouth.close()


async def test_a_call_that_is_told_nothing_ends_long_before_a_delivery_does(stage: DiscordStage) -> None:
    mouth = stage.adapter(timings=Timings(patience=1_000.0, silence=0.3))
    stage.world.fault(POSTS, hang=True, after=True)
    answer = reply(await asked(stage))
    with pytest.raises(DeliveryUnknown):
        await mouth.deliver(answer)
    assert await mouth.deliver(replace(answer, attempt=2)) == stage.shown()[0].id
    assert len(texts(stage)) == 1
    await mouth.close()


def test_no_call_waits_for_a_silent_platform_for_longer_than_fifteen_seconds() -> None:
    assert Timings().silence <= 15.0


async def test_a_long_rate_limit_is_a_delay(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    body = {"retry_after": 45.5, "global": False, "message": "You are being rate limited."}
    stage.world.fault(POSTS, status=429, body=body, headers={"Via": "1.1 google"})
    with pytest.raises(DeliveryDelayed) as raised:
        await mouth.deliver(reply(await asked(stage)))
    assert raised.value.retry_after == 45.5


async def test_a_ban_before_discord_is_a_delay(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.fault(POSTS, status=429, headers={"Retry-After": "600"})
    with pytest.raises(DeliveryDelayed) as raised:
        await mouth.deliver(reply(await asked(stage)))
    assert raised.value.retry_after == 600


async def test_a_short_rate_limit_is_waited_for(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.limits["POST messages"] = (1, 0.3)
    question = await asked(stage)
    for number in range(3):
        await mouth.deliver(reply(question, str(number), key=f"{KEY[:-1]}{number + 2}"))
    assert texts(stage) == ["0", "1", "2"]


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (403, 50013), (403, 50007), (404, 10003), (400, 160005)])
async def test_a_place_where_we_may_not_speak_is_a_refusal(
    stage: DiscordStage, mouth: DiscordAdapter, status: int, code: int
) -> None:
    stage.world.fault(POSTS, status=status, code=code, times=2)
    with pytest.raises(DeliveryRefused, match=str(code)):
        await mouth.deliver(reply(await asked(stage)))
    assert texts(stage) == []


@pytest.mark.parametrize(
    ("status", "code"), [(400, 20016), (400, 20028), (403, 40004), (400, 40062), (400, 130000), (403, 20026)]
)
async def test_what_discord_does_not_take_for_a_while_is_said_later(
    stage: DiscordStage, mouth: DiscordAdapter, status: int, code: int
) -> None:
    """Slow mode, limits, what Discord has switched off or can't bear, and what an appeal mends."""
    stage.world.fault(POSTS, status=status, code=code, times=2)
    with pytest.raises(DeliveryDelayed):
        await mouth.deliver(reply(await asked(stage)))


async def test_a_question_that_can_not_be_replied_to_is_answered_plainly(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    stage.world.fault(POSTS, status=400, code=160002)
    await mouth.deliver(reply(await asked(stage)))
    assert [(shown.text, shown.reply_to) for shown in stage.shown()] == [("an answer", None)]


async def test_a_question_that_is_gone_is_answered_all_the_same(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    question = await asked(stage)
    await stage.delete(question.id)
    await mouth.deliver(reply(question))
    assert texts(stage) == ["an answer"]


async def test_a_token_that_is_wrong_delays_what_is_to_be_delivered(stage: DiscordStage) -> None:
    mouth = stage.adapter(token="wrong")
    with pytest.raises(DeliveryDelayed, match="DISCORD_TOKEN"):
        await mouth.deliver(reply(await asked(stage)))
    await mouth.close()


async def test_choices_are_a_numbered_list(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    question = await asked(stage)
    choices = tuple(Choice(label=label, verb="reset", address=question.address) for label in ("this", "that"))
    await mouth.deliver(reply(question, "Which?", choices=choices))
    assert texts(stage) == ["Which?\n1. this\n2. that"]


async def test_a_preview_that_hangs_does_not_hold_up_the_answer(stage: DiscordStage) -> None:
    mouth = stage.adapter(timings=Timings(preview=0.3))
    answer = reply(await asked(stage), "one")
    draft = await mouth.preview(answer)
    stage.world.fault(EDITS, hang=True)
    with pytest.raises(DeliveryUnknown):
        await mouth.preview(replace(answer, text="one two", draft=draft))
    await mouth.deliver(replace(answer, text="done", draft=draft))
    assert texts(stage) == ["done"]
    await mouth.close()


async def test_errors_name_neither_text_nor_ticket(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.fault(POSTS, status=403, code=50001)
    with pytest.raises(DeliveryRefused) as raised:
        await mouth.deliver(reply(await asked(stage), "private matters", ticket=json.dumps({"token": "secret"})))
    assert "private matters" not in str(raised.value)
