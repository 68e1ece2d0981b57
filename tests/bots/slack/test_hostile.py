"""What Slack would never send, or so one thinks: it is acknowledged and kept, and what comes next is heard."""

import json
from typing import Any

import pytest

from core.seam.messages import Rejected
from tests.bots.slack.ear import Ear
from tests.wire.slack import SlackStage
from tests.wire.slack.server import Envelope
from tests.wire.slack.workspace import CHANNEL, TEAM

DEEP = "[" * 20_000 + "]" * 20_000
PAYLOADS = ["null", "7", '"text"', "[]", "[null]", DEEP, f'{{"type": "event_callback", "event": {DEEP}}}', "{}}", "NaN"]
PAYLOADS += ['{"type": "event_callback", "event": null}', '{"type": "event_callback"}']


async def send(stage: SlackStage, payload: str) -> Envelope:
    """An envelope with this in it, acknowledged."""
    envelope = Envelope(id="e-1", kind="events_api", payload={})
    await stage.server.write(envelope, f'{{"envelope_id": "e-1", "type": "events_api", "payload": {payload}}}')
    await stage.until(envelope.acked.is_set)
    return envelope


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_an_envelope_of_any_shape_is_acknowledged_and_kept(stage: SlackStage, ear: Ear, payload: str) -> None:
    await send(stage, payload)

    await stage.say("still here?")
    await ear.until(1)
    (kept,) = ear.of(Rejected)
    json.loads(kept.payload)


async def test_an_envelope_without_a_payload_is_acknowledged(stage: SlackStage, ear: Ear) -> None:
    envelope = Envelope(id="e-1", kind="events_api", payload={})
    await stage.server.write(envelope, '{"envelope_id": "e-1"}')

    await stage.until(envelope.acked.is_set)


@pytest.mark.parametrize("frame", ["", "{", "[]", "7", '{"type": "hello"', '{"envelope_id": 7}', "\x00", DEEP])
async def test_a_frame_that_is_no_envelope_ends_nothing(stage: SlackStage, ear: Ear, frame: str) -> None:
    await stage.server.sockets[0].send_str(frame)
    await stage.say("still here?")

    assert {one.text for one in await ear.until(1)} == {"still here?"}
    assert stage.server.opened == 2


@pytest.mark.parametrize("name", ["channel", "user", "ts", "thread_ts"])
@pytest.mark.parametrize("forged", ["x" * 5_000, "C1\n2026-11-29 [info] answered", "C1 \x1b[2J", "", "C１"])
async def test_an_id_is_short_and_on_one_line(stage: SlackStage, ear: Ear, name: str, forged: str) -> None:
    said: dict[str, Any] = {"type": "message", "channel": CHANNEL, "user": "U0ADA", "ts": "1700000000.000100"}
    stage.server.event(said | {"text": "hello", "thread_ts": "1700000000.000100", name: forged})
    await stage.until(lambda: ear.arrived)

    if name == "thread_ts" and not forged:
        assert ear.heard, "no thread is none"
        return
    (kept,) = ear.of(Rejected)
    assert kept.id.startswith("Ev")
    assert kept.reason in (f"no {name}", "a time that is no time")


async def test_an_event_s_own_id_is_no_line_of_the_log(stage: SlackStage, ear: Ear) -> None:
    stage.server.event({"type": "message"}, event_id="Ev1\nforged")
    await stage.until(lambda: ear.arrived)

    (kept,) = ear.of(Rejected)
    assert kept.id.isalnum()


@pytest.mark.parametrize("session", [f"slack:{TEAM}:C0OTHER:1.1", "slack:T0OTHER:C0GENERAL:1.1", "discord:1:2"])
async def test_a_button_that_names_a_session_of_another_place_is_none(
    stage: SlackStage, ear: Ear, session: str
) -> None:
    pressed = {"action_id": "session_button_0", "value": f"reset {session}"}
    person, place = {"id": "U0ADA", "name": "ada"}, {"id": CHANNEL}
    payload = {"type": "block_actions", "trigger_id": "1.2.3", "user": person, "channel": place, "actions": [pressed]}
    stage.server.send("interactive", payload)
    await stage.until(lambda: stage.server.envelopes and stage.server.envelopes[-1].acked.is_set())

    await stage.say("still here?")
    assert {one.text for one in await ear.until(1)} == {"still here?"}
