"""How the program is ended from outside, where it is the first process of a container."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import ROOT

_APART = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child"]


def _may_be_first() -> bool:
    if shutil.which(_APART[0]) is None:
        return False
    return subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_be_first(), reason="processes can't have numbers of their own here")
async def test_the_first_process_of_a_container_is_ended_by_sigterm_before_it_has_begun_to_run(tmp_path: Path) -> None:
    """While it waits for a database, as it might load its modules: `docker stop` is not to wait for its patience."""
    waited_for = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waited_for.set()
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"postgresql://x@127.0.0.1:{port}/x",
    }
    outer = await asyncio.create_subprocess_exec(
        *_APART, sys.executable, "-m", "bots", "health", cwd=tmp_path, env=environment
    )
    await asyncio.wait_for(waited_for.wait(), 30)
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()  # noqa: ASYNC240 – it is in memory
    os.kill(int(children), signal.SIGTERM)

    assert await asyncio.wait_for(outer.wait(), 30) == 128 + signal.SIGTERM
    server.close()
    await server.wait_closed()
