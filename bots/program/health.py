"""`backscroll health`: whether a running deployment can do its work, for probes: names and numbers alone."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated

import typer

import migrations
from bots.program import wiring
from bots.program.doors import Platform
from bots.program.exits import go, known_settings
from bots.program.reports import show
from bots.program.version import own_version
from core.config import Settings
from core.errors import DatabaseAhead, DatabaseError
from core.seam.adapter import Finding
from core.store import Database, health, hearers, sqlite_files

UNHEARD = 60.0
"""Seconds after which a platform counts as one that nobody hears."""
QUEUED = 60.0
"""Seconds that a message may wait without anybody answering it."""
PATIENCE = 30.0
"""Seconds after which a database counts as one that does not answer."""


@dataclass(kw_only=True)
class Health:
    """What was found, and the numbers behind it: seconds since each platform was heard, and what waits."""

    findings: list[Finding] = field(default_factory=list)
    heard: dict[str, float] = field(default_factory=dict)
    queue: health.Queue | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return all(one.ok for one in self.findings)

    def add(self, subject: str, detail: str, remedy: str = "", *, ok: bool) -> None:
        """One more finding."""
        self.findings.append(Finding(subject=subject, ok=ok, detail=detail, remedy="" if ok else remedy))


def show_health(
    platforms: Annotated[
        list[Platform] | None, typer.Argument(help="Which platforms must be heard, as `run` was told them.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As one object of JSON.")] = False,
) -> None:
    """Say whether a running deployment can do its work: exit 0, or 1 with what is wrong."""
    go(lambda: _health(known_settings(quiet=True), platforms or [], as_json=as_json))


async def _health(settings: Settings, named: Sequence[str], *, as_json: bool) -> int:
    found = await examined(settings, [str(one) for one in named or settings.platforms])
    if as_json:
        typer.echo(json.dumps(_told(found)))
    else:
        show(found.findings)
    return 0 if found.is_well else 1


def _told(found: Health) -> dict[str, object]:
    queue = found.queue
    return {
        "ok": found.is_well,
        "version": own_version(),
        "heard_seconds_ago": {platform: round(ago, 1) for platform, ago in found.heard.items()},
        "waiting": None if queue is None else queue.waiting,
        "oldest_seconds": None if queue is None or queue.oldest is None else round(queue.oldest, 1),
        "dead_letters": None if queue is None else queue.dead,
        "findings": [asdict(one) for one in found.findings],
    }


async def examined(settings: Settings, platforms: Sequence[str]) -> Health:
    """Everything that is looked at. `platforms` must be heard; without any, those that somebody hears by now."""
    found = Health()
    files = sqlite_files(settings.database_url)
    if files and not await asyncio.to_thread(files[0].exists):  # to look would make it
        found.add("database", f"there is none yet: {files[0].absolute()}", "Start `backscroll run`.", ok=False)
        return found
    database = wiring.open_database(settings)
    try:
        async with asyncio.timeout(PATIENCE):
            await _look(database, platforms, found)
    except TimeoutError:
        found.add("database", f"no answer within {PATIENCE:.0f} seconds", "Look at its server and disk.", ok=False)
    except DatabaseAhead as error:
        found.add("schema", str(error), "Install the newest Backscroll.", ok=False)
    except DatabaseError as error:
        found.add("database", str(error), error.remedy, ok=False)
    finally:
        await database.close()
    return found


async def _look(database: Database, platforms: Sequence[str], found: Health) -> None:
    have, need = await database.read(migrations.current), migrations.newest()
    if have != need:
        remedy = "Run `backscroll migrate`, and start every process again."
        found.add("schema", f"is at {have or 'nothing'}, this program needs {need}", remedy, ok=False)
        return  # what is not there yet can't be looked at
    await database.write(health.try_writing)
    found.add("database", "takes what is written", ok=True)
    found.add("schema", need, ok=True)
    found.heard = await database.read(hearers.heard)
    for platform in platforms or sorted(found.heard) or ["platforms"]:
        _hear(platform, found)
    found.queue = await database.read(health.queue)
    _wait(found.queue, found)


def _hear(platform: str, found: Health) -> None:
    ago = found.heard.get(platform)
    remedy = "See that `backscroll run` runs, and what its log says; `backscroll doctor` checks the settings."
    if ago is None:
        found.add(platform, "no process hears it", remedy, ok=False)
    else:
        found.add(platform, f"last heard {ago:.0f} seconds ago", remedy, ok=ago <= UNHEARD)


def _wait(queue: health.Queue, found: Health) -> None:
    oldest = queue.oldest or 0.0
    many = "1 message waits" if queue.waiting == 1 else f"{queue.waiting} messages wait"
    detail = many + (f", one for {oldest:.0f} seconds without anybody answering it" if oldest else "")
    remedy = "See what the log says: the model or the platform may be away, or no process may be running."
    found.add("queue", detail, remedy, ok=oldest <= QUEUED)
    remedy = "`backscroll dead list` shows them, `retry` has them answered after all, `drop` lets them go."
    found.add("dead letters", str(queue.dead), remedy, ok=not queue.dead)
