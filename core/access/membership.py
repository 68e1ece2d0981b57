"""Membership: who sees which place, asked of the platform, and believed for a short while."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

from core.errors import DeliveryDelayed
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.seam.cache import Recent

LONGEST = 60.0
"""Seconds for which an answer of the platform's is believed at most."""

_ASKED_FOR = 10.0  # seconds, for a platform to say so


class Membership:
    """Asks platforms who sees what. `clock` counts seconds from anywhere."""

    def __init__(self, adapters: Mapping[str, Adapter], *, clock: Callable[[], float] = monotonic) -> None:
        self._adapters = adapters
        self._clock = clock
        self._known: Recent[tuple[bool, float]] = Recent()

    async def sees(self, place: Address, person: str, *, within: float = LONGEST) -> bool:
        """Whether this person sees this place, as the platform said it at most `within` seconds ago.

        Raises a DeliveryError: a DeliveryRefused where that can't be found out at all.
        """
        name = f"{place.id} {person}"
        known = self._known.get(name)
        if known is not None and self._clock() - known[1] <= min(within, LONGEST):
            return known[0]
        asked_at = self._clock()
        try:
            async with asyncio.timeout(_ASKED_FOR):
                sees = await self._adapters[place.platform].sees(place, person)
        except TimeoutError as error:
            raise DeliveryDelayed("the platform does not say who sees this place", retry_after=_ASKED_FOR) from error
        self._known.note(name, (sees, asked_at))
        return sees
