"""Pruning: what has been in the audit long enough goes, and what is broken is told and left alone."""

import structlog
from sqlalchemy import Connection, func, select, update

from core.chores.pruning import Pruning
from core.schema import audit as table
from core.store import Database
from tests.core.store.test_audit import chain, verified


def _rows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


async def test_all_workspaces_are_pruned_and_go_on(database: Database) -> None:
    here, there = await chain(database, *"abc"), await chain(database, "a", name="other")

    await Pruning(database=database, kept=3_600).sweep()
    assert await database.read(_rows) == 4
    await Pruning(database=database, kept=-3_600).sweep()
    assert await database.read(_rows) == 0

    await chain(database, "d")
    assert await verified(database, here) == (1, None)
    assert await verified(database, there) == (0, None)


async def test_a_broken_chain_is_told_and_left_and_the_others_are_pruned(database: Database) -> None:
    here = await chain(database, *"abc")
    await chain(database, "a", name="other")
    await database.write(
        lambda connection: (
            connection.execute(update(table).where(table.c.workspace == here, table.c.number == 2).values(actor="U9"))
            and None
        )
    )

    with structlog.testing.capture_logs() as logs:
        await Pruning(database=database, kept=-3_600).sweep()

    assert await database.read(_rows) == 3
    assert [(one["workspace"], one["row"]) for one in logs if one["log_level"] == "error"] == [("console:local", 2)]
