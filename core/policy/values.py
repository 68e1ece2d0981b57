"""Values of settings: how what people say becomes one, and how people are told it."""

from collections.abc import Callable
from difflib import get_close_matches
from math import inf
from re import DOTALL
from re import compile as pattern

from core.policy import zones


class Wrong(ValueError):
    """This can't be set; the message says why, and what would be right."""


_DIGITS = 12  # of a number that anybody writes


def whole(what: str, allowed: range) -> Callable[[str], int]:
    """Reads a number of these."""

    def read(said: str) -> int:
        digits = said.strip().replace(",", "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS and int(digits) in allowed):
            raise Wrong(f"{brief(said)} is no number of {what}: write one from {allowed[0]:,} to {allowed[-1]:,}")
        return int(digits)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of these words, in whatever letters."""

    def read(said: str) -> str:
        word = said.strip().lower()
        if word not in words:
            raise Wrong(f"{brief(said)} is none of {', '.join(words)}")
        return word

    return read


def yes_or_no(said: str) -> bool:
    """Reads one of these two words."""
    return one_of("yes", "no")(said) == "yes"


def whether(value: object) -> str:
    """How that is shown."""
    return "yes" if value else "no"


def brief(said: str) -> str:
    """What somebody said, as a sentence can begin with it: what would open a block of code there is gone."""
    words = " ".join(_FENCES.sub("'", said).split()) or "nothing"
    return words if len(words) <= 60 else f"{words[:59]}…"


_FENCES = pattern("`|~{3,}")


ADMINS = "admins"
"""In the place of an ID: those whom the platform gives power over the place."""

MEMBERS = "members"
"""In the place of an ID: those who have said something to us in the session."""

_GROUPS = frozenset({ADMINS, MEMBERS})
_PEOPLE = ("everyone", "asker", ADMINS, MEMBERS)
_MEANT = {
    **dict.fromkeys(("everybody", "anyone", "anybody", "all", "alle", "jeder", "tous", "todos", "tutti"), "everyone"),
    **dict.fromkeys(("yes", "on", "true"), "everyone"),
    **dict.fromkeys(("nobody", "none", "never", "no", "off", "false"), ADMINS),
    **dict.fromkeys(("me", "owner", "owners", "moderators"), ADMINS),
    **dict.fromkeys(("niemand", "keiner", "personne", "nadie", "nessuno"), ADMINS),
}
"""What people write for that; taken for IDs, these would be nobody's."""

People = frozenset[str] | None
"""Who may do something: IDs of people, ADMINS and MEMBERS among them; None is everyone."""


_ID = pattern(r"(?:(?![()@<>`:])[!-~]){1,80}")
"""Of plain characters, as all platforms have them."""
_PERSON = pattern(r"person:\s*(.+)")
"""As it is written where other things have IDs as well; what else is named so is no person."""
_MENTION = pattern(r"@.*\(([^\s()@<>`]{1,80})\)", DOTALL)
"""As a platform's adapter writes it: the name, which anybody may choose, and at the end the ID."""


def people(said: str) -> People:
    """IDs, or mentions, beside the asker, who always may. `evryone` is nobody's ID, and would shut all out."""
    names = {name.strip() for name in said.split(",")}
    for name in names:
        word = name.lower()
        near = [_MEANT[word]] if word in _MEANT else get_close_matches(word, _PEOPLE, n=1, cutoff=0.75)
        if near and word not in _PEOPLE:
            raise Wrong(f"{brief(name)} is no ID; write {near[0]}")
    names = {_id(name) for name in names}
    if "everyone" in {name.lower() for name in names}:
        return None
    named = frozenset(name for name in names if name.lower() not in {"", *_PEOPLE})
    return named | (_GROUPS & {name.lower() for name in names})


def mentioned(name: str) -> str | None:
    """The ID of the person whom a mention names; None for what is no mention."""
    mention = _MENTION.fullmatch(name)
    return None if mention is None else mention[1]


def _id(name: str) -> str:
    """The ID that a name of the list is, or stands for."""
    person = mentioned(name)
    told = _PERSON.fullmatch(name)
    plain = name if told is None else told[1]
    if person is None and plain and not _ID.fullmatch(plain):
        raise Wrong(f"{brief(name)} is no ID: write mentions, or IDs, with commas between them")
    return person or plain


def somebody(said: str) -> People:
    """The same, where there is no asker who always may: a list of nobody would shut all out."""
    found = people(said)
    if found == frozenset():
        raise Wrong("That would be nobody: write everyone, members, admins, or IDs with commas between them")
    return found


def told(nobody: str) -> Callable[[object], str]:
    """How a list of people is shown; `nobody` where it is empty."""

    def shown(people: object) -> str:
        if people is None:
            return "everyone"
        return ", ".join(sorted(people)) if isinstance(people, frozenset) and people else nobody

    return shown


def number(value: object) -> str:
    """How a number is shown."""
    return f"{value:,}" if isinstance(value, int) else str(value)


_NONE = "none"


def optional(said: str) -> str:
    """A name; `none` is none, as it is shown."""
    words = said.strip()
    return "" if words.lower() == _NONE else words


PERSONA = 4_000
"""How many characters it may have."""


def persona(said: str) -> str:
    """A text that is not too long; `none` is none, as it is shown."""
    words = said.strip()
    if not 0 < len(words) <= PERSONA:
        raise Wrong(f"A persona has 1 to {PERSONA:,} characters; this has {len(words):,}")
    return optional(words)


_UNITS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DAY = _UNITS["d"]
_LONGEST = 10_000  # of a unit


def duration(said: str) -> float:
    """In seconds; `never` has no end."""
    words = said.strip().lower()
    if words == "never":
        return inf
    digits, unit = words[:-1], words[-1:]
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS
    if not (is_number and 0 < int(digits) <= _LONGEST and unit in _UNITS):
        raise Wrong(f"{brief(said)} is no duration: write 30m, 12h, 7d or never")
    return int(digits) * _UNITS[unit]


def kept(said: str) -> float:
    """How long something is kept, in seconds: a day at least, as it is not looked at all the time; or for ever."""
    if said.strip().lower() == "forever":
        return inf
    try:
        seconds = duration(said)
    except Wrong:
        seconds = 0.0
    if not _DAY <= seconds < inf:
        raise Wrong(f"{brief(said)} is not how long I can keep something: write 1d, 30d, 365d or forever")
    return seconds


def shorter(farther: object, nearer: object) -> object:
    """Of what two levels have said, the shorter."""
    return min(farther, nearer) if isinstance(farther, float) and isinstance(nearer, float) else nearer


def kept_for(seconds: object) -> str:
    """How that is shown."""
    return "forever" if seconds == inf else span(seconds)


def span(seconds: object) -> str:
    """How a duration is shown; what is usual, where there is none."""
    if not isinstance(seconds, float):
        return "7d in threads, 24h elsewhere"
    if seconds == inf:
        return "never"
    unit = next(unit for unit in ("d", "h", "m") if seconds % _UNITS[unit] == 0)
    return f"{seconds / _UNITS[unit]:.0f}{unit}"


def zone(said: str) -> str:
    """An IANA name of a time zone."""
    found = zones.zone(said)
    if found is None:
        meant = " or ".join(zones.near(said)) or "Europe/Berlin, or UTC"
        raise Wrong(f"{brief(said)} is no time zone: write one as {meant}")
    return found


def words(value: object) -> str:
    """How a text is shown: as code, whatever marks and mentions are in it."""
    if not value:
        return _NONE
    shown = brief(str(value)).replace("|", "¦")  # which would hide it from the guard
    return f"`{shown}`"
