"""The sign on a person's message that it waits for its turn: a courtesy, so a refusal is noted and no more."""

import structlog

from bots.discord.api import Api
from bots.discord.library import Forbidden, NotFound
from bots.discord.payloads import PLATFORM, channel_of
from core.seam.address import Address
from core.seam.cache import Recent

log = structlog.get_logger(platform=PLATFORM)

WAITING = "⏳"


class Reactions:
    """Reactions by us. Calls raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._unmarked: Recent[None] = Recent()  # channels in which reactions are forbidden

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """The sign that a message waits; where reactions are forbidden, it is not tried again."""
        channel = channel_of(address)
        if channel in self._unmarked:
            return
        try:
            await self._api.react(channel, message, WAITING, there=waits)
        except Forbidden as error:
            self._unmarked.note(channel, None)
            log.info("reactions forbidden", session=address.id, code=error.code)
        except NotFound:
            log.debug("nothing to mark", session=address.id)
