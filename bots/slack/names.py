"""What people and channels are called: asked for once in a while, and believed meanwhile."""

from asyncio import Lock, gather, timeout
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.markup import nameless
from bots.slack.members import FACTS
from bots.slack.payloads import PLATFORM, Ourselves, Payload
from bots.slack.timings import Timings
from core.errors import DeliveryError, DeliveryUnknown
from core.seam.cache import Recent

log = get_logger(platform=PLATFORM)

_MOST = 40
"""So many names are asked for at once: users.info and conversations.info take some 50 to 100 calls a minute."""
_PEOPLE, _CHANNELS = ("U", "W"), ("C", "G")
"""How their IDs begin."""


class Names:
    """Names by the IDs of people and channels, as far as Slack says them in time."""

    def __init__(self, api: Api, *, timings: Timings) -> None:
        self._api, self._timings = api, timings
        self._known: Recent[tuple[str | None, float]] = Recent()
        self._people: Recent[Payload] = Recent()
        self._asking: dict[str, Lock] = {}

    async def of(self, ids: Iterable[str], us: Ourselves) -> dict[str, str]:
        """The names of these people and channels, as far as Slack says them in time; ours is known."""
        known = {us.user: us.handle} if us.handle else {}
        others = (one for one in dict.fromkeys(ids) if one.startswith((*_PEOPLE, *_CHANNELS)) and one != us.user)
        asked = list(islice(others, _MOST))
        found = await gather(*map(self.name, asked))
        return known | {one: name for one, name in zip(asked, found, strict=True) if name}

    def people(self, ids: Iterable[str]) -> dict[str, Payload]:
        """What Slack has said of these people beside their names, when it was asked for those."""
        found = {one: self._people.get(one) for one in ids}
        return {one: told for one, told in found.items() if told is not None}

    async def name(self, one: str) -> str | None:
        """The name; None when Slack does not say so in time. A failure is not repeated for a minute."""
        lock = self._asking.setdefault(one, Lock())
        try:
            async with timeout(self._timings.names), lock:
                return await self._looked_up(one)
        except TimeoutError:
            self._known.note(one, (None, self._api.clock() + self._timings.sour))
            return None
        finally:
            if not lock.locked():
                self._asking.pop(one, None)

    async def _looked_up(self, one: str) -> str | None:
        known = self._known.get(one)
        now = self._api.clock()
        if known is not None and now < known[1]:
            return known[0]
        try:
            name = await self._asked_twice(one)
        except DeliveryError as error:
            log.debug("name unknown", reason=str(error))
            name = None
        self._known.note(one, (name, now + (self._timings.fresh if name else self._timings.sour)))
        return name

    async def _asked_twice(self, one: str) -> str | None:
        """Once more where it was not Slack that answered: who somebody is may say whether they are talked with."""
        try:
            return await self._asked(one)
        except DeliveryUnknown:
            return await self._asked(one)

    async def _asked(self, one: str) -> str | None:
        if one.startswith(_CHANNELS):
            return _channel_name(await self._api.read("conversations.info", {"channel": one}))
        user = (await self._api.read("users.info", {"user": one})).get("user")
        if not isinstance(user, Mapping):
            return None
        self._people.note(one, {fact: user[fact] for fact in FACTS if fact in user})
        return _display_name(user)


def nameless_in(part: object) -> Iterator[str]:
    """The IDs of the people and channels that a message, or any part of one, speaks of without their names."""
    rest = [part]
    while rest:
        match rest.pop():
            case str(words):
                yield from nameless(words)
            case list(found):
                rest += found
            case dict(found):
                rest += found.values()
                named_by = ("user_id", "author_id", *(("channel_id",) if found.get("type") == "channel" else ()))
                yield from (value for name in named_by if isinstance(value := found.get(name), str))


def _channel_name(answer: Payload) -> str | None:
    """Of a public channel: who is not in a private one does not see its name in Slack either."""
    channel = answer.get("channel")
    if not isinstance(channel, Mapping) or channel.get("is_private"):
        return None
    return str(channel.get("name") or "") or None


def _display_name(user: Payload) -> str | None:
    profile = user.get("profile")
    names = (profile.get("display_name"), profile.get("real_name")) if isinstance(profile, Mapping) else ()
    return next((str(name) for name in (*names, user.get("real_name"), user.get("name")) if name), None)
