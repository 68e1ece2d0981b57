"""What people said, from Slack's record of it: before a message, and while we did not hear."""

from asyncio import get_running_loop, timeout
from bisect import insort
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count, takewhile

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.lookup import key_in
from bots.slack.messages import missed, past
from bots.slack.names import Names, nameless_in
from bots.slack.pages import Pages, messages_of, next_cursor
from bots.slack.payloads import PLATFORM, Ourselves, Payload, View, is_ts
from bots.slack.timings import Timings
from core.errors import DeliveryError, PlaceGone
from core.seam.adapter import Whole
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.keys import key_of
from core.seam.messages import Inbound, Quote

log = get_logger(platform=PLATFORM)

_LONG_PAGE = 200
"""Slack's recommendation for apps that may have more than 15; the others are given 15 all the same."""
_LONGEST_PAGE = 999
"""The most that Slack gives at once; docs.slack.dev/reference/methods/conversations.replies."""
_THREADS, _KEPT = 1_000, 32
"""Of so many threads so many of the last messages are remembered."""
_NO_HISTORY = {"missing_scope", "not_in_channel", "channel_not_found", "thread_not_found", "no_permission"}


class Late:
    """The last few messages that we have heard in each thread."""

    def __init__(self) -> None:
        self._heard: Recent[list[str]] = Recent(_THREADS)

    def note(self, address: Address, ts: str) -> None:
        """Somebody has said this there."""
        kept = self._heard.get(address.id) or []
        if ts not in kept:
            insort(kept, ts, key=float)
        self._heard.note(address.id, kept[-_KEPT:])

    def before(self, address: Address, latest: str, number: int) -> str | None:
        """The message after which so many were heard until `latest`; None where that is not known."""
        earlier = [ts for ts in self._heard.get(address.id) or () if float(ts) < float(latest)]
        return earlier[-number - 1] if len(earlier) > number else None


class History:
    """Slack's record of a conversation, which is rationed: one call a minute for most apps, so nobody calls idly."""

    def __init__(
        self,
        api: Api,
        pages: Pages,
        names: Names,
        us: Callable[[], Awaitable[Ourselves]],
        public: Callable[[str], Awaitable[bool | None]],
        *,
        agent_view: bool,
        timings: Timings,
        now: Callable[[], float],
    ) -> None:
        self._api, self._pages, self._names, self._us, self._public = api, pages, names, us, public
        self._timings, self._now = timings, now
        self._agent_view = agent_view
        self._late = Late()
        self._page = _LONGEST_PAGE

    def heard(self, inbound: Inbound) -> None:
        """Notes what was said in a thread, by which its end is found."""
        if is_ts(inbound.id) and inbound.address.thread not in (None, inbound.id):
            self._late.note(inbound.address, inbound.id)

    async def before(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """What was said in this thread, or in this channel, before the message; oldest first.

        Where what opened the thread is too long ago, the first message that is told quotes it.
        """
        if limit <= 0:
            return ()
        address, latest = message.address, message.id if is_ts(message.id) else f"{message.at:.6f}"
        is_reply = address.thread is not None and address.thread != message.id
        try:
            page = await (self._thread(address, latest, limit) if is_reply else self._channel(address, latest, limit))
        except Refused as error:
            return _nothing(address, error)
        view = await self._view()
        earlier = {
            one.id: entry for entry in page if (one := past(entry, address, view)) and float(one.id) < float(latest)
        }
        newest = sorted(earlier, key=float)[-limit:]
        wanted = sorted({*newest, *((address.thread,) if address.thread in earlier else ())}, key=float)
        view = await self._naming([earlier[ts] for ts in wanted], view)
        told = [one for ts in wanted if (one := past(earlier[ts], address, view))]
        return told if len(told) <= limit else hanging(told[0], told[1:])

    async def _channel(self, address: Address, latest: str, limit: int) -> Sequence[Payload]:
        """The newest of a channel's top level, which Slack gives first."""
        arguments = {"channel": address.channel, "latest": latest, "inclusive": False, "limit": limit}
        return messages_of(await self._api.read("conversations.history", arguments))

    async def _thread(self, address: Address, latest: str, limit: int) -> Sequence[Payload]:
        """A thread's root and its newest replies, as far as the ration and the time allow.

        Slack gives the oldest first: so it is asked for what came after the last few that we have heard there, else for
        all of it.
        """
        arguments = {
            "channel": address.channel,
            "ts": address.thread,
            "latest": latest,
            "oldest": self._late.before(address, latest, min(limit, self._page)),
            "inclusive": False,
            "limit": _LONGEST_PAGE,
        }
        found, cursor, until = list[Payload](), None, get_running_loop().time() + self._timings.read_on
        try:
            async with timeout(None) as patience:
                while True:
                    page = await self._api.read("conversations.replies", {**arguments, "cursor": cursor})
                    cursor, messages = next_cursor(page), messages_of(page)
                    found = [*found[:1], *found[1:][-limit:], *messages]
                    if cursor is None:
                        break
                    self._page = max(1, len(messages) - 1)
                    patience.reschedule(until)
        except (DeliveryError, TimeoutError) as error:
            if not found:
                raise
            log.info("thread not read to its end", session=address.id, reason=type(error).__name__)
        return found

    async def _naming(self, entries: Sequence[Payload], view: View) -> View:
        """The view with the names of all who speak or are spoken of, but for those who bring theirs along."""
        people = (one for one in entries if not one.get("bot_id") and not one.get("user_profile"))
        speakers = [str(one.get("user")) for one in people]
        concerned = *speakers, *nameless_in(list(entries))
        names = await self._names.of(concerned, view.us)
        return replace(view, names=names, people=self._names.people(concerned))

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
            "include_all_metadata": True,
        }
        view = await self._view()
        try:
            kept = await self._pages.read(
                method, arguments, keep=lambda entry: view.us.said(entry) or missed(entry, address, view) is not None
            )
        except Refused as error:
            if error.code == "thread_not_found":
                raise PlaceGone("Slack knows no such thread") from error
            return _nothing(address, error)
        found = {one.id: entry for entry in kept if (one := missed(entry, address, view)) and one.at > after}
        if found:
            known = replace(view, public=await self._public(address.channel))  # which no message of a history tells
            view = await self._naming(list(found.values()), known)
        read = (missed(found[ts], address, view) for ts in sorted(found, key=float))
        ours = {key: entry for entry in kept if view.us.said(entry) and (key := key_in(entry))}
        told = [replace(one, answer=answer(one, found[one.id], ours, view)) for one in read if one is not None]
        return Whole(told) if address.thread else told  # a DM's threads are part of it, and not of its history

    async def _view(self) -> View:
        return View(us=await self._us(), agent_view=self._agent_view, now=self._now())


def hanging(root: Inbound, replies: Sequence[Inbound]) -> Sequence[Inbound]:
    """The replies, the first of which quotes the message that opened their thread, and what that points at.

    Ours can't quote anything.
    """
    first = next((place for place, one in enumerate(replies) if not one.author.is_self), None)
    if first is None:
        return (root, *replies[1:])
    hung = Quote(
        kind="hangs on",
        text=root.text,
        author=root.author,
        at=root.at,
        message=root.id,
        standing=root.standing,
        edited_at=root.edited_at,
    )
    known = {name: getattr(hung, name) for name in ("author", "at", "message", "standing")}
    pointed = (replace(one, **known) if one.author is None else one for one in root.quotes)
    told = replace(replies[first], quotes=(hung, *pointed, *replies[first].quotes))
    return (*replies[:first], told, *replies[first + 1 :])


def answer(message: Inbound, entry: Payload, ours: Mapping[str, Payload], view: View) -> str | None:
    """What we have said in answer to a message: our messages by their keys, or else that we are in its thread."""
    parts = takewhile(bool, (ours.get(key_of(message.address, message.id, part)) for part in count()))
    said = [one.text for part in parts if part is not None and (one := past(part, message.address, view))]
    if said:
        return "\n".join(said)
    repliers = entry.get("reply_users")
    return "" if isinstance(repliers, list) and view.us.user in repliers else None


def _nothing(address: Address, error: Refused) -> Sequence[Inbound]:
    if error.code not in _NO_HISTORY:
        raise error
    log.info("no history", session=address.id, reason=error.code)
    return ()
