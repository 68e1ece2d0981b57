"""`backscroll retention`: what has been kept for as long as is set is taken out now, or counted."""

from collections.abc import Iterable

import typer

from bots.program import wiring
from core.chores.expiring import Expiring
from core.config import Settings
from core.session import SessionKey
from core.store.expiring import Old
from core.timings import Timings


async def retain(known: Settings, *, dry_run: bool) -> int:
    """Prints how much of each session is over its time, and takes it out, unless it is only to be counted."""
    database = wiring.existing_database(known)
    try:
        await wiring.prepare(known, database)
        timings = Timings(lease=known.backscroll_lease_seconds)
        expiring = Expiring(database=database, policy=known.policy, timings=timings)
        found = await expiring.count()
        if not dry_run:
            await expiring.sweep()
    finally:
        await database.close()
    _print(found, done="would go" if dry_run else "gone")
    return 0


def _print(found: Iterable[tuple[SessionKey, Old]], done: str) -> None:
    total = Old(0, 0, 0)
    for key, old in found:
        typer.echo(f"{key.address.id}: {_listed(old)}")
        total = Old(*map(sum, zip(total, old, strict=True)))
    typer.echo(f"{done}: {_listed(total)}")


def _listed(old: Old) -> str:
    return f"{old.messages:,} messages, {old.answers:,} answers, {old.overheard:,} overheard"
