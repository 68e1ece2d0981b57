"""The doctor: every setting against the real services, one finding each, and how to mend what is wrong."""

from collections.abc import Iterable, Sequence

import migrations
from core.adapter import Adapter, Finding
from core.config import Settings, own_instructions
from core.errors import BackscrollError, DatabaseError
from core.llm import Model
from core.store import Database


async def examine(settings: Settings, database: Database, model: Model, adapters: Iterable[Adapter]) -> list[Finding]:
    """Everything that was checked, in the order in which a start would meet it."""
    found = [*_instructions(settings), *await _database(settings, database), *await model.examine()]
    platforms = list(adapters)
    for adapter in platforms:
        found.extend(await _platform(adapter))
    if not platforms:
        found.append(
            Finding(subject="platforms", ok=True, detail="none is configured, so that `backscroll run` is the console")
        )
    return found


def _instructions(settings: Settings) -> Sequence[Finding]:
    try:
        own = own_instructions(settings)
    except BackscrollError as error:
        return [Finding(subject="instructions", ok=False, detail=str(error), remedy="Name a file of UTF-8 text.")]
    return [Finding(subject="instructions", ok=True, detail="your own" if own else "built in")]


async def _database(settings: Settings, database: Database) -> Sequence[Finding]:
    try:
        have = await database.read(migrations.current)
    except DatabaseError as error:
        return [
            Finding(
                subject="database",
                ok=False,
                detail=f"does not answer: {error}",
                remedy="Check DATABASE_URL: host, port, name, user and password, and that the server runs.",
            )
        ]
    need = migrations.newest()
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    reached = Finding(subject="database", ok=True, detail=f"{kind} answers")
    if have == need or (have is None and kind == "SQLite"):
        return [reached, Finding(subject="schema", ok=True, detail=have or f"will be made by the first run ({need})")]
    behind = f"is at {have or 'nothing'}, this program needs {need}"
    return [reached, Finding(subject="schema", ok=False, detail=behind, remedy="Run `backscroll migrate`.")]


async def _platform(adapter: Adapter) -> Sequence[Finding]:
    try:
        return await adapter.examine()
    except BackscrollError as error:
        return [Finding(subject=adapter.platform, ok=False, detail=str(error))]
