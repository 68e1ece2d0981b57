"""`backscroll backup`: a consistent copy of a SQLite file while all runs, or PostgreSQL's own command for one."""

import asyncio
import errno
import shlex
from pathlib import Path
from typing import Annotated

import typer

from bots.program import wiring
from bots.program.exits import go, known_settings
from core.config import Settings
from core.errors import BackscrollError, ConfigurationError
from core.store import copy_sqlite, sqlite_files, without_password

_PASSES = "Workspaces are kept apart: name a role in it that passes over row-level security, or it copies nothing."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_OWN = ("-wal", "-shm", "-journal")
_KEYS = "The key ring is not in it: keep a copy of that in another place."


def back_up(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup, which must not be there yet.")],
) -> None:
    """Back the database up while it runs: a SQLite file at once; for PostgreSQL, print the command that does it."""
    go(lambda: _back_up(known_settings(quiet=True), file))


async def _back_up(settings: Settings, file: Path) -> int:
    files = sqlite_files(settings.database_url)
    if not files:
        wiring.open_database(settings)  # a wrong address is told
        typer.echo(_command(settings, file))
        typer.echo("This command makes it; the password is taken from PGPASSWORD or ~/.pgpass.", err=True)
        if settings.keeps_apart:
            typer.echo(_PASSES, err=True)
        return 0
    await _require_known(settings)
    _require_free(file, files[0])
    try:
        length = await asyncio.to_thread(copy_sqlite, files[0], file)
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already: name another file") from None
    except OSError as error:
        told = f"{file} can't be made: {error.strerror}"
        raise (BackscrollError if error.errno in _FULL else ConfigurationError)(told) from error
    typer.echo(f"{file} holds everything up to now: {length:,} bytes.")
    if settings.backscroll_keys is not None or settings.backscroll_keys_file is not None:
        typer.echo(_KEYS)
    return 0


def _require_free(file: Path, database: Path) -> None:
    """Raises ConfigurationError for a name under which whoever opens the database next would have it deleted."""
    if file.resolve() in {Path(f"{database.resolve()}{end}") for end in _OWN}:
        raise ConfigurationError(f"{file} is a name that SQLite keeps for its own files: name another file")


async def _require_known(settings: Settings) -> None:
    """Raises ConfigurationError where there is no file, and DatabaseBehind, or DatabaseAhead, where its schema is not
    this program's.
    """
    database = wiring.existing_database(settings)
    try:
        await wiring.require_newest(database)
    finally:
        await database.close()


def _command(settings: Settings, file: Path) -> str:
    """Past a proxy where there is one."""
    url = without_password(settings.database_listen_url or settings.database_url)
    return shlex.join(["pg_dump", "--format=custom", "--no-owner", f"--file={file}", url])
