"""Slack: a reply is on screen once, whole and plain, whatever happens to the call that puts it there."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bots.slack import SlackAdapter
from bots.slack.timings import Timings
from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown
from core.seam.messages import Draft
from tests.bots.slack.ear import Clock, asked
from tests.wire.faults import Fault
from tests.wire.slack import SlackStage
from tests.wire.slack.server import APP_TOKEN, BOT_TOKEN
from tests.wire.slack.workspace import BOT, CHANNEL


async def test_a_reply_is_markdown_with_a_plain_text_beside_it(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "# Plan\n**Ask** <@U0ADA>, not <!channel>: [docs](https://x.example) & more")
    ts = await adapter.deliver(reply)
    (shown,) = stage.shown()
    assert (shown.id, shown.text, shown.private, shown.done) == (ts, reply.text, False, True)
    sent = stage.server.workspace.find(CHANNEL, ts).arguments
    assert sent["text"] == "Plan\nAsk <@U0ADA>, not &lt;!channel&gt;: docs &amp; more"
    assert sent["thread_ts"] == reply.address.thread
    assert (sent["unfurl_links"], sent["unfurl_media"]) == (False, False)
    assert sent["metadata"]["event_type"] == "backscroll_reply"
    assert sent["metadata"]["event_payload"]["key"] == reply.key
    assert not sent.keys() & {"link_names", "parse"}


@pytest.mark.parametrize("text", ["x" * 11_000, "&" * 11_000, "<!here> " * 1_375])
async def test_the_longest_text_fits(stage: SlackStage, adapter: SlackAdapter, text: str) -> None:
    reply = await asked(stage, text)
    ts = await adapter.deliver(reply)
    await adapter.deliver(replace(reply, draft=Draft(id=ts, text="", note="edit")))
    (shown,) = stage.shown()
    assert shown.text == text


async def test_a_place_that_takes_no_blocks_gets_plain_text(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.fail("chat.postMessage", "invalid_blocks")
    await adapter.deliver(await asked(stage, "a < b"))
    assert [one.text for one in stage.shown()] == ["a &lt; b"]


@pytest.mark.parametrize("code", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"])
@pytest.mark.parametrize("note", ["stream", "edit"])
async def test_an_edit_whose_blocks_are_refused_shows_the_words_plainly(
    stage: SlackStage, adapter: SlackAdapter, code: str, note: str
) -> None:
    """E2: else the first word stays on screen, and the session remembers the whole answer."""
    stage.server.workspace.streams_a_minute = 20 if note == "stream" else 0
    reply = await asked(stage, "Here")
    draft = await adapter.preview(reply)
    assert draft is not None
    assert draft.note == note
    stage.server.fail("chat.update", code)

    assert await stage.adapter().deliver(replace(reply, text="Here is a < b", draft=draft)) == draft.id

    (shown,) = stage.shown()
    assert (shown.text, shown.done) == ("Here is a &lt; b", True)
    assert stage.server.workspace.find(CHANNEL, draft.id).arguments["blocks"] == []


async def test_an_edit_that_is_too_long_for_a_plain_text_is_whole_in_plain_blocks(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, "x" * 10_000)
    ts = await adapter.deliver(reply)
    stage.server.fail("chat.update", "invalid_blocks")

    await adapter.deliver(replace(reply, text="y" * 10_000, draft=Draft(id=ts, text="", note="edit")))

    sections = stage.server.workspace.find(CHANNEL, ts).arguments["blocks"]
    assert "".join(section["text"]["text"] for section in sections) == "y" * 10_000
    assert max(len(section["text"]["text"]) for section in sections) <= 3_000


async def test_what_is_for_one_persons_eyes_stays_so_without_blocks(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.fail("chat.postEphemeral", "invalid_blocks")
    reply = await asked(stage, "a < b")
    await adapter.deliver(replace(reply, private=True))
    assert [(one.text, one.private) for one in stage.shown()] == [("a &lt; b", True)]


async def test_a_repeated_delivery_is_one_message(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    first = await adapter.deliver(reply)
    assert await adapter.deliver(replace(reply, attempt=2)) == first
    assert [(one.text, one.edits) for one in stage.shown()] == [(reply.text, 0)]


async def test_a_delivery_that_left_nothing_behind_is_made_again(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    stage.server.fail("chat.postMessage", 500)
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(reply)
    await adapter.deliver(replace(reply, attempt=2))
    assert [one.text for one in stage.shown()] == [reply.text]


@pytest.mark.parametrize("answer", [500, "reset", "internal_error"])
async def test_an_answer_that_got_lost_is_looked_up(
    stage: SlackStage, adapter: SlackAdapter, answer: int | str
) -> None:
    reply = await asked(stage)
    stage.server.fail("chat.postMessage", answer, after=True)
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(reply)
    assert stage.server.number_of("chat.postMessage") == 1
    ts = await stage.adapter().deliver(replace(reply, attempt=2))  # another process
    assert [(one.id, one.text) for one in stage.shown()] == [(ts, reply.text)]


async def test_a_call_that_hangs_is_given_up_in_doubt(stage: SlackStage) -> None:
    adapter = stage.adapter(timings=Timings(call=0.2))
    stage.server.fail("chat.postMessage", "hang", after=True)
    reply = await asked(stage)
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(reply)
    await adapter.deliver(reply)  # even if the caller has forgotten, this process has not
    await adapter.close()
    assert [one.text for one in stage.shown()] == [reply.text]


async def test_a_look_up_finds_its_message_pages_away(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    for number in range(20):
        await stage.say(f"{number}", to_bot=False)
    ts = await adapter.deliver(reply)
    assert await adapter.deliver(replace(reply, attempt=2)) == ts
    assert stage.server.number_of("conversations.replies") == 2


async def test_a_rationed_look_up_goes_on_where_it_was_cut_short(
    stage: SlackStage, adapter: SlackAdapter, clock: Clock
) -> None:
    stage.server.workspace.rationed = True
    reply = await asked(stage)
    for number in range(20):
        await stage.say(f"{number}", to_bot=False)
    ts = await adapter.deliver(reply)
    again = replace(reply, attempt=2)
    with pytest.raises(DeliveryDelayed) as wait:
        await adapter.deliver(again)
    assert 0 < wait.value.retry_after <= 61
    with pytest.raises(DeliveryDelayed):
        await adapter.deliver(again)
    assert stage.server.number_of("conversations.replies") == 2  # the third was not even tried
    stage.server.workspace._read_at.clear()
    clock.ahead += 61
    assert await adapter.deliver(again) == ts
    assert len(stage.shown()) == 1


async def test_parts_of_one_answer_are_told_apart(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "one")
    await adapter.deliver(reply)
    await adapter.deliver(replace(reply, text="two", part=1, attempt=2))
    assert [one.text for one in stage.shown()] == ["one", "two"]


async def test_too_many_calls_means_later(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    stage.server.fail("chat.postMessage", 429, retry_after=7)
    with pytest.raises(DeliveryDelayed) as wait:
        await adapter.deliver(reply)
    assert wait.value.retry_after == 7
    with pytest.raises(DeliveryDelayed) as wait:
        await adapter.deliver(reply)
    assert 0 < wait.value.retry_after <= 7
    assert stage.server.number_of("chat.postMessage") == 1
    assert stage.shown() == []


async def test_nobody_there_means_later(stage: SlackStage) -> None:
    reply = await asked(stage)
    adapter = SlackAdapter(bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url="http://127.0.0.1:9/api/")
    with pytest.raises(DeliveryDelayed):
        await adapter.deliver(reply)
    await adapter.close()


@pytest.mark.parametrize(
    "code",
    [
        "not_in_channel",
        "is_archived",
        "channel_not_found",
        "restricted_action",
        "restricted_action_thread_locked",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_non_threadable_channel",
        "messages_tab_disabled",
        "cannot_reply_to_message",
    ],
)
async def test_a_definite_no_is_refused(stage: SlackStage, adapter: SlackAdapter, code: str) -> None:
    reply = await asked(stage)
    stage.server.workspace.closed[CHANNEL] = code
    with pytest.raises(DeliveryRefused, match=code):
        await adapter.deliver(reply)


@pytest.mark.parametrize(
    "code",
    [
        *("token_revoked", "account_inactive", "invalid_auth", "not_authed", "token_expired"),
        *("missing_scope", "no_permission", "ekm_access_denied", "accesslimited", "team_access_not_granted"),
    ],
)
async def test_what_only_an_operator_can_mend_loses_nothing(
    stage: SlackStage, adapter: SlackAdapter, code: str
) -> None:
    reply = await asked(stage)
    stage.server.workspace.closed[CHANNEL] = code
    with capture_logs() as logs, pytest.raises(DeliveryDelayed, match="SLACK_BOT_TOKEN") as wait:
        await adapter.deliver(reply)
    assert wait.value.retry_after == 60
    assert [(line["log_level"], line["setting"], line["reason"]) for line in logs] == [
        ("error", "SLACK_BOT_TOKEN", code)
    ]
    stage.server.workspace.closed.clear()
    await adapter.deliver(replace(reply, attempt=2))
    assert [one.text for one in stage.shown()] == [reply.text]


async def test_a_channel_that_is_being_moved_is_answered_when_it_has_arrived(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage)
    stage.server.workspace.closed[CHANNEL] = "external_channel_migrating"
    with capture_logs() as logs, pytest.raises(DeliveryDelayed):
        await adapter.deliver(reply)
    assert not logs, "there is nothing that an operator could do"
    stage.server.workspace.closed.clear()
    await adapter.deliver(replace(reply, attempt=2))
    assert [one.text for one in stage.shown()] == [reply.text]


@pytest.mark.parametrize("code", ["cant_update_message", "message_not_found"])
@pytest.mark.parametrize("note", ["stream", "edit"])
async def test_a_message_that_can_be_edited_no_more_is_the_reply_as_it_is(
    stage: SlackStage, adapter: SlackAdapter, code: str, note: str
) -> None:
    stage.server.workspace.streams_a_minute = 20 if note == "stream" else 0
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    assert draft.note == note
    stage.server.fail("chat.update", code)
    other = stage.adapter()
    assert await other.deliver(replace(reply, text="half and whole", draft=draft)) == draft.id
    assert [(one.text, one.done) for one in stage.shown()] == [("half", True)]


@pytest.mark.parametrize("note", ["stream", "edit"])
async def test_where_a_workspace_allows_no_more_edits_the_whole_reply_takes_the_place_of_the_half(
    stage: SlackStage, adapter: SlackAdapter, note: str
) -> None:
    """Once, also where Slack does not say whether it has posted it."""
    stage.server.workspace.streams_a_minute = 20 if note == "stream" else 0
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    whole = replace(reply, text="half and whole", draft=draft)
    stage.server.fail("chat.update", "edit_window_closed", times=2)
    stage.server.fail("chat.postMessage", 500, after=True)
    other = stage.adapter()
    with pytest.raises(DeliveryUnknown):
        await other.deliver(whole)
    shown = await other.deliver(replace(whole, attempt=2))
    assert [(one.id, one.text, one.done) for one in stage.shown()] == [(shown, "half and whole", True)]
    assert shown != draft.id


async def test_of_several_messages_the_oldest_stays(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    first = await adapter.deliver(reply)
    await stage.adapter().deliver(reply)  # of a process that believed it was the first
    await adapter.deliver(replace(reply, key="other"))
    assert len(stage.shown()) == 3
    assert await stage.adapter().deliver(replace(reply, attempt=2)) == first
    assert first in [one.id for one in stage.shown()]
    assert len(stage.shown()) == 2


async def test_a_second_message_that_cannot_be_taken_away_is_no_reason_to_fail(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage)
    first = await adapter.deliver(reply)
    await stage.adapter().deliver(reply)
    stage.server.fail("chat.delete", "cant_delete_message")
    assert await stage.adapter().deliver(replace(reply, attempt=2)) == first


async def test_a_take_over_between_the_stop_and_the_update_still_ends_whole(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, "half")
    await adapter.preview(reply)  # and nobody recorded it
    whole = replace(reply, text="half and whole", attempt=2)
    stage.server.fail("chat.update", 500)
    with pytest.raises(DeliveryUnknown):
        await stage.adapter().deliver(whole)
    assert [(one.text, one.done) for one in stage.shown()] == [("half", True)]
    await stage.adapter().deliver(whole)
    assert [(one.text, one.done) for one in stage.shown()] == [("half and whole", True)]


async def test_what_lands_late_is_found_by_the_next_attempt(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    faults = iter([Fault("late", 0.05)])
    stage.server.faults = lambda method, given: next(faults, None) if method == "chat.postMessage" else None
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(reply)
    assert stage.shown() == []
    await stage.until(stage.shown)
    await stage.adapter().deliver(replace(reply, attempt=2))
    assert [one.text for one in stage.shown()] == [reply.text]


async def test_a_draft_of_another_process_becomes_the_reply(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    ts = await stage.adapter().deliver(replace(reply, text="half and whole", draft=draft))
    (shown,) = stage.shown()
    assert (shown.id, shown.text, shown.done) == (ts, "half and whole", True)
    again = await stage.adapter().deliver(replace(reply, text="half and whole", draft=draft, attempt=2))
    assert again == ts
    assert [one.text for one in stage.shown()] == ["half and whole"]


async def test_a_stream_that_nobody_recorded_is_finished(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "half")
    await adapter.preview(reply)
    ts = await stage.adapter().deliver(replace(reply, text="half and whole", attempt=2))
    (shown,) = stage.shown()
    assert (shown.id, shown.text, shown.done) == (ts, "half and whole", True)


async def test_a_message_that_a_person_deleted_is_not_posted_again(stage: SlackStage, adapter: SlackAdapter) -> None:
    for note in ("edit", "stream"):
        reply = await asked(stage)
        draft = Draft(id="1700000000.000001", text="half", note=note)
        assert await adapter.deliver(replace(reply, draft=draft)) == draft.id
    assert stage.shown() == []


async def test_an_edit_of_a_message_that_still_streams_stops_it_first(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    await stage.adapter().deliver(replace(reply, text="other", draft=replace(draft, note="")))
    assert [(one.text, one.done) for one in stage.shown()] == [("other", True)]


async def test_a_plain_direct_message_is_looked_up_too(stage: SlackStage) -> None:
    adapter = SlackAdapter(
        bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=f"{stage.server.url}/api/", agent_view=False
    )
    reply = await asked(stage)
    reply = replace(reply, address=replace(reply.address, channel="D0ADA", thread=None), private=True)
    ts = await adapter.deliver(reply)
    assert await adapter.deliver(replace(reply, attempt=2)) == ts
    await adapter.close()
    dm = [one for one in stage.server.workspace.messages if one.channel == "D0ADA"]
    assert [(one.bot, one.thread_ts, one.only_for) for one in dm] == [(BOT, None, None)]
