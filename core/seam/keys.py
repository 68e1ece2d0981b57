"""Keys: the name of each message that we say, by which it is known again, whoever computes it. Opaque to platforms."""

from base64 import b32encode
from hashlib import blake2b
from typing import Literal

from core.seam.address import Address


def key_of(address: Address, message: str, part: int, *, of: Literal["answer", "notice"] = "answer") -> str:
    """The delivery's key: the same for this part of the answer to this message, whoever computes it, and opaque.

    Or of the notice of this name; no notice has the key of an answer.
    """
    apart = b"" if of == "answer" else b"notice"
    digest = blake2b(f"{address.id}/{message}/{part}".encode(), digest_size=15, person=apart).digest()
    return b32encode(digest).decode().lower()
