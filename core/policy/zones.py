"""Time zones, by their IANA names, as people write them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from zoneinfo import available_timezones


def zone(said: str) -> str | None:
    """The zone by its own spelling; people write a place with a space, and in small letters. None where it is none."""
    return _zones().get(_spelt(said))


def near(said: str) -> Sequence[str]:
    """The zones that may have been meant, at most three, the nearest first."""
    zones = _zones()
    places = {**{name.rpartition("/")[2]: zone for name, zone in sorted(zones.items())}, **zones}
    return list(dict.fromkeys(places[name] for name in get_close_matches(_spelt(said), places, n=3, cutoff=0.7)))


def _spelt(said: str) -> str:
    return said.strip().replace(" ", "_").lower()


@cache
def _zones() -> Mapping[str, str]:
    """The zones that this machine or the package `tzdata` knows, by their names in small letters."""
    return {name.lower(): name for name in available_timezones() - {"Factory", "localtime"} | {"UTC"}}
