"""The sign on a person's message that it waits for its turn: a courtesy, so Slack's refusals are noted and no more."""

from structlog import get_logger

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.payloads import PLATFORM, is_ts
from core.seam.address import Address

log = get_logger(platform=PLATFORM)

_SIGN = "hourglass_flowing_sand"
_DONE = {"already_reacted", "no_reaction"}


class Reactions:
    """Reactions by us."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._without = False

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """See Adapter. A command is no message, so it bears no sign. Raises a DeliveryError, but for a refusal."""
        if self._without or not is_ts(message):
            return
        method = "reactions.add" if waits else "reactions.remove"
        try:
            await self._api.write(method, {"channel": address.channel, "timestamp": message, "name": _SIGN})
        except Refused as error:
            if error.code in _DONE:
                return
            self._without = error.is_lasting
            log.info("without a sign", session=address.id, reason=error.code)
