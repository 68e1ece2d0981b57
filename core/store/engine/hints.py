"""Hints: how one process tells the others that there is work. None has to arrive: a poll is the guarantee.

SQLite has none. `PRAGMA data_version` tells of the others' commits, but also of those of our own writer, and has to be
asked many times a second: measured, every 50 ms takes 0.5 % of a core in an idle process.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import random

import asyncpg
import structlog

from core.store.engine.sql import CHANNEL

log = structlog.get_logger()

_HEARTBEAT = 15  # seconds after which a silent connection is asked whether it still lives
_FAREWELL = 2.0  # seconds that an end waits for a connection which is being made
_LONGEST_WAIT = 30  # seconds between two attempts to connect


async def listen(connect: Callable[[], Awaitable[asyncpg.Connection]], wake: Callable[[], None]) -> None:
    """Calls `wake` at every hint, and at every new connection, as one may have been missed before. Never returns."""
    failures = 0
    while True:
        try:
            connection = await _connected(connect)
            failures = 0
            try:
                await _hear(connection, wake)
            finally:
                connection.terminate()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if not failures:
                log.info("hints from other processes are not heard", why=type(error).__name__, instead="a poll")
            failures += 1
        await asyncio.sleep(min(0.1 * 2**failures, _LONGEST_WAIT) * (0.5 + random()))  # noqa: S311 – jitter, not a secret


async def _connected(connect: Callable[[], Awaitable[asyncpg.Connection]]) -> asyncpg.Connection:
    """Whoever ends us meanwhile waits a moment: asyncpg, cut off half-way, leaves an error behind that nobody hears."""
    connecting = asyncio.ensure_future(connect())
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        await asyncio.wait([connecting], timeout=_FAREWELL)
        if connecting.cancel() or connecting.exception() is not None:
            raise
        connecting.result().terminate()
        raise


async def _hear(connection: asyncpg.Connection, wake: Callable[[], None]) -> None:
    """Raises what ends the connection."""
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    await connection.add_listener(CHANNEL, lambda *_: wake())
    wake()
    while not lost.is_set():
        try:
            await asyncio.wait_for(lost.wait(), _HEARTBEAT)
        except TimeoutError:
            await connection.fetchval("SELECT 1", timeout=_HEARTBEAT)
    raise ConnectionResetError("the connection was closed")
