"""An owner's name: which process holds a lease, so that whoever starts here later knows whether it still runs."""

import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from secrets import token_hex


def ourselves(place: str) -> str:
    """This process as an owner, in a place that is our own: like no other one, before or after it."""
    return f"{place}{process(os.getpid())}:{token_hex(4)}."


def own_place() -> str:
    """Where process IDs mean something: host, start of the machine, and space of process IDs, with a colon behind each.

    Containers of one machine may share host name and process ID, but no two that live share a space of IDs
    (pid_namespaces(7)): whoever is named with this very space and does not run in it has ended.
    """
    space = "-"
    with suppress(OSError):
        space = re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    return f"{socket.gethostname()}:{_boot()}/{space}:"


def _boot() -> str:
    """What tells one start of this machine from another, so that a process ID means something."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return "-"


def process(number: int) -> str:
    """A process as no other one will ever be called in its place: its ID, and when it started where that is told."""
    with suppress(OSError, IndexError):  # field 22 of proc(5)'s stat; the name before it may hold anything
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{number}@{fields[19]}"
    return f"{number}@"


def is_alive(owner: str) -> bool:
    """Whether the process that an owner of this place names still runs. Our own ID means one that had it before us."""
    named = owner.split(":")[-2]
    number = int(named.partition("@")[0])
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, of which we may not be told more
        return True
    return number != os.getpid() and process(number) == named
