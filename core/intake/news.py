"""News of what is remembered: edits, deletions, places that are closed, and workspaces that we were removed from."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from core import events
from core.commands import lines
from core.delivery import composing
from core.delivery.outbox import Outbox
from core.events import Events
from core.intake.acceptance import Acceptance
from core.memory.mind import Mind
from core.seam.messages import Audience, Closed, Deleted, Edited, Left
from core.session import SessionKey
from core.store import Database, changes, closings, places
from core.timings import Timings
from core.work.worker import Worker


class News:
    """Changes what is remembered as people have changed what is on screen, and tells whoever answers it."""

    def __init__(
        self,
        *,
        database: Database,
        worker: Worker,
        outbox: Outbox,
        mind: Mind,
        acceptance: Acceptance,
        events: Events,
        timings: Timings,
    ) -> None:
        self._database = database
        self._worker = worker
        self._outbox = outbox
        self._mind = mind
        self._acceptance = acceptance
        self._events = events
        self._timings = timings

    async def edit(self, event: Edited) -> None:
        """The message is remembered as it is now. One of which nothing was known may have been overtaken.

        Of whoever is not talked with any more, what it was is forgotten as well: it is on screen no longer. But an edit
        of before that may be told again.
        """
        said, given = event.message, lines.parse(event.message)
        called = said.audience is Audience.BOT or given is not None
        if await self._acceptance.admitting.is_unheard(said):
            if await self._database.read(places.has_edit, said.address, said.id, event.at):
                return
            if called:
                await self._acceptance.accept(replace(said, edited_at=event.at))  # which tells its author why not
            await self.erase(Deleted(address=said.address, id=said.id))
            return
        kept = await self._acceptance.kept(said, given)
        follow = partial(self._follow, replace(event, message=kept), None if given is None else given.verb)
        known = await follow()
        if not known and event.at - said.at < (self._timings.too_late if called else self._timings.overtaken):
            if await self._acceptance.accept(replace(said, edited_at=event.at)):
                return
            known = await follow()  # another process may have stored it meanwhile, as it was before
        if known and called:
            # all that was known of it may be that it was overheard
            await self._acceptance.accept(replace(said, edited_at=event.at))

    async def _follow(self, event: Edited, verb: str | None) -> bool:
        """Puts what a message has become in place of what it was; False where nothing is known of it."""
        tokens, mind = self._acceptance.count(event.message), self._mind
        bare = (await self._acceptance.admitting.policy(event.message.address)).memory == "lean"
        try:
            waits = await self._database.write(
                changes.edit, event, verb=verb, tokens=tokens, fit=mind.quoted, size=mind.size, bare=bare
            )
        except changes.Unknown:
            return False
        self._events.tell(events.Edited(address=event.message.address, message=event.message.id))
        await self._notice(waits)
        return True

    async def erase(self, event: Deleted) -> None:
        """Its words go from wherever they are remembered."""
        adapter = self._outbox.adapters[event.address.platform]
        waited = await self._database.write(
            changes.erase,
            event.address,
            event.id,
            seconds=self._timings.lease,
            pieces=partial(composing.messages, adapter),
            count=self._mind.count,
        )
        if waited is None:
            return
        self._events.tell(events.Deleted(address=event.address, message=event.id))
        await self._notice(waited)

    async def close(self, event: Closed) -> None:
        """Nothing is answered there any more."""
        closed = await self._database.write(closings.close, event.address, gone=event.gone, seconds=self._timings.lease)
        self._events.tell(events.Closed(address=event.address, waiting=len(closed), gone=event.gone))
        await self._notice(closed)

    async def leave(self, event: Left) -> None:
        """Nothing is answered in that workspace any more."""
        number, closed = await self._database.write(
            closings.leave, event.platform, event.workspace, seconds=self._timings.lease
        )
        self._events.tell(
            events.Left(platform=event.platform, workspace=event.workspace, closed=number, waiting=len(closed))
        )
        await self._notice(closed)

    async def _notice(self, keys: Iterable[SessionKey]) -> None:
        for key in keys:
            await self._worker.noticing.notice(key)
