"""Measuring: all processes know the same of their models, so that each shows one the same beginning."""

from collections.abc import Collection, Mapping

from core.model.calibration import Calibration
from core.model.llm import Model, Recollection
from core.store import Database, servers


class Measuring:
    """Shares what one process learns with all others: how a server's models count, and what they are like.

    `calibrations` are those of this process, by the names of their models; the `models` keep what they learn in the
    `recollection` themselves.
    """

    def __init__(
        self,
        *,
        database: Database,
        server: str,
        calibrations: Mapping[str, Calibration],
        models: Collection[Model],
        recollection: Recollection,
    ) -> None:
        self._database = database
        self._server = server
        self._calibrations = calibrations
        self._models = models
        self._recollection = recollection
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
        for one in self._models:
            await one.recall(self._recollection)
