"""The house put together, run, and drained: what every way of starting Backscroll shares."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

import migrations
from bots.program import minds, owner, vaults
from core import journal
from core.assistant.assistant import Assistant
from core.assistant.folding import Folder
from core.chores.erasing import Erasing
from core.chores.expiring import Expiring
from core.chores.folding import DueSessions
from core.chores.measuring import Measuring
from core.chores.runner import Chores
from core.chores.table import chores
from core.chores.telling_time import SharedClock
from core.chores.unrecorded import Returning
from core.config import Settings
from core.delivery.outbox import Outbox
from core.delivery.reconcile import Reconciler
from core.errors import ConfigurationError, DatabaseBehind, DatabaseError, PlatformError
from core.events import Events
from core.intake import catchup
from core.intake.catchup import CatchUp
from core.intake.inbox import Inbox
from core.memory.mind import Mind
from core.model import prices
from core.model.llm import Model
from core.seam.adapter import Adapter, Receive
from core.store import Database, claims, connect, health, hearers, sqlite_files
from core.store.engine import rows
from core.store.sealing import Vault
from core.timings import Timings
from core.work.shifts import Shifts
from core.work.worker import Worker

log = structlog.get_logger()


async def run(
    settings: Settings,
    *,
    database: Database,
    model: Model,
    adapters: Mapping[str, Adapter],
    stop: asyncio.Event,
    timings: Timings | None = None,
    others: Mapping[str, Model] | None = None,
) -> None:
    """Listens and answers until `stop` is set or every platform has no more to say; then drains.

    Raises BackscrollError when it can't start, or when no platform is left and one would not have us.
    """
    starting = asyncio.create_task(
        _start(settings, database=database, model=model, adapters=adapters, timings=timings, others=others or {})
    )
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not starting.done():  # what it waits for may never come
            starting.cancel()
            await asyncio.wait([starting])
    if starting.cancelled():
        return
    house = starting.result()
    try:
        await _serve(house, settings.backscroll_drain_seconds, stop)
    finally:
        with suppress(DatabaseError):  # then it is seen by its silence
            await database.write(hearers.leave, owner=house.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """The rooms, built: what hears, what answers, and what is done besides."""

    owner: str
    database: Database
    adapters: Mapping[str, Adapter]
    inbox: Inbox
    worker: Worker
    chores: Chores
    is_sealed: bool
    timings: Timings


async def _start(
    settings: Settings,
    *,
    database: Database,
    model: Model,
    adapters: Mapping[str, Adapter],
    timings: Timings | None,
    others: Mapping[str, Model],
) -> _House:
    """Everything that is done before anybody is heard. Raises BackscrollError."""
    vault = await prepare(settings, database)
    await database.write(health.try_writing)
    mind = await minds.make_mind(settings, model, prices.read(settings.backscroll_prices_file), others)
    server = settings.openai_base_url or ""
    measuring = Measuring(
        database=database,
        server=server,
        calibrations=mind.calibrations,
        models=(model, *others.values()),
        recollection=minds.Recollection(database),
    )
    await measuring.look()
    clock = SharedClock(database)
    await clock.look()
    for adapter in adapters.values():
        await catchup.suspect(database, adapter)
    place = owner.own_place()
    ourselves = owner.ourselves(place)
    freed = await database.write(claims.free_dead, host=place, alive=owner.is_alive)
    again = await database.write(claims.call_back)
    await database.write(hearers.bury, host=place, alive=owner.is_alive)
    for platform, adapter in adapters.items():
        if not adapter.shared:  # the first word that is said here is to find us there
            await database.write(hearers.hear, platform, owner=ourselves)
    house = _build(
        settings,
        database=database,
        adapters=adapters,
        mind=mind,
        measuring=measuring,
        clock=clock,
        owner=ourselves,
        timings=timings or Timings(lease=settings.backscroll_lease_seconds),
        vault=vault,
    )
    vaults.tell(vault)
    log.info("started", platforms=list(adapters), model=model.name, taken_up=freed, tried_again=again)
    return house


def _build(
    settings: Settings,
    *,
    database: Database,
    adapters: Mapping[str, Adapter],
    mind: Mind,
    measuring: Measuring,
    clock: SharedClock,
    owner: str,
    timings: Timings,
    vault: Vault | None,
) -> _House:
    events = Events(journal.note)
    outbox = Outbox(database=database, adapters=adapters, timings=timings, events=events, count=mind.count, clock=clock)
    assistant = Assistant(database=database, outbox=outbox, mind=mind, timings=timings, clock=clock)
    worker = Worker(
        database=database,
        assistant=assistant,
        owner=owner,
        adapters=adapters,
        timings=timings,
        events=events,
        clock=clock,
    )
    inbox = Inbox(
        database=database, worker=worker, outbox=outbox, mind=mind, timings=timings, events=events, clock=clock
    )
    shifts = Shifts(database=database, owner=owner, timings=timings)
    folder = Folder(database=database, mind=mind, timings=timings, events=events, clock=clock)
    due_sessions = DueSessions(database=database, folder=folder, shifts=shifts, every=timings.fold)
    table = chores(
        database=database,
        reconciler=Reconciler(database=database, outbox=outbox, platforms=list(adapters), timings=timings),
        catch_up=CatchUp(database=database, inbox=inbox, shifts=shifts, timings=timings, clock=clock),
        adapters=adapters.values(),
        model=mind.model,
        measuring=measuring,
        clock=clock,
        folding=due_sessions if settings.has_model else None,
        erasing=Erasing(
            database=database, shifts=shifts, count=mind.count, timings=timings, wake=worker.wake, vault=vault
        ),
        returning=Returning(database=database, wake=worker.wake),
        expiring=Expiring(database=database, policy=mind.policy, timings=timings, wake=worker.wake),
        policy=mind.policy,
        audit_seconds=settings.audit_seconds,
        events=events,
        timings=timings,
        owner=owner,
        vault=vault,
    )
    return _House(
        owner=owner,
        database=database,
        adapters=adapters,
        inbox=inbox,
        worker=worker,
        chores=Chores(table, shifts),
        is_sealed=vault is not None,
        timings=timings,
    )


async def prepare(settings: Settings, database: Database) -> Vault | None:
    """Has bodies sealed and opened by the key ring, if there is one, which must be the right one for this database.

    A SQLite file is brought to the newest schema; a PostgreSQL is the operator's to migrate.
    Raises ConfigurationError where the ring is not the right one, before anything is written, or where the tables do
    not keep workspaces apart as they are told; and DatabaseBehind.
    """
    ring = vaults.ring(settings)
    await vaults.require(ring, database)
    if settings.database_url.startswith("sqlite"):
        await database.write(migrations.upgrade)
    else:
        await require_newest(database)
        await database.read(rows.require, on=settings.keeps_apart)
    return await vaults.enter(ring, database)


async def require_newest(database: Database) -> None:
    """Raises DatabaseBehind where the schema is not the one that this program needs."""
    have, need = await database.read(migrations.current), migrations.newest()
    if have != need:
        raise DatabaseBehind(
            f"the schema is at {have or 'nothing'}, this program needs {need}: run `backscroll migrate`"
        )


def open_database(settings: Settings) -> Database:
    """The database, which connects when it is first asked."""
    return connect(settings.database_url, settings.database_listen_url, apart=settings.keeps_apart)


def existing_database(settings: Settings) -> Database:
    """The database, for whoever looks into it or takes something out of it: where there is no file, none is made.

    Raises ConfigurationError.
    """
    for file in sqlite_files(settings.database_url)[:1]:
        if not file.exists():
            raise ConfigurationError(f"DATABASE_URL: there is no {file.absolute()}")
    return open_database(settings)


async def _serve(house: _House, drain_seconds: float, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as outer:
        renewing = outer.create_task(house.worker.renew())
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(_listen(house))
                stopping = group.create_task(stop.wait())
                working = [
                    group.create_task(house.worker.work()),
                    group.create_task(house.chores.work()),
                    group.create_task(house.database.listen(house.worker.wake)),
                ]
                if not house.is_sealed:
                    working.append(group.create_task(vaults.mind_others(house.database, house.timings.keys)))
                await asyncio.wait([listening, stopping], return_when=asyncio.FIRST_COMPLETED)
                for task in (listening, stopping, *working):
                    task.cancel()
        except* (PlatformError, ConfigurationError):
            drain_seconds = 0  # what is being answered can be shown, or stored, no more: the next start does
            raise
        finally:  # also when something fails: what is being answered is finished
            log.info("draining")
            await house.worker.drain(drain_seconds)
            renewing.cancel()


async def _listen(house: _House) -> None:
    """Until every platform has no more to say. Raises PlatformError when the last one goes and some would not have us.

    Who runs several must not lose the others over one.
    """
    refusals: list[PlatformError] = []
    async with asyncio.TaskGroup() as group:
        for adapter in house.adapters.values():
            group.create_task(_hear(adapter, house.inbox.receive, refusals))
    if refusals:
        raise refusals[0]


async def _hear(adapter: Adapter, receive: Receive, refusals: list[PlatformError]) -> None:
    try:
        await adapter.listen(receive)
    except PlatformError as error:
        log.error("platform lost", platform=adapter.platform, reason=str(error))
        refusals.append(error)
