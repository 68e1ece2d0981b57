"""A copy of a SQLite file as it is at one moment, while others read and write it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from core.errors import DatabaseError
from core.store.engine.complaints import of_sqlite

_UNHEARD = 120_000  # milliseconds
_SET_BACK = (
    f"UPDATE presence SET heard_at = heard_at - {_UNHEARD}",  # noqa: S608 – of our own words
    "DELETE FROM hearers",
)
"""Whoever starts on the copy looks at what was said and answered since, however soon that is: a gap in hearing is what
makes one look, and no process hears anything yet."""


def copy(source: Path, target: Path) -> int:
    """Makes the target, for its owner alone, and returns its length in bytes. It is there once it is whole.

    Raises a DatabaseError, and OSError where the target can't be made; FileExistsError where it is there already.
    """
    half = target.parent / f"{target.name}.part"  # also of `.`, which has no name
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        os.close(os.open(half, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        _fill(source, half)
        half.replace(target)
    except BaseException as error:
        for left in (half, target):
            left.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise of_sqlite(error, str(source)) from None
        raise
    return target.stat().st_size


def _in_place(file: Path) -> str:
    """The file by an address with which SQLite makes none."""
    return f"{file.absolute().as_uri()}?mode=rw"


def _fill(source: Path, half: Path) -> None:
    with closing(sqlite3.connect(_in_place(source), uri=True)) as from_, closing(sqlite3.connect(half)) as into:
        from_.backup(into)
        with into:
            for order in _SET_BACK:
                into.execute(order)
        (found,) = into.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise DatabaseError(f"{source} is damaged: {found}", remedy="Put an older backup back.")
    file = os.open(half, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
