"""The note that lets a reply answer an interaction, also after a restart: its webhook, while Discord honours it."""

import json
from dataclasses import asdict, dataclass, field

LIFETIME = 15 * 60
"""How long an interaction's token is good for, in seconds (interactions/receiving-and-responding)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An interaction that was deferred: application, token, and until when. `private` was fixed by the deferral."""

    app: str
    token: str = field(repr=False)
    until: float
    private: bool = False

    def write(self) -> str:
        """The note as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, note: str | None, *, now: float) -> "Ticket | None":
        """The ticket in this note while it is good; a note that can't be read is no ticket: it is only a hint."""
        try:
            ticket = cls(**json.loads(note or "null"))
            good = now < ticket.until
        except (TypeError, ValueError):
            return None
        return ticket if good else None

    def age(self, *, now: float) -> float:
        """How long ago the command was given, in seconds."""
        return now - (self.until - LIFETIME)
