"""The end of what is off the record: people are told of it where nobody has ended it before its time."""

from collections.abc import Callable

from core.store import Database, unrecorded


class Returning:
    """Tells people that they are on the record again; `wake` is called when there is something to be said."""

    def __init__(self, *, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake

    async def look(self) -> None:
        """Looks where that is so by now. Raises a DatabaseError."""
        for key in await self._database.read(unrecorded.over):
            await self._database.write(unrecorded.announce, key)
            self._wake()
