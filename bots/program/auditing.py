"""`backscroll audit`: who read, changed or erased what, or was refused; and whether the record of it is whole."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from time import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.program import subjects, vaults, wiring
from bots.program.exits import go, known_settings
from core.config import Settings
from core.errors import ConfigurationError
from core.policy.values import Wrong, duration
from core.store import Database, audit
from core.store.audit import Recorded
from core.store.sealing import Vault

_WIDE = 1_000


def show_audit(
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Since a day or a moment (2026-11-20, in UTC), or 12h or 7d ago.")
    ] = None,
    user: subjects.User = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show at most, the newest.")] = 1_000,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON Lines.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Whether the record is whole; exit 1 where not.")] = False,
    begin_anew: Annotated[
        str | None,
        typer.Option(metavar="PLATFORM:WORKSPACE", help="Begin a workspace's record anew behind what is broken in it."),
    ] = None,
) -> None:
    """Show who read, reset or changed something, or was refused, without a word of it; or verify that record."""
    if begin_anew is None:
        go(lambda: _audit(known_settings(quiet=True), since, user, limit, as_json=as_json, verify=verify))
    else:
        go(lambda: _begin_anew(known_settings(quiet=True), begin_anew))


async def _audit(
    settings: Settings, since: str | None, user: str | None, limit: int, *, as_json: bool, verify: bool
) -> int:
    begin = 0 if since is None else _moment(since)
    named = None if user is None else subjects.person(user)
    actor = None if named is None else named.id
    workspace = None if named is None or named.workspace is None else f"{named.platform}:{named.workspace}"
    database = wiring.existing_database(settings)
    try:
        vault = await wiring.prepare(settings, database)
        if verify:
            return await _verify(database, vault)
        entries = await database.read(audit.found, since=begin, actor=actor, workspace=workspace, most=limit)
    finally:
        await database.close()
    _print(entries, as_json=as_json)
    if len(entries) == limit:
        typer.echo(f"These are the newest {limit}; --limit shows more.", err=True)
    return 0


async def _verify(database: Database, vault: Vault | None) -> int:
    chains, rows, whole = await database.read(audit.recorded), 0, True
    for number, name in chains:
        many, broken = await database.write(audit.verify, number, name)
        rows += many
        if broken is not None:
            whole = False
            typer.echo(f"The record is broken: {broken.workspace}, row {broken.number}: {broken.why}.", err=True)
    if not whole:
        typer.echo("Once you know why, --begin-anew PLATFORM:WORKSPACE begins a new record behind it.", err=True)
        return 1
    places = "1 workspace" if len(chains) == 1 else f"{len(chains)} workspaces"
    typer.echo(f"The record is whole: {rows:,} {'row' if rows == 1 else 'rows'} of {places}. {_worth(vault)}")
    return 0


async def _begin_anew(settings: Settings, said: str) -> int:
    subjects.of_workspace("--begin-anew", said)
    database = wiring.existing_database(settings)
    try:
        await wiring.prepare(settings, database)
        numbers = {name: number for number, name in await database.read(audit.recorded)}
        broken = await database.write(audit.mend, numbers[said], said) if said in numbers else None
    finally:
        await database.close()
    if broken is None:
        raise ConfigurationError(f"--begin-anew: nothing is broken in the record of {said}")
    typer.echo(f"The record of {said} begins anew. It was broken from row {broken.number} on: {broken.why}.")
    return 0


def _worth(vault: Vault | None) -> str:
    """What that is worth. Until all is sealed, a hash in the clear is believed."""
    if vault is None:
        return "Its hashes are not sealed: whoever may write in the database could have made new ones."
    if not vault.all_sealed:
        return f"But {vaults.NOT_ALL}: whoever may write in the database could have made new hashes."
    return "Its hashes are sealed: nobody could have made them without the key ring."


def _print(entries: Sequence[Recorded], *, as_json: bool) -> None:
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(entry._asdict() | {"at": entry.at / 1000}, ensure_ascii=False))
        return
    if not entries:
        typer.echo("Nothing is recorded.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("when (UTC)", "who", "what", "where", "row"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        what = entry.deed if entry.outcome == audit.Outcome.DONE else f"{entry.deed} ({entry.outcome})"
        place = entry.session or entry.workspace
        when, row = _told(entry.at), f"{entry.workspace}#{entry.number}"
        table.add_row(when, Text(entry.actor or "the operator"), Text(what), Text(place), Text(row))
    screen = Console(highlight=False)
    if not screen.is_terminal:
        screen = Console(highlight=False, width=_WIDE)  # what reads a pipe needs each on one line
    screen.print(table)


def _told(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _moment(said: str) -> int:
    """Milliseconds since 1970. Raises ConfigurationError."""
    try:
        return int((time() - duration(said)) * 1000)
    except (Wrong, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise ConfigurationError(f"--since: {said!r} is no moment: write 2026-11-20, or 12h or 7d") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
