"""Holding: what a call may cost is held before it is made, in one transaction with the look at what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.budget import deciding, periods
from core.budget.caps import Cap, caps
from core.budget.deciding import Fits, Known, Verdict
from core.model.prices import Prices
from core.policy import Policy
from core.session import Lease, SessionKey
from core.store import Connection, budgets, pseudonyms
from core.store.budgets import Hold

_VERSIONS = 2_000_000_000  # numbers below those of turns, each the millisecond of an edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who asks in which session, under which policy, at what prices. `seq` is the question, as it is since `edited_at`.

    What nobody asked for has none, and an empty `author`.
    """

    key: SessionKey
    author: str
    policy: Policy
    prices: Prices
    seq: int | None = None
    edited_at: float | None = None

    @property
    def request(self) -> int | None:
        """By which number all calls for it are one request: what a question has become by an edit is another one."""
        if self.seq is None or self.edited_at is None:
            return self.seq
        return -1 - int(self.edited_at * 1_000) % _VERSIONS

    @property
    def caps(self) -> tuple[Cap, ...]:
        """All caps that hold for it."""
        return tuple(caps(self.policy, self.key.address, self.author))

    def today(self, at: float) -> int:
        """The day that it is for its workspace."""
        return periods.day(at, self.policy.workspace_zone)


def known(connection: Connection, account: Account, *, at: float, but: int = 0, days: int = 1) -> Known:
    """What is known of an account's budgets now, `but` for this hold, and at least of so many days."""
    today = account.today(at)
    since = min(periods.began("month", today), periods.began("week", today), today - days + 1)
    held = budgets.held(connection, account.key.workspace, account.author, but=but)
    spent = budgets.days(connection, account.key, account.author, since=since)
    return Known(days=spent, held=held, today=today, prices=account.prices)


def hold(
    connection: Connection, account: Account, call: Hold, *, lease: Lease | None, at: float, seconds: float
) -> Verdict:
    """Holds what the call may cost, if it fits; without a lease it ends in so many seconds. Repeatable."""
    workspace = account.key.workspace
    budgets.lock(connection, workspace)
    budgets.sweep(connection, workspace)
    verdict = deciding.decide(account.caps, call, known(connection, account, at=at, but=call.hold))
    if isinstance(verdict, Fits):
        budgets.hold(connection, account.key, replace(call, written=verdict.written), lease=lease, seconds=seconds)
    return verdict


def warn(connection: Connection, account: Account, near: Sequence[Cap], *, at: float) -> tuple[Cap, ...]:
    """Those of these caps of which people have yet to be told in their period that they are nearly used up; now they
    are. Nobody is who was forgotten meanwhile."""
    if pseudonyms.whose(connection, account.key, account.seq, account.author) != account.author:
        return ()
    return tuple(one for one in near if _is_news(connection, account, one, account.today(at)))


def _is_news(connection: Connection, account: Account, cap: Cap, today: int) -> bool:
    since = periods.began(cap.limit.period, today)
    return budgets.warn(connection, account.key.workspace, cap.channel, cap.author, str(cap.limit), since=since)


def is_near(connection: Connection, account: Account, *, at: float) -> bool:
    """Whether any of an account's budgets is nearly used up."""
    return bool(deciding.near(account.caps, known(connection, account, at=at)))
