"""The key ring: the operator's own keys, which wrap the data keys and nothing else. The newest one is to wrap them."""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Collection
from hashlib import sha256
from typing import Protocol

from core.errors import ConfigurationError
from core.vault.cipher import KEY, NONCE, Cipher

SETTING = "BACKSCROLL_KEYS"

_FINGERPRINT = 12  # hexadecimal digits by which people and rows name a key


class NoSuchKey(Exception):
    """The ring has no key with this fingerprint."""


class Ring(Protocol):
    """What wraps data keys: keys that we were given, or a service that keeps them to itself."""

    @property
    def newest(self) -> str:
        """The fingerprint of the key that is to wrap: from a rotation on, before which others may not have it."""

    @property
    def fingerprints(self) -> Collection[str]:
        """Those of all keys, the newest first."""

    def wrap(self, fingerprint: str, key: bytes, about: bytes) -> bytes:
        """The data key as it is stored, for what it is about, by the key with this fingerprint. Raises NoSuchKey."""

    def unwrap(self, fingerprint: str, wrapped: bytes, about: bytes) -> bytes:
        """What `wrap` was given, by the same key. Raises NoSuchKey and NotAuthentic."""


class OwnKeys:
    """A ring of keys that stand in the settings."""

    def __init__(self, *keys: bytes) -> None:
        self._ciphers = {fingerprint(key): Cipher(key) for key in keys}
        self._newest = next(iter(self._ciphers))

    @property
    def newest(self) -> str:
        """That of the first key."""
        return self._newest

    @property
    def fingerprints(self) -> Collection[str]:
        """In the order in which they were given."""
        return list(self._ciphers)

    def wrap(self, fingerprint: str, key: bytes, about: bytes) -> bytes:
        """By the key with this fingerprint. Raises NoSuchKey."""
        return self._cipher(fingerprint).seal(key, about, nonce=secrets.token_bytes(NONCE))

    def unwrap(self, fingerprint: str, wrapped: bytes, about: bytes) -> bytes:
        """By the key with this fingerprint. Raises NoSuchKey and NotAuthentic."""
        return self._cipher(fingerprint).open(wrapped, about)

    def _cipher(self, fingerprint: str) -> Cipher:
        if fingerprint not in self._ciphers:
            raise NoSuchKey(fingerprint)
        return self._ciphers[fingerprint]


def generate() -> str:
    """A new key, as the setting takes it."""
    return urlsafe_b64encode(secrets.token_bytes(KEY)).decode()


def fingerprint(key: bytes) -> str:
    """A name for this key, which tells nothing else of it."""
    return sha256(b"backscroll key ring" + key).hexdigest()[:_FINGERPRINT]


def read(written: str, setting: str = SETTING) -> OwnKeys:
    """The keys of a setting, the newest first, with commas or line ends between them. Raises ConfigurationError."""
    lines = [line.partition("#")[0] for line in written.splitlines()]
    words = [word for line in lines for word in line.replace(",", " ").split()]
    if not words:
        raise ConfigurationError(f"{setting} holds no key: `backscroll keys generate` makes one")
    return OwnKeys(*(_key(word, number, setting) for number, word in enumerate(words, 1)))


def _key(word: str, number: int, setting: str) -> bytes:
    try:
        key = urlsafe_b64decode(word.translate(_OTHER_ALPHABET) + "=" * (-len(word) % 4))
    except (Error, ValueError):
        key = None
    if key is None or not word.isascii():
        raise ConfigurationError(f"{setting}: key {number} is not base64; `backscroll keys generate` makes a right one")
    if len(key) != KEY:
        many = f"{len(key)} bytes long and must have {KEY}"
        raise ConfigurationError(f"{setting}: key {number} is {many}; `backscroll keys generate` makes a right one")
    return key


_OTHER_ALPHABET = str.maketrans("+/", "-_")
"""`openssl rand -base64 32` writes the same bytes with these."""
