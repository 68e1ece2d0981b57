"""Bodies that are sealed: each time otherwise, and to be opened in their own place alone. `pytest --sealed` uses it.

Whoever compares, searches, cuts or copies a body without opening it fails there. No secret is kept by this.
"""

import os
import secrets
from collections import namedtuple
from hashlib import blake2b, shake_256
from typing import Any

from sqlalchemy import Row, Table

from core.store import bodies
from core.store.bodies import Place

_NONCE, _PROOF = 8, 8  # bytes

SWITCH = "TESTS_SEALED"
"""The variable by which `pytest --sealed` tells the processes that the tests start."""


class Sealed:
    """A codec of the tests."""

    def seal(self, place: Place, words: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        veiled = _veiled(nonce, words)
        return nonce + _proof(place, nonce + veiled) + veiled

    def open(self, place: Place, sealed: bytes) -> bytes:
        sealed = bytes(sealed)
        nonce, proof, veiled = sealed[:_NONCE], sealed[_NONCE : _NONCE + _PROOF], sealed[_NONCE + _PROOF :]
        if proof != _proof(place, nonce + veiled):
            raise AssertionError(f"this was not sealed for {place}")
        return _veiled(nonce, veiled)


def _veiled(nonce: bytes, words: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(words, shake_256(nonce).digest(len(words)), strict=True))


def _proof(place: Place, veiled: bytes) -> bytes:
    return blake2b(repr(tuple(place)).encode() + veiled, digest_size=_PROOF).digest()


def switch() -> dict[str, str]:
    """What a process is to have in its environment, so that it reads what this one writes."""
    return {name: value for name, value in os.environ.items() if name == SWITCH}


def seal_if_told() -> None:
    """From now on, this process seals what it stores, if its environment says so."""
    if SWITCH in os.environ:
        bodies.use(Sealed())


def opened(table: Table, row: Row[tuple[object, ...]]) -> Any:
    """The row as it would be if nothing was sealed."""
    values = dict(row._mapping)
    owner = bodies.Mine(values["workspace"], values.get("session", 0)) if "workspace" in values else None
    place = tuple(values[one.name] for one in table.primary_key if one.name not in ("workspace", "session"))
    for one in bodies.ALL:
        if one.column.table is table and owner is not None and values[one.column.name] is not None:
            plain = one.open(owner, place, values[one.column.name])
            values[one.column.name] = plain.encode() if isinstance(one, bodies.Body) else plain
    return namedtuple(table.name, values)(**values)


if __name__ == "__main__":
    from bots.program.cli import main

    seal_if_told()
    main()
