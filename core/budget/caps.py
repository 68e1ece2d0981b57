"""Caps: the limits that hold for one question, each with what it counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.policy import Level, Limit, Limits, Policy
from core.seam.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """A limit on what is spent: in one channel by its ID, or in all of a workspace; by one person, or by all."""

    limit: Limit
    channel: str = ""
    author: str = ""


def caps(policy: Policy, address: Address, author: str) -> Sequence[Cap]:
    """All that hold there for this person, who may be nobody: what is set for a channel is about that alone."""
    found = list[Cap]()
    for level, said in sorted(policy.said.items()):
        channel = address.channel_address.id if level is Level.CHANNEL else ""
        found += _caps(said.get("budget"), channel, "")
        found += _caps(said.get("budget_person"), channel, author) if author else []
    return tuple(dict.fromkeys(found))


def _caps(limits: object, channel: str, author: str) -> list[Cap]:
    known: Limits = limits if isinstance(limits, tuple) else ()
    return [Cap(limit=limit, channel=channel, author=author) for limit in known]
