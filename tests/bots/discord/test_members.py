"""What people are in a server, and who sees a channel: computed from roles and overwrites, as Discord does it."""

import pytest

from bots.discord.members import standing
from core.errors import DeliveryDelayed
from core.seam.address import Address
from core.seam.messages import MEMBER, Standing
from tests.bots.discord.conftest import Listener
from tests.wire.discord import DiscordStage
from tests.wire.discord_world import CONNECT, VIEW_CHANNEL, VOICE

HERE = Address(platform="discord", workspace="1", channel="2")
DIRECT = Address(platform="discord", workspace="@me", channel="4")


def test_roles_are_told_with_a_message_and_not_by_a_history() -> None:
    assert standing({"member": {"roles": ["5", "6"]}}, HERE) == Standing(roles=frozenset({"5", "6"}))
    assert standing({"member": {"roles": []}}, HERE) == MEMBER
    assert standing({}, HERE) == standing({"member": None}, HERE) == Standing(roles=None)
    assert standing({}, DIRECT) == MEMBER, "there are no roles"


async def test_who_may_view_a_channel_sees_it(stage: DiscordStage) -> None:
    world, adapter = stage.world, stage.adapter()
    channel = world.channels[await stage.place("main")]
    here, ada = Address(platform="discord", workspace=world.guild, channel=channel["id"]), world.person("ada")["id"]
    closed = {"id": world.guild, "type": 0, "allow": "0", "deny": str(VIEW_CHANNEL)}
    opened = {"id": "55", "type": 0, "allow": str(VIEW_CHANNEL), "deny": "0"}

    assert await adapter.sees(here, ada)
    channel["permission_overwrites"] = [closed, opened]
    assert not await adapter.sees(here, ada)
    world.has_roles[ada] = ["55"]
    assert await adapter.sees(here, ada)
    world.left.add(ada)
    assert not await adapter.sees(here, ada)
    world.left.clear()
    world.fault("GET /guilds/.*/members/", status=500, times=9)
    with pytest.raises(DeliveryDelayed):
        await adapter.sees(here, ada)
    await adapter.close()


async def test_a_private_thread_is_seen_by_those_who_are_in_it(stage: DiscordStage) -> None:
    world, adapter = stage.world, stage.adapter()
    await stage.place("main")
    number = await stage.thread("side")
    place = Address.parse(stage.session("side"))
    ada = world.person("ada")["id"]

    assert await adapter.sees(place, ada)
    world.channels[number]["type"] = 12
    assert not await adapter.sees(place, ada)
    world.in_thread[number] = {ada}
    assert await adapter.sees(place, ada)
    await adapter.close()


async def test_nobody_sees_anothers_direct_messages(stage: DiscordStage) -> None:
    world, adapter = stage.world, stage.adapter()
    channel = await stage.direct("dm")
    ada, ben = world.person("ada"), world.person("ben")
    world.channels[channel]["recipients"] = [ada]
    place = Address.parse(stage.session("dm"))

    assert await adapter.sees(place, ada["id"])
    assert not await adapter.sees(place, ben["id"])
    await adapter.close()


async def test_a_message_says_whether_everybody_may_view_its_channel(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("one")
    assert (await ear.number(1)).public
    channel = stage.world.channels[await stage.place("main")]
    closed = {"id": stage.world.guild, "type": 0, "allow": "0", "deny": str(VIEW_CHANNEL)}
    channel["permission_overwrites"] = [closed]
    await stage.gateway.dispatch("CHANNEL_UPDATE", channel)
    await stage.say("two")
    await stage.command("status")

    assert [(await ear.number(count)).public for count in (2, 3)] == [False, False]


async def test_nobody_sees_what_is_written_in_a_channel_with_a_voice_who_may_not_connect(
    stage: DiscordStage, ear: Listener
) -> None:
    """Discord denies all there with CONNECT (topics/permissions, implicit permissions)."""
    world = stage.world
    lounge = world.channels[await stage.place("lounge", VOICE)]
    here, ada = Address(platform="discord", workspace=world.guild, channel=lounge["id"]), world.person("ada")["id"]
    for_some = {"id": world.guild, "type": 0, "allow": "0", "deny": str(CONNECT)}
    lounge["permission_overwrites"] = [for_some]
    await stage.gateway.dispatch("CHANNEL_UPDATE", lounge)

    await stage.say("one", place="lounge")
    assert (await ear.number(1)).public is False
    assert not await ear.adapter.sees(here, ada)
    lounge["permission_overwrites"] = [for_some, {"id": ada, "type": 1, "allow": str(CONNECT), "deny": "0"}]
    assert await ear.adapter.sees(here, ada)
    lounge["permission_overwrites"] = [{"id": world.guild, "type": 0, "allow": str(CONNECT), "deny": "0"}]
    await stage.gateway.dispatch("CHANNEL_UPDATE", lounge)
    await stage.say("two", place="lounge")
    assert (await ear.number(2)).public
