"""Some time after an uncertain delivery: one look at what is on screen, and what is wrong there is put right."""

import structlog

from bots.discord.lookup import Lookup, copies
from bots.discord.payloads import PLATFORM
from bots.discord.screen import Screen
from core.seam.messages import Reply

log = structlog.get_logger(platform=PLATFORM)


async def reconcile(reply: Reply, message: str, *, lookup: Lookup, screen: Screen) -> None:
    """Copies of the reply go, the message itself says what it should, or stays away if it is gone.

    Without a message none is to stay; a text that nobody remembers is left as it is.
    """
    ours = await lookup.ours(reply)
    shown = next((one for one in ours if one["id"] == message), None)
    if shown is None and message and reply.text:
        shown = await lookup.one(reply.address, message)
    for copy in copies(ours, reply, message):
        log.info("copy withdrawn", session=reply.address.id)
        await screen.withdraw(reply.address, copy["id"])
    if shown is not None and reply.text and shown["content"].strip() != reply.text.strip():
        await screen.put(reply, message)
