"""Sealing what is stored already: what was stored in the clear, and what is sealed by a data key of before."""

from sqlalchemy import Connection, literal, select

from core.store import bodies, keys
from core.store.engine.database import Database
from core.store.sealing import Vault

TABLES = tuple(dict.fromkeys(one.column.table for one in bodies.ALL))
"""The tables that hold bodies."""


def is_empty(connection: Connection) -> bool:
    """Whether no body was ever stored here."""
    return all(connection.execute(select(literal(1)).select_from(table).limit(1)).first() is None for table in TABLES)


async def mark(vault: Vault, database: Database) -> None:
    """From now on, what is stored in the clear is refused, here and by everybody who starts with the ring."""
    await database.write(keys.ensure, keys.DEPLOYMENT, keys.ALL_SEALED, vault.wrap_new)
    vault.all_sealed = True
