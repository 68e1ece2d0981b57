"""Deciding: whether a call fits into what is left, how long its answer may be, or why it does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.budget import periods
from core.budget.caps import Cap
from core.model.prices import Prices
from core.store.budgets import MINUTE, Day, Hold, Reserved
from core.store.ledger import Spent

NEARLY = 0.8
"""The share of a budget from which on people are warned, and the cheaper model answers."""

_LEAST = 64  # tokens of an answer that is worth a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """It may be made, and write so many tokens. These caps are nearly reached."""

    written: int
    near: tuple[Cap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """It would fit, but for what is held for others, which will need less, or is free soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """This cap stands in the way: for so many `seconds`, or until its period ends, or this later `day` begins.

    `never` says that the call is larger than all of it.
    """

    cap: Cap
    seconds: float | None = None
    day: int | None = None
    never: bool = False


Verdict = Fits | Waits | Over


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when a call is to be made: what was spent, what others hold, which day it is, and what costs what.

    Money is a price put to tokens only now: a price that was mistyped, and is mended, mends all that was spent before.
    """

    days: Sequence[Day]
    held: Sequence[Reserved]
    today: int
    prices: Prices

    def spent(self, cap: Cap) -> float:
        """What was spent under a cap in its period, in its unit."""
        first = periods.began(cap.limit.period, self.today)
        ours = [one.spent for one in self.days if one.day >= first and _is_under(cap, here=one.here, mine=one.mine)]
        return sum((self._counted(cap, one) for one in ours), 0.0)

    def share(self, cap: Cap) -> float:
        """How much of it that is, from 0 on."""
        return self.spent(cap) / cap.limit.amount

    def taken(self, cap: Cap) -> float:
        """What is held under it."""
        return sum((self.worst(cap, one.model, one.shown, one.written) for one in self._under(cap)), 0.0)

    def requests(self, cap: Cap, *, but: Hold | None = None) -> Sequence[int]:
        """How long ago the questions of the last minute under it were asked, in milliseconds, the latest first.

        All calls for one question are one request; `but` those for the question of this call.
        """
        asked = dict[tuple[int, int], int]()
        for one in self._under(cap):
            if one.seq is not None and one.age < MINUTE:
                question = one.session, one.seq
                asked[question] = max(one.age, asked.get(question, 0))
        return sorted(age for question, age in asked.items() if but is None or question != (but.session, but.seq))

    def _under(self, cap: Cap) -> Sequence[Reserved]:
        return [one for one in self.held if cap.channel in {"", one.channel} and cap.author in {"", one.author}]

    def worst(self, cap: Cap, model: str, shown: int, written: int) -> float:
        """The most that a call of this size may cost: all that is read may be kept in the provider's cache as well."""
        above = float(self.prices.step(shown))
        kinds = [
            Spent(
                model=model,
                estimated=False,
                above=above,
                shown=shown,
                cached=0,
                cache_written=kept,
                written=written,
            )
            for kept in (0, shown)
        ]
        return max(self._counted(cap, one) for one in kinds)

    def _counted(self, cap: Cap, spent: Spent) -> float:
        """A model whose price is not known costs as much as the dearest that is; where none is, without end."""
        if cap.limit.unit == "tokens":
            return float(spent.shown + spent.written)
        cost = self.prices.most(spent)
        return float("inf") if cost is None else cost


def _is_under(cap: Cap, *, here: bool, mine: bool) -> bool:
    return (here or not cap.channel) and (mine or not cap.author)


def near(caps: Sequence[Cap], known: Known) -> tuple[Cap, ...]:
    """Those that are nearly used up, or are."""
    return tuple(cap for cap in caps if cap.limit.unit != "requests" and known.share(cap) >= NEARLY)


def decide(caps: Sequence[Cap], call: Hold, known: Known) -> Verdict:
    """Whether this call may be made; what is left need not be enough for the longest answer that is asked for.

    Of several caps in the way it is the one that is so for the longest: before that, nothing goes on.
    """
    amounts = [cap for cap in caps if cap.limit.unit != "requests"]
    rooms = [_room(cap, call, known) for cap in amounts]
    tight = [cap for cap, room in zip(amounts, rooms, strict=True) if room < min(_LEAST, call.written)]
    over = [*(_too_often(cap, call, known) for cap in caps), *(_used_up(cap, call, known) for cap in tight)]
    if in_the_way := [one for one in over if one is not None]:
        return max(in_the_way, key=lambda one: _lasts(one, known))
    written = min([call.written, *rooms])
    for cap in amounts:
        free = cap.limit.amount - known.spent(cap) - known.taken(cap)
        if _cost_of(cap, call, known)(written) > free:
            return Waits()
    return Fits(written=written, near=near(amounts, known))


def _room(cap: Cap, call: Hold, known: Known) -> int:
    """How long the answer may become by what is left under this cap; -1 where not even the question has room."""
    return _longest(_cost_of(cap, call, known), call.written, cap.limit.amount - known.spent(cap))


def _used_up(cap: Cap, call: Hold, known: Known) -> Over:
    least = _cost_of(cap, call, known)(min(_LEAST, call.written))
    if least > cap.limit.amount:
        return Over(cap=cap, never=True)
    return Over(cap=cap, day=_later(cap, least, known))


def _later(cap: Cap, least: float, known: Known) -> int | None:
    """When there is room for so much, where that is later than its next period: by a change of zone today may be
    yesterday again, and what was spent since is of days to come.
    """
    first = day = periods.following(cap.limit.period, known.today)
    while cap.limit.amount - replace(known, today=day).spent(cap) < least:
        day = periods.following(cap.limit.period, day)
    return None if day == first else day


def _lasts(over: Over, known: Known) -> tuple[bool, int, float]:
    """For how long it stands in the way, in order."""
    day = periods.following(over.cap.limit.period, known.today) if over.day is None else over.day
    return over.never, day, over.seconds or 0.0


def _too_often(cap: Cap, call: Hold, known: Known) -> Over | None:
    if cap.limit.unit != "requests" or call.seq is None:
        return None
    ages = known.requests(cap, but=call)
    most = int(cap.limit.amount)
    return None if len(ages) < most else Over(cap=cap, seconds=(MINUTE - ages[most - 1]) / 1000)


def _cost_of(cap: Cap, call: Hold, known: Known) -> Callable[[int], float]:
    """What the call costs at most, by the length of its answer."""
    return lambda written: known.worst(cap, call.model, call.shown, written)


def _longest(cost: Callable[[int], float], most: int, left: float) -> int:
    """The longest answer of at most so many tokens that costs no more than what is left; -1 where none does."""
    if cost(most) <= left:
        return most
    least, over = -1, most
    while over - least > 1:
        middle = (least + over) // 2
        least, over = (middle, over) if cost(middle) <= left else (least, middle)
    return least
