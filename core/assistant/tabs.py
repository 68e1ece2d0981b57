"""Tabs: what the calls of the model for one question cost. Each is held before it is made, and settled after it.

The last one is settled with the answer, in its transaction; those before it, and those of which no answer came, beside
it. Without a budget nothing is held, and what was spent is summed all the same.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import ceil
from secrets import randbits

import structlog

from core.access import Denial
from core.assistant import thrift
from core.budget import holding
from core.budget.caps import Cap
from core.budget.deciding import Fits, Over
from core.budget.holding import Account
from core.errors import BudgetNotHeld, BudgetSpent, DatabaseError, EmptyAnswer, ModelError
from core.memory.mind import Mind
from core.model.llm import Afresh, Finish, Piece, Prompt, Unseen, Usage
from core.session import Bill, Lease
from core.store import Database, budgets
from core.store.budgets import Hold
from core.timings import Clock

log = structlog.get_logger()

_NOTHING_UNSEEN = Unseen(0)

_RANDOM = 20  # bits behind the milliseconds: calls of one moment have numbers of their own


@dataclass(slots=True, eq=False)
class _Call:
    """A call that is being made: what was held for it, and what is known of its cost by now."""

    mind: Mind
    hold: Hold
    was_held: bool
    words: str = ""
    unseen: Unseen = _NOTHING_UNSEEN
    model: str = ""
    usage: Usage | None = None
    is_paid: bool = True

    @property
    def used(self) -> Usage:
        """What it has cost so far: by our own count where that is not told, and at least what was sent."""
        if self.usage is not None:
            return self.usage
        if not self.is_paid:
            return Usage(shown=0, written=0)
        words = self.mind.counter.count(self.words) if self.words else 0
        return Usage(shown=self.hold.shown, written=words + self.unseen.tokens)


class Tab:
    """The calls for one question, or for one text of a fold: one after the other."""

    def __init__(
        self, *, database: Database, account: Account, lease: Lease | None, seconds: float, clock: Clock
    ) -> None:
        """Without a lease, what is held is free again in so many seconds."""
        self.account = account
        self.near: tuple[Cap, ...] = ()
        """Which budgets are nearly used up, as the last call has found."""
        self._database = database
        self._lease = lease
        self._seconds = seconds
        self._clock = clock
        self._call: _Call | None = None
        self._is_offered = False

    async def begin(self, mind: Mind, prompt: Prompt) -> Prompt:
        """Holds what this may cost; returns it with its limit. Raises BudgetSpent, BudgetNotHeld."""
        await self.close()
        if self.account.policy.is_lost:
            raise BudgetSpent(Denial.UNREADABLE.value)
        hold = Hold(
            hold=int(self._clock() * 1000) << _RANDOM | randbits(_RANDOM),
            session=self.account.key.session,
            seq=self.account.request,
            author=self.account.author,
            model=mind.model.name,
            shown=ceil(prompt.tokens * mind.calibration.measure),
            written=mind.model.longest(prompt),
        )
        has_budget = bool(self.account.caps)
        if has_budget:
            prompt = replace(prompt, most=await self._room(hold))
        self._call = _Call(mind=mind, hold=hold, was_held=has_budget)
        return prompt

    async def _room(self, hold: Hold) -> int:
        """How much may be written, now that it is held."""
        account, at = self.account, self._clock()
        try:
            verdict = await self._database.write(
                holding.hold, account, hold, lease=self._lease, at=at, seconds=self._seconds
            )
        except DatabaseError as error:
            raise BudgetNotHeld(f"what the call may cost could not be held: {error}") from error
        match verdict:
            case Fits():
                self.near = verdict.near
                return verdict.written
            case Over():
                raise BudgetSpent(thrift.over(verdict, account.today(at), account.policy.workspace_zone))
            case _:
                raise BudgetNotHeld("what is left of a budget is held for others")

    def hear(self, piece: Piece) -> None:
        """A piece of the answer has come."""
        assert self._call is not None, "a call has begun"  # noqa: S101
        match piece:
            case Finish():
                self._call.model = piece.model
                self._call.usage = piece.usage or self._call.usage
            case Usage():
                self._call.usage = piece
            case Unseen():
                self._call.unseen = piece
            case Afresh():
                pass
            case _:
                self._call.words += piece

    def fail(self, error: ModelError) -> None:
        """The call has failed: a refusal costs nothing, nor does what never came."""
        if self._call is not None:
            has_written = bool(self._call.words) or self._call.unseen.characters > 0
            self._call.is_paid = has_written or isinstance(error, EmptyAnswer)

    @property
    def bill(self) -> Bill | None:
        """What the last call has cost, where it is not settled yet."""
        call = self._call
        if call is None:
            return None
        used = call.used
        return Bill(
            hold=call.hold.hold,
            was_held=call.was_held,
            day=self.account.today(self._clock()),
            model=self.account.prices.named(call.model, asked=call.hold.model),
            above=self.account.prices.step(used.shown),
            shown=used.shown,
            cached=used.cached,
            cache_written=used.cache_written,
            written=used.written,
        )

    async def warns(self) -> Sequence[Cap]:
        """Of which budgets people are to be told beneath the answer that is about to be stored; they are told once."""
        if not self.near:
            return ()
        try:
            return await self._database.write(holding.warn, self.account, self.near, at=self._clock())
        except DatabaseError as error:  # the next answer tells it
            log.warning("not warned of a budget", session=self.account.key.address.id, reason=str(error))
            return ()

    def offer(self) -> Bill | None:
        """The bill, for an answer that is to be stored, by which it is settled."""
        self._is_offered = True
        return self.bill

    def settle(self) -> None:
        """The answer is stored."""
        self._call = None

    async def close(self) -> None:
        """Settles what is open; of what an answer may be stored with, only what was held, which is settled once."""
        bill, self._call = self.bill, None
        if bill is None or not (bill.was_held or (bill.is_something and not self._is_offered)):
            return
        try:
            account = self.account
            await self._database.write(budgets.book, account.key, account.author, bill, seq=account.seq)
        except DatabaseError as error:
            log.error("call not settled", shown=bill.shown, written=bill.written, reason=str(error))


class Tabs:
    """Opens tabs, and sees what is nearly used up."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def open(self, account: Account, lease: Lease | None = None, *, seconds: float = 0.0) -> AsyncIterator[Tab]:
        """A tab that is settled in the end; without a lease, what it holds is free again in so many seconds."""
        tab = Tab(database=self._database, account=account, lease=lease, seconds=seconds, clock=self._clock)
        try:
            yield tab
        finally:
            await tab.close()

    async def thrifty(self, mind: Mind, account: Account) -> Mind:
        """The mind that answers: with the cheaper model once most of a budget is used."""
        if not mind.policy.cheaper_model or not account.caps:
            return mind
        try:
            is_near = await self._database.read(holding.is_near, account, at=self._clock())
        except DatabaseError as error:  # the call itself is held, or not made
            log.error("not known what is left of a budget", session=account.key.address.id, reason=str(error))
            return mind
        return mind.thrifty() if is_near else mind
