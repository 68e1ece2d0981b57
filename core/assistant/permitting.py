"""Permitting: whether the asker of a command may do what it asks for, which a platform may have to be asked about."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from core.access import GRANTED, Access, Deed, Permission
from core.commands.orders import Order
from core.errors import DeliveryError, DeliveryRefused
from core.memory.mind import Mind
from core.policy import Overrides
from core.seam.adapter import Adapter
from core.seam.address import DIRECT, Address
from core.seam.messages import Author
from core.store import Connection, Database, policies, turns
from core.timings import Timings

log = structlog.get_logger()


class Permitting:
    """Finds out what people may do."""

    def __init__(self, *, database: Database, adapters: Mapping[str, Adapter], mind: Mind, timings: Timings) -> None:
        self._database = database
        self._adapters = adapters
        self._mind = mind
        self._timings = timings

    async def may(self, order: Order, deed: Deed, overrides: Overrides) -> Permission:
        """Whether its asker may do this, by what is set there."""
        if order.turn.author is None or self._known(order, overrides).is_for_everyone(deed):
            return GRANTED
        is_admin = await self.is_admin(order, deed)
        access = await self._database.read(self.access, order, deed, overrides, is_admin=is_admin)
        return access.may(order.turn.author, deed, order.turn)

    async def is_admin(self, order: Order, deed: Deed | None) -> bool | None:
        """Whether its asker is an admin, where that matters; None where the platform does not tell in time.

        Whoever gives a command stands by, and may not want it done any more when a platform that is away is back.
        """
        author, place = order.turn.author, order.key.address
        if author is None or deed is None:
            return False
        overrides = await self._database.read(policies.of, order.key)
        if not self._known(order, overrides).asks_for_admins(author, deed):
            return False
        try:
            async with asyncio.timeout(self._timings.rights):
                return await self._told(place, author.id, workspace=order.is_for_workspace)
        except (DeliveryError, TimeoutError) as error:
            log.warning("not known whether an asker is an admin", session=place.id, error=type(error).__name__)
            return None

    async def _told(self, place: Address, person: str, *, workspace: bool) -> bool:
        """What the platform says of it, asked as often as need be. Raises a DeliveryRefused."""
        while True:
            try:
                return await self._adapters[place.platform].is_admin(place, person, workspace=workspace)
            except DeliveryRefused:
                raise
            except DeliveryError as error:
                log.debug("not said yet whether an asker is an admin", session=place.id, error=type(error).__name__)
            await asyncio.sleep(self._timings.ask_again)

    def access(
        self, connection: Connection, order: Order, deed: Deed | None, overrides: Overrides, *, is_admin: bool | None
    ) -> Access:
        """What is allowed to its asker, of whom it is known by now whether they are an admin, where that matters."""
        access, author = self._known(order, overrides, is_admin=is_admin), order.turn.author
        if author is None or deed is None or not access.asks_for_members(author, deed):
            return access
        return replace(access, is_member=_is_member(connection, order, author))

    def _known(self, order: Order, overrides: Overrides, *, is_admin: bool | None = False) -> Access:
        """What is allowed; who may do something to all of the workspace is not for one of its channels to say."""
        everywhere = order.is_for_workspace
        policy = self._mind.policy.under(replace(overrides, channel=None) if everywhere else overrides)
        strangers = everywhere and order.key.address.workspace == DIRECT
        own = order.turn.slip.direct and not everywhere
        return Access(policy=policy, is_admin=is_admin, everywhere=everywhere, strangers=strangers, own=own)


def _is_member(connection: Connection, order: Order, author: Author) -> bool:
    """Whether somebody has taken part in the session; nobody has in all of a workspace."""
    return not order.is_for_workspace and turns.has_said(connection, order.key, author.id)
