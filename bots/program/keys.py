"""`backscroll keys`: the key ring's own commands, to make a key, to change keys, and to see which is used for what."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bots.program import vaults, wiring
from bots.program.exits import go, known_settings
from core.chores.sealing import Resealing
from core.config import Settings
from core.errors import ConfigurationError
from core.store import Database, keys, resealing, rotating
from core.store.sealing import Vault
from core.timings import Timings
from core.vault import ring as rings

app = typer.Typer(
    help="The key ring by which all that is stored is sealed: make a key, change keys, see which are used."
)

_EVERY = 10_000  # rows, between two lines where there is no terminal


@app.command()
def generate() -> None:
    """Print a new key, one line, as BACKSCROLL_KEYS takes it."""
    typer.echo(rings.generate())


@app.command()
def rotate(
    *,
    data: Annotated[bool, typer.Option("--data", help="Make new data keys, too, and seal all anew by them.")] = False,
) -> None:
    """Have the newest key of the ring wrap all data keys. May be interrupted, and goes on when called again."""
    go(lambda: _with_vault(known_settings(quiet=True), _rotate_data if data else _rotate))


@app.command()
def status() -> None:
    """Show how much is sealed by which keys; nothing is changed."""
    go(lambda: _status(known_settings(quiet=True)))


async def _with_vault(settings: Settings, work: Callable[[Database, Vault], Awaitable[None]]) -> int:
    database = wiring.existing_database(settings)
    try:
        vault = await wiring.prepare(settings, database)
        if vault is None:
            raise ConfigurationError(f"{rings.SETTING} is not set: {vaults.REMEDY}")
        await work(database, vault)
    finally:
        await database.close()
    return 0


async def _rotate(database: Database, vault: Vault) -> None:
    if not vault.all_sealed:
        with _progress("sealing what was in the clear", await database.read(resealing.size)) as tell:
            await Resealing(database=database, vault=vault, tell=tell).seal_all()
    await _wrap_all(database, vault)
    if wait := await rotating.unheard(database, within=2 * Timings().keys):
        typer.echo("Other processes hear of that, and what they have wrapped meanwhile is looked at again.")
        await asyncio.sleep(wait)
        await _wrap_all(database, vault)
    typer.echo(f"All data keys are wrapped by {vault.ring.newest}: the other keys of the ring may go.")


async def _wrap_all(database: Database, vault: Vault) -> None:
    with _progress("wrapping data keys", await database.read(rotating.to_be_wrapped, vault.ring.newest)) as tell:
        await rotating.wrap_all(vault.ring, database, tell)
    proof = await database.read(keys.newest, keys.DEPLOYMENT, keys.PROOF)
    if proof is not None:
        vault.follow(proof)


async def _rotate_data(database: Database, vault: Vault) -> None:
    await _rotate(database, vault)
    since = await rotating.begin(vault, database)
    with _progress("making data keys", await database.read(rotating.to_be_made, since)) as tell:
        await rotating.make_all(vault, database, since, tell)
    await _seal_anew(database, vault)
    typer.echo("Other processes hear of the new data keys, and what they have sealed meanwhile is looked at again.")
    await asyncio.sleep(2 * Timings().keys)
    while await _seal_anew(database, vault):
        pass
    await database.write(rotating.end)
    typer.echo("All is sealed by new data keys.")


async def _seal_anew(database: Database, vault: Vault) -> int:
    with _progress("sealing by new data keys", await database.read(resealing.size)) as tell:
        return await Resealing(database=database, vault=vault, tell=tell).walk(renew=True)


async def _status(settings: Settings) -> int:
    database = wiring.existing_database(settings)
    try:
        ring = vaults.ring(settings)
        await vaults.require(ring, database)
        await wiring.require_newest(database)
        wrapped = await database.read(rotating.wrapped_by)
        sealed = await _counted(database)
    finally:
        await database.close()
    _show("data keys wrapped by", {_with_place(one, ring): many for one, many in wrapped.items()})
    _show("bodies", sealed)
    if ring is None:
        typer.echo(f"{rings.SETTING} is not set: {vaults.REMEDY}.")
    return 0


def _with_place(fingerprint: str, ring: rings.Ring | None) -> str:
    newest = ring is not None and fingerprint == ring.newest
    return f"{fingerprint} (the newest)" if newest else fingerprint


async def _counted(database: Database) -> Counter[str]:
    """How many bodies are sealed by data keys that are the newest, or older, or not at all."""
    older, found = await database.read(keys.older), Counter[str]()
    with _progress("looking at", await database.read(resealing.size)) as tell:
        for table in resealing.TABLES:
            after: resealing.Key | None = None
            while True:
                rows, numbers, after = await database.read(resealing.numbers, table, after)
                for (workspace, number), many in numbers.items():
                    old = "sealed by older data keys" if (workspace, number) in older else "sealed"
                    found["in the clear" if number == 0 else old] += many
                tell(rows)
                if after is None:
                    break
    return found


def _show(heading: str, counts: dict[str, int]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column(heading)
    table.add_column("how many", justify="right")
    for name, many in sorted(counts.items()):
        table.add_row(name, f"{many:,}")
    Console(highlight=False).print(table if counts else f"{heading}: none")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Tells how far it has come: a bar on a terminal, and a line now and then elsewhere."""
    screen = Console(stderr=True, highlight=False)
    if not screen.is_terminal:
        yield _lines(what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task(what, total=total)
        yield lambda many: bar.advance(task, many)


def _lines(what: str, total: int) -> Callable[[int], None]:
    done = 0

    def tell(many: int) -> None:
        nonlocal done
        before, done = done, done + many
        if done // _EVERY > before // _EVERY or done >= total > before:
            typer.echo(f"{what}: {done:,} of {total:,}", err=True)

    return tell
