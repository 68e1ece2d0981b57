"""Slack: what reaches us is taken in before it is acknowledged, and nothing is lost on the way."""

from asyncio import Event, gather, get_running_loop, timeout
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bots.slack import SlackAdapter
from bots.slack.clients import sdk_logger, web_client
from bots.slack.forms import FORM
from bots.slack.payloads import Ourselves, workspace_of
from bots.slack.timings import Timings
from core.errors import PlatformError
from core.seam.messages import Audience, Rejected
from tests.bots.slack.ear import Ear, asked
from tests.wire.slack import SlackStage
from tests.wire.slack.server import APP_TOKEN, BOT_TOKEN
from tests.wire.slack.workspace import BOT_USER, CHANNEL, DM, TEAM


async def test_an_envelope_is_acknowledged_only_after_it_was_taken_in(stage: SlackStage, ear: Ear) -> None:
    ear.hold = Event()
    await stage.say("hi", to_bot=False)
    await stage.until(lambda: ear.began)
    (envelope,) = stage.server.envelopes
    assert not envelope.acked.is_set()
    ear.hold.set()
    await stage.until(envelope.acked.is_set)
    assert [one.text for one in ear.heard] == ["hi"]


async def test_what_could_not_be_stored_comes_again_until_it_is(stage: SlackStage, ear: Ear) -> None:
    stage.server.ack_seconds, ear.failures = 0.2, 2
    ts = await stage.say("hi", to_bot=False)
    await ear.until(1)
    await stage.until(lambda: stage.server.envelopes[-1].acked.is_set())
    assert [one.acked.is_set() for one in stage.server.envelopes] == [False, False, True]
    assert [one.attempt for one in stage.server.envelopes] == [0, 1, 2]
    assert [one.id for one in ear.heard] == [ts]


async def test_a_mention_arrives_by_two_events_as_one_message(stage: SlackStage, ear: Ear) -> None:
    for place in ("first", "second"):  # the two events come in either order
        await stage.say("<b> & co", place=place)
    one, other, third, fourth = sorted(await ear.until(4), key=lambda inbound: inbound.at)
    assert one == other
    assert third == fourth
    assert one.address.id == stage.session("first")
    assert (one.text, one.audience, one.author.name) == ("<b> & co", Audience.BOT, "ada")
    assert one.address.thread == one.id


async def test_a_message_sent_again_is_the_same_message(stage: SlackStage, ear: Ear) -> None:
    ts = await stage.say("hi")
    await stage.again(ts)
    assert len({repr(one) for one in await ear.until(4)}) == 1


async def test_a_reply_in_a_thread_belongs_to_the_thread(stage: SlackStage, ear: Ear) -> None:
    await stage.say("hi")
    await stage.say("and?", to_bot=False)
    heard = await ear.until(3)
    assert {one.address.id for one in heard} == {stage.session("main")}
    assert {one.audience for one in heard if one.text == "and?"} == {Audience.ROOM}


async def test_bots_and_ourselves_are_acknowledged_and_not_heard(stage: SlackStage, ear: Ear) -> None:
    server = stage.server
    other = {"type": "message", "channel": CHANNEL, "ts": "1.1", "text": "beep"}
    server.event({**other, "bot_id": "B0OTHER", "user": "U0OTHER"})
    server.event({**other, "subtype": "bot_message", "bot_id": "B0OTHER"})
    server.event({**other, "user": BOT_USER})
    server.event({**other, "subtype": "channel_join", "user": "U0ADA"})
    server.event({"type": "reaction_added", "user": "U0ADA"})
    server.send("interactive", {"type": "view_closed", "user": {"id": "U0ADA"}})
    await stage.until(lambda: len(server.envelopes) == 6 and all(one.acked.is_set() for one in server.envelopes))
    assert ear.arrived == []


async def test_an_unreadable_event_is_kept_and_acknowledged(stage: SlackStage, ear: Ear) -> None:
    payload = stage.server.event({"type": "message", "user": "U0ADA", "ts": "1.1", "text": "where?"})
    await stage.until(lambda: ear.arrived)
    await stage.until(stage.server.envelopes[0].acked.is_set)
    (kept,) = ear.arrived
    assert isinstance(kept, Rejected)
    assert (kept.platform, kept.id, kept.reason) == ("slack", payload["event_id"], "no channel")
    assert '"where?"' in kept.payload
    assert "deprecated" not in kept.payload


async def test_another_workspaces_events_are_acknowledged_told_once_in_the_log_and_not_heard(
    stage: SlackStage, ear: Ear
) -> None:
    elsewhere = {"enterprise_id": None, "team_id": "T0OTHER", "is_enterprise_install": False}
    said = {"type": "app_mention", "channel": CHANNEL, "user": "U0ADA", "text": "hello", "ts": "1700000000.000100"}
    with capture_logs() as logs:
        for _ in range(3):
            stage.server.event(said, team_id="T0OTHER", authorizations=[elsewhere])
        await stage.say("still here?")
        await ear.until(1)

    assert {one.text for one in ear.heard} == {"still here?"}
    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    told = [one for one in logs if one["log_level"] == "warning"]
    assert [(one["workspace"], one["ours"]) for one in told] == [("T0OTHER", TEAM)]


@pytest.mark.parametrize("given", [{"team_id": "T0OTHER"}, {"team_id": "T0OTHER", "enterprise_id": "E0OURS"}])
async def test_what_is_asked_for_in_another_workspace_is_none_for_ours(
    stage: SlackStage, ear: Ear, given: dict[str, str]
) -> None:
    """The app's own token hears what is typed, chosen and filled in wherever the app is."""
    stage.slash("settings", **given)
    home = {"team": {"id": given["team_id"]}, "enterprise": {"id": given.get("enterprise_id")}}
    theirs = stage.server.workspace.add(CHANNEL, stage.user("pat"), "hello")
    stage.shortcut("session_summarize", theirs, stage.user("pat"), **home)
    view = {"callback_id": FORM, "id": "V1", "private_metadata": f"set slack:T0OTHER:{CHANNEL}"}
    view |= {"state": {"values": {"zone": {"set zone ": {"value": "theirs"}}}}}
    stage.server.send("interactive", {"type": "view_submission", "user": {"id": "U0PAT"}, "view": view, **home})
    await stage.say("still here?", to_bot=False)
    await ear.until(1)

    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    assert [getattr(one, "text", one) for one in ear.arrived] == ["still here?"]


async def test_what_is_asked_for_in_any_workspace_of_our_organisation_is_for_us() -> None:
    us = Ourselves(workspace="E1", user="U1", bot="B1")
    for home in ({"team_id": "T2", "enterprise_id": "E1"}, {"team": {"id": "T2"}, "enterprise": {"id": "E1"}}, {}):
        assert workspace_of({"command": "/session", **home}, us) == "E1"


async def test_a_refresh_of_every_socket_loses_nothing(stage: SlackStage, ear: Ear) -> None:
    stage.server.ack_seconds = 0.3
    said = []
    for round_ in range(2):
        for number in range(5):
            said.append(await stage.say(f"{round_} {number}", place=f"{round_} {number}", to_bot=False))
        await stage.server.disconnect(which=0)
        said.append(await stage.say("meanwhile", place=f"{round_} x", to_bot=False))
        opened = round_ + 3
        await stage.until(lambda: stage.server.opened >= opened)  # noqa: B023  # it is awaited here
    await stage.until(lambda: {one.id for one in ear.heard} >= set(said))
    await stage.until(lambda: len(stage.server.sockets) == 2)


async def test_what_is_said_while_nobody_listens_arrives_when_somebody_does(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    ts = await stage.say("hi", to_bot=False)
    async with Ear(stage, adapter) as ear:
        assert [one.id for one in await ear.until(1)] == [ts]


@pytest.mark.parametrize(("agent_view", "thread", "reply_to"), [(True, "1.000002", None), (False, None, None)])
async def test_a_direct_message_is_a_thread_of_its_own_in_the_agent_view(
    stage: SlackStage, *, agent_view: bool, thread: str | None, reply_to: str | None
) -> None:
    adapter = SlackAdapter(
        bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=f"{stage.server.url}/api/", agent_view=agent_view
    )
    async with Ear(stage, adapter) as ear:
        stage.server.event(
            {"type": "message", "channel": DM, "channel_type": "im", "user": "U0ADA", "ts": "1.000002", "text": "hi"}
        )
        (inbound,) = await ear.until(1)
    await adapter.close()
    assert (inbound.address.thread, inbound.reply_to, inbound.direct) == (thread, reply_to, True)


async def test_a_slow_directory_delays_nobody(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    stage.server.fail("users.info", "hang", times=99)
    await stage.say("hi", to_bot=False)
    await stage.say("hi again", to_bot=False)
    assert [one.author.name for one in await ear.until(2)] == ["U0ADA", "U0ADA"]
    assert stage.server.number_of("users.info") == 1


async def test_a_directory_that_wants_no_calls_is_left_alone(stage: SlackStage, ear: Ear) -> None:
    stage.server.fail("users.info", 429, times=9, retry_after=30)
    for number, author in enumerate(("ada", "bob")):
        await stage.say("hi", author=author, to_bot=False)
        await ear.until(number + 1)
    assert [one.author.name for one in ear.heard] == ["U0ADA", "U0BOB"]
    assert stage.server.number_of("users.info") == 1


async def test_what_is_being_taken_in_is_still_acknowledged_when_we_leave(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    async with Ear(stage, adapter) as ear:
        ear.hold = Event()
        await stage.say("hi", to_bot=False)
        await stage.until(lambda: ear.began)
        get_running_loop().call_later(0.05, ear.hold.set)
    assert stage.server.envelopes[0].acked.is_set()
    assert [one.text for one in ear.heard] == ["hi"]


async def test_a_connection_that_breaks_is_made_again(stage: SlackStage) -> None:
    adapter = stage.adapter(timings=Timings(ping=0.05))
    stage.server.ack_seconds = 0.2
    async with Ear(stage, adapter) as ear:
        await stage.until(lambda: len(stage.server.sockets) == 2)
        for socket in list(stage.server.sockets):
            stage.server.cut(socket)
        ts = await stage.say("hi", to_bot=False)
        assert [one.id for one in await ear.until(1)] == [ts]
        await stage.until(lambda: len(stage.server.sockets) == 2)


async def test_nothing_that_was_said_and_no_token_is_logged(
    stage: SlackStage, adapter: SlackAdapter, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    stage.server.ack_seconds = 0.1
    async with Ear(stage, adapter) as ear:
        ear.failures = 1
        reply = await asked(stage, "our secret")
        await stage.say("their secret")
        await ear.until(4)
        stage.server.fail("chat.postMessage", "invalid_blocks")
        await adapter.deliver(reply)
    out = caplog.text + "".join(capsys.readouterr())
    assert "not acknowledged" in out
    assert not any(word in out for word in ("secret", BOT_TOKEN, APP_TOKEN, "ticket-"))


def test_the_keys_of_sockets_are_taken_out_of_the_sdks_own_complaints(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise OSError("wss://wss.example/link?ticket=abc-123&app_id=A1")
    except OSError as error:
        sdk_logger().exception("Failed to connect (error: %s); Retrying...", error)
    assert "ticket=…&app_id=A1" in caplog.text
    assert "abc-123" not in caplog.text


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("http://127.0.0.1:1/api/", False),
        ("http://localhost:1/", False),
        ("https://slack.example/api/", False),
        ("https://slack-gov.com/api/", True),
    ],
)
def test_a_proxy_is_for_the_world_outside(monkeypatch: pytest.MonkeyPatch, url: str, *, proxied: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "slack.example")
    client = web_client(AsyncWebClient, token="x", api_url=url, retry_handlers=[])
    assert (client.proxy is not None) is proxied


async def test_names_are_asked_for_once(stage: SlackStage, ear: Ear) -> None:
    for number in range(3):
        await stage.say("hi", place=str(number))
    await ear.until(6)
    assert stage.server.number_of("users.info") == 1


@pytest.mark.parametrize(
    ("tokens", "setting"),
    [
        ({"bot_token": "xoxb-wrong"}, "SLACK_BOT_TOKEN"),
        ({"bot_token": APP_TOKEN}, "SLACK_BOT_TOKEN"),
        ({"app_token": "xapp-wrong"}, "SLACK_APP_TOKEN"),
        ({"app_token": BOT_TOKEN}, "SLACK_APP_TOKEN"),
    ],
)
async def test_a_wrong_token_is_named(stage: SlackStage, tokens: dict[str, Any], setting: str) -> None:
    given = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "api_url": f"{stage.server.url}/api", **tokens}
    adapter = SlackAdapter(**given)

    async def receive(_: object) -> None:
        raise AssertionError

    async with timeout(10):
        with pytest.raises(PlatformError, match=setting) as error:
            await adapter.listen(receive)
    assert "\n" not in str(error.value)
    assert not any(token in str(error.value) for token in given.values())
    await adapter.close()


async def test_socket_mode_switched_off_ends_listening(stage: SlackStage, adapter: SlackAdapter) -> None:
    ear = Ear(stage, adapter)

    async def switch_off() -> None:
        await stage.until(lambda: len(stage.server.sockets) == 2)
        await stage.server.disconnect("link_disabled")

    async with timeout(10):
        ended, _ = await gather(adapter.listen(ear.receive), switch_off(), return_exceptions=True)
    assert isinstance(ended, PlatformError)
    assert "Socket Mode" in str(ended)


async def test_slack_out_of_reach_at_the_start_is_waited_for(stage: SlackStage) -> None:
    slept = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)

    adapter = stage.adapter(pause=pause)
    stage.server.fail("auth.test", 503, times=2)
    await stage.say("hi", to_bot=False)
    async with Ear(stage, adapter) as ear:
        await ear.until(1)
    assert slept == [1.0, 2.0]


async def test_the_api_url_reaches_every_client(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    await stage.say("hi")
    (heard, _) = await ear.until(2)
    await adapter.backscroll(heard, 5)
    assert {"auth.test", "apps.connections.open", "users.info", "conversations.history"} == {
        method for method, _, _ in stage.server.calls
    }
    assert stage.server.opened == 2


async def test_the_stop_button_is_a_command(stage: SlackStage, ear: Ear) -> None:
    await stage.say("hi")
    heard = await ear.until(2)
    stage.server.event(
        {
            "type": "agent_session_stopped",
            "channel": CHANNEL,
            "thread_ts": heard[0].id,
            "user": "U0ADA",
            "streaming_message_ts": [],
            "event_ts": "1700000000.000100",
        }
    )
    stop = (await ear.until(3))[2]
    assert (stop.verb, stop.address.id, stop.author.name) == ("stop", stage.session("main"), "ada")
