"""Slack: an answer grows on screen as far as Slack's limits allow, and is whole in the end."""

from asyncio import create_task, gather
from dataclasses import replace

import pytest

from bots.slack import SlackAdapter
from bots.slack.api import Bucket
from bots.slack.timings import Timings
from core.errors import DeliveryDelayed, DeliveryUnknown
from core.seam.address import Address
from core.seam.messages import Draft, Inbound, Receipt, Reply
from tests.bots.slack.ear import Clock, Ear, asked
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL, TEAM


async def _grown(adapter: SlackAdapter, reply: Reply, *texts: str) -> Draft | None:
    draft = None
    for text in texts:
        draft = await adapter.preview(replace(reply, text=text, draft=draft))
    return draft


async def test_an_answer_streams_and_is_finished(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one two three")
    draft = await _grown(adapter, reply, "one", "one two")
    assert draft is not None
    assert (draft.text, draft.note) == ("one two", "stream")
    assert [(one.text, one.done) for one in stage.shown()] == [("one two", False)]
    ts = await adapter.deliver(replace(reply, draft=draft))
    (shown,) = stage.shown()
    assert (shown.id, shown.text, shown.done) == (ts, "one two three", True)
    assert stage.server.number_of("chat.update") == 0
    metadata = stage.server.workspace.find(CHANNEL, ts).metadata
    assert metadata is not None
    assert metadata["event_payload"]["key"] == reply.key
    start = next(given for method, given, _ in stage.server.calls if method == "chat.startStream")
    assert (start["recipient_user_id"], start["recipient_team_id"]) == ("U0ADA", TEAM)


async def test_a_text_that_changed_its_mind_is_put_right_at_the_end(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "two")
    draft = await _grown(adapter, reply, "one", "tw")
    assert draft is not None
    assert draft.text == "one"
    await adapter.deliver(replace(reply, draft=draft))
    assert [(one.text, one.done) for one in stage.shown()] == [("two", True)]


async def test_without_a_stream_the_message_is_edited(stage: SlackStage) -> None:
    adapter = stage.adapter(timings=Timings(edit=0.0))
    stage.server.workspace.streams_a_minute = 0
    reply = await asked(stage, "one two three")
    draft = await _grown(adapter, reply, "one", "one two")
    assert draft is not None
    assert (draft.text, draft.note) == ("one two", "edit")
    await adapter.deliver(replace(reply, draft=draft))
    assert [(one.text, one.edits, one.done) for one in stage.shown()] == [("one two three", 2, True)]
    assert stage.server.number_of("chat.startStream") == 1
    await _grown(adapter, replace(reply, key="k2"), "x")
    assert stage.server.number_of("chat.startStream") == 1  # Slack said when to ask again


async def test_a_message_is_not_edited_more_often_than_slack_asks(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.workspace.streams_a_minute = 0
    draft = await _grown(adapter, await asked(stage), "one", "one two", "one two three")
    assert draft is not None
    assert draft.text == "one"
    assert stage.server.number_of("chat.update") == 0


async def test_our_own_budget_comes_before_slacks(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    for number in range(21):
        await _grown(adapter, replace(reply, key=f"k{number}"), "x")
    assert stage.server.number_of("chat.startStream") == 20
    assert stage.server.number_of("chat.postMessage") == 1


async def test_when_nothing_may_be_shown_the_answer_still_comes(
    stage: SlackStage, adapter: SlackAdapter, clock: Clock
) -> None:
    stage.server.workspace.streams_a_minute = 0
    stage.server.fail("chat.postMessage", 429, retry_after=1)
    reply = await asked(stage)
    assert await _grown(adapter, reply, "one") is None
    with pytest.raises(DeliveryDelayed):
        await adapter.deliver(reply)
    clock.ahead += 61
    await adapter.deliver(reply)
    assert [one.text for one in stage.shown()] == [reply.text]


async def test_an_append_that_must_wait_is_made_up_for(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one two three")
    stage.server.fail("chat.appendStream", 429, retry_after=30)
    draft = await _grown(adapter, reply, "one", "one two", "one two")
    assert draft is not None
    assert draft.text == "one"
    assert stage.server.number_of("chat.appendStream") == 1
    await adapter.deliver(replace(reply, draft=draft))
    assert [one.text for one in stage.shown()] == ["one two three"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_doubtful_append_is_not_repeated(stage: SlackStage, adapter: SlackAdapter, *, after: bool) -> None:
    reply = await asked(stage, "one two three")
    draft = await _grown(adapter, reply, "one")
    stage.server.fail("chat.appendStream", 500, after=after)
    with pytest.raises(DeliveryUnknown):
        await adapter.preview(replace(reply, text="one two", draft=draft))
    assert await adapter.preview(replace(reply, text="one two th", draft=draft)) == draft
    await adapter.deliver(replace(reply, draft=draft))
    assert [(one.text, one.done) for one in stage.shown()] == [("one two three", True)]


async def test_a_doubtful_end_of_a_stream_is_put_right(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one two three")
    draft = await _grown(adapter, reply, "one")
    stage.server.fail("chat.stopStream", 500, after=True)
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(replace(reply, draft=draft))
    await adapter.deliver(replace(reply, draft=draft, attempt=2))
    assert [(one.text, one.done) for one in stage.shown()] == [("one two three", True)]


@pytest.mark.parametrize("method", ["chat.startStream", "chat.postMessage"])
async def test_a_doubtful_start_is_not_started_again(stage: SlackStage, adapter: SlackAdapter, method: str) -> None:
    if method == "chat.postMessage":
        stage.server.workspace.streams_a_minute = 0
    reply = await asked(stage, "one two")
    stage.server.fail(method, 500, after=True)
    with pytest.raises(DeliveryUnknown):
        await _grown(adapter, reply, "one")
    assert await _grown(adapter, reply, "one") is None
    await adapter.deliver(reply)
    assert [(one.text, one.done) for one in stage.shown()] == [("one two", True)]


async def test_a_start_that_was_cancelled_is_looked_up(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.workspace.streams_a_minute = 0
    reply = await asked(stage, "one two")
    stage.server.fail("chat.postMessage", "hang", after=True)
    starting = create_task(_grown(adapter, reply, "one"))
    await stage.until(stage.shown)
    starting.cancel()
    await gather(starting, return_exceptions=True)
    await adapter.deliver(reply)
    assert [one.text for one in stage.shown()] == ["one two"]


async def test_an_edit_that_fails_shows_what_was_there(stage: SlackStage, clock: Clock) -> None:
    adapter = stage.adapter(clock=clock, timings=Timings(edit=0.0))
    stage.server.workspace.streams_a_minute = 0
    reply = await asked(stage, "one two three")
    stage.server.fail("chat.update", 429, retry_after=30)
    draft = await _grown(adapter, reply, "one", "one two", "one two three")
    assert draft is not None
    assert draft.text == "one"
    assert stage.server.number_of("chat.update") == 1
    clock.ahead += 61
    await adapter.deliver(replace(reply, draft=draft))
    assert [one.text for one in stage.shown()] == ["one two three"]


async def test_edits_leave_room_for_final_texts(stage: SlackStage) -> None:
    adapter = stage.adapter(timings=Timings(edit=0.0))
    stage.server.workspace.streams_a_minute = 0
    draft = await _grown(adapter, await asked(stage), *(f"{number}" for number in range(60)))
    assert draft is not None
    assert draft.text == "40"
    assert stage.server.number_of("chat.update") == 40


async def test_a_stream_that_may_not_end_yet_ends_later(stage: SlackStage, adapter: SlackAdapter, clock: Clock) -> None:
    reply = await asked(stage, "one two")
    draft = await _grown(adapter, reply, "one")
    stage.server.fail("chat.stopStream", 429, retry_after=3)
    with pytest.raises(DeliveryDelayed):
        await adapter.deliver(replace(reply, draft=draft))
    clock.ahead += 61
    await adapter.deliver(replace(reply, draft=draft))
    assert [(one.text, one.done) for one in stage.shown()] == [("one two", True)]
    assert stage.server.number_of("chat.update") == 0


async def test_a_stream_that_the_person_stopped_gets_the_text_that_we_settle_on(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, "one (stopped)")
    draft = await _grown(adapter, reply, "one")
    assert draft is not None
    message = stage.server.workspace.find(CHANNEL, draft.id)
    message.streaming, message.stopped_by_user = False, True
    assert await adapter.preview(replace(reply, text="one two", draft=draft)) == draft
    await adapter.deliver(replace(reply, draft=draft))
    assert [(one.text, one.done) for one in stage.shown()] == [("one (stopped)", True)]
    assert stage.server.workspace.statuses[-1][1]["status"] == "active"


async def test_an_answer_whose_stream_has_expired_grows_on_by_edits(
    stage: SlackStage, adapter: SlackAdapter, clock: Clock
) -> None:
    reply = await asked(stage, "one two three four")
    draft = await _grown(adapter, reply, "one")
    assert draft is not None
    stage.server.workspace.find(CHANNEL, draft.id).streaming = False
    for text in ("one two", "one two three"):
        clock.ahead += 61
        draft = await adapter.preview(replace(reply, text=text, draft=draft))
        assert [one.text for one in stage.shown()] == [text]
    await adapter.deliver(replace(reply, draft=draft))
    assert [(one.text, one.done) for one in stage.shown()] == [("one two three four", True)]
    assert stage.server.number_of("chat.postMessage") == 0


async def test_being_at_work_is_shown_once(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "")
    for _ in range(3):
        assert await adapter.preview(reply) is None
    ((method, given),) = stage.server.workspace.statuses
    assert (method, given["thread_ts"], given["status"]) == (
        "assistant.threads.setStatus",
        reply.address.thread,
        "is thinking …",
    )


async def test_the_newer_status_is_taken_back_by_us(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.fail("assistant.threads.setStatus", "method_deprecated", times=9)
    reply = await asked(stage)
    await adapter.preview(replace(reply, text=""))
    await adapter.deliver(reply)
    assert [given["status"] for _, given in stage.server.workspace.statuses] == ["processing", "active"]
    await adapter.preview(replace(reply, text="", key="k2"))
    assert stage.server.number_of("assistant.threads.setStatus") == 1


async def test_being_at_work_is_shown_again_before_slack_forgets(stage: SlackStage) -> None:
    now = 0.0
    adapter = stage.adapter(clock=lambda: now)
    reply = await asked(stage, "")
    for seconds in (0, 30, 61, 100, 130):
        now = float(seconds)
        await adapter.preview(reply)
    assert len(stage.server.workspace.statuses) == 3


async def test_work_goes_on_until_the_last_message_of_an_answer(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one")
    for key, last in (("k1", False), ("k2", True)):
        draft = await _grown(adapter, replace(reply, key=key), "one")
        await adapter.deliver(replace(reply, key=key, draft=draft, last=last))
    stops = [given.get("session_status") for method, given, _ in stage.server.calls if method == "chat.stopStream"]
    assert stops == ["processing", None]


async def test_what_may_be_on_screen_already_is_not_started_again(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one two")
    await _grown(adapter, reply, "one")  # and nobody recorded it
    again = replace(reply, attempt=2)
    other = stage.adapter()
    assert await other.preview(again) is None
    await other.deliver(again)
    assert [(one.text, one.done) for one in stage.shown()] == [("one two", True)]


async def test_a_status_that_fails_is_no_matter(stage: SlackStage, adapter: SlackAdapter) -> None:
    for method in ("assistant.threads.setStatus", "agents.sessions.setStatus"):
        stage.server.fail(method, 500, times=9)
    assert await adapter.preview(await asked(stage, "")) is None


async def test_private_answers_are_not_previewed(stage: SlackStage, adapter: SlackAdapter) -> None:
    assert await adapter.preview(await asked(stage, private=True)) is None
    assert stage.shown() == []


async def test_without_the_scope_streams_are_not_tried_again(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.fail("chat.startStream", "unknown_method", times=9)
    reply = await asked(stage)
    for key in ("k1", "k2"):
        await _grown(adapter, replace(reply, key=key), "x")
    assert stage.server.number_of("chat.startStream") == 1
    assert [one.text for one in stage.shown()] == ["x", "x"]


async def test_a_plain_direct_message_is_edited(stage: SlackStage, adapter: SlackAdapter) -> None:
    address = Address(platform="slack", workspace=TEAM, channel="D0ADA")
    reply = Reply(key="k", address=address, text="x", asked_at=1.0)
    draft = await _grown(adapter, reply, "x")
    assert draft is not None
    assert draft.note == "edit"


async def test_our_own_words_are_not_heard(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    reply = await asked(stage, "one two")
    draft = await _grown(adapter, reply, "one")
    await adapter.deliver(replace(reply, draft=draft))
    await adapter.deliver(replace(reply, key="k2"))
    await stage.until(lambda: len(stage.server.envelopes) == 8)  # a mention by two, two posts and receipts, two changes
    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    assert {one.text for one in ear.heard} == {"hi"}
    assert not [one for one in ear.arrived if not isinstance(one, Inbound | Receipt)]


async def test_an_answer_that_was_taken_over_grows_by_edits(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "another ending")
    draft = await _grown(adapter, reply, "one")
    assert draft is not None
    other = stage.adapter()  # of a process that has nothing but the draft
    taken = await other.preview(replace(reply, text="another", draft=draft))
    assert taken == Draft(id=draft.id, text="another", note="edit")
    assert [(one.id, one.text, one.done) for one in stage.shown()] == [(draft.id, "another", True)]
    assert await other.deliver(replace(reply, draft=taken)) == draft.id
    assert [(one.text, one.done) for one in stage.shown()] == [("another ending", True)]


async def test_a_stream_that_may_not_be_taken_over_yet_stays_as_it_is(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one two")
    draft = await _grown(adapter, reply, "one")
    stage.server.fail("chat.stopStream", 429, retry_after=30)
    assert await stage.adapter().preview(replace(reply, draft=draft)) == draft
    assert [(one.text, one.done) for one in stage.shown()] == [("one", False)]


def test_a_bucket_fills_again_over_a_minute() -> None:
    now = 0.0
    bucket = Bucket(2, lambda: now)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 30.0
    assert [bucket.take() for _ in range(2)] == [True, False]


async def test_the_card_of_a_thread_says_whether_it_goes_on(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    channel = replace(reply.address, thread=None)
    for address in (reply.address, channel):
        await adapter.presence(address, is_present=False)
        await adapter.presence(address, is_present=True)

    thread = reply.address.thread
    told = [(method, given["thread_ts"], given["status"]) for method, given in stage.server.workspace.statuses]
    assert told == [("agents.sessions.setStatus", thread, status) for status in ("closed", "active")]
    assert stage.shown() == []


async def test_where_slack_has_no_cards_it_is_asked_once(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.fail("agents.sessions.setStatus", "unknown_method", times=9)
    reply = await asked(stage)
    for _ in range(3):
        await adapter.presence(reply.address, is_present=False)

    assert stage.server.number_of("agents.sessions.setStatus") == 1
