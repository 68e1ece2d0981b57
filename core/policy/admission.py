"""Whom the bot talks with, as it is set: lists of stable IDs, each with its kind, and how they are read and shown."""

from re import compile as pattern
from typing import NamedTuple

from core.policy.values import Wrong, brief, mentioned

KINDS = ("workspace", "channel", "person", "role")
"""What can be named: where somebody comes from, a place, a person, a role that the platform gives people."""

DIRECT_CHANNELS = "@me"
"""In the place of a channel's ID: everybody's direct messages."""


EVERYONE, NOBODY = "everyone", "nobody"
"""How it is shown, and may be said, that no list is set."""


class Named(NamedTuple):
    """Something by its kind and its stable ID."""

    kind: str
    id: str


Names = frozenset[Named]

_NAMED = pattern(rf"({'|'.join(KINDS)}):\s*({DIRECT_CHANNELS}|[^\s:,<>`@#][^\s:,<>`]{{0,79}})")
"""`#general` and `@admins` are names, which anybody may give to something else."""


def allowed(said: str) -> tuple[Names, ...]:
    """A list of those who are let in. What several levels have said holds together: each list must let one in."""
    return () if said.strip().lower() == EVERYONE else (_names(said),)


def denied(said: str) -> Names:
    """A list of those who are kept out. A mention names a person."""
    return frozenset() if said.strip().lower() == NOBODY else _names(said)


def _names(said: str) -> Names:
    return frozenset(_named(one.strip()) for one in said.split(","))


def _named(said: str) -> Named:
    person = mentioned(said)
    if person is not None:
        return Named("person", person)
    found = _NAMED.fullmatch(said)
    if found is None:
        kinds = ", ".join(f"{kind}:ID" for kind in KINDS)
        raise Wrong(f"{brief(said) or 'Nothing'} names nobody: write mentions, or {kinds}, with commas between them")
    return Named(found[1], found[2])


def joined(farther: object, nearer: object) -> object:
    """What both levels have said: nobody is let in, or is not kept out any more, by what is set nearer."""
    if isinstance(farther, frozenset) and isinstance(nearer, frozenset):
        return farther | nearer
    if isinstance(farther, tuple) and isinstance(nearer, tuple):
        return farther + nearer
    raise TypeError("these are no lists of one kind")


def shown_allowed(value: object) -> str:
    """How lists of those who are let in are shown."""
    lists = [shown_denied(one) for one in value] if isinstance(value, tuple) else []
    return "; and of these ".join(lists) or EVERYONE


def shown_denied(value: object) -> str:
    """How a list of those who are kept out is shown."""
    names = sorted(value) if isinstance(value, frozenset) else []
    return ", ".join(f"{one.kind}:{one.id}" for one in names) or NOBODY
