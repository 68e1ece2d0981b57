"""The assistant: answers one turn.

What the session remembers goes in, the model's words come out, and the answer, its bill and the intent to post it are
stored as one. Commands are answered here as well: same order, same durability.
"""

from time import time

import structlog

from core.access import Denial, shut_out
from core.assistant import apologies
from core.assistant.answering import Answering
from core.assistant.obeying import Obeying
from core.assistant.rechecking import Rechecking, Unsaid
from core.assistant.running import Runs
from core.commands import auditing, orders
from core.commands.orders import Order
from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.outbox import Outbox
from core.errors import DeliveryError
from core.memory.mind import Mind
from core.session import Answer, Fate, Lease, Progress, SessionKey, Turn
from core.store import Connection, Database, answering, deliveries, notices, queue, timeouts, withheld
from core.timings import Clock, Timings

log = structlog.get_logger()


class Assistant:
    """Answers turns, one at a time per session. `runs` are the answers that are being written."""

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        mind: Mind,
        timings: Timings,
        clock: Clock = time,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._mind = mind
        self._timings = timings
        self.runs = Runs()
        self._rechecking = Rechecking(database=database, outbox=outbox, timings=timings, clock=clock)
        self._obeying = Obeying(
            database=database, outbox=outbox, mind=mind, timings=timings, runs=self.runs, clock=clock
        )
        self._answering = Answering(
            database=database, outbox=outbox, mind=mind, timings=timings, runs=self.runs, clock=clock
        )

    async def answer(self, lease: Lease, question: Turn, *, queued: bool = False) -> Fate:
        """Answers a turn, or finishes what an earlier process began. What was `queued` has waited for another one.

        Raises ModelUnavailable, AccessUnknown and a DeliveryError, after which the turn is to be tried again, Changed
        when the question has, and LeaseLost.
        """
        if question.notice is not None:
            return await self._tell(lease, question)
        order = orders.order(lease.key, question)
        if question.progress is Progress.ANSWERED:
            return await self._finish(lease, question, order)
        if not question.begun and await self._is_ignored(lease, question, order):
            return await self._ignore(lease, question, order)
        if not question.begun and (why := self._shut_out(lease, question)) is not None:
            return await self._turn_away(lease, question, order, why)
        if lease.stops(question.seq) and (order is None or order.is_for_the_model):
            return await self._answering.talk(lease, question, order)  # which ends, and asks nobody
        try:
            if not await self._rechecking.sees(lease, question, queued=queued):
                return await self._withhold(lease.key, question, order, lease)
        except Unsaid:
            return await self._answering.say(lease, question, apologies.UNSEEN, "unseen")
        if order is not None and not (order.is_for_the_model and await self._obeying.permits(order, lease.overrides)):
            return await self._obeying.obey(order, lease)
        if question.slip.missed:
            return await self._answering.say(lease, question, apologies.too_late(question.slip.missed), "missed")
        return await self._answering.talk(lease, question, order)

    async def _tell(self, lease: Lease, notice: Turn) -> Fate:
        """Delivers a notice; that a conversation goes on is told only where it does."""
        is_fresh = notice.progress is Progress.WAITING and not notice.begun
        if is_fresh and notices.is_waking(notice) and not await self._goes_on(lease, notice):
            return await self._pass_over(lease, notice)
        if is_fresh and not await self._is_there(lease, notice):
            return await self._pass_over(lease, notice)
        return await self._outbox.notify(lease, notice)

    async def _is_there(self, lease: Lease, turn: Turn) -> bool:
        """Whether its author sees the place still: what is for them alone would be shown to all who are there."""
        try:
            return await self._rechecking.sees(lease, turn, queued=True)
        except Unsaid:
            return True

    async def _goes_on(self, lease: Lease, notice: Turn) -> bool:
        """Whether a conversation does: not where somebody has started clean, or what woke it has been taken back."""
        if await self._database.read(timeouts.is_overtaken, lease.key, notice):
            return False
        if not await self._database.write(timeouts.fall_asleep, lease, notice):
            return True
        address = lease.key.address
        try:
            await self._outbox.adapters[address.platform].presence(address, is_present=False)
        except DeliveryError as error:
            log.info("courtesy not done", error=type(error).__name__)
        return False

    async def _is_ignored(self, lease: Lease, question: Turn, order: Order | None) -> bool:
        """Whether nothing is to be said here, as it was set after this had been said."""
        if order is not None:
            return await self._obeying.ignores(order)
        return self._mind.policy.under(lease.overrides).answers in ("observe", "off")

    async def _ignore(self, lease: Lease, question: Turn, order: Order | None) -> Fate:
        if order is not None:
            return await self._obeying.ignore(order, lease)
        return await self._pass_over(lease, question)

    def _shut_out(self, lease: Lease, question: Turn) -> Denial | None:
        """Why its author is not talked with here, as it was set after this had been said."""
        if question.author is None:
            return None
        policy = self._mind.policy.under(lease.overrides)
        slip = question.slip
        return shut_out(policy, lease.key.address, question.author, direct=slip.direct, standing=slip.standing)

    async def _turn_away(self, lease: Lease, question: Turn, order: Order | None, why: Denial) -> Fate:
        """Tells its author so, and nobody else."""
        if not await self._is_there(lease, question):
            return await self._withhold(lease.key, question, order, lease)
        await self._database.write(queue.keep_private, lease.key, question.seq)
        parts = composing.pieces(self._outbox.adapters[lease.key.address.platform], question, why.value)
        stored, command = answering.stored(parts), orders.named(question)
        errand = Errand(key=lease.key, cause=question, lease=lease, stored=stored, private=True, command=command)
        return await self._outbox.answer(errand, Answer(parts=parts))

    async def _pass_over(self, lease: Lease, question: Turn) -> Fate:
        """Ends a turn to which nothing is said."""
        nothing = Errand(key=lease.key, cause=question, lease=lease, stored=())
        return await self._outbox.answer(nothing, Answer(parts=()))

    async def _finish(self, lease: Lease, question: Turn, order: Order | None) -> Fate:
        if order is None:
            return await self._answering.finish(lease, question)
        return await self._obeying.finish(order, lease)

    async def _withhold(self, key: SessionKey, question: Turn, order: Order | None, lease: Lease | None) -> Fate:
        """Ends a turn without a word: its author does not see the place any more."""
        reason = "its asker does not see this place any more"
        log.warning("answer withheld", session=key.address.id, seq=question.seq, reason=reason)
        left = await self._database.write(_withheld, key, question, order, lease=lease, seconds=self._timings.lease)
        return await self._outbox.deliver(Errand(key=key, cause=question, lease=lease, stored=(), doubtful=left))

    async def answer_aside(self, key: SessionKey, question: Turn) -> None:
        """Answers a command that does not queue (`at_once`), without a lease. Raises a DeliveryError."""
        order = orders.order(key, question)
        assert order is not None, "only commands are answered without a lease"  # noqa: S101
        if await self._obeying.ignores(order):
            await self._obeying.ignore(order, None)
        elif await self._rechecking.sees_aside(order):
            await self._obeying.obey(order, None)
        else:
            await self._withhold(key, question, order, None)

    async def give_up(self, lease: Lease, question: Turn, reason: str) -> Fate:
        """Ends a turn that failed too often with an honest sentence."""
        if question.progress is Progress.ANSWERED:
            await self._database.write(deliveries.refuse, lease.key, question.seq, reason)
            return await self._answering.finish(lease, question)
        if question.notice is not None:
            nothing = Errand(key=lease.key, cause=question, lease=lease, stored=())
            return await self._outbox.answer(nothing, Answer(parts=(), error=reason))
        return await self._answering.say(lease, question, apologies.gave_up(question), reason)


def _withheld(
    connection: Connection, key: SessionKey, question: Turn, order: Order | None, *, lease: Lease | None, seconds: float
) -> bool:
    """See `withheld.withhold`; that a command was not done is recorded with it."""
    left = withheld.withhold(connection, key, question, lease=lease, seconds=seconds)
    if order is not None:
        auditing.refuse(connection, order)
    return left
