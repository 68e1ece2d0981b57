"""Forms: what people fill in where their platform has forms, in place of saying commands one by one.

What a field held when it was shown is known again by its ID, so that nothing need be kept while people think.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

LATE = "This form came too late to be shown. Press the button once more."
"""What is said in place of a form that the platform does not want any more."""

TAKEN_BACK = "(take it back)"
"""Among the choices of a field: that nothing is chosen any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One line of a form: a text of at most `most` characters, in `lines` perhaps, or one of the `choices`.

    `value` is what holds now. A text that is emptied is taken back, as TAKEN_BACK says of a choice.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    most: int = 100
    lines: bool = False

    @property
    def id(self) -> str:
        """Its name, and a mark of what it holds."""
        return f"{self.name} {_mark(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What may be filled in, in answer to a `command`, written as a Choice's; the title has at most 24 characters."""

    title: str
    command: str
    fields: tuple[Field, ...]


def changed(held: Mapping[str, str]) -> Mapping[str, str]:
    """What was changed in a form, by the names of its fields: `held` is what they hold now, by their IDs."""
    ids = {known: known.rpartition(" ") for known in held}
    new = {name: held[known].strip() for known, (name, _, mark) in ids.items() if _mark(held[known]) != mark}
    return {name: "" if value == TAKEN_BACK else value for name, value in new.items()}


def _mark(value: str) -> str:
    """Tells two values apart. Platforms end lines in their own way, and cut what is blank at both ends."""
    return sha256("\n".join(value.split("\r\n")).strip().encode("utf-8", "surrogatepass")).hexdigest()[:12]
