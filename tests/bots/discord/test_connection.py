"""Getting in, staying in, and saying why not."""

import asyncio
import socket

import pytest
from structlog.testing import capture_logs

from bots.discord import DiscordAdapter
from bots.discord.api import Api
from bots.discord.connection import Gateway
from bots.discord.gate import Gate
from bots.discord.library import Pauses, Redirect, discord
from bots.discord.timings import Timings
from core.errors import PlatformError
from core.seam.quiet import CEILING
from tests.bots.discord.conftest import Listener, listening
from tests.wire.discord import DiscordStage


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def refused(listener: Listener) -> str:
    assert listener.task is not None
    await asyncio.wait([listener.task], timeout=10)
    with pytest.raises(PlatformError) as raised:
        await listener.task
    return str(raised.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (4004, "DISCORD_TOKEN"),
        (4010, "shard"),
        (4011, "sharding"),
        (4012, "update"),
        (4013, "intents"),
        (4014, "MESSAGE CONTENT INTENT"),
    ],
)
async def test_a_close_that_no_reconnecting_mends_is_one_clear_line(stage: DiscordStage, code: int, words: str) -> None:
    stage.gateway.refuse.append(code)
    async with listening(stage) as listener:
        message = await refused(listener)
    assert words in message
    assert "\n" not in message
    assert len(stage.gateway.identified) == 1


def test_a_line_that_fails_now_and_then_is_tried_again_soon() -> None:
    """Within a minute, and at once where it stood for a while, however often it failed before."""
    now = 0.0
    pauses = Pauses(clock=lambda: now)
    first, failing, stood = pauses.delay(), list[float](), list[float]()
    for _ in range(200):
        now += (failing or [first])[-1] + 0.1
        failing.append(pauses.delay())
    for _ in range(50):
        now += (stood or failing)[-1] + 11.0
        stood.append(pauses.delay())

    assert 30 < max(failing) <= 64
    assert max(stood) <= 2
    assert vars(discord.client)["ExponentialBackoff"] is Pauses, "the library takes them for its own"


async def test_a_wrong_token_is_named(stage: DiscordStage) -> None:
    async with listening(stage) as listener:
        stage.world.token = "another"
        assert "DISCORD_TOKEN" in await refused(listener)
    assert not stage.gateway.identified


async def test_where_few_session_starts_are_left_none_is_made_until_discord_gives_new_ones(stage: DiscordStage) -> None:
    """Nobody has to start the program again for it: its exit status would say that a setting is wrong."""
    stage.world.session_starts = 3
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 4:
            stage.world.session_starts = 1000

    with capture_logs() as logs:
        async with listening(stage, pause=pause):
            await stage.connected()
    assert waited == [3_600.0] * 4, "what is asked for, of which an hour is believed"
    assert len(stage.gateway.identified) == 1
    told = next(one for one in logs if one["event"] == "no session is started")
    assert "3 more" in told["reason"]
    assert "DISCORD_TOKEN" in told["reason"]


async def test_a_session_that_is_lost_when_few_are_left_is_not_replaced(stage: DiscordStage) -> None:
    asked, waits = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds == CEILING:
            asked.set()
            await waits.wait()

    async with listening(stage, pause=pause) as listener:
        await stage.connected()
        stage.world.session_starts = 0
        await stage.gateway.invalidate()
        await asyncio.wait_for(asked.wait(), 10)
        assert len(stage.gateway.identified) == 1
        assert not listener.adapter.hears()
        stage.world.session_starts = 1000
        waits.set()
        await stage.until(lambda: len(stage.gateway.identified) == 2)


async def test_an_error_in_the_librarys_loop_is_survived(stage: DiscordStage) -> None:
    async with listening(stage) as listener:
        await stage.connected()
        await stage.gateway.send({"op": 10, "d": None})
        await stage.until(lambda: len(stage.gateway.identified) == 2)
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
        assert listener.paused == [2.0]


async def test_a_gateway_that_never_opens_is_tried_more_and_more_seldom(stage: DiscordStage) -> None:
    closed = unused_port()
    paused: list[float] = []
    enough = asyncio.Event()

    async def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 2:
            enough.set()
        await asyncio.sleep(0)

    async with listening(stage, gateway_url=f"ws://127.0.0.1:{closed}/", pause=pause):
        await asyncio.wait_for(enough.wait(), 10)
    assert paused[:2] == [2.0, 4.0]
    assert not stage.gateway.identified


async def test_a_token_that_is_changed_while_we_listen_is_named(stage: DiscordStage) -> None:
    async with listening(stage) as listener:
        await stage.connected()
        stage.world.token = "another"
        await stage.gateway.send({"op": 10, "d": None})
        assert "DISCORD_TOKEN" in await refused(listener)


async def test_a_gateway_that_closes_again_and_again_is_not_hammered(stage: DiscordStage) -> None:
    async with listening(stage) as listener:
        await stage.connected()
        for count in range(1, 8):
            await stage.gateway.close(4000)
            await stage.until(lambda count=count: stage.gateway.resumed == count)
        assert listener.paused == [5.0] * 3


async def test_sessions_that_are_lost_again_and_again_are_begun_more_and_more_seldom(stage: DiscordStage) -> None:
    async with listening(stage) as listener:
        for count in range(1, 4):
            await stage.until(lambda count=count: len(stage.gateway.identified) == count and stage.gateway.connected)
            await stage.gateway.invalidate()
        await stage.until(lambda: len(stage.gateway.identified) == 4)
        assert listener.paused == [5.0, 10.0, 20.0]


@pytest.mark.parametrize(("left", "pauses"), [(1_000, [5.0] * 5), (400, [5.0, 10.0, 20.0, 40.0, 40.0])])
async def test_a_session_that_is_lost_now_and_then_is_soon_begun_anew_while_many_are_left_of_the_day(
    stage: DiscordStage, left: int, pauses: list[float]
) -> None:
    """They are so many, and a bot is deaf meanwhile; where they run low, those that are left have to last."""
    now, waited = 0.0, []

    async def pause(seconds: float) -> None:
        nonlocal now
        now += seconds
        waited.append(seconds)

    stage.world.session_starts = left
    known = stage.environment()
    api = Api(known["DISCORD_TOKEN"], Redirect(api=known["DISCORD_API_URL"]))
    gate = Gate(api, clock=lambda: now, pause=pause)
    await gate.before_identify(initial=True)
    for _ in pauses:
        now += 61.0
        await gate.before_identify(initial=False)
    await api.close()

    assert waited == pauses


async def test_a_session_that_does_not_begin_though_its_socket_stands_is_asked_for_anew(stage: DiscordStage) -> None:
    """Heartbeats are answered all the while, so that the library would wait for ever."""
    stage.gateway.ignore = 1
    async with listening(stage, timings=Timings(begun=0.5)) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
        assert listener.paused == [2.0]


async def test_a_session_that_is_not_resumed_though_its_socket_stands_is_begun_anew(stage: DiscordStage) -> None:
    async with listening(stage, timings=Timings(begun=0.5)) as listener:
        await stage.connected()
        stage.gateway.ignore = 1
        await stage.gateway.close(4000)
        await stage.until(lambda: len(stage.gateway.identified) == 2)
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
        assert not stage.gateway.resumed


def test_a_session_is_given_as_long_as_the_library_gives_its_socket() -> None:
    assert 60.0 < Timings().begun < 120.0


async def test_a_session_is_resumed_elsewhere_where_its_own_address_fails(stage: DiscordStage) -> None:
    stage.gateway.resume_url = f"ws://127.0.0.1:{unused_port()}/"
    async with listening(stage) as listener:
        await stage.connected()
        await stage.gateway.close(4000)
        await stage.say("meanwhile")
        assert (await listener.number(1)).text == "meanwhile"
    assert (len(stage.gateway.identified), stage.gateway.resumed) == (1, 1)


async def test_a_gateway_that_an_api_has_named_is_asked_for_anew_where_it_fails(stage: DiscordStage) -> None:
    right, stage.gateway.url = stage.gateway.url, f"ws://127.0.0.1:{unused_port()}/"

    async def pause(_: float) -> None:
        stage.gateway.url = right
        await asyncio.sleep(0)

    async with listening(stage, gateway_url=None, pause=pause) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"


async def test_the_gateway_of_another_api_is_where_it_says(stage: DiscordStage) -> None:
    async with listening(stage, gateway_url=None) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"


async def test_an_api_that_is_down_at_the_start_is_waited_for(stage: DiscordStage) -> None:
    stage.world.fault("GET /users/@me", status=503, times=2)
    async with listening(stage) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
        assert listener.paused == [2.0, 4.0]


async def test_the_doctor_sees_a_healthy_application(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    findings = await mouth.examine()
    assert all(finding.ok for finding in findings)
    assert "1000 of 1000" in findings[-1].detail
    assert not stage.world.asked("^(POST|PUT|PATCH)")


async def test_the_doctor_names_what_is_wrong_and_the_remedy(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.flags, stage.world.session_starts = 0, 1
    wrong = [finding for finding in await mouth.examine() if not finding.ok]
    assert [finding.subject for finding in wrong] == ["Discord message content intent", "Discord gateway"]
    assert "MESSAGE CONTENT INTENT" in wrong[0].remedy
    assert "241 minutes" in wrong[1].remedy


async def test_the_doctor_names_the_token(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.token = "another"
    (finding,) = await mouth.examine()
    assert not finding.ok
    assert finding.subject == "DISCORD_TOKEN"


async def test_the_doctor_says_when_discord_does_not_answer(mouth: DiscordAdapter, stage: DiscordStage) -> None:
    stage.world.fault("GET /users/@me", status=503)
    (finding,) = await mouth.examine()
    assert not finding.ok
    assert "DISCORD_API_URL" in finding.remedy


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://discord.com/api/v10", "https://discord.com/api/v10"),
        ("http://proxy:8080/api/v9/", "http://proxy:8080/api/v9"),
        ("http://proxy/api", "http://proxy/api/v10"),
        ("http://proxy", "http://proxy/api/v10"),
        (None, "https://discord.com/api/v10"),
    ],
)
def test_an_api_address_may_leave_out_what_is_usual(given: str | None, base: str) -> None:
    assert Redirect(api=given).api == base


def test_a_resumed_session_goes_where_the_server_said() -> None:
    redirect = Redirect(gateway="ws://proxy/gateway?x=1")
    assert redirect.socket("wss://gateway.discord.gg/?v=10") == "ws://proxy/gateway?v=10"
    assert redirect.socket("wss://eu.discord.gg/?v=10") == "wss://eu.discord.gg/?v=10"
    assert Redirect().socket("wss://gateway.discord.gg/?v=10") == "wss://gateway.discord.gg/?v=10"


async def test_a_limit_that_discord_does_not_tell_keeps_nobody_out(stage: DiscordStage) -> None:
    stage.world.fault("GET /gateway/bot", status=503)
    async with listening(stage) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"


async def test_the_doctor_says_when_the_gateway_does_not_answer(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    stage.world.fault("GET /gateway/bot", status=503)
    assert [finding.ok for finding in await mouth.examine()] == [True, True, False]


async def test_a_client_that_is_closed_runs_no_event_any_more() -> None:
    redirect = Redirect(api="http://127.0.0.1:9/api")
    rest = Api("t", redirect)
    gateway = Gateway(redirect, content=False, gates=Gate(rest))
    await gateway.close()
    await rest.close()

    gateway.dispatch("ready")
