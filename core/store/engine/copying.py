"""A copy of a SQLite file as it is at one moment, while others read and write it."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import mkstemp

from core.errors import DatabaseError
from core.store.engine.complaints import of_sqlite

_UNHEARD = 120_000  # milliseconds
_SET_BACK = (
    f"UPDATE presence SET heard_at = heard_at - {_UNHEARD}",  # noqa: S608 – of our own words
    "DELETE FROM hearers",
)
"""Whoever starts on the copy looks at what was said and answered since, however soon that is: a gap in hearing is what
makes one look, and no process hears anything yet."""


_OF_THE_COPY = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR_WRITE: errno.EIO}
"""Codes that are not about the source, to which nothing is written."""


def copy(source: Path, target: Path) -> int:
    """Makes the target, for its owner alone, and returns its length in bytes. It is there once it is whole: whatever
    interrupts it leaves no more than a file that ends in `.part`.

    Raises a DatabaseError, and OSError where the target can't be made; FileExistsError where it is there already.
    """
    if os.path.lexists(target):
        raise FileExistsError(target)
    number, half = mkstemp(".part", f"{target.name}.", target.parent)
    os.close(number)
    try:
        _fill(source, half)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.replace(half, target)  # noqa: PTH105 – a name as mkstemp gives it
    except BaseException as error:
        Path(half).unlink(missing_ok=True)
        if not isinstance(error, sqlite3.Error):
            raise
        number = _OF_THE_COPY.get(error.sqlite_errorcode, 0)
        raise OSError(number, os.strerror(number)) if number else of_sqlite(error, str(source)) from None
    return target.stat().st_size


def in_place(file: Path) -> str:
    """The file by an address with which SQLite makes none."""
    return f"{file.absolute().as_uri()}?mode=rw"


def _fill(source: Path, half: str) -> None:
    with closing(sqlite3.connect(in_place(source), uri=True)) as from_, closing(sqlite3.connect(half)) as into:
        into.execute("PRAGMA journal_mode=OFF").close()  # a copy that fails is thrown away
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
