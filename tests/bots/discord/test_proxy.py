"""B16: Discord is reached through the proxy that the environment names, REST and gateway, and our own machine is not.

Nobody knows the hosts of these tests but the proxy: whoever goes past it finds nothing, and is noticed.
"""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.bots.discord.conftest import listening, reply
from tests.bots.discord.test_connection import unused_port
from tests.wire.discord import DiscordStage
from tests.wire.proxy import Proxy

API, GATEWAY = "discord.test", "gateway.discord.test"
TLS_HANDSHAKE = b"\x16\x03"


@pytest.fixture
async def proxy(stage: DiscordStage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """It is named in the environment, and leads to the stage."""
    port = urlsplit(stage.environment()["DISCORD_API_URL"]).port
    assert port is not None
    async with Proxy({API: port, GATEWAY: port}) as proxy:
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        yield proxy


async def test_what_is_heard_and_said_goes_through_the_proxy(stage: DiscordStage, proxy: Proxy) -> None:
    away = {"api_url": f"http://{API}/api/v10", "gateway_url": f"ws://{GATEWAY}/gateway/"}
    async with listening(stage, **away) as listener:
        await stage.say("hello")
        await listener.adapter.deliver(reply(await listener.number(1)))

    assert [shown.text for shown in stage.shown()] == ["an answer"]
    assert any(f"//{API}/" in line for line in proxy.asked)
    assert any(f"//{GATEWAY}/" in line for line in proxy.asked)


async def test_what_is_private_goes_through_a_tunnel(stage: DiscordStage, proxy: Proxy) -> None:
    async with listening(stage, api_url=f"https://{API}/api/v10"):
        assert (await proxy.tunnelled(API)).startswith(TLS_HANDSHAKE)
    async with listening(stage, gateway_url=f"wss://{GATEWAY}/gateway/"):
        assert (await proxy.tunnelled(GATEWAY)).startswith(TLS_HANDSHAKE)

    assert {f"CONNECT {API}:443 HTTP/1.1", f"CONNECT {GATEWAY}:443 HTTP/1.1"} == set(proxy.asked)


async def test_our_own_machine_is_reached_without_it(stage: DiscordStage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    async with listening(stage) as listener:
        await stage.say("hello")
        assert (await listener.number(1)).text == "hello"
