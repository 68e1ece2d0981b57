"""Runs migrations on the connection that it is handed; Alembic's own command line gets one from `DATABASE_URL`."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text

from core.schema import metadata
from core.store import connect


def run(connection: Connection) -> None:
    """Runs the migrations that the command asked for.

    Whoever waits for a table to be let go, by a backup say, has everybody else who wants it wait behind them: so the
    wait is short, and the transaction is run again. Each step may take any time: what a role has been given for a
    statement is meant for others.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '3s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True, compare_type=True
    )
    context.run_migrations()


async def run_from_shell() -> None:
    """The same for Alembic's own command line, in a transaction of its own."""
    database = connect(os.environ.get("DATABASE_URL", "sqlite:///backscroll.db"))
    try:
        await database.write(run)
    finally:
        await database.close()


handed: Connection | None = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    asyncio.run(run_from_shell())
