"""Who is an admin: computed as Discord does it, from roles and a channel's overwrites (topics/permissions)."""

from collections.abc import Iterable

from bots.discord.api import Api
from bots.discord.payloads import Payload
from core.seam.address import DIRECT, Address

VIEW_CHANNEL, MANAGE_THREADS = 1 << 10, 1 << 34
_ADMINISTRATOR, _MANAGE_CHANNELS, _MANAGE_GUILD, _CONNECT = 1 << 3, 1 << 4, 1 << 5, 1 << 20
_ALL = ~0
_VOICES = (2, 13)  # channel types: a voice channel, a stage


async def is_admin(api: Api, address: Address, person: str, *, workspace: bool) -> bool:
    """Whether this person may manage the channel, or the server; nobody may a direct channel.

    Raises what `Api` raises.
    """
    if address.workspace == DIRECT:
        return False
    guild, member = await api.guild(address.workspace), await api.member(address.workspace, person)
    if workspace:
        return bool(powers(guild, member) & _MANAGE_GUILD)
    channel = await api.channel(address.channel)
    return bool(powers(guild, member, channel) & _MANAGE_CHANNELS)


def powers(guild: Payload, member: Payload, channel: Payload | None = None) -> int:
    """A member's permissions in a server, or in a channel of it, as bits.

    Who may not view a channel, or not connect to one with a voice, may do nothing there, whatever else is allowed.
    """
    everyone, person, roles = guild["id"], member["user"]["id"], set(member["roles"])
    granted = _sum(int(role["permissions"]) for role in guild["roles"] if role["id"] in roles | {everyone})
    if guild["owner_id"] == person or granted & _ADMINISTRATOR:
        return _ALL
    if channel is None:
        return granted
    overwrites = channel.get("permission_overwrites") or []
    for ids in ({everyone}, roles, {person}):  # what is nearer to the person goes before the rest
        own = [one for one in overwrites if one["id"] in ids]
        granted &= ~_sum(int(one["deny"]) for one in own)
        granted |= _sum(int(one["allow"]) for one in own)
    needed = VIEW_CHANNEL | (_CONNECT if channel.get("type") in _VOICES else 0)
    return granted if granted & needed == needed else 0


def _sum(bits: Iterable[int]) -> int:
    together = 0
    for one in bits:
        together |= one
    return together
