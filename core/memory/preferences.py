"""Preferences: what people may tell us about how they wish to be answered, and how the model is told.

They are a person's own words, and data: each in one line, quoted, with that person's newest message alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from re import compile as pattern
from unicodedata import category

from core.memory.mind import Mind
from core.policy import zones
from core.seam.messages import Quote
from core.session import Preferences, Turn

_UNSEEN = pattern(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


class Unfit(ValueError):
    """This is no value of the preference; the message says in a sentence why, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Something that a person may prefer: at most so many characters, in one line if it is no free text.

    `read` makes of such a line what is kept, or raises Unfit.
    """

    name: str
    most: int = 60
    free: bool = False
    read: Callable[[str], str] = str

    def parse(self, said: str) -> str:
        """What is kept of what somebody said for it, always one line. Raises Unfit."""
        line = _line(said)
        if len(said.strip().splitlines()) > 1 and not self.free:
            raise Unfit(f"Your {self.name} is to be one line, of at most {self.most} characters.")
        if not line or len(line) > self.most:
            raise Unfit(f"Your {self.name} is to have 1 to {self.most} characters; this has {len(line)}.")
        return self.read(line)


def _language(line: str) -> str:
    if not line[0].isalpha() or not all(one in " -'’.,()" or category(one)[0] in "LMN" for one in line):
        raise Unfit("Your language is to be a plain word, such as `German`, or a tag, such as `pt-BR`.")
    return line


def _zone(line: str) -> str:
    found = zones.zone(line)
    if found is None:
        meant = " or ".join(f"`{zone}`" for zone in zones.near(line))
        right = f"Did you mean {meant}?" if meant else "It is a name such as `Europe/Berlin`."
        raise Unfit(f"I don't know this time zone. {right}")
    return found


KNOWN: Mapping[str, Preference] = {
    one.name: one
    for one in (
        Preference(name="language", read=_language),
        Preference(name="tone"),
        Preference(name="length"),
        Preference(name="name"),
        Preference(name="zone", read=_zone),
        Preference(name="about", most=300, free=True),
    )
}
"""By their names, which are those of the fields of `Preferences`."""


def told(preferences: Preferences) -> Mapping[str, str]:
    """What somebody prefers, by the names of that, each in one line whatever it is."""
    return {name: _line(value) for name, value in asdict(preferences).items() if value is not None}


def asked(question: Turn, mind: Mind) -> Turn:
    """The question as the model is asked it: the first thing that it quotes is what its speaker prefers.

    Like all that is quoted, that takes no more than its share of the window.
    """
    lines = [f"{name}: {value}" for name, value in told(question.preferences).items()]
    if not lines:
        return question
    preferred = Quote(kind="prefers", text=mind.quoted("\n".join(lines), 1))
    quoting = question._replace(quotes=(preferred, *question.quotes))
    return quoting._replace(tokens=mind.size(quoting))


def _line(words: str) -> str:
    return " ".join(_UNSEEN.sub(" ", words).split())
