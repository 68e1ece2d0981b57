"""The note that lets a reply answer an interaction, also after a restart: its webhook, while Discord honours it."""

import json
from dataclasses import asdict, dataclass, field, replace

LIFETIME = 15 * 60
"""How long an interaction's token is good for, in seconds (interactions/receiving-and-responding)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An interaction: application, token, and until when. `private` was fixed by its deferral.

    One that waits for a form has its own ID as `awaits`, and the names of the `fields` that are wanted. With `many`,
    several replies answer it, each by a message of its own.
    """

    app: str
    token: str = field(repr=False)
    until: float
    private: bool = False
    awaits: str = ""
    fields: tuple[str, ...] = ()
    many: bool = False

    def write(self) -> str:
        """The note as it is stored. What is usual is not said: a process of an older release may have to read it."""
        usual = {"awaits": "", "fields": (), "many": False}
        return json.dumps({name: value for name, value in asdict(self).items() if value != usual.get(name)})

    @classmethod
    def read(cls, note: str | None, *, now: float) -> "Ticket | None":
        """The ticket in this note while it is good; a note that can't be read is no ticket: it is only a hint."""
        try:
            ticket = cls(**json.loads(note or "null"))
            good = now < ticket.until
        except (TypeError, ValueError):
            return None
        return ticket if good else None

    @classmethod
    def since(cls, note: str | None, arrived: float) -> str | None:
        """The note of an interaction that arrived at this instant by our own clock, from which it is good for so long.

        Its ID tells when it was made by Discord's clock, and ours may be another.
        """
        ticket = cls.read(note, now=0.0)
        return note if ticket is None else replace(ticket, until=arrived + LIFETIME).write()

    def age(self, *, now: float) -> float:
        """How long ago the command reached us, in seconds."""
        return now - (self.until - LIFETIME)
