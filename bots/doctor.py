"""The doctor: every setting against the real services, one finding each, and how to mend what is wrong."""

import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import migrations
from core.adapter import Adapter, Finding
from core.config import Misspelt, Settings, own_instructions
from core.errors import BackscrollError, DatabaseAhead, DatabaseError
from core.llm import Model
from core.mind import Mind
from core.store import Database, sqlite_files


async def examine(
    settings: Settings,
    *,
    wrong: Sequence[str],
    misspelt: Sequence[Misspelt],
    mind: Callable[[], Awaitable[Mind]],
    database: Callable[[], Database],
    past_proxy: Callable[[], Database] | None,
    model: Callable[[], Model],
    platforms: Mapping[str, Callable[[], Adapter]],
) -> list[Finding]:
    """Everything that was checked, in the order in which a start would meet it.

    `wrong` says what is wrong with settings by themselves, `misspelt` which names are none, `past_proxy` is what
    `DATABASE_LISTEN_URL` leads to. What is to be examined is made here, part by part, so that one that can't be made
    hides none of the others.
    """
    found = [Finding(subject="settings", ok=False, detail=reason, remedy="See .env.example.") for reason in wrong]
    found += [
        Finding(subject="settings", ok=False, detail=f"{one.name} is no setting", remedy=one.remedy) for one in misspelt
    ]
    found += await _guarded("instructions", _instructions(settings, mind))
    found += await _guarded("database", _database(settings, database))
    if past_proxy is not None:
        found += await _guarded("hints", _hints(past_proxy))
    found += await _guarded("model", _self_examined(model))
    for platform, adapter in platforms.items():
        found += await _guarded(platform, _self_examined(adapter))
    if not platforms:
        found.append(
            Finding(subject="platforms", ok=True, detail="none is configured, so that `backscroll run` is the console")
        )
    return found


async def _guarded(subject: str, examination: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return await examination
    except BackscrollError as error:
        return [Finding(subject=subject, ok=False, detail=str(error))]
    except Exception as error:  # noqa: BLE001 – whatever it is, the other findings are wanted all the more
        detail = f"can't be checked: an unexpected {type(error).__name__}"
        return [Finding(subject=subject, ok=False, detail=detail, remedy="Check its settings, or report this.")]


async def _instructions(settings: Settings, make: Callable[[], Awaitable[Mind]]) -> Sequence[Finding]:
    own, mind = own_instructions(settings), await make()
    detail = f"{'your own' if own else 'built in'}, {mind.fixed} of {mind.budget} tokens"
    return [Finding(subject="instructions", ok=True, detail=detail)]


async def _database(settings: Settings, make: Callable[[], Database]) -> Sequence[Finding]:
    database, files = make(), sqlite_files(settings.database_url)
    leave = [file for file in files if not file.exists()]
    try:
        have, need = await database.read(migrations.current), migrations.newest()
    except DatabaseAhead as error:
        return [Finding(subject="schema", ok=False, detail=str(error), remedy="Install the newest Backscroll.")]
    except DatabaseError as error:
        remedy = "Check DATABASE_URL: host, port, name, user and password, and that the server runs."
        return [Finding(subject="database", ok=False, detail=f"does not answer: {error}", remedy=remedy)]
    finally:
        await database.close()
        if files and files[0] in leave:  # there was no database: looking for one has made an empty one
            for file in leave:
                file.unlink(missing_ok=True)
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    reached = [Finding(subject="database", ok=True, detail=f"{kind} answers"), *_readers(files)]
    if have == need or (have is None and kind == "SQLite"):
        return [*reached, Finding(subject="schema", ok=True, detail=have or f"will be made by the first run ({need})")]
    behind = f"is at {have or 'nothing'}, this program needs {need}"
    return [*reached, Finding(subject="schema", ok=False, detail=behind, remedy="Run `backscroll migrate`.")]


def _readers(files: Sequence[Path]) -> Sequence[Finding]:
    """Whether others on this machine may read what people said."""
    read = [file for file in files if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077]
    if not read:
        return []
    names = " ".join(file.name for file in read)
    remedy = f"Run `chmod 600 {' '.join(map(str, read))}`."
    return [Finding(subject="database", ok=False, detail=f"others on this machine may open {names}", remedy=remedy)]


async def _hints(make: Callable[[], Database]) -> Sequence[Finding]:
    database = make()
    try:
        await database.read(migrations.current)
    except DatabaseError as error:
        remedy = "Check DATABASE_LISTEN_URL: it is the database's own address, past the proxy that DATABASE_URL names."
        return [Finding(subject="hints", ok=False, detail=f"can't be heard: {error}", remedy=remedy)]
    finally:
        await database.close()
    return [Finding(subject="hints", ok=True, detail="processes hear of each other's work past the proxy")]


async def _self_examined(make: Callable[[], Model | Adapter]) -> Sequence[Finding]:
    part = make()
    try:
        return await part.examine()
    finally:
        await part.close()
