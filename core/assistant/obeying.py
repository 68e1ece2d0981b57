"""Obeying: what a command does and says is stored as one, and then said."""

from collections.abc import Sequence

from core.access import Access
from core.assistant.running import Runs
from core.commands import deeds
from core.commands.deeds import Desk, Order, Said
from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.outbox import Outbox
from core.memory.mind import Mind
from core.seam.messages import Choice
from core.session import Answer, Fate, Lease
from core.store import Connection, Database, answering, withdrawals
from core.store.deliveries import Delivery


class Obeying:
    """Does what commands say that the model is not asked about.

    Those that don't queue are obeyed without a lease: whoever holds the session is not disturbed.
    """

    def __init__(self, *, database: Database, outbox: Outbox, mind: Mind, access: Access, runs: Runs) -> None:
        self._database = database
        self._outbox = outbox
        self._mind = mind
        self._access = access
        self._runs = runs

    async def obey(self, order: Order, lease: Lease | None) -> Fate:
        """Does it, once, and says what came of it. Raises LeaseLost, or a DeliveryError."""
        try:
            said, parts = await self._database.write(self._effect, order, lease)
        except answering.AlreadyAnswered:  # nothing was done twice
            return Fate.GIVEN_BACK if lease is None else await self.finish(order, lease)
        if said.stopped is not None:
            self._runs.stop(order.key, said.stopped)
        begun = order.turn.begun
        # What was begun was an answer, before an edit: its message becomes the command's, unless that is for one alone.
        fresh = answering.stored(parts) if order.is_private or not begun else None
        return await self._say(order, lease, fresh, said.choices)

    async def finish(self, order: Order, lease: Lease) -> Fate:
        """Says what was stored before."""
        choices: tuple[Choice, ...] = ()
        if order.is_vague:
            choices = (await self._database.read(deeds.choose, order)).choices
        return await self._say(order, lease, None, choices)

    async def _say(
        self,
        order: Order,
        lease: Lease | None,
        fresh: Sequence[Delivery] | None,
        choices: tuple[Choice, ...],
    ) -> Fate:
        errand = Errand(
            key=order.key,
            cause=order.turn,
            lease=lease,
            stored=fresh,
            doubtful=order.turn.begun,
            private=order.is_private,
            choices=choices,
        )
        return Fate.of(kept=await self._outbox.deliver(errand))

    def _effect(self, connection: Connection, order: Order, lease: Lease | None) -> tuple[Said, tuple[str, ...]]:
        """What it does and says, in one transaction."""
        said = deeds.run(connection, self._desk(order))
        adapter = self._outbox.adapters[order.key.address.platform]
        decided = Answer(parts=composing.pieces(adapter, order.turn, said.text))
        if order.turn.begun:
            kept = 0 if order.is_private else len(decided.parts)
            withdrawals.set_aside(connection, order.key, order.turn.seq, kept)
        answering.answer(connection, order.key, order.turn, decided, lease=lease)
        return said, decided.parts

    def _desk(self, order: Order) -> Desk:
        mind = self._mind
        return Desk(
            order=order,
            access=self._access,
            model=mind.model.name,
            budget=mind.limit,
            room=mind.room,
            fixed=mind.fixed,
            cut=mind.cut,
            prices=mind.prices,
            context=mind.model.context if mind.limit < mind.budget else None,
        )
