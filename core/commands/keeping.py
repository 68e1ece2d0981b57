"""Keeping: what people are told of how long their words are kept."""

from math import inf

from core.policy import Policy


def told(policy: Policy, *, overheard: bool) -> str:
    """How long, in lines behind others; empty where it is for ever. Of what is overheard only where there is some."""
    said = f"\nWhat is said to me here I keep for {policy.shown('retention')}." if policy.retention < inf else ""
    if not overheard or policy.retention_overheard == inf:
        return said
    return f"{said}\nWhat I overhear I keep for {policy.shown('retention_overheard')}."
