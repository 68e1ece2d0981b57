"""Pace: previews keep their distance, in each channel, whichever of its sessions they belong to."""

import asyncio

from core.seam.address import Address

_MOST = 1_000  # channels that are kept in mind before those that are free again are looked for


class Pace:
    """One place that spaces previews: each channel gets at most one in each interval, shared by its sessions."""

    def __init__(self) -> None:
        self._free: dict[Address, float] = {}
        self._most = _MOST

    async def turn(self, channel: Address, every: float) -> None:
        """Waits until this channel may be previewed in again, and takes that place."""
        now = asyncio.get_running_loop().time()
        if len(self._free) > self._most:
            self._free = {place: when for place, when in self._free.items() if when > now}
            self._most = max(_MOST, 2 * len(self._free))  # seldom, however many channels are busy
        slot = max(now, self._free.get(channel, 0.0))
        self._free[channel] = slot + every
        if slot > now:
            await asyncio.sleep(slot - now)
