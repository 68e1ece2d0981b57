"""Limits: how much may be spent in a while, as people write it: `5 usd/day, 100k tokens/month, 10 requests/minute`."""

from dataclasses import dataclass
from decimal import Decimal
from math import inf
from re import IGNORECASE
from re import compile as pattern
from typing import Literal

from core.policy.values import Wrong, brief

Unit = Literal["usd", "tokens", "requests"]
Period = Literal["minute", "day", "week", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So much in each day, week or month; requests are counted by the minute, and nothing else is."""

    amount: float
    unit: Unit
    period: Period

    def __str__(self) -> str:
        whole, _, rest = f"{Decimal(repr(self.amount)):,f}".partition(".")
        rest = rest.rstrip("0")
        rest = rest.ljust(2, "0") if rest and self.unit == "usd" else rest
        return f"{whole}.{rest}".rstrip(".") + f" {self.unit}/{self.period}"


Limits = tuple[Limit, ...]
"""All of them hold."""

_APART = pattern(r"(?<!\d),|,(?!\d{3}\b)|;|\band\b")
_LIMIT = pattern(
    r"(?P<dollar>\$)? ?(?P<number>[\d,]+(?:\.\d+)?) ?(?P<times>[km]\b)? ?(?P<unit>[a-z]+|\$)?"
    r" ?(?:/|\bper\b|\ba\b) ?(?P<period>[a-z]+)",
    IGNORECASE,
)
_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("usd", "dollar", "dollars", "$"), "usd"),
    **dict.fromkeys(("token", "tokens"), "tokens"),
    **dict.fromkeys(("request", "requests"), "requests"),
}
_PERIODS: dict[str, Period] = {
    "minute": "minute",
    "min": "minute",
    "day": "day",
    "week": "week",
    "month": "month",
}
_TIMES = {"k": 1_000, "m": 1_000_000}
_MOST = 1e15
_FORM = "write one as 5 usd/day, 100k tokens/month or 10 requests/minute"


def limits(said: str) -> Limits:
    """Reads some of them, with commas between; `none` is none."""
    if said.strip().lower() == "none":
        return ()
    return tuple(dict.fromkeys(_limit(" ".join(part.split())) for part in _APART.split(said)))


def _limit(said: str) -> Limit:
    found = _LIMIT.fullmatch(said) if said.isascii() else None
    period = None if found is None else _PERIODS.get(found["period"].lower())
    if found is None or period is None:
        raise Wrong(f"{brief(said)} is no limit: {_FORM}")
    usual = "requests" if period == "minute" else ""
    unit = _UNITS.get("usd" if found["dollar"] else (found["unit"] or usual).lower())
    amount = _amount(found["number"], found["times"])
    if unit is None or not 0 < amount <= _MOST:
        raise Wrong(f"{brief(said)} is no limit: {_FORM}")
    if (unit == "requests") != (period == "minute"):
        raise Wrong(f"{brief(said)} can't be held: requests are counted by the minute, and nothing else is")
    if unit == "requests":
        amount = max(1.0, amount // 1)  # there are no parts of one
    return Limit(amount=amount, unit=unit, period=period)


def _amount(number: str, times: str | None) -> float:
    bare = number.replace(",", "")
    return (
        float(Decimal(bare) * _TIMES.get((times or "").lower(), 1)) if bare[:1].isdigit() and len(bare) <= 20 else inf
    )


def shown(value: object) -> str:
    """How limits are shown."""
    return ", ".join(str(one) for one in value) if isinstance(value, tuple) and value else "none"
