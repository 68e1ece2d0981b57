"""The doctor: every setting against the real services, one finding each, and how to mend what is wrong."""

import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import migrations
from bots.program import vaults
from core.config import Settings, own_instructions
from core.errors import BackscrollError, DatabaseAhead, DatabaseError
from core.memory.mind import Mind
from core.model import prices
from core.model.llm import Model
from core.seam.adapter import Adapter, Finding
from core.spelling import Misspelt
from core.store import Database, health, keys, servers, sqlite_files
from core.store.engine import rows


async def examine(
    settings: Settings,
    *,
    wrong: Sequence[str],
    misspelt: Sequence[Misspelt],
    mind: Callable[[Model | None], Awaitable[Mind]],
    database: Callable[[], Database],
    past_proxy: Callable[[], Database] | None,
    model: Callable[[], Model],
    others: Mapping[str, Callable[[], Model]],
    platforms: Mapping[str, Callable[[], Adapter]],
) -> AsyncIterator[Finding]:
    """Everything that was checked, in the order in which a start would meet it, as soon as it is known.

    `wrong` says what is wrong with settings by themselves, `misspelt` which names are none, `past_proxy` is what
    `DATABASE_LISTEN_URL` leads to, `others` are the models that may answer beside the usual one. What is to be examined
    is made here, part by part, so that one that can't be made hides none of the others; `mind` is told of the model
    where there is one.
    """
    for reason in wrong:
        yield Finding(subject="settings", ok=False, detail=reason, remedy="See .env.example.")
    for one in misspelt:
        yield Finding(subject="settings", ok=False, detail=f"{one.name} is no setting", remedy=one.remedy)
    parts: list[tuple[str, Callable[[], Awaitable[Sequence[Finding]]]]] = [
        ("instructions", partial(_instructions, settings, mind)),
        ("database", partial(_database, settings, database)),
        ("encryption", partial(_encryption, settings, database)),
        ("prices", partial(_prices, settings)),
        ("model", partial(_model, settings, model, mind, database)),
        *((f"model {name}", partial(_other, name, make, settings, database)) for name, make in others.items()),
        *((platform, partial(_platform, adapter)) for platform, adapter in platforms.items()),
    ]
    if past_proxy is not None:
        parts.insert(2, ("DATABASE_LISTEN_URL", partial(_hints, settings, past_proxy)))
    parts.insert(2, ("row security", partial(_apart, settings, database)))
    for subject, examination in parts:
        for finding in await _guarded(subject, examination()):
            yield finding
    if not platforms:
        detail = "none is configured, so that `backscroll run` is the console"
        yield Finding(subject="platforms", ok=True, detail=detail)


async def _guarded(subject: str, examination: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return await examination
    except BackscrollError as error:
        return [Finding(subject=subject, ok=False, detail=str(error))]
    except Exception as error:  # noqa: BLE001 – whatever it is, the other findings are wanted all the more
        detail = f"can't be checked: an unexpected {type(error).__name__}"
        return [Finding(subject=subject, ok=False, detail=detail, remedy="Check its settings, or report this.")]


async def _instructions(settings: Settings, make: Callable[[Model | None], Awaitable[Mind]]) -> Sequence[Finding]:
    own, mind = own_instructions(settings), await make(None)
    detail = f"{'your own' if own else 'built in'}, {mind.fixed} of {mind.policy.context_tokens} tokens"
    return [Finding(subject="instructions", ok=True, detail=detail)]


async def _prices(settings: Settings) -> Sequence[Finding]:
    """That a model's price is not known is for the operator to know, and nothing wrong."""
    model, known = settings.openai_model, prices.read(settings.backscroll_prices_file)
    if not settings.has_model or known.of(model) is not None:
        return [Finding(subject="prices", ok=True, detail=f"known of {', '.join(sorted(known.known))}")]
    detail = f"what {model} costs is not known; {prices.SETTING} can tell it"
    return [Finding(subject="prices", ok=True, detail=detail)]


@asynccontextmanager
async def _visited(settings: Settings, make: Callable[[], Database]) -> AsyncIterator[Database]:
    """The database, of which no file is left where there was none."""
    database, files = make(), sqlite_files(settings.database_url)
    leave = [file for file in files if not file.exists()]
    try:
        yield database
    finally:
        await database.close()
        if files and files[0] in leave:  # there was no database: looking for one has made an empty one
            for file in leave:
                file.unlink(missing_ok=True)


async def _database(settings: Settings, make: Callable[[], Database]) -> Sequence[Finding]:
    try:
        async with _visited(settings, make) as database:
            have, need = await database.read(migrations.current), migrations.newest()
            if have == need:
                await database.write(health.try_writing)
    except DatabaseAhead as error:
        return [Finding(subject="schema", ok=False, detail=str(error), remedy="Install the newest Backscroll.")]
    except DatabaseError as error:
        return [Finding(subject="database", ok=False, detail=f"DATABASE_URL: {error}", remedy=error.remedy)]
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    readers = _readers("database", sqlite_files(settings.database_url))
    reached = readers or [Finding(subject="database", ok=True, detail=f"{kind} answers")]
    if have == need or (have is None and kind == "SQLite"):
        return [*reached, Finding(subject="schema", ok=True, detail=have or f"will be made by the first run ({need})")]
    behind = f"is at {have or 'nothing'}, this program needs {need}"
    return [*reached, Finding(subject="schema", ok=False, detail=behind, remedy="Run `backscroll migrate`.")]


def _readers(subject: str, files: Sequence[Path]) -> Sequence[Finding]:
    """Whether others on this machine may read what people said, or what it is sealed by."""
    read = [file for file in files if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077]
    if not read:
        return []
    names = " ".join(file.name for file in read)
    remedy = f"Run `chmod 600 {' '.join(map(str, read))}`."
    return [Finding(subject=subject, ok=False, detail=f"others on this machine may open {names}", remedy=remedy)]


async def _encryption(settings: Settings, make: Callable[[], Database]) -> Sequence[Finding]:
    """That nothing is sealed is for the operator to decide, and nothing wrong."""
    ring, file, used = vaults.ring(settings), settings.backscroll_keys_file, set[str]()
    are_gone = clear = False
    with suppress(BackscrollError):  # what is wrong with the database is a finding of its own
        async with _visited(settings, make) as database:
            used, are_gone = await database.read(keys.rings), await database.read(keys.are_gone)
            clear = await vaults.leaves_some_in_the_clear(database)
    vaults.require_known(ring, used, are_gone=are_gone)
    if ring is None:
        detail = f"none: all that people say is stored in the clear; {vaults.REMEDY}"
        return [Finding(subject="encryption", ok=True, detail=detail)]
    detail = f"all that people say is sealed, by the key {ring.newest}"
    if clear:
        detail = f"{vaults.NOT_ALL} by the key {ring.newest}: a running process does that, or `backscroll keys rotate`"
    return [*_readers("encryption", [file] if file else []), Finding(subject="encryption", ok=True, detail=detail)]


async def _apart(settings: Settings, make: Callable[[], Database]) -> Sequence[Finding]:
    """Whether the tables do as the switch says, which a start demands."""
    wanted = settings.backscroll_row_security == "on"
    if settings.database_url.startswith("sqlite"):
        detail = f"{rows.SETTING} is on, and SQLite does not keep workspaces apart"
        remedy = "Let DATABASE_URL name a PostgreSQL, or set it to off."
        return [Finding(subject="row security", ok=False, detail=detail, remedy=remedy)] if wanted else []
    try:
        async with _visited(settings, make) as database:
            have = await database.read(migrations.current)
    except BackscrollError:  # what is wrong with the database is a finding of its own
        return []
    if have != migrations.newest():
        return []
    async with _visited(settings, make) as database:
        await database.read(rows.require, on=wanted)
    detail = "PostgreSQL itself keeps workspaces apart"
    return [Finding(subject="row security", ok=True, detail=detail)] if wanted else []


async def _hints(settings: Settings, make: Callable[[], Database]) -> Sequence[Finding]:
    if settings.database_url.startswith("sqlite"):
        detail, remedy = "a SQLite file is not behind a proxy", "Let DATABASE_URL name the proxy, or remove it."
        return [Finding(subject="DATABASE_LISTEN_URL", ok=False, detail=detail, remedy=remedy)]
    database = make()
    try:
        await database.read(migrations.current)
    except DatabaseError as error:
        remedy = "Check DATABASE_LISTEN_URL: it is the database's own address, past the proxy that DATABASE_URL names."
        return [Finding(subject="DATABASE_LISTEN_URL", ok=False, detail=f"can't be heard: {error}", remedy=remedy)]
    finally:
        await database.close()
    detail = "processes hear of each other's work past the proxy"
    return [Finding(subject="DATABASE_LISTEN_URL", ok=True, detail=detail)]


@dataclass(frozen=True, slots=True)
class _Reader:
    """What was learnt of model servers, read alone: the doctor leaves nothing behind."""

    settings: Settings
    make: Callable[[], Database]

    async def recall(self, server: str, model: str) -> str | None:
        with suppress(BackscrollError):  # what is wrong with the database is a finding of its own
            async with _visited(self.settings, self.make) as database:
                return await database.read(servers.recall, server, model)
        return None

    async def keep(self, server: str, model: str, manners: str) -> None:
        """Nothing is kept."""


async def _model(
    settings: Settings,
    make: Callable[[], Model],
    mind: Callable[[Model | None], Awaitable[Mind]],
    database: Callable[[], Database],
) -> Sequence[Finding]:
    model = make()
    try:
        await model.recall(_Reader(settings, database))
        found = await model.examine()
        if model.context is None:
            return found
        return [*found, *await _guarded("window", _window(model.context, mind(model)))]
    finally:
        await model.close()


async def _other(
    name: str, make: Callable[[], Model], settings: Settings, database: Callable[[], Database]
) -> Sequence[Finding]:
    """One that nobody asks before most of a budget is used would fail everybody from then on."""
    model = make()
    try:
        await model.recall(_Reader(settings, database))
        found = [one for one in await model.examine() if one.subject == "model"]
    finally:
        await model.close()
    remedy = "Check BACKSCROLL_MODELS and BACKSCROLL_CHEAPER_MODEL."
    return [replace(one, subject=f"model {name}", remedy="" if one.ok else remedy) for one in found]


async def _window(context: int, made: Awaitable[Mind]) -> Sequence[Finding]:
    mind = await made
    detail = f"of a context of {context:,} tokens {mind.limit:,} are shown, {mind.fixed:,} of them instructions"
    remedy = "Set OPENAI_MODEL to one with a larger context, let its server give it one, or shorten the instructions."
    return [Finding(subject="window", ok=mind.fixed <= mind.limit // 2, detail=detail, remedy=remedy)]


async def _platform(make: Callable[[], Adapter]) -> Sequence[Finding]:
    adapter = make()
    try:
        return await adapter.examine()
    finally:
        await adapter.close()
