"""One place where people talk, and the ID of the session attached to it.

A session's ID is its Address written down: `slack:T01:C01:1700000000.000100`. The form is readable, injective for any
four strings, and parses back. Only what would make it ambiguous or unprintable is percent-encoded.
"""

from dataclasses import dataclass
from functools import lru_cache
from re import compile as pattern
from urllib.parse import unquote_to_bytes

_UNSAFE = pattern(r"[%:\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")


DIRECT = "@me"
"""The workspace of direct messages that belong to none: of people who share nothing but us."""


class AddressError(ValueError):
    """This text is not a session ID: PLATFORM:WORKSPACE:CHANNEL or PLATFORM:WORKSPACE:CHANNEL:THREAD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Platform, workspace (Slack team, Discord guild, `DIRECT` for Discord DMs), channel, and thread or none."""

    platform: str
    workspace: str
    channel: str
    thread: str | None = None

    @property
    def id(self) -> str:
        """The session's ID; different addresses have different IDs."""
        channel = f"{_escape(self.platform)}:{_escape(self.workspace)}:{_escape(self.channel)}"
        return channel if self.thread is None else f"{channel}:{_escape(self.thread)}"

    @property
    def channel_address(self) -> "Address":
        """The channel around this thread; itself where there is no thread."""
        return Address(platform=self.platform, workspace=self.workspace, channel=self.channel)

    @classmethod
    def parse(cls, session_id: str) -> "Address":
        """The address that a session ID was written from.

        Raises AddressError when no address is written that way, so that two spellings never name one session.
        """
        parts = session_id.split(":")
        if len(parts) not in (3, 4):
            raise AddressError(f"{session_id!r} has {len(parts)} parts; a session ID has 3 or 4, joined by colons")
        platform, workspace, channel, *thread = (_unescape(part) for part in parts)
        address = cls(platform=platform, workspace=workspace, channel=channel, thread=thread[0] if thread else None)
        if address.id != session_id:
            raise AddressError(f"{session_id!r} is not in its canonical form, {address.id!r}")
        return address

    def __str__(self) -> str:
        return self.id


@lru_cache(4096)
def _escape(part: str) -> str:
    """Each message's address has the same few workspaces and channels in it, and looks for its session by its ID."""
    return _UNSAFE.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass")), part
    )


def _unescape(part: str) -> str:
    if "%" not in part:
        return part
    try:
        return unquote_to_bytes(part).decode("utf-8", "surrogatepass")
    except UnicodeError as error:
        raise AddressError(f"{part!r} is not percent-encoded UTF-8") from error
