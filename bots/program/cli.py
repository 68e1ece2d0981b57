"""The command line: reads the environment once, and says in one line what went wrong."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

import migrations
from bots.program import (
    auditing,
    backup,
    doors,
    exporting,
    forgetting,
    health,
    keys,
    letters,
    logs,
    minds,
    overrides,
    retaining,
    subjects,
    wiring,
)
from bots.program.doctor import examine
from bots.program.doors import Platform
from bots.program.exits import go, known_settings, obey
from bots.program.reports import show as show_findings
from bots.program.run import run as run_platforms
from bots.program.version import own_version
from core.config import Settings, examine_settings
from core.model.offline import OfflineModel
from core.model.prices import Prices
from core.spelling import misspelt_settings
from core.store import Connection, connect
from core.store.engine import rows

app = typer.Typer(
    name="backscroll",
    help="An AI teammate for Slack and Discord that keeps one durable session per conversation.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Say which release this is.")] = False,
) -> None:
    """Without a command, `run`."""
    if version:
        typer.echo(f"backscroll {own_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        run([])


@app.command()
def run(
    platforms: Annotated[
        list[Platform] | None,
        typer.Argument(help="Which platforms to run; all that are configured, or the console where none is."),
    ] = None,
) -> None:
    """Run the configured platforms. SIGTERM and Ctrl-C drain: running answers finish first."""
    go(lambda: run_platforms(known_settings(), platforms or []))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    go(lambda: _migrate(known_settings()))


@app.command()
def doctor() -> None:
    """Check every setting against the real services, one line each; exit 1 if anything is wrong."""
    go(lambda: _doctor(*examine_settings()))


@app.command()
def settings(
    channel: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Of this channel, as the log names it: PLATFORM:WORKSPACE:CHANNEL."),
    ] = None,
    workspace: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this workspace, without a channel: PLATFORM:WORKSPACE.")
    ] = None,
    unset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Take back what people have set for this setting there, such as a may_set that locks them all out.",
        ),
    ] = None,
) -> None:
    """Show every effective value with where it comes from: the deployment's, a workspace's or a channel's."""
    go(lambda: _settings(known_settings(quiet=True), overrides.scope(channel, workspace), unset))


@app.command()
def forget(
    user: subjects.User = None,
    session: subjects.Session = None,
    channel: subjects.Channel = None,
    workspace: subjects.Workspace = None,
) -> None:
    """Erase what was said by a person, or in a session, channel or workspace, and print the receipt."""
    go(
        lambda: forgetting.forget(
            known_settings(quiet=True),
            subjects.subject(user=user, session=session, channel=channel, workspace=workspace),
        )
    )


@app.command()
def retention(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count it, and change nothing.")] = False
) -> None:
    """Erase what has been kept for as long as is set, which running processes do by themselves; print how much."""
    go(lambda: retaining.retain(known_settings(quiet=True), dry_run=dry_run))


@app.command()
def export(
    user: subjects.User = None,
    session: subjects.Session = None,
    form: exporting.Format = exporting.Form.JSON,
) -> None:
    """Print what is stored of a person or a session: lines of JSON, or Markdown to read."""
    go(
        lambda: exporting.export(
            known_settings(quiet=True), subjects.subject(user=user, session=session, places=False), form
        )
    )


app.command(name="audit")(auditing.show_audit)
app.command(name="health")(health.show_health)
app.command(name="backup")(backup.back_up)

app.add_typer(letters.app, name="dead", no_args_is_help=True)
app.add_typer(keys.app, name="keys", no_args_is_help=True)

show = typer.Typer(help="Print the app manifest that fits this configuration.", no_args_is_help=True)
app.add_typer(show, name="manifest")


@show.command()
def slack() -> None:
    """Print the manifest of the Slack app, as JSON, ready to be pasted where Slack asks for it."""
    from bots.slack import as_json, manifest

    typer.echo(as_json(manifest()))


@show.callback()
def _manifest() -> None:
    """Print the app manifest that fits this configuration."""


def main() -> None:
    """Reads the words behind the program's name, and does what they say."""
    obey(app)


async def _migrate(settings: Settings) -> int:
    apart = settings.keeps_apart
    database = connect(settings.database_url, settings.database_listen_url, statement_seconds=None, apart=apart)
    try:
        before = await database.read(migrations.current)
        await database.write(_upgrade, apart=apart)
    finally:
        await database.close()
    after = migrations.newest()
    typer.echo(
        f"The schema is at {after}." if before == after else f"The schema went from {before or 'nothing'} to {after}."
    )
    return 0


def _upgrade(connection: Connection, *, apart: bool) -> None:
    """A migration is for all workspaces, whose rows are kept apart again when it is done."""
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        rows.let_owner_see(connection)
    migrations.upgrade(connection)
    if is_postgresql:
        rows.keep_apart(connection, on=apart)


async def _settings(known: Settings, place: overrides.Scope | None, unset: str | None) -> int:
    return await (overrides.show(known, place) if unset is None else overrides.unset(known, place, unset))


async def _doctor(settings: Settings, wrong: Sequence[str]) -> int:
    logs.configure(settings.backscroll_log, quiet=True)
    well = True
    async for finding in examine(
        settings,
        wrong=wrong,
        misspelt=misspelt_settings(),
        mind=lambda model: minds.make_mind(settings, model or OfflineModel(), Prices()),
        database=lambda: wiring.open_database(settings),
        past_proxy=partial(connect, settings.database_listen_url) if settings.database_listen_url else None,
        model=lambda: minds.make_model(settings),
        others={name: partial(minds.make_model, settings, None, name) for name in settings.other_models},
        platforms={platform: partial(doors.adapter, platform, settings) for platform in settings.platforms},
    ):
        show_findings([finding])
        well = well and finding.ok
    return 0 if well else 1
