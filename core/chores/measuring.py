"""Measuring: all processes hold the same count against a budget, so that each shows a model the same beginning."""

from collections.abc import Mapping

from core.model.calibration import Calibration
from core.store import Database, servers


class Measuring:
    """Shares what one process learns of how a server's models count with all others.

    `calibrations` are those of this process, by the names of their models.
    """

    def __init__(self, *, database: Database, server: str, calibrations: Mapping[str, Calibration]) -> None:
        self._database = database
        self._server = server
        self._calibrations = calibrations
        self._shared = {model: calibration.measure for model, calibration in calibrations.items()}

    async def look(self) -> None:
        """Tells what has been learnt here since the last look, and takes up what has been learnt elsewhere."""
        told = await self._database.read(servers.told, self._server)
        for model, calibration in self._calibrations.items():
            if calibration.measure != self._shared[model]:
                await self._database.write(servers.tell, self._server, model, calibration.measure)
            elif model in told:
                calibration.adopt(told[model])
            self._shared[model] = calibration.measure
