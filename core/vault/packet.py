"""The packet: how a sealed body is told from one in the clear, and which data key opens it.

`0xFE | number of the data key | nonce (12) | ciphertext | tag (16)`. No text begins with that byte, since UTF-8 never
has it. As text it is `U+0001` and the rest in base64, without what fills that up; no text of ours begins so either
(`storable`). A number has seven bits in each byte, and goes on where the eighth is set.
"""

from binascii import Error, a2b_base64, b2a_base64
from functools import lru_cache

MARK = 0xFE
"""The first byte of what is sealed, which is also the version of this form."""

MARK_OF_TEXT = "\x01"
"""The same of what is sealed in a column of text."""

_LONGEST = 5  # bytes of a number
_GREATEST = 2**31 - 1

Part = int | str
"""What tells a row from another: a number, or a text."""


class NoPacket(Exception):
    """What begins as a packet is none."""


@lru_cache(1024)
def head(number: int) -> bytes:
    """What stands before the sealed bytes."""
    written = bytearray((MARK,))
    while number > 0x7F:
        written.append(0x80 | number & 0x7F)
        number >>= 7
    written.append(number)
    return bytes(written)


def number_of(stored: bytes) -> tuple[int, int]:
    """The data key's number, and where the sealed bytes begin. Raises NoPacket."""
    if len(stored) > 1 and stored[1] < 0x80:  # most of them
        return stored[1], 2
    number = 0
    for place, byte in enumerate(stored[1 : 1 + _LONGEST]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80 and number <= _GREATEST:
            return number, place + 2
    raise NoPacket


def as_text(stored: bytes) -> str:
    """A packet as a column of text holds it."""
    return MARK_OF_TEXT + b2a_base64(stored[1:], newline=False).rstrip(b"=").decode()


def of_text(stored: str) -> bytes:
    """The packet in such a text. Raises NoPacket."""
    try:
        return b"\xfe" + a2b_base64(stored[1:] + "=" * (-(len(stored) - 1) % 4), strict_mode=True)
    except (Error, ValueError):
        raise NoPacket from None


def about(column: str, *row: Part) -> bytes:
    """Which body of which row it is, written so that no two places are written alike."""
    written = [column]
    written += [f"{len(part)}:{part}" if isinstance(part, str) else f"{part:d}" for part in row]
    return "|".join(written).encode()
