"""The office: what previews and deliveries have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.delivery.pace import Pace
from core.delivery.shut import Shut
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.store import Database
from core.timings import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The database, the platforms by their names, how long things take, and the pace that all previews share.

    `shut` are the places that have refused what was said last, and `count` says how many tokens a text has.
    """

    database: Database
    adapters: Mapping[str, Adapter]
    timings: Timings
    count: Callable[[str], int]
    pace: Pace = field(default_factory=Pace)
    shut: Shut = field(default_factory=Shut)

    def adapter(self, address: Address) -> Adapter:
        """The platform of this address."""
        return self.adapters[address.platform]
