"""What a function of a `Connection` needs first is done apart from it, in a transaction that is committed before."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from core.store.engine.database import Database

P = ParamSpec("P")
T = TypeVar("T")

_OFTEN = 1_000
"""What needs something first more often than this will never have it."""


class NotYet(Exception):
    """Raised by a function that can't be run before something else has been done: that is done, and it is run again."""

    def __init__(self, first: Callable[[Database], Awaitable[None]]) -> None:
        super().__init__("something is needed first")
        self.first = first


class Again:
    """A `Database` that does what its functions need first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As the database does."""
        try:
            return await self._database.write(function, *args, **kwargs)
        except NotYet as missing:
            return await self._after(missing, partial(self._database.write, function, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As the database does."""
        try:
            return await self._database.read(function, *args, **kwargs)
        except NotYet as missing:
            return await self._after(missing, partial(self._database.read, function, *args, **kwargs))

    async def listen(self, wake: Callable[[], None]) -> None:
        """As the database does."""
        await self._database.listen(wake)

    async def close(self) -> None:
        """As the database does."""
        await self._database.close()

    async def _after(self, missing: NotYet, run: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_OFTEN):
            await missing.first(self._database)
            try:
                return await run()
            except NotYet as another:
                missing = another
        raise missing
