"""Slips as they are stored: what is only known of a turn while it waits, as JSON, without what says nothing."""

import json
from dataclasses import fields, replace
from operator import attrgetter

from core.seam.messages import UNTOLD, Standing
from core.session import Slip

_PLAIN = Slip()
_FACTS = tuple(one.name for one in fields(Slip) if one.name != "standing")
_STANDING = tuple(one.name for one in fields(Standing))

# made once: every message that is accepted has a slip
_facts_of, _standing_of = attrgetter(*_FACTS), attrgetter(*_STANDING)
_UNTOLD = _standing_of(UNTOLD)
_JSON = json.JSONEncoder(default=sorted)


def written(slip: Slip) -> str:
    """As JSON: most messages need little but themselves."""
    told = {name: value for name, value in zip(_FACTS, _facts_of(slip), strict=True) if value}
    standing = zip(_STANDING, _standing_of(slip.standing), _UNTOLD, strict=True)
    known = {name: value for name, value, untold in standing if value != untold}
    return _JSON.encode(told | {"standing": known} if known else told)


def read(stored: str | None) -> Slip:
    """A newer release beside us may have written what we don't know."""
    if stored is None:
        return _PLAIN
    found = json.loads(stored)
    known = {name: value for name, value in found.get("standing", {}).items() if name in _STANDING}
    if known.get("roles") is not None:
        known["roles"] = frozenset(known["roles"])
    facts = {name: value for name, value in found.items() if name in _FACTS}
    return Slip(**facts, standing=replace(UNTOLD, **known))


def joined_to(slip: str | None) -> tuple[int, str] | None:
    """The seq of the message that this turn has joined in a burst, and that message's own slip."""
    told = read(slip)
    return None if told.joins is None or told.joined is None else (told.joins, told.joined)
