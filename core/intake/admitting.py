"""Admitting: whoever is not talked with is told so, once a day in a channel, and nothing that they say is stored."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from core.access import Denial, denial, is_unheard, quotable
from core.commands import auditing, lines
from core.commands.table import NOT_ADMITTED
from core.events import Events, TurnedAway
from core.intake import judging
from core.memory.mind import Mind
from core.policy import Overrides, Policy
from core.seam.address import Address
from core.seam.messages import Inbound
from core.session import Kind
from core.store import Database, arrivals, places
from core.work.worker import Worker

log = structlog.get_logger()


class NotAdmitted(Exception):
    """Its author is not talked with; nothing was stored. Where nobody is talked with, they are not told so either."""

    def __init__(self, why: Denial, *, is_told: bool) -> None:
        super().__init__(why.name)
        self.why, self.is_told = why, is_told


class Admitting:
    """Judges messages by what is set where they were said."""

    def __init__(self, *, database: Database, worker: Worker, mind: Mind, events: Events) -> None:
        self._database = database
        self._worker = worker
        self._mind = mind
        self._events = events

    def denial(self, message: Inbound, overrides: Overrides, *, is_command: bool) -> Denial | None:
        """Why its author is not talked with; None where they are.

        Where what is set can't be read, commands are heard all the same: by one of them it is set anew.
        """
        why = denial(message, self._mind.policy.under(overrides))
        return None if is_command and why is Denial.UNREADABLE else why

    async def is_unheard(self, message: Inbound) -> bool:
        """Whether nothing of it is to be remembered."""
        return is_unheard(message, await self.policy(message.address))

    async def quotable(self, message: Inbound) -> Inbound:
        """The message without the words of those whom it quotes, and who are not talked with."""
        if all(one.author is None for one in message.quotes):
            return message
        return replace(message, quotes=quotable(message, await self.policy(message.address)))

    async def policy(self, place: Address) -> Policy:
        """What holds there now."""
        return self._mind.policy.under((await self._database.read(places.around, place)).overrides)

    def check(self, message: Inbound, *, is_command: bool) -> Callable[[Overrides], None]:
        """What is called with what is set for the session in which the message is being stored, and may prevent it."""

        def check(overrides: Overrides) -> None:
            why = self.denial(message, overrides, is_command=is_command)
            if why is not None:
                policy = self._mind.policy.under(overrides)
                raise NotAdmitted(why, is_told=message.verb is not None or judging.of_called(policy) is Kind.SAID)

        return check

    async def turn_away(self, message: Inbound, refused: NotAdmitted) -> None:
        """Tells the author so, and nobody else, if the message was for us. What they said goes no further.

        A command by the platform's own means is always answered, as the platform waits for that. A message that has
        come before they were denied is answered, or turned away in its turn: that it comes again is no news.
        """
        if await self._database.read(places.has_asked, message.address, message.id):
            log.debug("known already", session=message.address.id)
            return
        told = refused.is_told and judging.is_called(message) and await self._tell(message, refused.why)
        self._events.tell(TurnedAway(address=message.address, reason=refused.why.name.lower(), told=told))

    async def _tell(self, message: Inbound, why: Denial) -> bool:
        """Whether the author is told so this time."""
        each_time = message.verb is not None or why is Denial.UNKNOWN
        answer = replace(message, id=f"denied:{message.id}", text=why.value, quotes=(), verb=NOT_ADMITTED.name)
        with self._worker.asides.open((answer.address, answer.id)) as hand_over, suppress(arrivals.Duplicate):
            accepted = await self._database.write(auditing.turn_away, answer, lines.parse(message), each_time=each_time)
            hand_over(accepted.key, accepted.turn)
            return True
        return False
