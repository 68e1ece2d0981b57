"""The model's server as a process of its own: its address, and how it counts."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession

from tests.process import ROOT
from tests.real.conversation import last_words


@asynccontextmanager
async def llama(context: int, log: Path, *, talks: int = 1) -> AsyncIterator[str]:
    """The model's server, by its address; its log goes into a file.

    It keeps in mind what it has read of so many `talks`, each with a context of its own.
    """
    with log.open("ab") as words:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.real.llama",
            str(context),
            str(talks),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
        )
    assert running.stdout is not None
    try:
        address = (await running.stdout.readline()).decode().strip()
        if not address.startswith("http"):
            raise RuntimeError(f"llama.cpp's server did not start: {last_words(log)}")
        yield address
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def count(address: str, text: str) -> int:
    """How many tokens a text is to it."""
    async with ClientSession() as session, session.post(f"{address}/tokenize", json={"content": text}) as answer:
        return len((await answer.json())["tokens"])
