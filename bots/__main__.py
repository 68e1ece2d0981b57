"""The program from outside: the console script `backscroll`, which is the same as `python -m bots`."""

import os
import signal
import sys

from bots.program import garbage


def main() -> None:
    """Runs the command line. A quarter of the time in which its modules are loaded was the search for garbage.

    Where its caller has closed what it writes to, that goes nowhere.
    """
    _be_ended()
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:
            setattr(sys, stream, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    with garbage.loading():
        from bots.program import cli
    cli.main()


def _be_ended() -> None:
    """SIGTERM ends us from the beginning, also as a container's first process, which the system ends by no signal that
    it does not handle: until `run` drains, and where another command runs.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


if __name__ == "__main__":
    main()
