"""What we read from Slack: names, what was said before, and whether something that we said is on screen."""

from asyncio import Lock, gather, timeout
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import time
from typing import Generic, TypeVar

from structlog import get_logger

from bots.slack.calls import Calls, Refused
from bots.slack.posts import EVENT_TYPE, thread_of
from bots.slack.translate import PLATFORM, Ourselves, Payload, View, is_ts, past
from core.errors import DeliveryError
from core.messages import Inbound, Reply

log = get_logger(platform=PLATFORM)

PAGE = 15
"""The largest page that apps outside the Marketplace get, once a minute; docs.slack.dev/reference/methods."""
_THREAD_PAGE = 200
_PAGES = 20
_SKEW = 10.0
_NO_HISTORY = {"missing_scope", "not_in_channel", "channel_not_found", "thread_not_found", "no_permission"}

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """What was noted lately: a dictionary that forgets its oldest entries."""

    def __init__(self, most: int = 5_000) -> None:
        self._most = most
        self._kept: OrderedDict[str, Value] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str) -> Value | None:
        """What was noted, if it is still known."""
        return self._kept.get(key)

    def note(self, key: str, value: Value) -> None:
        """Keeps it, as the newest."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, key: str) -> Value | None:
        """Takes it out."""
        return self._kept.pop(key, None)


class Names:
    """Display names by user ID. Somebody waits for the acknowledgement meanwhile, so it gives up after `seconds`."""

    def __init__(self, calls: Calls, *, seconds: float = 1.0, fresh: float = 3600.0, sour: float = 60.0) -> None:
        self._calls = calls
        self._seconds, self._fresh, self._sour = seconds, fresh, sour
        self._known: Recent[tuple[str | None, float]] = Recent()
        self._asking: dict[str, Lock] = {}

    async def name(self, user: str) -> str | None:
        """The display name; None when Slack does not say so in time. A failure is not repeated for a minute."""
        lock = self._asking.setdefault(user, Lock())
        try:
            async with timeout(self._seconds), lock:
                return await self._looked_up(user)
        except TimeoutError:
            self._known.note(user, (None, self._calls.clock() + self._sour))
            return None
        finally:
            if not lock.locked():
                self._asking.pop(user, None)

    async def _looked_up(self, user: str) -> str | None:
        known = self._known.get(user)
        now = self._calls.clock()
        if known is not None and now < known[1]:
            return known[0]
        try:
            name = _display_name(await self._calls.read("users.info", {"user": user}))
        except DeliveryError as error:
            log.debug("name unknown", reason=str(error))
            name = None
        self._known.note(user, (name, now + (self._fresh if name else self._sour)))
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A message of ours on screen: its ID, the digest of its text, and whether it looks like a stream cut short."""

    id: str
    digest: str = ""
    unfinished: bool = False


class Reading:
    """Slack's record of a conversation, which is rationed: one call a minute for most apps, so nobody calls idly."""

    def __init__(self, calls: Calls, names: Names, us: Callable[[], Awaitable[Ourselves]], *, agent_view: bool) -> None:
        self._calls, self._names, self._us = calls, names, us
        self._agent_view = agent_view
        self._cursors: Recent[str] = Recent()

    async def before(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """What was said in this thread, or in this channel, before the message; oldest first.

        `conversations.replies` gives the oldest of a thread first, so a long page is asked for and its end is taken.
        """
        if limit <= 0:
            return ()
        address = message.address
        is_reply = address.thread is not None and address.thread != message.id
        method = "conversations.replies" if is_reply else "conversations.history"
        page_size = max(_THREAD_PAGE, limit) if is_reply else limit
        arguments = {"channel": address.channel, "ts": address.thread if is_reply else None, "limit": page_size}
        latest = message.id if is_ts(message.id) else f"{message.at:.6f}"
        try:
            page = await self._calls.read(method, {**arguments, "latest": latest, "inclusive": False})
        except Refused as error:
            if error.code not in _NO_HISTORY:
                raise
            log.info("no history", session=address.id, reason=error.code)
            return ()
        view = View(us=await self._us(), agent_view=self._agent_view, now=time())
        said = (past(entry, address, view) for entry in _messages(page))
        earlier = {entry.id: entry for entry in said if entry is not None and float(entry.id) < float(latest)}
        newest = [earlier[ts] for ts in sorted(earlier, key=float)][-limit:]
        return await gather(*(self._named(entry) for entry in newest))

    async def find(self, reply: Reply) -> Found | None:
        """The message that this reply has already become, wherever we got to before the outcome was lost.

        The place where a look-up was cut short by the ration is kept, so that the next one goes on from there.
        """
        key, us = f"{reply.key}/{reply.part}", await self._us()
        for _ in range(_PAGES):
            page = await self._page(reply, self._cursors.get(key))
            found = _ours(_messages(page), reply, us)
            cursor = _next_cursor(page)
            if found is None and cursor:
                self._cursors.note(key, cursor)
                continue
            self._cursors.forget(key)
            return found
        return None

    async def _page(self, reply: Reply, cursor: str | None) -> Payload:
        thread = thread_of(reply)
        method = "conversations.replies" if thread else "conversations.history"
        arguments = {
            "channel": reply.address.channel,
            "ts": thread,
            "oldest": f"{reply.asked_at - _SKEW:.6f}",
            "limit": PAGE,
            "include_all_metadata": True,
            "cursor": cursor,
        }
        try:
            return await self._calls.read(method, arguments)
        except Refused as error:
            log.warning("look up impossible", session=reply.address.id, reason=error.code)
            return {}

    async def _named(self, entry: Inbound) -> Inbound:
        if entry.author.is_bot or entry.author.name != entry.author.id:
            return entry
        name = await self._names.name(entry.author.id)
        return replace(entry, author=replace(entry.author, name=name)) if name else entry


def _ours(messages: Sequence[Payload], reply: Reply, us: Ourselves) -> Found | None:
    """By its key; else a message of ours without any metadata, which only a stream cut short leaves behind:
    `chat.startStream` takes none, and everything else that we send or finish has some."""
    mine = [entry for entry in messages if entry.get("user") == us.user or entry.get("bot_id") == us.bot != ""]
    keyed = [entry for entry in mine if _is_keyed(entry, reply)]
    if keyed:
        first = min(keyed, key=lambda entry: float(entry["ts"]))
        return Found(id=str(first["ts"]), digest=str(_key_of(first).get("digest", "")))
    loose = [entry for entry in mine if not entry.get("metadata") and float(entry.get("ts", 0)) > reply.asked_at]
    return Found(id=str(loose[-1]["ts"]), unfinished=True) if loose and thread_of(reply) else None


def _is_keyed(message: Payload, reply: Reply) -> bool:
    payload = _key_of(message)
    return payload.get("key") == reply.key and payload.get("part", 0) == reply.part


def _key_of(message: Payload) -> Payload:
    metadata = message.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, Mapping) else {}


def _messages(page: Payload) -> list[Payload]:
    return [entry for entry in page.get("messages") or () if isinstance(entry, Mapping)]


def _next_cursor(page: Payload) -> str:
    following = page.get("response_metadata")
    return str(following.get("next_cursor") or "") if isinstance(following, Mapping) else ""


def _display_name(answer: Payload) -> str | None:
    user = answer.get("user")
    if not isinstance(user, Mapping):
        return None
    profile = user.get("profile")
    names = (profile.get("display_name"), profile.get("real_name")) if isinstance(profile, Mapping) else ()
    return next((str(name) for name in (*names, user.get("real_name"), user.get("name")) if name), None)
