"""Rechecking: whoever has waited for an answer may not see the place any more, by the time that it is given there."""

import structlog

from core.access.membership import Membership
from core.errors import DeliveryError, DeliveryRefused
from core.session import SessionKey, Turn
from core.timings import Clock, Timings

log = structlog.get_logger()

_BELIEVED = 1.0  # seconds: what several messages of one person in one place are asked once for


class Unsaid(Exception):
    """The platform has not said for long whether the asker sees the place."""


class Rechecking:
    """Asks once more about those who had to wait: that they have said something was proof enough when they said it."""

    def __init__(self, membership: Membership, *, timings: Timings, clock: Clock) -> None:
        self._membership = membership
        self._timings = timings
        self._clock = clock

    async def sees(self, key: SessionKey, question: Turn, *, queued: bool) -> bool:
        """Whether the asker sees the place of the session now; asked where the question was `queued`, or had to wait.

        A platform that can't tell at all, for want of a scope, keeps nobody from an answer. Raises a DeliveryError
        where it is worth another try, and Unsaid where it is not any more.
        """
        asker, waited = question.author, self._clock() - question.at
        if asker is None or question.slip.direct or question.begun:
            return True
        if not queued and waited <= self._timings.waited:
            return True
        try:
            return await self._membership.sees(key.address, asker.id, within=_BELIEVED)
        except DeliveryRefused as error:
            log.warning("it can't be asked who sees a place", session=key.address.id, reason=str(error))
            return True
        except DeliveryError as error:
            if self._clock() - question.heard_at < self._timings.patience:
                raise
            log.warning("not known who sees a place", session=key.address.id, reason=str(error))
            raise Unsaid from error
