"""Slack: whatever happens to a request or an event, there is one message on screen, and one is heard.

These tests also hold the wire server to what it says that it can do (`tests/wire/faults.py`).
"""

from dataclasses import replace
from random import Random

import pytest

from bots.slack import SlackAdapter
from bots.slack.timings import Timings
from core.errors import DeliveryDelayed, DeliveryUnknown
from core.seam.messages import Inbound
from tests.bots.slack.ear import Ear, asked
from tests.wire.faults import Fault
from tests.wire.slack import SlackStage
from tests.wire.slack.server import SlackServer


def _once(server: SlackServer, method: str, fault: Fault) -> None:
    faults = iter([fault])
    server.faults = lambda called, given: next(faults, None) if called == method else None


def _hasty(stage: SlackStage) -> SlackAdapter:
    return stage.adapter(timings=Timings(call=0.3))


FAULTS = [
    (Fault("before"), DeliveryUnknown, 0),
    (Fault("after"), DeliveryUnknown, 1),
    (Fault("hang"), DeliveryUnknown, 1),
    (Fault("drop"), DeliveryUnknown, 1),
    (Fault("limit", 0.0), DeliveryDelayed, 0),
    (Fault("page", status=200), DeliveryUnknown, 0),
    (Fault("page", status=403), DeliveryUnknown, 0),
    (Fault("page", status=404), DeliveryUnknown, 0),
    (Fault("page", 0.1, status=429), DeliveryUnknown, 0),
    (Fault("passed", 0.1, status=429), DeliveryUnknown, 1),
    (Fault("passed", status=200), DeliveryUnknown, 1),
    (Fault("passed", status=403), DeliveryUnknown, 1),
]


@pytest.mark.parametrize(
    ("fault", "error", "shown"), FAULTS, ids=[f"{fault.kind} {fault.status}" for fault, _, _ in FAULTS]
)
async def test_a_post_that_goes_wrong_ends_as_one_message(
    stage: SlackStage, fault: Fault, error: type[Exception], shown: int
) -> None:
    adapter, other = _hasty(stage), _hasty(stage)
    reply = await asked(stage)
    _once(stage.server, "chat.postMessage", fault)
    with pytest.raises(error):
        await adapter.deliver(reply)
    assert len(stage.shown()) == shown
    await other.deliver(replace(reply, attempt=2))
    assert [one.text for one in stage.shown()] == [reply.text]
    await adapter.close()
    await other.close()


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update"])
@pytest.mark.parametrize("kind", ["before", "after", "drop", "hang", "page", "passed"])
async def test_a_stream_that_goes_wrong_ends_as_one_message(stage: SlackStage, method: str, kind: str) -> None:
    reply = await asked(stage, "one two three")
    _once(stage.server, method, Fault(kind))  # type: ignore[arg-type]  # it is one of them
    draft = None
    for attempt in (1, 2, 3, 4):
        adapter = _hasty(stage)  # each time another process, which has the last draft that was recorded
        try:
            for text in ("one", "one two"):
                draft = await adapter.preview(replace(reply, text=text, draft=draft, attempt=attempt)) or draft
            await adapter.deliver(replace(reply, draft=draft, attempt=attempt))
            break
        except DeliveryUnknown:
            continue
        finally:
            await adapter.close()
    assert [(one.text, one.done) for one in stage.shown()] == [("one two three", True)]


async def test_who_does_not_look_posts_twice(stage: SlackStage, adapter: SlackAdapter) -> None:
    """The negative control: without it, the tests above would pass on a server that stores nothing twice."""
    reply = await asked(stage)
    _once(stage.server, "chat.postMessage", Fault("after"))
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(reply)
    await stage.adapter().deliver(reply)
    assert len(stage.shown()) == 2


async def test_events_that_come_twice_and_in_any_order_are_heard_as_they_are(stage: SlackStage, ear: Ear) -> None:
    chance = Random(7)
    stage.server.copies = lambda payload: [chance.uniform(0, 0.05) for _ in range(chance.choice((1, 2)))]
    stage.server.route = chance.randrange
    said = [await stage.say(str(number), to_bot=False) for number in range(20)]
    await stage.until(lambda: {one.id for one in ear.heard} == set(said))
    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    assert len({repr(one) for one in ear.of(Inbound)}) == 20
    assert len({envelope.socket for envelope in stage.server.envelopes}) == 2


async def test_an_event_that_slack_loses_is_not_heard(stage: SlackStage, ear: Ear) -> None:
    stage.server.copies = lambda payload: ()
    await stage.say("lost")
    stage.server.copies = lambda payload: (0.0,)
    await stage.say("kept", to_bot=False)
    assert [one.text for one in await ear.until(1)] == ["kept"]
