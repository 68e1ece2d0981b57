"""Places that have refused what was said there last: a hint, which a new process does without."""

from core.seam.address import Address
from core.seam.cache import Recent


class Shut:
    """A channel that refuses one of its sessions may refuse all of them: most of what shuts a place is a channel's."""

    def __init__(self) -> None:
        self._refused: Recent[None] = Recent()

    def __contains__(self, address: Address) -> bool:
        return address.id in self._refused or address.channel_address.id in self._refused

    def note(self, address: Address) -> None:
        """What was said here was refused."""
        for place in (address, address.channel_address):
            self._refused.note(place.id, None)

    def forget(self, address: Address) -> None:
        """What was said here is on screen."""
        for place in (address, address.channel_address):
            self._refused.forget(place.id)
