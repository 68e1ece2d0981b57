"""The command line: reads the environment once, and says in one line what went wrong."""

import asyncio
import re
import resource
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from getpass import getuser
from typing import Annotated

import structlog
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

import migrations
from bots.console import ConsoleAdapter
from bots.program import garbage, logs, wiring
from bots.program.doctor import examine
from core.config import Settings, examine_settings, misspelt_settings, own_instructions, read_settings
from core.errors import BackscrollError, ConfigurationError, DatabaseError, DatabaseUnreachable
from core.model.breaker import Breaker
from core.model.llm import Model
from core.model.metered import Metered
from core.model.offline import OfflineModel
from core.seam.adapter import Adapter
from core.store import Connection, Database, connect, dead, ledger


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
    _go(lambda: _run(_settings(), platforms or []))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    _go(lambda: _migrate(_settings()))


@app.command()
def doctor() -> None:
    """Check every setting against the real services, one line each; exit 1 if anything is wrong."""
    _go(lambda: _doctor(*examine_settings()))


letters = typer.Typer(help="Messages that got no answer: list them, have them answered after all, or let them go.")
app.add_typer(letters, name="dead", no_args_is_help=True)

Letters = Annotated[list[str], typer.Argument(metavar="ID", help="As `backscroll dead list` shows them.")]


@letters.command(name="list")
def list_dead(
    limit: Annotated[int, typer.Option(min=1, help="How many to show at most, the newest first.")] = 50,
) -> None:
    """List the messages that got an apology in place of an answer, or an answer that could not be delivered."""
    _go(lambda: _with_letters(_settings(), partial(_list_dead, limit)))


@letters.command(name="retry")
def retry_dead(ids: Letters) -> None:
    """Have them answered after all; the answer takes the place of the apology, where that still stands."""
    said = "{} waits again. It will be answered by the next free process."
    _go(lambda: _with_letters(_settings(), partial(_each_dead, dead.retry, ids, said)))


@letters.command(name="drop")
def drop_dead(ids: Letters) -> None:
    """Forget that they got no answer; what was said stays in the conversation."""
    _go(lambda: _with_letters(_settings(), partial(_each_dead, dead.drop, ids, "{} is dropped.")))


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
    """The console script `backscroll`; `python -m bots` is the same."""
    app()


def _go(work: Callable[[], Awaitable[int]]) -> None:
    """Runs one command; one line explains its failure, and the exit status is the one that the contract gives."""
    logs.configure("text")  # until the settings are known
    status = 1
    try:
        status = asyncio.run(_guarded(work))
    except ConfigurationError as error:
        _explain(str(error))
        status = 2
    except DatabaseUnreachable as error:
        _explain(f"DATABASE_URL: the database does not answer: {error}")
    except DatabaseError as error:
        _explain(f"DATABASE_URL: {error}")
    except BackscrollError as error:
        _explain(str(error))
    except KeyboardInterrupt:
        status = 130
    except Exception as error:  # noqa: BLE001 – Python's own last words would quote what people wrote
        structlog.get_logger().critical("crashed", exc_info=error)
        _explain(f"ended by an unexpected {type(error).__name__}; please report it with the lines above")
    raise typer.Exit(status)


def _explain(reason: str) -> None:
    typer.echo(f"backscroll: {reason}", err=True)


def _settings() -> Settings:
    settings = read_settings()
    logs.configure(settings.backscroll_log)
    return settings


async def _guarded(work: Callable[[], Awaitable[int]]) -> int:
    asyncio.get_running_loop().set_exception_handler(logs.unheard)
    try:
        return await work()
    except BaseExceptionGroup as group:  # several tasks may fail together; the first that can be named explains it
        known, others = group.split(BackscrollError)
        if known is None:
            raise
        if others is not None:
            structlog.get_logger().error("failed as well", exc_info=others)
        raise _first(known) from group


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _adapters(settings: Settings, named: Sequence[Platform]) -> dict[str, Adapter]:
    """The adapters to run. Raises ConfigurationError when one of them lacks its settings."""
    chosen = list(dict.fromkeys(map(str, named or settings.platforms or [Platform.CONSOLE])))
    return {platform: _ADAPTERS[platform](settings) for platform in chosen}


# Each client library takes a quarter of a second to load, so it is loaded by those who need it: a process that is
# started again after a crash has people waiting.


def _slack(settings: Settings) -> Adapter:
    from bots.slack import SlackAdapter

    bot_token, app_token = _tokens(
        "Slack", SLACK_BOT_TOKEN=settings.slack_bot_token, SLACK_APP_TOKEN=settings.slack_app_token
    )
    _check("http", SLACK_API_URL=settings.slack_api_url)
    return SlackAdapter(bot_token=bot_token, app_token=app_token, api_url=settings.slack_api_url)


def _discord(settings: Settings) -> Adapter:
    from bots.discord import DiscordAdapter

    (token,) = _tokens("Discord", DISCORD_TOKEN=settings.discord_token)
    _check("http", DISCORD_API_URL=settings.discord_api_url, DISCORD_CDN_URL=settings.discord_cdn_url)
    _check("ws", DISCORD_GATEWAY_URL=settings.discord_gateway_url)
    return DiscordAdapter(
        token=token,
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        cdn_url=settings.discord_cdn_url,
    )


def _tokens(platform: str, **given: SecretStr | None) -> list[str]:
    """The tokens that a platform needs. Raises ConfigurationError, which names those that are not set."""
    missing = [name for name, token in given.items() if token is None]
    if missing:
        raise ConfigurationError(f"{' and '.join(missing)} must be set for {platform}; see .env.example")
    return [token.get_secret_value() for token in given.values() if token is not None]


def _check(scheme: str, **addresses: str | None) -> None:
    """Raises ConfigurationError for what is no address of this scheme: a library would try it for ever."""
    for name, address in addresses.items():
        if address is not None and not re.fullmatch(rf"{scheme}s?://[^/?#\s]+(/\S*)?", address):
            raise ConfigurationError(f"{name} is no address: it should look like {scheme}s://host/path")


def _console(_settings: Settings) -> Adapter:
    with suppress(OSError, KeyError):  # a process may run as a user who has no name
        return ConsoleAdapter(name=getuser())
    return ConsoleAdapter()


_ADAPTERS: Mapping[str, Callable[[Settings], Adapter]] = {"slack": _slack, "discord": _discord, "console": _console}


def _database(settings: Settings) -> Database:
    return connect(settings.database_url, settings.database_listen_url)


def _model(settings: Settings, database: Database | None = None) -> Model:
    """The model; with a database, its calls are recorded there."""
    if not settings.has_model:
        return OfflineModel()
    from core.model.openai import OpenAIModel

    key = settings.openai_api_key
    model: Model = OpenAIModel(
        api_key=key.get_secret_value() if key is not None else "none",
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        api=settings.openai_api,
        first_seconds=settings.openai_first_seconds,
        silence_seconds=settings.openai_silence_seconds,
        answer_tokens=settings.backscroll_answer_tokens,
        effort=None if settings.openai_reasoning == "auto" else settings.openai_reasoning,
    )
    if database is not None:
        model = Metered(model, lambda call: database.write(ledger.record, call))
    return Breaker(model)


async def _run(settings: Settings, named: Sequence[Platform]) -> int:
    for one in misspelt_settings():
        structlog.get_logger().warning("unknown setting", name=one.name, remedy=one.remedy)
    own_instructions(settings)  # a wrong file is said before anything connects
    with garbage.loading():
        adapters, database = _adapters(settings, named), _database(settings)
        model = _model(settings, database)
    if "console" in adapters:
        logs.configure(settings.backscroll_log, quiet=True)
    stop = asyncio.Event()
    _allow_files()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await wiring.run(settings, database=database, model=model, adapters=adapters, stop=stop)
    finally:
        await _close(database, model, adapters.values())
    return 0


def _allow_files() -> None:
    """As many open files as the system lets this process have: each answer that streams is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit unlimited, and refuses that
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _close(database: Database, model: Model, adapters: Iterable[Adapter]) -> None:
    """Closes all of them, also when one of them fails over it; the database last."""
    async with AsyncExitStack() as stack:
        for close in (database.close, model.close, *(adapter.close for adapter in adapters)):
            stack.push_async_callback(close)


async def _migrate(settings: Settings) -> int:
    database = connect(settings.database_url, settings.database_listen_url, statement_seconds=None)
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


async def _with_letters(settings: Settings, work: Callable[[Database], Awaitable[None]]) -> int:
    """Opens the database for one of the commands on dead letters."""
    logs.configure(settings.backscroll_log, quiet=True)
    database = _database(settings)
    try:
        await wiring.prepare(settings, database)
        await work(database)
    finally:
        await database.close()
    return 0


async def _list_dead(limit: int, database: Database) -> None:
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


_WIDE = 1_000


async def _each_dead(
    order: Callable[[Connection, str], None], ids: Sequence[str], said: str, database: Database
) -> None:
    for letter in ids:
        await database.write(order, letter)
        typer.echo(said.format(letter))


async def _doctor(settings: Settings, wrong: Sequence[str]) -> int:
    logs.configure(settings.backscroll_log, quiet=True)
    screen, well = Console(soft_wrap=True, highlight=False), True
    async for finding in examine(
        settings,
        wrong=wrong,
        misspelt=misspelt_settings(),
        mind=lambda model: wiring.make_mind(settings, model or OfflineModel()),
        database=lambda: _database(settings),
        past_proxy=partial(connect, settings.database_listen_url) if settings.database_listen_url else None,
        model=lambda: _model(settings),
        platforms={platform: partial(_ADAPTERS[platform], settings) for platform in settings.platforms},
    ):
        mark = ("ok   ", "green") if finding.ok else ("wrong", "red")
        screen.print(Text.assemble(mark, f" {finding.subject}: {finding.detail}"))
        if not finding.ok and finding.remedy:
            screen.print(Text(f"      {finding.remedy}"))
        well = well and finding.ok
    return 0 if well else 1
