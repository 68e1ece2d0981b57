"""AES-256-GCM, by which bytes are sealed together with what they are about: nobody can read, change or move them.

This is the only file that knows `cryptography`.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY, NONCE, TAG = 32, 12, 16
"""How many bytes each of them has."""


class NotAuthentic(Exception):
    """These bytes were not sealed by this key for this place, or they have changed since."""


class Cipher:
    """One key, ready for use, also by several threads at once."""

    __slots__ = ("_aes",)

    def __init__(self, key: bytes) -> None:
        self._aes = AESGCM(key)

    def seal(self, plain: bytes, about: bytes, *, nonce: bytes) -> bytes:
        """The bytes as only this key opens them, and only for this place; a nonce is for once."""
        return nonce + self._aes.encrypt(nonce, plain, about)

    def open(self, sealed: bytes, about: bytes, *, start: int = 0) -> bytes:
        """What `seal` was given, which is there from the `start` on. Raises NotAuthentic."""
        begins = start + NONCE
        if not isinstance(sealed, bytes) or len(sealed) < begins + TAG:
            raise NotAuthentic
        try:
            return self._aes.decrypt(sealed[start:begins], sealed[begins:], about)
        except InvalidTag:
            raise NotAuthentic from None
