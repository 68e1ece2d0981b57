"""A SQLite file that is taken away, or has another put in its place, under a running program."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import DatabaseGone
from core.store import connect
from core.store.health import try_writing
from tests.process import process


def _take_away(file: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)


def _put_back(file: Path) -> None:
    """A copy, as of a backup."""
    with closing(sqlite3.connect(file)) as whole, closing(sqlite3.connect(f"{file}.new")) as copy:
        whole.backup(copy)
    Path(f"{file}.new").rename(file)


def _names(file: Path) -> set[str]:
    return {one.name for one in file.parent.iterdir()}


@pytest.fixture
def dialect() -> str:
    """A server has its files for itself."""
    return "sqlite"


@pytest.mark.parametrize("befall", [_take_away, _put_back])
async def test_what_would_be_lost_is_not_said_to_be_stored(url: str, befall: Callable[[Path], None]) -> None:
    file = Path(url.removeprefix("sqlite:///"))
    database = connect(url, clean_after=0.0)
    await database.write(try_writing)
    befall(file)
    left = _names(file)

    with pytest.raises(DatabaseGone, match=str(file)) as raised:
        await database.write(try_writing)
    with pytest.raises(DatabaseGone):
        await database.read(lambda _: None)

    assert "start again" in raised.value.remedy
    await database.close()
    assert "backscroll.db" not in _names(file) - left, "none is made in its place"


@pytest.mark.parametrize("befall", [_take_away, _put_back])
async def test_a_program_whose_file_is_gone_ends_and_says_so(tmp_path: Path, befall: Callable[[Path], None]) -> None:
    """It can't do its work any more, and whoever starts it again finds what there is."""
    async with process(tmp_path, "run", "console") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"hello\n")
        await running.stdout.readline()
        befall(tmp_path / "backscroll.db")
        assert running.stderr is not None
        said = (await running.stderr.read()).decode()

        assert await running.wait() == 1
    assert "it was taken away, while it was open" in said.splitlines()[-1]
    assert "Traceback" not in said
