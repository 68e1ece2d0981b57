"""Obeying: what a command does and says is stored as one, and then said."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.access import Deed
from core.assistant.permitting import Permitting
from core.assistant.running import Runs
from core.commands import auditing, deeds, forms
from core.commands.orders import Desk, Order, Said
from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.outbox import Outbox
from core.memory.mind import Mind
from core.policy import Overrides
from core.seam.links import Linked
from core.session import Answer, Fate, Lease
from core.store import Connection, Database, answering, audit, policies, queue, turns, withdrawals
from core.store.deliveries import Delivery
from core.timings import Clock, Timings

log = structlog.get_logger()

_OFF = "I am switched off here, and listen only to those who may change my settings."


class Obeying:
    """Does what commands say that the model is not asked about.

    Those that don't queue are obeyed without a lease: whoever holds the session is not disturbed.
    """

    def __init__(
        self, *, database: Database, outbox: Outbox, mind: Mind, timings: Timings, runs: Runs, clock: Clock
    ) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._mind = mind
        self._runs = runs
        self._permitting = Permitting(database=database, adapters=outbox.adapters, mind=mind, timings=timings)

    async def obey(self, order: Order, lease: Lease | None) -> Fate:
        """Does it, once, and says what came of it. Raises LeaseLost, or a DeliveryError."""
        is_admin, linked = await self._permitting.is_admin(order, order.deed), await self._linked(order)
        read = None
        if deeds.only_reads(order):
            read = await self._database.read(self._run, order, is_admin=is_admin, linked=linked)
        try:
            said, parts = await self._done(order, lease, is_admin=is_admin, linked=linked, read=read)
        except answering.AlreadyAnswered:  # nothing was done twice
            return Fate.GIVEN_BACK if lease is None else await self.finish(await self._again(order), lease)
        if said.stopped is not None:
            self._runs.stop(order.key, said.stopped)
        begun, private = order.turn.begun, order.is_private or said.is_denial
        # What was begun was an answer, before an edit: its message becomes the command's, unless that is for one alone.
        fresh = answering.stored(parts) if private or not begun else None
        return await self._say(order, lease, fresh, said, decided=True, private=private)

    async def permits(self, order: Order, overrides: Overrides) -> bool:
        """Whether its asker may have it done by the model, by what is set for the session; where not, it is obeyed."""
        deed = order.deed
        return deed is None or (await self._permitting.may(order, deed, overrides)).granted

    async def ignores(self, order: Order) -> bool:
        """Whether nothing is said to it: we are switched off there, and its asker may not change that."""
        overrides = await self._database.read(policies.of, order.key)
        if self._mind.policy.under(overrides).answers != "off":
            return False
        deed = Deed.HAND_OVER if order.deed is Deed.HAND_OVER else Deed.SET
        return not (await self._permitting.may(order, deed, overrides)).granted

    async def ignore(self, order: Order, lease: Lease | None) -> Fate:
        """Says nothing, or in private that we are off: to what has a ticket, for which its platform wants an answer."""
        adapter, asked = self._outbox.adapters[order.key.address.platform], order.turn
        parts = () if asked.slip.ticket is None else composing.pieces(adapter, asked, _OFF)
        if parts:
            await self._database.write(queue.keep_private, order.key, asked.seq)
        errand = Errand(
            key=order.key,
            cause=asked,
            lease=lease,
            stored=answering.stored(parts),
            private=True,
            command=order.command.name,
        )
        return await self._outbox.answer(errand, Answer(parts=parts))

    async def finish(self, order: Order, lease: Lease) -> Fate:
        """Says what was stored before."""
        return await self._say(order, lease, None, await self._beside(order), decided=False, private=order.is_private)

    async def _again(self, order: Order) -> Order:
        """The command as it is stored by now, with whether what is said to it is for its asker alone."""
        stored = await self._database.read(turns.waiting, order.key, order.turn.seq)
        return order if stored is None else replace(order, turn=stored)

    async def _beside(self, order: Order) -> Said:
        """What goes with words that are stored already: nothing is done for it, so it is found anew."""
        if order.is_vague or order.asks_for_form:
            return await self._database.read(
                self._run, order, is_admin=await self._permitting.is_admin(order, order.deed)
            )
        return Said(text="", buttons=forms.offered(order))

    async def _say(
        self,
        order: Order,
        lease: Lease | None,
        fresh: Sequence[Delivery] | None,
        said: Said,
        *,
        decided: bool,
        private: bool,
    ) -> Fate:
        errand = Errand(
            key=order.key,
            cause=order.turn,
            lease=lease,
            stored=fresh,
            doubtful=order.turn.begun,
            private=private,
            choices=said.choices,
            chart=said.chart,
            buttons=said.buttons,
            form=said.form,
            command=order.command.name,
            decided=decided,
        )
        return await self._outbox.deliver(errand)

    async def _linked(self, order: Order) -> Linked | None:
        """The message that it was given a link to. Raises a DeliveryError where the platform does not tell now."""
        return (
            None if order.link is None else await self._outbox.adapters[order.key.address.platform].linked(order.link)
        )

    async def _done(
        self, order: Order, lease: Lease | None, *, is_admin: bool | None, linked: Linked | None, read: Said | None
    ) -> tuple[Said, tuple[str, ...]]:
        """See `_effect`; what can't be recorded is not done, which is said."""
        do, write = self._effect, self._database.write
        try:
            return await write(do, order, lease, is_admin=is_admin, linked=linked, read=read)
        except audit.ChainLost as lost:
            log.error("not done, as it can't be recorded", session=order.key.address.id, reason=str(lost))
        return await write(do, order, lease, is_admin=is_admin, linked=linked, read=auditing.LOST)

    def _effect(
        self,
        connection: Connection,
        order: Order,
        lease: Lease | None,
        *,
        is_admin: bool | None,
        linked: Linked | None,
        read: Said | None,
    ) -> tuple[Said, tuple[str, ...]]:
        """What it does and says, in one transaction; what was `read` before is only said."""
        said = self._run(connection, order, is_admin=is_admin, linked=linked) if read is None else read
        adapter = self._outbox.adapters[order.key.address.platform]
        decided = Answer(parts=composing.pieces(adapter, order.turn, said.text))
        if order.turn.begun:
            kept = 0 if order.is_private or said.is_denial else len(decided.parts)
            withdrawals.set_aside(connection, order.key, order.turn.seq, kept)
        if said.is_denial:  # also where another process says it
            queue.keep_private(connection, order.key, order.turn.seq)
        answering.answer(connection, order.key, order.turn, decided, lease=lease)
        auditing.note(connection, order, said)  # last, as others of the workspace wait for it
        return said, decided.parts

    def _run(
        self, connection: Connection, order: Order, *, is_admin: bool | None, linked: Linked | None = None
    ) -> Said:
        overrides = policies.of(connection, order.key)
        access = self._permitting.access(connection, order, order.deed, overrides, is_admin=is_admin)
        mind = self._mind.under(overrides)
        desk = Desk(order=order, access=access, mind=mind, deployed=self._mind, now=self._clock(), linked=linked)
        return deeds.run(connection, desk)
