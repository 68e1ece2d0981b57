"""An adapter's note for answering one event: where Slack takes a private answer, and whose team the asker is of."""

import json
from dataclasses import dataclass, field

RESPONSE_SECONDS = 30 * 60
"""How long a `response_url` is good for, 5 times at most; docs.slack.dev/interactivity/handling-user-interaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """`url` answers the asker alone until `until` (seconds since 1970); `team` is the asker's where it is not ours.
    For three seconds, `trigger` opens a form for the asker.

    What is written into a stored ticket may be read by a later version: unknown and missing fields are no error.
    """

    url: str = field(default="", repr=False)
    until: float = 0.0
    team: str = ""
    trigger: str = field(default="", repr=False)

    def written(self) -> str | None:
        """The note as text; None when there is nothing to note."""
        noted = {"url": self.url, "until": self.until, "team": self.team, "trigger": self.trigger}
        kept = {name: value for name, value in noted.items() if value}
        return json.dumps(kept) if kept else None

    @classmethod
    def read(cls, text: str | None) -> "Ticket":
        """The note that was written; an empty one when there is none or it is not ours. Never fails: it is a hint."""
        try:
            noted = json.loads(text or "{}")
            return cls(
                url=str(noted.get("url", "")),
                until=float(noted.get("until", 0)),
                team=str(noted.get("team", "")),
                trigger=str(noted.get("trigger", "")),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()
