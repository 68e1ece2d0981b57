"""Tests in which workspaces are kept apart: `pytest --apart` has each PostgreSQL of a test do so, as an operator may.

Its tables belong to a role that is no superuser, and to which the rules apply as to any other. What the tests
themselves look up or change they see as a whole; what is ours, and forgets to say for which workspace, sees no words.
"""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, make_url

from core.store.engine import postgresql, rows

ROLE = "owner_of_tables"
_PASSES = "postgres"
_PostgreSQL = postgresql.PostgreSQL


def is_told() -> bool:
    """Whether databases of this process's tests keep workspaces apart."""
    return rows.SETTING in os.environ


def whole(url: str) -> str:
    """The same database's address, by which everything is seen."""
    return url.replace(f"//{ROLE}:", f"//{_PASSES}:")


class _KeptApart(_PostgreSQL):
    """It keeps our functions apart, and none of the tests'."""

    def __init__(self, url: URL, listen_url: URL | None = None, *, seconds: float | None, apart: bool = True) -> None:
        super().__init__(url, listen_url, seconds=seconds, apart=True)
        everything = make_url(whole(url.render_as_string(hide_password=False)))
        self._whole = _PostgreSQL(everything, listen_url, seconds=seconds) if everything != url else None

    async def write(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_a_tests = getattr(function, "func", function).__module__.startswith("tests.")
        if self._whole is not None and is_a_tests:
            return await self._whole.write(function, *args, **kwargs)
        return await super().write(function, *args, **kwargs)

    async def close(self) -> None:
        await super().close()
        if self._whole is not None:
            await self._whole.close()


def keep_apart() -> None:
    """From now on, this process and those that the tests start keep workspaces apart."""
    os.environ[rows.SETTING] = "on"
    postgresql.PostgreSQL = _KeptApart
