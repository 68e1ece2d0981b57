"""Whom Discord knows as what in a server, and who sees a channel: computed from roles and overwrites, as it does."""

from bots.discord.admins import MANAGE_THREADS, VIEW_CHANNEL, powers
from bots.discord.api import Api
from bots.discord.library import HTTPException
from bots.discord.payloads import Payload
from core.seam.address import DIRECT, Address
from core.seam.messages import MEMBER, Standing

_PRIVATE_THREAD = 12  # a channel type
_UNKNOWN = frozenset({10007, 10013})  # member, user (topics/opcodes-and-status-codes)


def standing(payload: Payload, address: Address) -> Standing:
    """What the author of a message, or of a command, is in the server: a history does not tell their roles."""
    if address.workspace == DIRECT:
        return MEMBER
    roles = (payload.get("member") or {}).get("roles")
    return Standing(roles=None if roles is None else frozenset(map(str, roles)))


async def sees(api: Api, address: Address, person: str) -> bool:
    """Whether somebody sees this channel, or thread. Raises what `Api` raises."""
    if address.workspace == DIRECT:
        recipients = (await api.channel(address.channel)).get("recipients") or ()
        return any(one["id"] == person for one in recipients)
    member = await _member(api, address.workspace, person)
    if member is None:
        return False
    granted = powers(await api.guild(address.workspace), member, await api.channel(address.channel))
    if not granted & VIEW_CHANNEL:
        return False
    if address.thread is None or granted & MANAGE_THREADS:
        return True
    return (await api.channel(address.thread))["type"] != _PRIVATE_THREAD or await api.is_in(address.thread, person)


async def _member(api: Api, guild: str, person: str) -> Payload | None:
    """None of those who have left the server."""
    try:
        return await api.member(guild, person)
    except HTTPException as error:
        if error.status == 404 and error.code in _UNKNOWN:
            return None
        raise
