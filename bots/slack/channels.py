"""Who sees which channel, and of which kind it is: asked of Slack, and believed for a minute."""

from asyncio import timeout
from collections.abc import Mapping

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.members import is_organisation, standing
from bots.slack.pages import next_cursor
from bots.slack.payloads import PLATFORM, Ourselves, Payload, View, is_direct
from bots.slack.timings import Timings
from core.errors import DeliveryError, DeliveryRefused
from core.seam.address import Address
from core.seam.cache import Recent

log = get_logger(platform=PLATFORM)

_KINDS = {"channel": True, "group": False, "mpim": False}
_PAGE = 999
_NOBODY = {"user_not_found", "user_not_visible"}
"""Who is not there, or shares no place with us; docs.slack.dev/reference/methods/users.info."""


class Channels:
    """Who sees which channel, asked of Slack. Whether a channel is public is believed for `Timings.seen`."""

    def __init__(self, api: Api, *, timings: Timings) -> None:
        self._api, self._timings = api, timings
        self._public: Recent[tuple[bool | None, float]] = Recent()

    def note(self, event: Payload) -> bool | None:
        """Whether an event says that its channel is public, which it does by the channel's kind."""
        public, channel = _KINDS.get(str(event.get("channel_type"))), event.get("channel")
        if public is not None and isinstance(channel, str):
            self._keep(channel, public)
        return public

    async def is_public(self, channel: str) -> bool | None:
        """The same, asked of Slack in time; None where it does not say so, and of direct messages."""
        if is_direct(channel):
            return None
        known = self._public.get(channel)
        if known is not None and self._api.clock() < known[1]:
            return known[0]
        try:
            async with timeout(self._timings.names):
                return await self._asked(channel)
        except (DeliveryError, TimeoutError) as error:
            log.debug("channel unknown", reason=type(error).__name__)
        self._keep(channel, None)
        return None

    async def sees(self, address: Address, person: str, us: Ourselves) -> bool:
        """Whether somebody sees this channel: its members do, and a public one all members of the workspace. Who is in
        another workspace of the same organisation alone, does not find it there.

        It takes the scopes channels:read, groups:read and mpim:read. Raises a DeliveryError.
        """
        user = await self._known(person)
        if not isinstance(user, Mapping) or user.get("deleted") is True:
            return False
        view = View(us=us, agent_view=False, now=0.0, people={person: user})
        known = standing(person, {}, address.workspace, view)
        is_from_here = known.home is None or is_organisation(address.workspace)
        is_member = is_from_here and known.is_external is False and not known.is_guest
        if is_member and await self._is_for_members(address.channel):
            return True
        return await self._is_in(address.channel, person)

    async def _known(self, person: str) -> object:
        """What Slack says of somebody; None of whom it knows nothing, as of those whose organisation has left."""
        try:
            return (await self._api.read("users.info", {"user": person})).get("user")
        except Refused as error:
            if error.code in _NOBODY:
                return None
            raise

    async def _is_for_members(self, channel: str) -> bool:
        """Whether all members see it, as far as Slack tells: asked anew where it has not lately.

        Raises a DeliveryError where it does not answer.
        """
        known = self._public.get(channel)
        if known is not None and known[0] is not None and self._api.clock() < known[1]:
            return known[0]
        try:
            return not is_direct(channel) and await self._asked(channel) is True
        except DeliveryRefused:  # it may tell of the channel's members all the same
            return False

    async def _is_in(self, channel: str, person: str) -> bool:
        cursor = None
        while True:
            asked = {"channel": channel, "limit": _PAGE, "cursor": cursor}
            page = await self._api.read("conversations.members", asked)
            if person in (page.get("members") or ()):
                return True
            cursor = next_cursor(page)
            if cursor is None:
                return False

    async def _asked(self, channel: str) -> bool | None:
        found = (await self._api.read("conversations.info", {"channel": channel})).get("channel")
        kinds = ("is_private", "is_mpim", "is_im")
        public = not any(found.get(one) is True for one in kinds) if isinstance(found, Mapping) else None
        self._keep(channel, public)
        return public

    def _keep(self, channel: str, public: bool | None) -> None:  # noqa: FBT001 – it is no switch
        self._public.note(channel, (public, self._api.clock() + self._timings.seen))
