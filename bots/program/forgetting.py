"""`backscroll forget`: what the operator wants forgotten is erased, and the receipt printed."""

import asyncio
from collections.abc import Sequence

import typer

from bots.program import minds, owner, subjects, wiring
from bots.program.subjects import Subject
from core.chores.erasing import Erasing
from core.commands import accounts
from core.config import Settings
from core.errors import BackscrollError
from core.model.offline import OfflineModel
from core.model.prices import Prices
from core.store import Connection, Database, audit, erasures
from core.store.erasures import Erasure
from core.store.sealing import Vault
from core.timings import Timings
from core.work.shifts import Shifts

_AGAIN = 0.5  # seconds, while another process is at it


class NothingThere(BackscrollError):
    """Nothing was ever stored of what is named."""

    def __init__(self) -> None:
        super().__init__("nothing was ever stored there")


async def forget(known: Settings, named: Subject) -> int:
    """Erases it, beside running processes or alone, and prints the receipt. Raises NothingThere."""
    database = wiring.existing_database(known)
    try:
        vault = await wiring.prepare(known, database)
        wanted = await database.write(_begun, named)
        if not wanted:
            raise NothingThere
        await _erase(known, database, wanted, vault)
    finally:
        await database.close()
    return 0


def _begun(connection: Connection, named: Subject) -> list[Erasure]:
    """One erasure for each workspace in which there may be something; those that are under way go on."""
    begun = [
        erasures.begin_in(connection, platform, workspace, named.scope, named.id)
        for platform, workspace in subjects.workspaces(connection, named)
    ]
    for erasure in begun:
        audit.record(connection, erasure.workspace, f"forget {erasure.scope}", actor=None)
    return begun


async def _erase(known: Settings, database: Database, wanted: Sequence[Erasure], vault: Vault | None) -> None:
    timings = Timings(lease=known.backscroll_lease_seconds)
    mind = await minds.make_mind(known, OfflineModel(), Prices())
    shifts = Shifts(database=database, owner=owner.ourselves(owner.own_place()), timings=timings)
    erasing = Erasing(database=database, shifts=shifts, count=mind.count, timings=timings, vault=vault)
    for erasure in wanted:
        while True:
            await erasing.look()
            done = await database.read(erasures.find, erasure)
            if done is None or done.is_done:
                break
            await asyncio.sleep(_AGAIN)
        if done is not None:
            await _print(database, done)


async def _print(database: Database, done: Erasure) -> None:
    """The receipt; when it is printed, nothing else of it is left."""
    typer.echo(accounts.told(done, await database.read(erasures.leftovers)))
    await database.write(erasures.end, done)
