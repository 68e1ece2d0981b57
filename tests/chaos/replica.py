"""The program as a replica: with the host name that CHAOS_HOST gives, and blind where CHAOS_BLIND says so.

What ages is looked at often, and what has failed is tried again soon: a run is shorter than an hour. SIGUSR1 sets its
clock 20 minutes ahead, SIGUSR2 sets it right. What CHAOS_VITALS names is where it writes how it is.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import typer

_AHEAD = 20 * 60.0

if __name__ == "__main__":
    host = os.environ["CHAOS_HOST"]
    socket.gethostname = lambda: host
    real, ahead = time.time, 0.0

    def jump(number: int, _frame: object) -> None:
        global ahead
        ahead = _AHEAD if number == signal.SIGUSR1 else 0.0

    time.time = lambda: real() + ahead
    signal.signal(signal.SIGUSR1, jump)
    signal.signal(signal.SIGUSR2, jump)
    if os.environ.get("CHAOS_BLIND"):
        from tests.chaos import naive

        naive.blind()
    from bots.program.doors import Platform
    from bots.program.exits import go, known_settings
    from bots.program.run import run
    from core.timings import Timings
    from tests.chaos.vitals import pulse

    lease = float(os.environ["BACKSCROLL_LEASE_SECONDS"])
    timings = Timings(lease=lease, age=0.5, fold=0.5, fold_text=20.0, fold_again=0.5, fold_rest=0.5)

    async def live() -> int:
        beating = asyncio.create_task(pulse(Path(os.environ["CHAOS_VITALS"])))
        try:
            return await run(known_settings(), [Platform.SLACK, Platform.DISCORD], timings=timings)
        finally:
            beating.cancel()

    try:
        go(live)
    except typer.Exit as end:
        sys.exit(end.exit_code)
