"""The program as a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.sealed import switch

ROOT = Path(__file__).parent.parent


@asynccontextmanager
async def process(
    tmp_path: Path,
    *words: str,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
    **environment: str,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program, with these words on its command line; killed in the end if it still runs."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bots",
        *words,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **switch(), **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()
