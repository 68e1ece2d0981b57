"""What people said, from Slack's record of it: before a message, and while we did not hear."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Sequence
from time import time

from structlog import get_logger

from bots.slack.calls import Calls, Refused
from bots.slack.names import Names
from bots.slack.pages import Pages, messages_of
from bots.slack.payloads import PLATFORM, Ourselves, View, is_ts
from bots.slack.said import missed, past
from core.adapter import Whole
from core.address import Address
from core.errors import PlaceGone
from core.messages import Inbound

log = get_logger(platform=PLATFORM)

_LONG_PAGE = 200
"""Slack's recommendation for apps that may have more than 15; the others are given 15 all the same."""
_NO_HISTORY = {"missing_scope", "not_in_channel", "channel_not_found", "thread_not_found", "no_permission"}


class Reading:
    """Slack's record of a conversation, which is rationed: one call a minute for most apps, so nobody calls idly."""

    def __init__(
        self,
        calls: Calls,
        pages: Pages,
        names: Names,
        us: Callable[[], Awaitable[Ourselves]],
        *,
        agent_view: bool,
    ) -> None:
        self._calls, self._pages, self._names, self._us = calls, pages, names, us
        self._agent_view = agent_view

    async def before(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """What was said in this thread, or in this channel, before the message; oldest first.

        `conversations.replies` gives the oldest of a thread first, so a long page is asked for and its end is taken.
        """
        if limit <= 0:
            return ()
        address = message.address
        is_reply = address.thread is not None and address.thread != message.id
        method = "conversations.replies" if is_reply else "conversations.history"
        page_size = max(_LONG_PAGE, limit) if is_reply else limit
        arguments = {"channel": address.channel, "ts": address.thread if is_reply else None, "limit": page_size}
        latest = message.id if is_ts(message.id) else f"{message.at:.6f}"
        try:
            page = await self._calls.read(method, {**arguments, "latest": latest, "inclusive": False})
        except Refused as error:
            return _nothing(address, error)
        view = await self._view()
        told = (past(entry, address, view) for entry in messages_of(page))
        earlier = {entry.id: entry for entry in told if entry is not None and float(entry.id) < float(latest)}
        newest = [earlier[ts] for ts in sorted(earlier, key=float)][-limit:]
        return await gather(*(self._told(entry) for entry in newest))

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        """What people said in this thread, on this channel's top level, or in this DM after that instant.

        With the ration it takes several calls, each of which reads on from where the one before was cut short. Raises
        PlaceGone where a thread is no more.
        """
        method = "conversations.replies" if address.thread else "conversations.history"
        arguments = {
            "channel": address.channel,
            "ts": address.thread,
            "oldest": f"{after:.6f}",
            "inclusive": False,
            "limit": _LONG_PAGE,
        }
        view = await self._view()
        try:
            kept = await self._pages.read(
                method, arguments, keep=lambda entry: missed(entry, address, view) is not None
            )
        except Refused as error:
            if error.code == "thread_not_found":
                raise PlaceGone("Slack knows no such thread") from error
            return _nothing(address, error)
        found = {one.id: one for entry in kept if (one := missed(entry, address, view)) and one.at > after}
        told = await gather(*(self._names.named(found[ts]) for ts in sorted(found, key=float)))
        return Whole(told) if address.thread else told  # a DM's threads are part of it, and not of its history

    async def _told(self, entry: Inbound) -> Inbound:
        """Bots bring their names along, and so do people of other organisations."""
        needless = entry.author.is_bot or entry.author.name != entry.author.id
        return entry if needless else await self._names.named(entry)

    async def _view(self) -> View:
        return View(us=await self._us(), agent_view=self._agent_view, now=time())


def _nothing(address: Address, error: Refused) -> Sequence[Inbound]:
    if error.code not in _NO_HISTORY:
        raise error
    log.info("no history", session=address.id, reason=error.code)
    return ()
