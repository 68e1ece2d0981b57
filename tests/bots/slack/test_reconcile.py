"""Slack: what should not be on screen is taken away, and what should be is put right."""

from dataclasses import replace
from time import time

import pytest

from bots.slack import SlackAdapter
from bots.slack.lookup import Found
from bots.slack.reconcile import Kin, kin_of
from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown
from core.seam.messages import Draft
from tests.bots.slack.ear import Clock, asked
from tests.wire.faults import Fault
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL


async def test_a_message_is_withdrawn_however_often(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    ts = await adapter.deliver(reply)
    for _ in range(2):
        await adapter.withdraw(reply.address, ts)
    assert stage.shown() == []
    await adapter.withdraw(reply.address, "response:k2")
    assert stage.server.number_of("chat.delete") == 2


async def test_a_message_that_still_streams_can_be_withdrawn(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    stage.server.fail("chat.delete", "streaming_state_conflict")
    await stage.adapter().withdraw(reply.address, draft.id)
    assert stage.shown() == []


async def test_what_cannot_be_withdrawn_is_said(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    ts = await adapter.deliver(reply)
    stage.server.fail("chat.delete", "cant_delete_message")
    with pytest.raises(DeliveryRefused, match="cant_delete_message"):
        await adapter.withdraw(reply.address, ts)
    stage.server.fail("chat.delete", 500, after=True)
    with pytest.raises(DeliveryUnknown):
        await adapter.withdraw(reply.address, ts)
    await adapter.withdraw(reply.address, ts)
    assert stage.shown() == []


async def test_only_the_message_that_was_recorded_stays(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    await stage.adapter().deliver(reply)
    recorded = await adapter.deliver(reply)
    other = await adapter.deliver(replace(reply, key="other"))
    await adapter.reconcile(reply, recorded)
    assert [one.id for one in stage.shown()] == [recorded, other]
    assert [one.edits for one in stage.shown()] == [0, 0]
    assert stage.server.number_of("conversations.replies") == 1


async def test_a_post_that_landed_after_the_look_up_is_taken_away(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    faults = iter([Fault("late", 0.2)])
    stage.server.faults = lambda method, given: next(faults, None) if method == "chat.postMessage" else None
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(reply)
    ts = await adapter.deliver(replace(reply, attempt=2))
    await stage.until(lambda: len(stage.shown()) == 2)
    await adapter.reconcile(reply, ts)
    assert [one.id for one in stage.shown()] == [ts]


async def test_what_stood_in_for_an_answer_and_landed_after_it_is_taken_away(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    """It has a key to be found by: by its text nobody could tell whose it was."""
    reply = await asked(stage)
    faults = iter([Fault("late", 0.2)])
    begins = ("chat.startStream", "chat.postMessage")
    stage.server.faults = lambda method, given: next(faults, None) if method in begins else None
    with pytest.raises(DeliveryUnknown):
        await adapter.preview(replace(reply, text="I answer it as soon as I can.", passing=True))
    ts = await adapter.deliver(replace(reply, attempt=2))
    await stage.until(lambda: len(stage.shown()) == 2)
    await adapter.reconcile(reply, ts)
    assert [(one.id, one.text) for one in stage.shown()] == [(ts, reply.text)]


async def test_another_text_is_put_right(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "half")
    ts = await adapter.deliver(reply)
    await adapter.reconcile(replace(reply, text="half and whole"), ts)
    assert [(one.id, one.text) for one in stage.shown()] == [(ts, "half and whole")]


async def test_a_stream_that_still_runs_is_ended(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    await stage.adapter().reconcile(replace(reply, text="half and whole"), draft.id)
    assert [(one.id, one.text, one.done) for one in stage.shown()] == [(draft.id, "half and whole", True)]


async def test_what_people_have_deleted_stays_away(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    ts = await adapter.deliver(reply)
    await stage.delete(ts)
    await adapter.reconcile(reply, ts)
    assert stage.shown() == []


async def test_a_stream_that_nobody_recorded_is_taken_away(stage: SlackStage, adapter: SlackAdapter) -> None:
    """The start landed before the message that shows the reply, but after the look-up."""
    reply = await asked(stage, "half and whole")
    await stage.adapter().preview(replace(reply, text="half"))
    ts = await adapter.deliver(reply)
    later = await adapter.preview(replace(reply, key="next", text="next"))  # another answer, which still streams
    assert later is not None
    await adapter.reconcile(reply, ts)
    assert [one.id for one in stage.shown()] == [ts, later.id]


@pytest.mark.parametrize(
    ("stream", "message", "kin"),
    [
        (Found(id="90.5", loose=True, text="another run's words"), "100.5", Kin.OURS),
        (Found(id="110.5", loose=True, text="half"), "100.5", Kin.OURS),
        (Found(id="110.5", loose=True, text="*half* "), "100.5", Kin.OURS),
        (Found(id="110.5", loose=True, text="of the next answer"), "100.5", Kin.ANOTHERS),
        (Found(id="190.5", loose=True, text="half"), "100.5", Kin.UNCLEAR),
        (Found(id="110.5", loose=True, text="half"), "", Kin.OURS),
        (Found(id="110.5", loose=True, text="of the next answer"), "response:k2", Kin.ANOTHERS),
    ],
)
async def test_a_stream_that_may_be_the_next_answers_is_left_alone(
    stage: SlackStage, stream: Found, message: str, kin: Kin
) -> None:
    reply = await asked(stage, "half and whole")
    assert kin_of(stream, reply, message, now=200.0, young=20.0) is kin


@pytest.mark.parametrize(("begun", "kin"), [("110.5", Kin.OURS), ("190.5", Kin.UNCLEAR)])
async def test_where_nothing_is_to_stand_a_stream_that_is_nothing_else_goes(
    stage: SlackStage, begun: str, kin: Kin
) -> None:
    reply = await asked(stage, "")
    stream = Found(id=begun, loose=True, text="half of it")
    assert kin_of(stream, reply, "", now=200.0, young=20.0) is kin
    assert kin_of(stream, reply, "response:k2", now=200.0, young=20.0) is Kin.ANOTHERS


async def test_a_stream_that_landed_last_is_looked_at_again_when_it_is_clear_whose_it_is(stage: SlackStage) -> None:
    later = 0.0
    adapter = stage.adapter(now=lambda: time() + later)
    reply = await asked(stage, "half and whole")
    faults = iter([Fault("late", 0.2)])
    stage.server.faults = lambda method, given: next(faults, None) if method == "chat.startStream" else None
    with pytest.raises(DeliveryUnknown):
        await adapter.preview(replace(reply, text="half"))
    ts = await adapter.deliver(replace(reply, attempt=2))
    await stage.until(lambda: len(stage.shown()) == 2)
    with pytest.raises(DeliveryDelayed):
        await adapter.reconcile(reply, ts)
    assert len(stage.shown()) == 2
    later = 60.0
    await adapter.reconcile(reply, ts)
    assert [one.id for one in stage.shown()] == [ts]


async def test_where_nothing_stands_everything_with_the_key_goes(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    await adapter.deliver(reply)
    other = await adapter.deliver(replace(reply, key="other"))
    await adapter.reconcile(replace(reply, text=""), "")
    assert [one.id for one in stage.shown()] == [other]


async def test_reconciling_keeps_the_ration(stage: SlackStage, adapter: SlackAdapter, clock: Clock) -> None:
    stage.server.workspace.rationed = True
    reply = await asked(stage)
    await stage.adapter().deliver(reply)
    for number in range(20):
        await stage.say(f"{number}", to_bot=False)
    ts = await adapter.deliver(reply)
    with pytest.raises(DeliveryDelayed) as wait:
        await adapter.reconcile(reply, ts)
    assert 0 < wait.value.retry_after <= 61
    assert len(stage.shown()) == 2
    stage.server.workspace._read_at.clear()
    clock.ahead += 61
    await adapter.reconcile(reply, ts)
    assert [one.id for one in stage.shown()] == [ts]


async def test_where_nothing_can_be_looked_up_all_stays_as_it_is(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    ts = await adapter.deliver(reply)
    stage.server.fail("conversations.replies", "missing_scope")
    await adapter.reconcile(replace(reply, text="other"), ts)
    assert [one.text for one in stage.shown()] == [reply.text]


def _signs(stage: SlackStage, ts: str) -> set[str]:
    return stage.server.workspace.find(CHANNEL, ts).reactions


async def test_a_message_that_waits_bears_a_sign(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    ts = reply.address.thread
    assert ts is not None
    for waits in (True, True, False, False):
        await adapter.mark(reply.address, ts, waits=waits)
        assert _signs(stage, ts) == ({"hourglass_flowing_sand"} if waits else set())
    await adapter.mark(reply.address, "trigger-1.2", waits=True)
    assert stage.server.number_of("reactions.add") == 2


async def test_without_the_scope_there_are_no_signs(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    ts = str(reply.address.thread)
    stage.server.fail("reactions.add", "message_not_found")
    await adapter.mark(reply.address, ts, waits=True)
    stage.server.fail("reactions.add", "missing_scope", times=9)
    for _ in range(2):
        await adapter.mark(reply.address, ts, waits=True)
    assert stage.server.number_of("reactions.add") == 2
    assert _signs(stage, ts) == set()


async def test_a_draft_that_was_taken_over_is_withdrawn_like_any_other(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, "half")
    draft = await adapter.preview(reply)
    assert draft is not None
    await stage.adapter().withdraw(reply.address, draft.id)
    gone = replace(reply, text="half and whole", draft=Draft(id=draft.id, text="half", note="stream"))
    assert await adapter.deliver(gone) == draft.id
    assert stage.shown() == []


async def test_a_stream_that_is_known_to_be_another_answers_is_left_alone(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    """Its question was asked later and begun earlier; it waits for another process to go on."""
    reply = await asked(stage, "half and whole")
    other = await stage.adapter().preview(replace(reply, key="other", text="of another answer"))
    assert other is not None
    ts = await adapter.deliver(reply)
    await adapter.reconcile(replace(reply, others=frozenset({other.id})), ts)
    assert [one.id for one in stage.shown()] == [other.id, ts]
    await adapter.reconcile(reply, ts)
    assert [one.id for one in stage.shown()] == [ts]


async def test_a_look_up_does_not_take_another_answers_stream_for_the_reply(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, "half and whole")
    other = await stage.adapter().preview(replace(reply, key="other", text="of another answer"))
    assert other is not None
    ts = await adapter.deliver(replace(reply, attempt=2, others=frozenset({other.id})))
    assert [one.id for one in stage.shown()] == [other.id, ts]


async def test_a_stream_of_before_the_answer_before_is_not_taken_for_the_reply(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    """An earlier reply's first words have landed late, and nobody knows of them yet."""
    reply = await asked(stage, "half and whole")
    stray = await stage.adapter().preview(replace(reply, key="stray", text="of an answer before that"))
    assert stray is not None
    before = await adapter.deliver(replace(reply, key="before", text="the answer before"))
    ts = await adapter.deliver(replace(reply, attempt=2, others=frozenset({before}), above=frozenset({before})))
    assert [one.id for one in stage.shown()] == [stray.id, before, ts]


async def test_a_stream_between_the_answers_before_is_not_taken_for_the_reply(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    """What was said first came last, and was answered last."""
    reply = await asked(stage, "half and whole")
    second = await adapter.deliver(replace(reply, key="second", text="the answer to the second"))
    stray = await stage.adapter().preview(replace(reply, key="stray", text="of that answer, once more"))
    assert stray is not None
    first = await adapter.deliver(replace(reply, key="first", text="the answer to the first"))
    before = frozenset({first, second})
    ts = await adapter.deliver(replace(reply, attempt=2, others=before, above=before))
    assert [one.id for one in stage.shown()] == [second, stray.id, first, ts]


async def test_half_an_answer_goes_though_what_was_said_before_was_answered_after_it(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    """A process died over it, an earlier message reached us only then, and the question was deleted meanwhile."""
    reply = await asked(stage, "")
    stray = await stage.adapter().preview(replace(reply, text="hal"))
    assert stray is not None
    before = await adapter.deliver(replace(reply, key="before", text="the answer to what was said before"))
    later = stage.adapter(now=lambda: time() + 60)
    await later.reconcile(replace(reply, others=frozenset({before}), above=frozenset({before})), "")
    assert [one.id for one in stage.shown()] == [before]
