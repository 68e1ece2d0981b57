"""Thrift: what people are told of budgets that are used up, or nearly."""

from collections.abc import Sequence
from math import ceil

from core.budget import periods
from core.budget.caps import Cap
from core.budget.deciding import NEARLY, Over
from core.commands import moments


def over(verdict: Over, today: int, zone: str) -> str:
    """Why there is no answer, and when it goes on."""
    cap = verdict.cap
    if verdict.seconds is not None:
        seconds = max(1, ceil(verdict.seconds))
        when = "in a second" if seconds == 1 else f"in {seconds} seconds"
        return f"I am asked too often just now: {_whose(cap)} {cap.limit}. It goes on {when}; please ask me again then."
    if verdict.never:
        return (
            f"I can't answer this: it may take more than {_whose(cap)} {cap.limit} at all. `!reset` sets the "
            "conversation aside, which makes questions smaller."
        )
    ends = periods.ends(cap.limit.period, today, zone) if verdict.day is None else periods.begins(verdict.day, zone)
    when = moments.told(ends)
    return (
        f"I can't answer now: {_whose(cap)} {cap.limit} is used up, or what is left is too little for this. It goes on "
        f"at {when}; please ask me again then."
    )


def warning(caps: Sequence[Cap], cheaper: str | None) -> str:
    """What stands beneath an answer once most of these is used, and which model goes on; nothing where none is."""
    if not caps:
        return ""
    which = " and ".join(f"{_whose(cap)} {cap.limit}" for cap in caps)
    follows = f" From here on {cheaper} answers." if cheaper else ""
    return f"\n\n_({NEARLY:.0%} of {which} is used.{follows})_"


def _whose(cap: Cap) -> str:
    if cap.author:
        return "your budget in this channel of" if cap.channel else "your budget of"
    return "this channel's budget of" if cap.channel else "this workspace's budget of"
