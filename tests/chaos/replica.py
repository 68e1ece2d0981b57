"""The program as a replica: with the host name that CHAOS_HOST gives, and blind where CHAOS_BLIND says so."""

import os
import socket

if __name__ == "__main__":
    host = os.environ["CHAOS_HOST"]
    socket.gethostname = lambda: host
    if os.environ.get("CHAOS_BLIND"):
        from tests.chaos import naive

        naive.blind()
    from bots.program.cli import main

    main()
