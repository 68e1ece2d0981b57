"""`backscroll dead`: the messages that got no answer, to be listed, answered after all, or let go."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.program import wiring
from bots.program.exits import go, known_settings
from core.config import Settings
from core.store import Connection, Database, dead

app = typer.Typer(help="Messages that got no answer: list them, have them answered after all, or let them go.")

Letters = Annotated[list[str], typer.Argument(metavar="ID", help="As `backscroll dead list` shows them.")]

_WIDE = 1_000


@app.command(name="list")
def list_dead(
    limit: Annotated[int, typer.Option(min=1, help="How many to show at most, the newest first.")] = 50,
) -> None:
    """List the messages that got an apology in place of an answer, or an answer that could not be delivered."""
    go(lambda: _with_database(known_settings(quiet=True), partial(_list, limit)))


@app.command(name="retry")
def retry_dead(ids: Letters) -> None:
    """Have them answered after all; the answer takes the place of the apology, where that still stands."""
    said = "{} waits again. It will be answered by the next free process."
    go(lambda: _with_database(known_settings(quiet=True), partial(_each, dead.retry, ids, said)))


@app.command(name="drop")
def drop_dead(ids: Letters) -> None:
    """Forget that they got no answer; what was said stays in the conversation."""
    go(lambda: _with_database(known_settings(quiet=True), partial(_each, dead.drop, ids, "{} is dropped.")))


async def _with_database(settings: Settings, work: Callable[[Database], Awaitable[None]]) -> int:
    database = wiring.existing_database(settings)
    try:
        await wiring.prepare(settings, database)
        await work(database)
    finally:
        await database.close()
    return 0


async def _list(limit: int, database: Database) -> None:
    found = await database.read(dead.listed, limit)
    if not found:
        typer.echo("No dead letters.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "said (UTC)", "why there is no answer"):
        table.add_column(heading, overflow="fold")
    for letter in found:
        said = datetime.fromtimestamp(letter.at, UTC)
        table.add_row(Text(letter.id), f"{said:%Y-%m-%d %H:%M}", Text(letter.reason))
    screen = Console(highlight=False)
    if not screen.is_terminal:
        screen = Console(highlight=False, width=_WIDE)  # what reads a pipe needs each letter on one line
    screen.print(table)
    if len(found) == limit:
        typer.echo(f"These are the newest {limit}; --limit shows more.")


async def _each(order: Callable[[Connection, str], None], ids: Sequence[str], said: str, database: Database) -> None:
    for letter in ids:
        await database.write(order, letter)
        typer.echo(said.format(letter))
