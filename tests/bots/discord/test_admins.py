"""Who may manage a channel or a server is computed from roles and overwrites, as Discord does it."""

from typing import Any

import pytest

from bots.discord.admins import powers
from core.errors import DeliveryRefused
from core.seam.address import Address
from tests.wire.discord import DiscordStage
from tests.wire.discord_world import CONNECT, TEXT, VIEW_CHANNEL, VOICE

ADMINISTRATOR, CHANNELS, SERVER = 1 << 3, 1 << 4, 1 << 5
STAGE = 13  # a channel type
GUILD, ROLE, ADA = "1", "2", "3"


def overwrite(number: str, *, allow: int = 0, deny: int = 0) -> dict[str, Any]:
    return {"id": number, "type": 0, "allow": str(allow), "deny": str(deny)}


@pytest.mark.parametrize(
    ("everyone", "role", "overwrites", "may"),
    [
        (0, 0, [], False),
        (CHANNELS, 0, [], True),
        (0, CHANNELS, [], True),
        (0, CHANNELS, [overwrite(GUILD, deny=CHANNELS)], False),
        (0, 0, [overwrite(ROLE, allow=CHANNELS), overwrite(GUILD, deny=CHANNELS)], True),
        (0, 0, [overwrite(ADA, deny=CHANNELS), overwrite(ROLE, allow=CHANNELS)], False),
        (0, 0, [overwrite(ADA, allow=CHANNELS)], True),
        (0, 0, [overwrite("9", allow=CHANNELS)], False),
        (0, ADMINISTRATOR, [overwrite(ADA, deny=CHANNELS)], True),
    ],
)
def test_what_is_nearer_to_a_person_goes_before_the_rest(
    everyone: int, role: int, overwrites: list[dict[str, Any]], may: bool
) -> None:
    roles = [{"id": GUILD, "permissions": str(everyone | VIEW_CHANNEL)}, {"id": ROLE, "permissions": str(role)}]
    roles.append({"id": "9", "permissions": str(ADMINISTRATOR)})
    guild = {"id": GUILD, "owner_id": "8", "roles": roles}
    member = {"user": {"id": ADA}, "roles": [ROLE]}

    assert bool(powers(guild, member, {"permission_overwrites": overwrites}) & CHANNELS) == may
    assert powers(guild | {"owner_id": ADA}, member, {"permission_overwrites": overwrites}) & CHANNELS


@pytest.mark.parametrize(
    ("kind", "denied", "may"),
    [
        (TEXT, VIEW_CHANNEL, False),
        (TEXT, CONNECT, True),
        *((kind, denied, False) for kind in (VOICE, STAGE) for denied in (VIEW_CHANNEL, CONNECT)),
        (VOICE, 0, True),
    ],
)
def test_who_does_not_get_into_a_channel_may_do_nothing_there(kind: int, denied: int, may: bool) -> None:
    roles = [{"id": GUILD, "permissions": str(VIEW_CHANNEL | CONNECT | CHANNELS)}]
    guild, member = {"id": GUILD, "owner_id": "8", "roles": roles}, {"user": {"id": ADA}, "roles": []}
    channel = {"type": kind, "permission_overwrites": [overwrite(GUILD, deny=denied)]}

    granted = powers(guild, member, channel)

    assert (bool(granted & CHANNELS), bool(granted & VIEW_CHANNEL)) == (may, may)
    assert powers(guild, member) & CHANNELS, "in the server"


async def test_it_is_asked_of_discord_anew_each_time(stage: DiscordStage) -> None:
    world, adapter = stage.world, stage.adapter()
    channel = await stage.place("main")
    here, ada = Address(platform="discord", workspace=world.guild, channel=channel), world.person("ada")["id"]
    thread = Address(platform="discord", workspace=world.guild, channel=channel, thread="77")
    world.roles = [{"id": "55", "permissions": str(CHANNELS)}, {"id": "56", "permissions": str(SERVER)}]

    found = []
    for roles in ([], ["55"], ["56"]):
        world.has_roles[ada] = roles
        found.append([await adapter.is_admin(here, ada, workspace=workspace) for workspace in (False, True)])
    assert found == [[False, False], [True, False], [False, True]]
    world.has_roles[ada] = ["55"]
    assert await adapter.is_admin(thread, ada, workspace=False), "a thread is its channel's"
    direct = Address(platform="discord", workspace="@me", channel="4")
    assert not await adapter.is_admin(direct, ada, workspace=True)
    world.fault("GET /guilds/.*/members/", status=404, code=10007)
    with pytest.raises(DeliveryRefused):
        await adapter.is_admin(here, ada, workspace=False)
    await adapter.close()
