"""What every payload of Discord's is made of: its IDs, which are instants, and the conversation that it is of."""

from collections.abc import Mapping
from datetime import datetime
from re import compile as pattern
from typing import Any

from core.seam import evidence
from core.seam.address import DIRECT, Address
from core.seam.messages import Rejected

Payload = Mapping[str, Any]

PLATFORM = "discord"
THREADS = frozenset({10, 11, 12})
"""Channel types: announcement, public and private thread; a forum post is a public thread."""

_TOKEN = pattern(r"[A-Za-z0-9_.=-]{1,1000}")
_EPOCH = 1_420_070_400_000  # Discord's, in milliseconds
DIGITS = 20
"""Of a 64-bit ID."""


def instant(number: str) -> float:
    """When this ID was made, in seconds since 1970: the upper 42 bits are milliseconds since 2015 (reference)."""
    return ((int(number) >> 22) + _EPOCH) / 1000


def snowflake_at(seconds: float) -> str:
    """The ID that everything made after this instant is above."""
    return str(max(0, int(seconds * 1000) - _EPOCH) << 22)


def snowflake(value: object) -> str:
    """The value, if it is an ID. Raises ValueError."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= DIGITS):
        raise ValueError("not a snowflake")
    return value


def token_of(payload: Payload) -> str:
    """What answers an interaction, which becomes part of an address. Raises KeyError, ValueError."""
    token = payload["token"]
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ValueError("not a token")
    return token


def address_of(payload: Payload, parent: str | None) -> Address:
    """Where this comes from; `parent` is the channel around the thread, None outside threads. Raises ValueError."""
    place = snowflake(payload["channel_id"])
    workspace = snowflake(payload["guild_id"]) if payload.get("guild_id") else DIRECT
    if parent is None:
        return Address(platform=PLATFORM, workspace=workspace, channel=place)
    return Address(platform=PLATFORM, workspace=workspace, channel=snowflake(parent), thread=place)


def channel_of(address: Address) -> str:
    """The channel or thread as Discord numbers it."""
    return address.thread or address.channel


def rejected(payload: object, error: Exception) -> Rejected:
    """An event that can't be read, with the payload for whoever looks at it, but without what answers in our name."""
    return evidence.rejected(PLATFORM, payload, error)


def edited_at(payload: Payload) -> float | None:
    """When a person last changed the message, in seconds since 1970, where Discord says so."""
    at = payload.get("edited_timestamp")
    if not isinstance(at, str):
        return None
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None
