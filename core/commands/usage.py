"""Usage: what a person, a channel or a workspace has used, in words and bars, and how much of its budgets that is."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

from core.budget import holding, periods
from core.budget.caps import Cap
from core.budget.deciding import Known
from core.budget.holding import Account
from core.commands import pictures, spending
from core.commands.orders import Desk
from core.model.prices import Prices
from core.policy import Period
from core.store import Connection
from core.store.budgets import Day

_DAYS = 7
_PERIODS: Sequence[tuple[Period, str]] = (("day", "today"), ("week", "this week"), ("month", "this month"))
_FIRST = date(1970, 1, 1)


def told(connection: Connection, desk: Desk) -> str:
    """What a command asks to see: one's own, the channel's or the workspace's."""
    policy, prices = desk.mind.policy, desk.mind.prices
    account = Account(key=desk.key, author=desk.asker.id, policy=policy, prices=prices)
    known = holding.known(connection, account, at=desk.now, days=_DAYS)
    given = desk.order.arguments
    whose, is_one, counts = _whose("workspace" in given, "channel" in given)
    days = [one for one in known.days if counts(one)]
    caps = [cap for cap in account.caps if is_one(cap)]
    chart = "\n".join([*_days(days, known.today), *_budgets(caps, known)])
    lines = "\n".join(_line(name, _since(days, period, known.today), prices) for period, name in _PERIODS)
    return f"{whose}:\n{lines}\n```\n{chart}\n```\nDays are those of {policy.workspace_zone}.{_unknown(days, prices)}"


def _whose(workspace: bool, channel: bool) -> tuple[str, Callable[[Cap], bool], Callable[[Day], bool]]:  # noqa: FBT001
    """Whose it is in words, which caps are about that, and what counts for it."""
    if workspace:
        return "All in this workspace have used", lambda cap: not cap.channel and not cap.author, lambda _: True
    if channel:
        return "All in this channel have used", lambda cap: bool(cap.channel) and not cap.author, lambda day: day.here
    return "You have used", lambda cap: bool(cap.author), lambda day: day.mine


def _since(days: Sequence[Day], period: Period, today: int) -> Sequence[Day]:
    first = periods.began(period, today)
    return [one for one in days if one.day >= first]


def _line(name: str, days: Sequence[Day], prices: Prices) -> str:
    calls = sum(one.calls for one in days)
    costs = [cost for one in days if (cost := prices.cost(one.spent)) is not None]
    money = f", {spending.dollars(sum(costs))}" if costs else ""
    return f"- {name}: {_tokens(days):,} tokens in {calls:,} {'call' if calls == 1 else 'calls'} of the model{money}"


def _tokens(days: Sequence[Day]) -> int:
    return sum(one.spent.shown + one.spent.written for one in days)


def _days(days: Sequence[Day], today: int) -> Iterator[str]:
    """The last days as bars, the longest of them full."""
    used = {day: _tokens([one for one in days if one.day == day]) for day in range(today - _DAYS + 1, today + 1)}
    most = max(used.values()) or 1
    for day, tokens in used.items():
        name = f"{_FIRST + timedelta(days=day):%a %d}"
        yield f"{name:<12} {tokens:>14,}  {pictures.bar(tokens / most, is_share=False)}".rstrip()


def _budgets(caps: Sequence[Cap], known: Known) -> Iterator[str]:
    """Each budget, and how much of it is used."""
    for cap in caps:
        is_rate = cap.limit.unit == "requests"
        share = len(known.requests(cap)) / cap.limit.amount if is_rate else known.share(cap)
        yield f"{cap.limit!s:<22} {share:>4.0%}  {pictures.bar(share)}"


def _unknown(days: Sequence[Day], prices: Prices) -> str:
    models = sorted({one.spent.model for one in days if prices.cost(one.spent) is None})
    if not models:
        return ""
    return (
        f" I don't know the price of {' and '.join(models)}: no money is told for it, and budgets count the dearest "
        "price that I know."
    )
