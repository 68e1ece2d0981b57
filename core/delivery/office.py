"""The office: what previews and deliveries have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.delivery.pace import Pace
from core.seam.adapter import Adapter
from core.seam.address import Address
from core.store import Database
from core.timings import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The database, the platforms by their names, how long things take, and the pace that all previews share."""

    database: Database
    adapters: Mapping[str, Adapter]
    timings: Timings
    pace: Pace = field(default_factory=Pace)

    def adapter(self, address: Address) -> Adapter:
        """The platform of this address."""
        return self.adapters[address.platform]
