"""The table of chores: what is done, how often, and how soon again where it failed."""

from collections.abc import Collection, Sequence
from functools import partial
from math import inf
from time import time

import structlog

from core.budget import periods
from core.chores.erasing import Erasing
from core.chores.expiring import Expiring
from core.chores.folding import NAME, DueSessions
from core.chores.hearing import Hearing
from core.chores.measuring import Measuring
from core.chores.pruning import Pruning
from core.chores.runner import Chore
from core.chores.sealing import HearingOfKeys, Resealing
from core.chores.telling_time import SharedClock
from core.chores.timing_out import TimingOut
from core.chores.unrecorded import Returning
from core.delivery.reconcile import Reconciler
from core.events import Events
from core.intake.catchup import CatchUp
from core.model.llm import Model
from core.policy import Policy
from core.seam.adapter import Adapter
from core.store import Database, doubts, erasures, pseudonyms
from core.store.sealing import Vault
from core.timings import Timings

log = structlog.get_logger()


def chores(
    *,
    database: Database,
    reconciler: Reconciler,
    catch_up: CatchUp,
    adapters: Collection[Adapter],
    model: Model,
    measuring: Measuring,
    clock: SharedClock,
    folding: DueSessions | None,
    erasing: Erasing,
    returning: Returning,
    expiring: Expiring,
    policy: Policy,
    audit_seconds: float,
    events: Events,
    timings: Timings,
    owner: str,
    vault: Vault | None = None,
) -> Sequence[Chore]:
    """All of them; without `folding`, nothing is folded, and without a `vault` nothing sealed.

    The audit is kept for so many seconds. `owner` is this process's name.
    """
    return [
        reconciling(reconciler, timings),
        forgetting(database, timings),
        *(hearing(database, adapter, owner, timings) for adapter in adapters),
        *(catching_up(catch_up, adapter, timings) for adapter in adapters),
        *(timing_out(database, policy, adapter, events, timings) for adapter in adapters),
        erasing_words(erasing, timings),
        recording_again(returning, timings),
        expiring_words(expiring, timings),
        looking(model, timings),
        sharing_measures(measuring, timings),
        telling_time(clock, timings),
        *([] if audit_seconds == inf else [pruning(database, audit_seconds, timings)]),
        *([] if folding is None else [folding_sessions(folding, timings)]),
        *([] if vault is None else [hearing_of_keys(database, vault, timings)]),
        *([] if vault is None or vault.all_sealed else [sealing(database, vault, timings)]),
    ]


def reconciling(reconciler: Reconciler, timings: Timings) -> Chore:
    """What may not be on screen as it should is looked at once more; a delivery is one process's at a time."""
    every = timings.reconcile
    return Chore(name="reconciling", do=reconciler.look, every=every, after_failure=every, by_one=False)


def forgetting(database: Database, timings: Timings) -> Chore:
    """What has arrived for certain long ago is forgotten, a bounded number of rows at once."""

    async def forget() -> float | None:
        await database.write(erasures.forget)
        await database.write(pseudonyms.forget, since=periods.running(time()))
        found = await database.write(doubts.forget)
        return timings.reconcile if found >= doubts.FORGET_AT_ONCE else None

    return Chore(name="forgetting", do=forget, every=timings.forget, after_failure=timings.put_off, by_one=True)


def hearing(database: Database, adapter: Adapter, owner: str, timings: Timings) -> Chore:
    """Each process says which platforms it hears, whatever else it is at."""
    say, every = Hearing(database=database, adapter=adapter, owner=owner, timings=timings).say, timings.heard
    return Chore(name="hearing", platform=adapter.platform, do=say, every=every, after_failure=every, by_one=False)


def catching_up(catch_up: CatchUp, adapter: Adapter, timings: Timings) -> Chore:
    """Each process says what it hears; what was said while nobody heard is looked up by one, in a shift of its own."""
    return Chore(
        name="catching up",
        platform=adapter.platform,
        do=partial(catch_up.keep, adapter),
        every=timings.heard,
        after_failure=timings.unlooked,
        by_one=False,
    )


def folding_sessions(folding: DueSessions, timings: Timings) -> Chore:
    """Old turns become checkpoints where a window is full; each session is one process's at a time, in a shift."""
    every = timings.fold
    return Chore(name=NAME, do=folding.look, every=every, after_failure=every, by_one=False)


def erasing_words(erasing: Erasing, timings: Timings) -> Chore:
    """What people want forgotten is taken out, by one process, in a shift of its own while there is something."""
    every = timings.erase
    return Chore(name="erasing", do=erasing.look, every=every, after_failure=timings.put_off, by_one=False)


def expiring_words(expiring: Expiring, timings: Timings) -> Chore:
    """What has been kept for as long as is set is taken out, by one process."""
    sweep = expiring.sweep
    return Chore(name="expiring", do=sweep, every=timings.expire, after_failure=timings.put_off, by_one=True)


def recording_again(returning: Returning, timings: Timings) -> Chore:
    """Where talk was off the record, people are told when it is not any more, once, whichever process looks first."""
    every = timings.unrecorded
    return Chore(name="recording again", do=returning.look, every=every, after_failure=every, by_one=False)


def timing_out(database: Database, policy: Policy, adapter: Adapter, events: Events, timings: Timings) -> Chore:
    """Sessions with which nobody has talked for long are timed out, by one process for each platform."""
    return Chore(
        name="timing out",
        platform=adapter.platform,
        do=TimingOut(database=database, policy=policy, adapter=adapter, events=events, timings=timings).sweep,
        every=timings.age,
        after_failure=timings.put_off,
        by_one=True,
    )


def pruning(database: Database, seconds: float, timings: Timings) -> Chore:
    """What has been in the audit for so many seconds goes."""
    sweep = Pruning(database=database, kept=seconds).sweep
    return Chore(name="pruning", do=sweep, every=timings.prune, after_failure=timings.put_off, by_one=True)


def hearing_of_keys(database: Database, vault: Vault, timings: Timings) -> Chore:
    """Data keys that others have made or destroyed are heard of, by each process for what it has at hand."""
    hearing, every = HearingOfKeys(database=database, vault=vault), timings.keys
    return Chore(name="hearing of keys", do=hearing.look, every=every, after_failure=every, by_one=False)


def sealing(database: Database, vault: Vault, timings: Timings) -> Chore:
    """What was stored before there was a key ring is sealed, by one process."""

    async def seal() -> None:
        if not vault.all_sealed:
            await Resealing(database=database, vault=vault, heard=timings.keys).seal_all()

    return Chore(name="sealing", do=seal, every=timings.seal, after_failure=timings.put_off, by_one=True)


def looking(model: Model, timings: Timings) -> Chore:
    """The model's server is asked what it tells of the model."""

    async def look() -> None:
        for warning in await model.look():
            log.warning("model ends", reason=warning)

    return Chore(name="looking at the model", do=look, every=timings.model, after_failure=timings.model, by_one=False)


def sharing_measures(measuring: Measuring, timings: Timings) -> Chore:
    """What any process learns of how the models count, all do."""
    every = timings.measure
    return Chore(name="sharing measures", do=measuring.look, every=every, after_failure=every, by_one=False)


def telling_time(clock: SharedClock, timings: Timings) -> Chore:
    """Every process goes by the database's clock: its own may differ from the others', and jump."""
    every = timings.measure
    return Chore(name="telling the time", do=clock.look, every=every, after_failure=every, by_one=False)
