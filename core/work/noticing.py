"""Noticing: what is being answered here may have been edited, deleted, stopped or gone on with meanwhile."""

from collections.abc import Callable

from core.assistant.running import Runs
from core.errors import LeaseLost
from core.model.envelope import whole
from core.session import SessionKey, Turn
from core.store import Database, queue, turns
from core.timings import Timings
from core.work.bursts import is_burst
from core.work.leases import Held, Leases
from core.work.serving import LOOKS_AT


class Noticing:
    """Ends running answers that are not to go on; `wake` is called for sessions that are not held here."""

    def __init__(
        self, *, database: Database, runs: Runs, leases: Leases, timings: Timings, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._runs = runs
        self._leases = leases
        self._timings = timings
        self._wake = wake

    def queued(self, key: SessionKey, turn: Turn, waiting: int) -> None:
        """A turn is one of so many that wait; if it directly follows what is being answered, it may join that."""
        held = self._leases.of(key)
        if held is None:
            self._wake()
        elif held.question is not None and waiting == LOOKS_AT and self._is_burst(held.question, turn):
            self._runs.again_unseen(key, held.question.seq)

    async def look(self) -> None:
        """Takes notice of what has been changed or stopped elsewhere in the sessions that are held here."""
        if not len(self._leases):
            return
        new = await self._database.read(queue.news)
        for held in self._leases.held:
            if held.lease.fenced in new:
                await self.notice(held.lease.key)

    async def notice(self, key: SessionKey) -> None:
        """Looks at the waiting turns of a session again: what is being answered may have changed, or is to stop."""
        held = self._leases.of(key)
        if held is None:
            self._wake()
        elif held.question is not None:
            await self._notice(held, held.question)

    async def _notice(self, held: Held, question: Turn) -> None:
        key = held.lease.key
        try:
            seen = await self._database.write(queue.look, held.lease)
        except LeaseLost:
            self._leases.lose(held)
            return
        now = await self._database.read(turns.waiting, key, question.seq)
        if seen.stop is not None and question.seq < seen.stop:
            self._runs.stop(key, seen.stop)
        elif now is None or _says(now) != _says(question):
            self._runs.again(key, question.seq)
        elif len(seen.waiting) > 1 and self._is_burst(*seen.waiting[:2]):
            self._runs.again_unseen(key, question.seq)

    def _is_burst(self, question: Turn, following: Turn) -> bool:
        return is_burst(question, following, within=self._timings.burst)


def _says(question: Turn) -> tuple[float | None, list[str]]:
    """What tells two versions of a turn apart: itself, and the messages that it points at."""
    return question.edited_at, [whole(quote.text) for quote in question.quotes if quote.message is not None]
