"""The program: reads the environment once, builds the house, runs it, and drains it."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from getpass import getuser
from typing import Annotated

import typer
from rich.console import Console

import migrations
from bots import logs, program
from bots.console import ConsoleAdapter
from bots.discord import DiscordAdapter
from bots.doctor import examine
from bots.slack import SlackAdapter, as_json, manifest
from core.adapter import Adapter
from core.config import Settings, own_instructions, read_settings
from core.errors import BackscrollError, ConfigurationError
from core.llm import Model
from core.offline import OfflineModel
from core.openai import OpenAIModel
from core.store import Database, connect


class Platform(StrEnum):
    """What can be run."""

    SLACK = "slack"
    DISCORD = "discord"
    CONSOLE = "console"


app = typer.Typer(
    name="backscroll",
    help="An AI teammate for Slack and Discord that keeps one durable session per conversation.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Without a command, `run`."""
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
    _go(lambda settings: _run(settings, platforms or []))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    _go(_migrate)


@app.command()
def doctor() -> None:
    """Check every setting against the real services, one line each; exit 1 if anything is wrong."""
    _go(_doctor)


show = typer.Typer(help="Print the app manifest that fits this configuration.", no_args_is_help=True)
app.add_typer(show, name="manifest")


@show.command()
def slack() -> None:
    """Print the manifest of the Slack app, as JSON, ready to be pasted where Slack asks for it."""
    typer.echo(as_json(manifest()))


@show.callback()
def _manifest() -> None:
    """Print the app manifest that fits this configuration."""


def main() -> None:
    """The console script `backscroll`; `python -m bots` is the same."""
    app()


def _go(work: Callable[[Settings], Awaitable[int]]) -> None:
    """Runs one command; what it can name ends it with one line, and the exit status that the contract gives."""
    try:
        settings = read_settings()
        logs.configure(settings.backscroll_log)
        status = asyncio.run(_guarded(work(settings)))
    except ConfigurationError as error:
        typer.echo(f"backscroll: {error}", err=True)
        status = 2
    except BackscrollError as error:
        typer.echo(f"backscroll: {error}", err=True)
        status = 1
    except KeyboardInterrupt:
        status = 130
    raise typer.Exit(status)


async def _guarded(work: Awaitable[int]) -> int:
    try:
        return await work
    except BaseExceptionGroup as group:  # several tasks may fail together; the first that can be named explains it
        known = group.subgroup(BackscrollError)
        while isinstance(known, BaseExceptionGroup):
            known = known.exceptions[0]  # type: ignore[assignment]  # a group holds exceptions or groups
        if known is None:
            raise
        raise known from group


def _adapters(settings: Settings, named: Sequence[Platform]) -> dict[str, Adapter]:
    """The adapters to run. Raises ConfigurationError when a named platform lacks its settings."""
    chosen = list(dict.fromkeys(map(str, named or settings.platforms or [Platform.CONSOLE])))
    needed = {"slack": "SLACK_BOT_TOKEN and SLACK_APP_TOKEN", "discord": "DISCORD_TOKEN"}
    for platform in chosen:
        if platform in needed and platform not in settings.platforms:
            raise ConfigurationError(f"{platform} needs {needed[platform]}; see .env.example")
    return {platform: _ADAPTERS[platform](settings) for platform in chosen}


def _slack(settings: Settings) -> Adapter:
    assert settings.slack_bot_token is not None and settings.slack_app_token is not None  # noqa: S101, PT018
    return SlackAdapter(
        bot_token=settings.slack_bot_token.get_secret_value(),
        app_token=settings.slack_app_token.get_secret_value(),
        api_url=settings.slack_api_url,
    )


def _discord(settings: Settings) -> Adapter:
    assert settings.discord_token is not None  # noqa: S101
    return DiscordAdapter(
        token=settings.discord_token.get_secret_value(),
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        cdn_url=settings.discord_cdn_url,
    )


def _console(_settings: Settings) -> Adapter:
    with suppress(OSError, KeyError):  # a process may run as a user who has no name
        return ConsoleAdapter(name=getuser())
    return ConsoleAdapter()


_ADAPTERS: Mapping[str, Callable[[Settings], Adapter]] = {"slack": _slack, "discord": _discord, "console": _console}


def _model(settings: Settings) -> Model:
    if not settings.has_model:
        return OfflineModel()
    key = settings.openai_api_key
    return OpenAIModel(
        api_key=key.get_secret_value() if key is not None else "none",
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        api=settings.openai_api,
    )


async def _run(settings: Settings, named: Sequence[Platform]) -> int:
    own_instructions(settings)  # a wrong file is said before anything connects
    adapters = _adapters(settings, named)
    if "console" in adapters:
        logs.configure(settings.backscroll_log, quiet=True)
    database, model = connect(settings.database_url), _model(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await program.run(settings, database=database, model=model, adapters=adapters, stop=stop)
    finally:
        await _close(database, model, adapters.values())
    return 0


async def _close(database: Database, model: Model, adapters: Iterable[Adapter]) -> None:
    for adapter in adapters:
        await adapter.close()
    await model.close()
    await database.close()


async def _migrate(settings: Settings) -> int:
    database = connect(settings.database_url)
    try:
        before = await database.read(migrations.current)
        await database.write(migrations.upgrade)
    finally:
        await database.close()
    after = migrations.newest()
    typer.echo(
        f"The schema is at {after}." if before == after else f"The schema went from {before or 'nothing'} to {after}."
    )
    return 0


async def _doctor(settings: Settings) -> int:
    database, model = connect(settings.database_url), _model(settings)
    adapters = [_ADAPTERS[platform](settings) for platform in settings.platforms]
    try:
        findings = await examine(settings, database, model, adapters)
    finally:
        await _close(database, model, adapters)
    screen = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        mark = "[green]ok[/]   " if finding.ok else "[red]wrong[/]"
        screen.print(mark, f"{finding.subject}:", finding.detail, markup=True)
        if not finding.ok and finding.remedy:
            screen.print(f"      {finding.remedy}", markup=False)
    return 0 if all(finding.ok for finding in findings) else 1


if __name__ == "__main__":
    main()
