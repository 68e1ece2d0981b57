"""`backscroll run`: everything that the settings name is made, run until it is told to end, and closed."""

import asyncio
import atexit
import os
import resource
import signal
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, suppress

import structlog

from bots.program import garbage, logs, minds, wiring
from bots.program.doors import Platform, adapter, chosen
from bots.program.version import own_version
from core.config import Settings, own_instructions
from core.model import prices
from core.model.llm import Model
from core.seam.adapter import Adapter
from core.spelling import misspelt_settings
from core.store import Database
from core.timings import Timings

_LAST_STEPS = 8.0
"""Seconds for what is to be done after running answers have had theirs."""


async def run(settings: Settings, named: Sequence[Platform], *, timings: Timings | None = None) -> int:
    """Runs these platforms until SIGTERM, SIGHUP, Ctrl-C, or the end of what they say."""
    platforms = chosen(settings, named)
    if Platform.CONSOLE in platforms:
        logs.configure(settings.backscroll_log, quiet=True)
    own_instructions(settings)  # a wrong file is said before anything connects
    prices.read(settings.backscroll_prices_file)
    stop = asyncio.Event()
    _heed(stop, within=settings.backscroll_drain_seconds + _LAST_STEPS)
    try:
        with garbage.loading():
            doors, database = {one: adapter(one, settings) for one in platforms}, wiring.open_database(settings)
            model, others = minds.make_model(settings, database), minds.make_models(settings, database)
        structlog.get_logger().info("starting", version=own_version())
    finally:
        for one in misspelt_settings():
            structlog.get_logger().warning("unknown setting", name=one.name, remedy=one.remedy)
    _allow_files()
    try:
        await wiring.run(
            settings, database=database, model=model, adapters=doors, stop=stop, timings=timings, others=others
        )
    finally:
        await _close(database, [model, *others.values()], doors.values())
    return 0


def _heed(stop: asyncio.Event, *, within: float) -> None:
    """SIGTERM, Ctrl-C and the end of the terminal set the event, as often as they come; once the loop is gone, they
    keep the process from none of its last steps. Whoever is to outlive its terminal (`nohup`) does.

    So many seconds later it ends in any case: a database that hangs would hold it for minutes.
    """
    loop = asyncio.get_running_loop()

    def heard(_number: int, _frame: object) -> None:
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, within)
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    signal.signal(signal.SIGALRM, _leave)
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (signal.SIGTERM, signal.SIGINT, *(() if outlives else (signal.SIGHUP,))):
        signal.signal(number, heard)
        atexit.register(signal.signal, number, signal.SIG_IGN)  # Python gives its own handlers up before it ends
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)


def _leave(_number: int, _frame: object) -> None:
    """As by a crash, after which nothing is lost."""
    with suppress(RuntimeError, OSError):  # whatever was being written when the alarm came
        structlog.get_logger().warning("ended in the middle", reason="the last steps take too long")
    os._exit(0)


def _allow_files() -> None:
    """As many open files as the system lets this process have: each answer that streams is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit unlimited, and refuses that
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _close(database: Database, models: Iterable[Model], adapters: Iterable[Adapter]) -> None:
    """Closes all of them, also when one of them fails over it; the database last."""
    async with AsyncExitStack() as stack:
        for close in (database.close, *(one.close for one in models), *(one.close for one in adapters)):
            stack.push_async_callback(close)
