"""Tests with a key ring: `pytest --sealed` has everything sealed as it would be for an operator who has one.

Whoever compares, searches, cuts or copies a body without opening it fails there: the same words are sealed otherwise
each time, and are opened in their own place alone.
"""

import os
from collections import namedtuple
from typing import Any

from sqlalchemy import Row, Table

from core.store import bodies
from core.store.bodies import NotOpened, Place
from core.store.engine import rows
from core.store.sealing import Vault
from core.vault import ring

SWITCH = "BACKSCROLL_KEYS"
"""The variable by which `pytest --sealed` tells itself, and the processes that the tests start."""

IN_THE_CLEAR = "in_the_clear"
"""The mark of a test that says itself what is sealed, or is about what is not."""


class Strict(Vault):
    """What can't be opened is an error of ours: no test tampers with what this one reads."""

    def open(self, place: Place, packet: bytes) -> bytes:
        try:
            return super().open(place, packet)
        except NotOpened:
            raise AssertionError(f"this was not sealed for {place}") from None


def switch() -> dict[str, str]:
    """What a process is to have in its environment, so that it reads what this one writes."""
    return {name: value for name, value in os.environ.items() if name in (SWITCH, rows.SETTING)}


def seal_if_told() -> None:
    """From now on, this process seals what it stores, if its environment says so; it knows no data key."""
    written = os.environ.get(SWITCH)
    bodies.use(None if written is None else Strict(ring.read(written)))


def seal_all() -> None:
    """From now on this process, and those that it starts, seal what they store: what `--sealed` asks of a tool."""
    os.environ[SWITCH] = ring.generate()
    seal_if_told()


def opened(table: Table, row: Row[tuple[object, ...]]) -> Any:
    """The row as it would be if nothing was sealed."""
    values = dict(row._mapping)
    owner = (
        bodies.Mine(values["workspace"], values["session"] if "session" in table.primary_key else 0)
        if "workspace" in values
        else None
    )
    place = tuple(values[one.name] for one in table.primary_key if one.name not in ("workspace", "session"))
    for one in bodies.ALL:
        if one.column.table is table and owner is not None and values[one.column.name] is not None:
            plain = one.open(owner, place, values[one.column.name])
            values[one.column.name] = plain.encode() if isinstance(one, bodies.Body) else plain
    return namedtuple(table.name, values)(**values)
