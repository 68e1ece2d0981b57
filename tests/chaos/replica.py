"""The program as a replica: with the host name that CHAOS_HOST gives, and blind where CHAOS_BLIND says so.

What ages is looked at often, and what has failed is tried again soon: a run is shorter than an hour.
"""

import os
import socket
import sys

import typer

if __name__ == "__main__":
    host = os.environ["CHAOS_HOST"]
    socket.gethostname = lambda: host
    if os.environ.get("CHAOS_BLIND"):
        from tests.chaos import naive

        naive.blind()
    from bots.program.doors import Platform
    from bots.program.exits import go, known_settings
    from bots.program.run import run
    from core.timings import Timings

    lease = float(os.environ["BACKSCROLL_LEASE_SECONDS"])
    timings = Timings(lease=lease, age=0.5, fold=0.5, fold_text=20.0, fold_again=0.5, fold_rest=0.5)
    try:
        go(lambda: run(known_settings(), [Platform.SLACK, Platform.DISCORD], timings=timings))
    except typer.Exit as end:
        sys.exit(end.exit_code)
