"""What people call themselves: their display names, asked for once in a while."""

from asyncio import Lock, timeout
from collections.abc import Mapping
from dataclasses import replace

from structlog import get_logger

from bots.slack.calls import Calls
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.recent import Recent
from core.errors import DeliveryError
from core.messages import Inbound

log = get_logger(platform=PLATFORM)


class Names:
    """Display names by user ID. Somebody waits for the acknowledgement meanwhile, so it gives up after `seconds`."""

    def __init__(self, calls: Calls, *, seconds: float = 1.0, fresh: float = 3600.0, sour: float = 60.0) -> None:
        self._calls = calls
        self._seconds, self._fresh, self._sour = seconds, fresh, sour
        self._known: Recent[tuple[str | None, float]] = Recent()
        self._asking: dict[str, Lock] = {}

    async def named(self, said: Inbound) -> Inbound:
        """The message with the name that its author goes by, where Slack says it in time."""
        name = await self.name(said.author.id)
        return replace(said, author=replace(said.author, name=name)) if name else said

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


def _display_name(answer: Payload) -> str | None:
    user = answer.get("user")
    if not isinstance(user, Mapping):
        return None
    profile = user.get("profile")
    names = (profile.get("display_name"), profile.get("real_name")) if isinstance(profile, Mapping) else ()
    return next((str(name) for name in (*names, user.get("real_name"), user.get("name")) if name), None)
