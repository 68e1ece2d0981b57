"""What happened in a run, as the kit saw it and as the replicas logged it: so a failure can be told from its cause."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

_COMMON = frozenset({"event", "timestamp", "level", "session"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, in seconds since 1970. What has neither session nor marker concerns everybody."""

    at: float
    what: str
    session: str = ""
    marker: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def is_disaster(self) -> bool:
        """Whether it concerns everybody."""
        return not self.session and not self.marker and not self.what.startswith(" ")


class Chronicle:
    """All events of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.began = time()

    def note(self, what: str, *, session: str = "", marker: str = "", **more: object) -> None:
        """Something has happened."""
        self.events.append(Event(at=time(), what=what, session=session, marker=marker, more=dict(more)))

    def number(self, what: str) -> int:
        """How often this has happened."""
        return sum(event.what == what for event in self.events)

    def story(self, session: str, markers: Collection[str], *, since: float, until: float) -> list[str]:
        """What concerns this message, and the disasters around it, one line each, oldest first."""
        found = [
            event
            for event in (*self.events, *self._logged(session))
            if since - 2 <= event.at <= until + 2
            and (event.marker in markers if event.marker else event.session == session or event.is_disaster)
        ]
        found.sort(key=lambda event: event.at)
        return [self._told(event) for event in found]

    def _told(self, event: Event) -> str:
        more = " ".join(f"{name}={value}" for name, value in event.more.items())
        return f"{event.at - self.began:8.2f} {event.what} {more}".rstrip()

    def _logged(self, session: str) -> Iterator[Event]:
        for path in sorted(self.folder.glob("replica-*.log")):
            for line in path.read_text(errors="replace").splitlines():
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if session and said.get("session") == session:
                    more = {name: value for name, value in said.items() if name not in _COMMON}
                    at = datetime.fromisoformat(said["timestamp"]).timestamp()
                    yield Event(at=at, what=f"  {path.stem}: {said['event']}", session=session, more=more)

    def last_words(self, replica: int, lines: int = 4) -> list[str]:
        """The end of a replica's log."""
        path = self.folder / f"replica-{replica}.log"
        return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []
