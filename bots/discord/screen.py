"""The screen: what stands on it already is found, put right, and taken away."""

from collections.abc import Sequence
from typing import Any

import structlog

from bots.discord import lookup
from bots.discord.api import Api
from bots.discord.errors import ARCHIVED, Trouble, is_gone
from bots.discord.library import Forbidden, HTTPException, NotFound
from bots.discord.payloads import PLATFORM, Payload, snowflake_at
from core.seam.address import Address
from core.seam.messages import Reply

log = structlog.get_logger(platform=PLATFORM)

WAITING = "⏳"
"""The reaction of a message that waits for its turn."""

_LOOK = 100  # messages in one call, the most that Discord gives


class Screen:
    """Messages of ours by their IDs. Calls raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._unmarked: set[str] = set()  # channels in which reactions are forbidden

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

    async def recall(self, reply: Reply) -> Payload | None:
        """The message that an earlier call may have left; what else it left is taken away."""
        ours = await self._ours(reply)
        found = lookup.likely(ours, reply)
        if found is not None:
            for copy in lookup.copies(ours, reply, found["id"]):
                try:
                    await self.withdraw(reply.address, copy["id"])
                except Trouble as error:  # the reply stands: that is what matters now
                    log.warning("copy left on screen", session=reply.address.id, error=type(error).__name__)
        return found

    async def reconcile(self, reply: Reply, message: str) -> None:
        """One look: copies of the reply go, the message itself says what it should, or stays away if it is gone.

        Without a message none is to stay; a text that nobody remembers is left as it is.
        """
        ours = await self._ours(reply)
        shown = next((one for one in ours if one["id"] == message), None)
        if shown is None and message and reply.text:
            shown = await self._one(reply.address, message)
        for copy in lookup.copies(ours, reply, message):
            log.info("copy withdrawn", session=reply.address.id)
            await self.withdraw(reply.address, copy["id"])
        if shown is not None and reply.text and shown["content"].strip() != reply.text.strip():
            await self.put(reply, message)

    async def withdraw(self, address: Address, message: str) -> None:
        """Takes it away. What the channel does not know is gone, or is an answer that only its asker sees."""
        try:
            await self._api.delete(channel_of(address), message)
        except NotFound:
            pass
        except Forbidden as error:
            log.info("not withdrawn", session=address.id, status=error.status, code=error.code)

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """The sign that a message waits; where reactions are forbidden, it is not tried again."""
        channel = channel_of(address)
        if channel in self._unmarked:
            return
        try:
            await self._api.react(channel, message, WAITING, there=waits)
        except Forbidden as error:
            self._unmarked.add(channel)
            log.info("reactions forbidden", session=address.id, code=error.code)
        except NotFound:
            log.debug("nothing to mark", session=address.id)

    async def _edit(self, channel: str, message: str, reply: Reply) -> None:
        try:
            await self._api.edit(channel, message, reply.text, mentions(reply))
        except HTTPException as error:
            if error.code != ARCHIVED:
                raise
            await self._api.unarchive(channel)
            await self._api.edit(channel, message, reply.text, mentions(reply))

    async def _one(self, address: Address, message: str) -> Payload | None:
        try:
            return await self._api.message(channel_of(address), message)
        except (Forbidden, NotFound):
            return None

    async def _ours(self, reply: Reply) -> Sequence[Payload]:
        """Our messages since the question that may be this reply, oldest first."""
        me = await self._api.me()
        after = reply.reply_to or snowflake_at(reply.asked_at)
        found = await self._api.history(channel_of(reply.address), _LOOK, after=after)
        mine = [message for message in reversed(found) if message["author"]["id"] == me]
        return [message for message in mine if message["id"] not in reply.others]


def channel_of(address: Address) -> str:
    """The channel or thread as Discord numbers it."""
    return address.thread or address.channel


def mentions(reply: Reply) -> dict[str, Any]:
    """Nobody but the asker. It goes with every write: what an edit leaves out is decided anew, for everyone."""
    asker = reply.asker.id if reply.asker and reply.asker.id.isdigit() else None
    return {"parse": [], "users": [asker] if asker else [], "replied_user": False}
