"""Slack: what ends our hearing is Slack's own word about a token; over everything else we try again, ever more seldom.

A page is an answer of somebody between Slack and us: a proxy's, a firewall's, with any status.
"""

import asyncio

import pytest

from bots.slack.api import Api
from bots.slack.timings import Timings
from core.errors import DeliveryUnknown, PlatformError
from core.seam.messages import Event
from tests.bots.slack.ear import Clock, Ear
from tests.wire.faults import Fault
from tests.wire.slack import SlackStage
from tests.wire.slack.server import BOT_TOKEN, Refusal
from tests.wire.slack.workspace import CHANNEL

OPEN = "apps.connections.open"
PAGES = [
    Fault("page", status=200),
    Fault("page", status=401),
    Fault("page", status=403),
    Fault("page", status=404),
    Fault("page", status=407, type="text/plain", text="invalid_auth"),
    Fault("page", status=200, type="text/plain", text="please sign in"),
    Fault("page", status=200, type="application/json", text="<html>"),
    Fault("page", status=200, type="application/json", text='["invalid_auth"]'),
    Fault("page", status=403, type="application/json", text='{"error": "invalid_auth"}'),
    Fault("page", status=200, type="application/json", text='{"ok": true}'),
    Fault("page", status=200, type="application/json", text="[" * 100_000),
    Fault("page", status=401, type="application/json", text='{"ok": false, "error": {"code": 401}}'),
    Fault("page", status=403, type="application/json", text="[" * 100_000),
]


def _named(fault: Fault) -> str:
    return f"{fault.status} {fault.type} {fault.text[:9]}"


class Rest:
    """Pauses that are over at once, and are kept in mind; so many, and then one that lasts."""

    def __init__(self, clock: Clock, most: int = 100) -> None:
        self.seconds: list[float] = []
        self.enough = asyncio.Event()
        self._clock, self._most = clock, most

    async def __call__(self, seconds: float) -> None:
        if seconds:
            self.seconds.append(seconds)
            self._clock.ahead += seconds
        if len(self.seconds) >= self._most:
            self.enough.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


def _misfortune(stage: SlackStage, method: str, *faults: Fault | Refusal) -> None:
    """These befall the next calls of this method."""
    stage.server.expect(method, *faults)


async def _heard(stage: SlackStage, ear: Ear) -> None:
    """What is said is heard, over two sockets."""
    await stage.say("still here?", to_bot=False)
    assert [one.text for one in await ear.until(1)] == ["still here?"]
    await stage.until(lambda: len(stage.server.sockets) == 2)


@pytest.mark.parametrize("page", PAGES, ids=_named)
@pytest.mark.parametrize("method", ["auth.test", OPEN])
async def test_a_page_in_slacks_place_ends_nothing(stage: SlackStage, clock: Clock, method: str, page: Fault) -> None:
    _misfortune(stage, method, page, page)
    async with Ear(stage, stage.adapter(clock=clock, pause=Rest(clock))) as ear:
        await _heard(stage, ear)


@pytest.mark.parametrize("code", ["accesslimited", "ekm_access_denied", "team_added_to_org", "a_word_to_come"])
@pytest.mark.parametrize("method", ["auth.test", OPEN])
async def test_a_word_of_slacks_that_is_not_about_the_token_ends_nothing(
    stage: SlackStage, clock: Clock, method: str, code: str
) -> None:
    _misfortune(stage, method, *[Refusal(code=code)] * 3)
    async with Ear(stage, stage.adapter(clock=clock, pause=Rest(clock))) as ear:
        await _heard(stage, ear)


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive", "not_allowed_token_type"])
@pytest.mark.parametrize(("method", "setting"), [("auth.test", "SLACK_BOT_TOKEN"), (OPEN, "SLACK_APP_TOKEN")])
async def test_slacks_own_word_about_a_token_ends_listening(
    stage: SlackStage, method: str, setting: str, code: str
) -> None:
    _misfortune(stage, method, Refusal(code=code))
    with pytest.raises(PlatformError, match=f"{setting} .{code}."):
        await stage.adapter().listen(_deaf)


async def test_a_socket_that_can_not_be_renewed_for_a_page_is_renewed_once_it_can(
    stage: SlackStage, clock: Clock
) -> None:
    async with Ear(stage, stage.adapter(clock=clock, pause=Rest(clock))) as ear:
        await stage.until(lambda: len(stage.server.sockets) == 2)
        _misfortune(stage, OPEN, *PAGES)
        for socket in list(stage.server.sockets):
            stage.server.cut(socket)
        await stage.until(lambda: stage.server.opened == 4)
        await _heard(stage, ear)


@pytest.mark.parametrize("status", [403, 409, 502, 503])
async def test_each_try_of_a_socket_has_an_address_of_its_own(stage: SlackStage, clock: Clock, status: int) -> None:
    stage.server.handshakes = [Fault("page", status=status) for _ in range(5)]
    async with Ear(stage, stage.adapter(clock=clock, pause=Rest(clock))) as ear:
        await _heard(stage, ear)
    assert stage.server.number_of(OPEN) == 7


async def test_sockets_that_slack_takes_back_at_once_are_asked_for_more_and_more_seldom(
    stage: SlackStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.server.farewell = "too_many_websockets"
    rest = Rest(Clock(), most=30)
    async with Ear(stage, stage.adapter(pause=rest)):
        await asyncio.wait_for(rest.enough.wait(), 20)
    assert sorted(rest.seconds)[:10] == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 8.0, 8.0, 16.0, 16.0]
    assert set(rest.seconds[12:]) <= {16.0, 30.0}
    said = capsys.readouterr().out
    assert said.count("no socket") == 2
    assert "run fewer" in said


async def test_a_socket_that_lived_long_is_renewed_at_once(stage: SlackStage, clock: Clock) -> None:
    rest = Rest(clock)
    async with Ear(stage, stage.adapter(clock=clock, pause=rest)):
        await stage.until(lambda: len(stage.server.sockets) == 2)
        for opened in (4, 6, 8):
            clock.ahead += 3_600
            for socket in list(stage.server.sockets):
                stage.server.cut(socket)
            await stage.until(lambda opened=opened: stage.server.opened == opened)
    assert rest.seconds == []


@pytest.mark.parametrize("method", ["auth.test", OPEN])
@pytest.mark.parametrize(
    ("fault", "least"),
    [
        (Fault("limit", 600), 600),
        (Fault("page", 600, status=429), 600),
        (Fault("page", 600, status=503), 600),
        (Fault("page", 0, status=429), 30),
        (Fault("limit", 0), 1),
        (Fault("limit", 90_000), 3_600),
    ],
)
async def test_the_wait_that_is_asked_for_is_waited_whoever_asks(
    stage: SlackStage, clock: Clock, method: str, fault: Fault, least: float
) -> None:
    _misfortune(stage, method, *[fault] * 3)
    rest = Rest(clock, most=1)
    async with Ear(stage, stage.adapter(clock=clock, pause=rest)):
        await asyncio.wait_for(rest.enough.wait(), 20)
    assert least - 1 < rest.seconds[0] <= max(least, 1)


async def test_a_handshake_says_how_long_to_wait_as_well(stage: SlackStage, clock: Clock) -> None:
    stage.server.handshakes = [Fault("page", 120, status=503)]
    rest = Rest(clock, most=1)
    async with Ear(stage, stage.adapter(clock=clock, pause=rest)):
        await asyncio.wait_for(rest.enough.wait(), 20)
    assert rest.seconds == [120]


async def test_a_socket_over_which_nobody_says_hello_is_not_waited_on(stage: SlackStage, clock: Clock) -> None:
    stage.server.mute = 2
    async with Ear(stage, stage.adapter(clock=clock, pause=Rest(clock), timings=Timings(call=0.3))) as ear:
        await stage.until(lambda: not stage.server.mute)
        await _heard(stage, ear)


@pytest.mark.parametrize("page", PAGES, ids=_named)
async def test_a_page_is_nobodys_no(stage: SlackStage, page: Fault) -> None:
    api = Api(token=BOT_TOKEN, api_url=f"{stage.server.url}/api/")
    _misfortune(stage, "chat.postMessage", page)
    with pytest.raises(DeliveryUnknown) as error:
        await api.write("chat.postMessage", {"channel": CHANNEL, "text": "hi"})
    assert "denied" not in str(error.value)
    await api.close()


async def _deaf(_: Event) -> None:
    raise AssertionError
