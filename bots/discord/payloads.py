"""Discord's payloads as they came off the wire, and the IDs in them, which are instants."""

from collections.abc import Mapping
from typing import Any

Payload = Mapping[str, Any]

_EPOCH = 1_420_070_400_000  # Discord's, in milliseconds
_DIGITS = 20  # of a 64-bit ID


def instant(number: str) -> float:
    """When this ID was made, in seconds since 1970: the upper 42 bits are milliseconds since 2015 (reference)."""
    return ((int(number) >> 22) + _EPOCH) / 1000


def snowflake_at(seconds: float) -> str:
    """The ID that everything made after this instant is above."""
    return str(max(0, int(seconds * 1000) - _EPOCH) << 22)


def snowflake(value: object) -> str:
    """The value, if it is an ID. Raises ValueError."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= _DIGITS):
        raise ValueError("not a snowflake")
    return value
