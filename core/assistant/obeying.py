"""Obeying: what a command does and says is stored as one, and then said."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.access import Access, Deed, Permission
from core.assistant.running import Runs
from core.commands import auditing, deeds, forms
from core.commands.orders import Desk, Order, Said
from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.outbox import Outbox
from core.errors import DeliveryError
from core.memory.mind import Mind
from core.policy import Overrides
from core.seam.address import DIRECT
from core.seam.links import Linked
from core.seam.messages import Author
from core.session import Answer, Fate, Lease
from core.store import Connection, Database, answering, policies, turns, withdrawals
from core.store.deliveries import Delivery

log = structlog.get_logger()

_ASKED_FOR = 5.0  # seconds, for a platform to say whether somebody is an admin


class Obeying:
    """Does what commands say that the model is not asked about.

    Those that don't queue are obeyed without a lease: whoever holds the session is not disturbed.
    """

    def __init__(self, *, database: Database, outbox: Outbox, mind: Mind, runs: Runs) -> None:
        self._database = database
        self._outbox = outbox
        self._mind = mind
        self._runs = runs

    async def obey(self, order: Order, lease: Lease | None) -> Fate:
        """Does it, once, and says what came of it. Raises LeaseLost, or a DeliveryError."""
        is_admin, linked = await self._is_admin(order, order.deed), await self._linked(order)
        try:
            said, parts = await self._database.write(self._effect, order, lease, is_admin=is_admin, linked=linked)
        except answering.AlreadyAnswered:  # nothing was done twice
            return Fate.GIVEN_BACK if lease is None else await self.finish(order, lease)
        if said.stopped is not None:
            self._runs.stop(order.key, said.stopped)
        begun = order.turn.begun
        # What was begun was an answer, before an edit: its message becomes the command's, unless that is for one alone.
        fresh = answering.stored(parts) if order.is_private or not begun else None
        return await self._say(order, lease, fresh, said, decided=True)

    async def ignores(self, order: Order) -> bool:
        """Whether nothing is said to it: we are switched off there, and its asker may not change that."""
        overrides = await self._database.read(policies.of, order.key)
        if self._mind.policy.under(overrides).answers != "off":
            return False
        deed = Deed.HAND_OVER if order.deed is Deed.HAND_OVER else Deed.SET
        is_admin = await self._is_admin(order, deed)
        allowed = await self._database.read(self._may, order, deed, overrides, is_admin=is_admin)
        return not allowed.granted

    def _may(
        self, connection: Connection, order: Order, deed: Deed, overrides: Overrides, *, is_admin: bool | None
    ) -> Permission:
        """Whether its asker may do this."""
        access = self._known_access(connection, order, deed, overrides, is_admin=is_admin)
        return access.may(order.turn.author, deed, order.turn)

    async def finish(self, order: Order, lease: Lease) -> Fate:
        """Says what was stored before."""
        return await self._say(order, lease, None, await self._beside(order), decided=False)

    async def _beside(self, order: Order) -> Said:
        """What goes with words that are stored already: nothing is done for it, so it is found anew."""
        if order.is_vague:
            return await self._database.read(deeds.choose, order)
        if order.asks_for_form:
            return await self._database.read(self._run, order, is_admin=await self._is_admin(order, order.deed))
        return Said(text="", buttons=forms.offered(order))

    async def _say(
        self,
        order: Order,
        lease: Lease | None,
        fresh: Sequence[Delivery] | None,
        said: Said,
        *,
        decided: bool,
    ) -> Fate:
        errand = Errand(
            key=order.key,
            cause=order.turn,
            lease=lease,
            stored=fresh,
            doubtful=order.turn.begun,
            private=order.is_private,
            choices=said.choices,
            chart=said.chart,
            buttons=said.buttons,
            form=said.form,
            command=order.command.name,
            decided=decided,
        )
        return await self._outbox.deliver(errand)

    async def _is_admin(self, order: Order, deed: Deed | None) -> bool | None:
        """Whether its asker is an admin, where that matters; None where the platform does not tell in time."""
        author, place = order.turn.author, order.key.address
        if author is None or deed is None:
            return False
        overrides = await self._database.read(policies.of, order.key)
        if not self._access(order, overrides).asks_for_admins(author, deed):
            return False
        try:
            async with asyncio.timeout(_ASKED_FOR):
                adapter = self._outbox.adapters[place.platform]
                return await adapter.is_admin(place, author.id, workspace=order.is_for_workspace)
        except (DeliveryError, TimeoutError) as error:
            log.warning("not known whether an asker is an admin", session=place.id, error=type(error).__name__)
            return None

    async def _linked(self, order: Order) -> Linked | None:
        """The message that it was given a link to. Raises a DeliveryError where the platform does not tell now."""
        return (
            None if order.link is None else await self._outbox.adapters[order.key.address.platform].linked(order.link)
        )

    def _access(self, order: Order, overrides: Overrides, *, is_admin: bool | None = False) -> Access:
        """What is allowed; who may do something to all of the workspace is not for one of its channels to say."""
        reach = replace(overrides, channel=None) if order.is_for_workspace else overrides
        strangers = order.is_for_workspace and order.key.address.workspace == DIRECT
        return Access(policy=self._mind.policy.under(reach), is_admin=is_admin, strangers=strangers)

    def _known_access(
        self, connection: Connection, order: Order, deed: Deed | None, overrides: Overrides, *, is_admin: bool | None
    ) -> Access:
        """The same, once it is known of the asker what matters for this deed."""
        access, author = self._access(order, overrides, is_admin=is_admin), order.turn.author
        if author is None or deed is None or not access.asks_for_members(author, deed):
            return access
        return replace(access, is_member=_is_member(connection, order, author))

    def _effect(
        self,
        connection: Connection,
        order: Order,
        lease: Lease | None,
        *,
        is_admin: bool | None,
        linked: Linked | None,
    ) -> tuple[Said, tuple[str, ...]]:
        """What it does and says, in one transaction."""
        said = self._run(connection, order, is_admin=is_admin, linked=linked)
        adapter = self._outbox.adapters[order.key.address.platform]
        decided = Answer(parts=composing.pieces(adapter, order.turn, said.text))
        if order.turn.begun:
            kept = 0 if order.is_private else len(decided.parts)
            withdrawals.set_aside(connection, order.key, order.turn.seq, kept)
        answering.answer(connection, order.key, order.turn, decided, lease=lease)
        auditing.note(connection, order, said)  # last, as others of the workspace wait for it
        return said, decided.parts

    def _run(
        self, connection: Connection, order: Order, *, is_admin: bool | None, linked: Linked | None = None
    ) -> Said:
        overrides = policies.of(connection, order.key)
        access = self._known_access(connection, order, order.deed, overrides, is_admin=is_admin)
        mind = self._mind.under(overrides)
        return deeds.run(connection, Desk(order=order, access=access, mind=mind, deployed=self._mind, linked=linked))


def _is_member(connection: Connection, order: Order, author: Author) -> bool:
    """Whether somebody has taken part in the session; nobody has in all of a workspace."""
    return not order.is_for_workspace and turns.has_said(connection, order.key, author.id)
