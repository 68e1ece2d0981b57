"""An owner is a process that no restart and no other container can be mistaken for (A6)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bots.program.owner import is_alive, own_place, process


def owner(name: str) -> str:
    return f"{own_place()}{name}:0a1b2c3d.7"


def test_one_that_runs_is_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert is_alive(owner(process(other.pid)))
        other.communicate(b"\n")

    assert not is_alive(owner(process(other.pid)))


def test_another_process_that_has_got_the_same_number_is_not_it() -> None:
    if not process(os.getppid()).partition("@")[2]:
        pytest.skip("this system does not tell when a process started")

    assert not is_alive(owner(f"{os.getppid()}@1"))


def test_our_own_number_is_that_of_one_before_us() -> None:
    """A container's first process is always number 1."""
    assert not is_alive(owner(process(os.getpid())))


def test_a_container_of_the_same_name_is_another_place() -> None:
    """Its processes are numbered in a space of its own, which the place names."""
    if not Path("/proc/self/ns/pid").exists():
        pytest.skip("this system has no containers of its own")

    host, start, end = own_place().split(":")

    assert end == ""
    assert start.partition("/")[2] == "".join(filter(str.isdigit, str(Path("/proc/self/ns/pid").readlink())))
    assert host
