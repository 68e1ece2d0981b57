"""What a session has cost so far, in words."""

from collections.abc import Sequence

from core.model.prices import Prices
from core.store.ledger import MOST, Spent

_CENT = 0.01
_LEAST = 0.0001


def told(spent: Sequence[Spent], prices: Prices) -> str:
    """Two lines, of how much was read and what it cost; nothing where nothing was. What is our own count says so."""
    when = "so far" if sum(one.calls for one in spent) < MOST else f"in its last {MOST:,} calls"
    shown, cached = sum(one.shown for one in spent), sum(one.cached for one in spent)
    if not shown:
        return ""
    about = "about " if any(one.estimated for one in spent) else ""
    counted = ". Where its server told no figures, I have counted" if about else ""
    return (
        f"\nFor this session my model has read {about}{shown:,} tokens {when}, {cached / shown:.0%} of them from its "
        f"provider's cache{counted}.\n{_cost(spent, prices, about, when)}"
    )


def _cost(spent: Sequence[Spent], prices: Prices, about: str, when: str) -> str:
    costs = {one: prices.cost(one) for one in spent}
    unknown = " and ".join(sorted({one.model for one, cost in costs.items() if cost is None}))
    known = [cost for cost in costs.values() if cost is not None]
    if not known:
        return f"What that has cost I can't say: I don't know the price of {unknown}."
    beside = f", beside {unknown}, whose price I don't know" if unknown else ""
    return f"It has cost {about}{dollars(sum(known))} {when}, at list price{beside}."


def dollars(cost: float) -> str:
    """To the cent, or to two figures where that is less."""
    if 0 < cost < _LEAST:
        return f"less than ${_LEAST}"
    return f"${cost:,.2f}" if cost >= _CENT or not cost else f"${cost:.4f}".rstrip("0")
