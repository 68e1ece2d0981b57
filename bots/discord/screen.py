"""What becomes of a message of ours that is on screen: it is given another text, or withdrawn."""

import structlog

from bots.discord.api import Api
from bots.discord.errors import ARCHIVED, is_gone
from bots.discord.library import Forbidden, HTTPException, NotFound
from bots.discord.payloads import PLATFORM, channel_of
from bots.discord.replies import content
from core.seam.address import Address
from core.seam.messages import Reply

log = structlog.get_logger(platform=PLATFORM)


class Screen:
    """Messages of ours by their IDs. Calls raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def put(self, reply: Reply, message: str) -> bool:
        """Makes the message say what the reply says; False when it is gone. An archived thread is taken up again."""
        channel = channel_of(reply.address)
        try:
            await self._edit(channel, message, reply)
        except HTTPException as error:
            if is_gone(error):
                return False
            raise
        return True

    async def withdraw(self, address: Address, message: str) -> None:
        """Takes it away. What the channel does not know is gone, or is an answer that only its asker sees."""
        try:
            await self._api.delete(channel_of(address), message)
        except NotFound:
            pass
        except Forbidden as error:
            log.info("not withdrawn", session=address.id, status=error.status, code=error.code)

    async def _edit(self, channel: str, message: str, reply: Reply) -> None:
        try:
            await self._api.edit(channel, message, content(reply))
        except HTTPException as error:
            if error.code != ARCHIVED:
                raise
            await self._api.unarchive(channel)
            await self._api.edit(channel, message, content(reply))
