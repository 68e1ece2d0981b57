"""Links to messages, as Discord's own client copies them: pure."""

from re import compile as pattern

from bots.discord.payloads import PLATFORM, channel_of
from core.seam.address import Address
from core.seam.links import Linked, secure

_HOST = pattern(r"(?:canary\.|ptb\.)?discord(?:app)?\.com")
_PATH = pattern(r"/channels/(@me|[0-9]{1,20})/([0-9]{1,20})/([0-9]{1,20})/?")


def link(address: Address, message: str) -> str:
    """The link to a message."""
    return f"https://discord.com/channels/{address.workspace}/{channel_of(address)}/{message}"


def linked(words: str) -> Linked | None:
    """The message that these words link to. A thread stands in the place of its channel, as it does in the link."""
    found = secure(words)
    path = _PATH.fullmatch(found.path) if found is not None and _HOST.fullmatch(found.netloc.lower()) else None
    if path is None:
        return None
    return Linked(address=Address(platform=PLATFORM, workspace=path[1], channel=path[2]), message=path[3])
