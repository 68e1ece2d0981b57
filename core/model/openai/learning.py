"""What is known of a server and changes as its answers teach it."""

import asyncio
from dataclasses import replace

from core.model.llm import Recollection
from core.model.openai.manners import Manners, read
from core.model.openai.server import Server


class Learning:
    """The manners of a server as they are known now; what is news is kept as well, once there is where to."""

    def __init__(self, server: Server) -> None:
        self.known = Manners()
        self._server = server
        self._recollection: Recollection | None = None
        self._keeping: set[asyncio.Task[None]] = set()

    async def recall(self, recollection: Recollection) -> bool:
        """Starts from what is kept there, or takes up what others have kept since; whether that is news."""
        self._recollection = recollection
        kept = await recollection.recall(self._server.name, self._server.model)
        if kept is None or self._keeping or read(kept) == self.known:  # what is learnt here and being kept is newer
            return False
        self.known = read(kept)
        return True

    def learn(self, **news: object) -> None:
        """Takes in what has turned out."""
        now = replace(self.known, **news)  # type: ignore[arg-type]  # the fields of Manners
        if now != self.known:
            self.known = now
            if self._recollection is not None:
                self._keep(self._recollection)

    def _keep(self, recollection: Recollection) -> None:
        kept = recollection.keep(self._server.name, self._server.model, self.known.written())
        task = asyncio.create_task(kept)
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def close(self) -> None:
        """Waits until what was learnt is kept."""
        if self._keeping:
            await asyncio.wait(self._keeping)
