"""Cases: a question that the model is to answer, and what it has written."""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from core.assistant.tabs import Tab
from core.commands.orders import Order
from core.delivery.speech import Speech
from core.memory import citations
from core.memory.citations import Sources
from core.memory.mind import Mind
from core.memory.window import Window
from core.model.llm import Finish
from core.seam.messages import Quote
from core.session import Lease, Seqs, ShownPart, Turn


@dataclass(slots=True, eq=False)
class Sight:
    """What the model was shown last for its answer; None until it is asked. Of a summary, what its lines may name."""

    window: Window | None = None
    sources: Sources = field(default_factory=dict)

    @property
    def seqs(self) -> Seqs | None:
        """Which turns before its question, as they were said."""
        return None if self.window is None else self.window.seqs

    @property
    def parts(self) -> tuple[ShownPart, ...] | None:
        """What that was made of."""
        return None if self.window is None else self.window.parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question that the model answers: under which lease, with which mind, and where people see the answer grow.

    What the model's calls for it cost is on its `tab`. With an `order` the question is that command, and the model is
    asked its prompt in its place. An answer that is ended in the middle was shown what `sight` has by then.
    """

    lease: Lease
    mind: Mind
    question: Turn
    speech: Speech
    tab: Tab
    order: Order | None = None
    sight: Sight = field(default_factory=Sight)

    @property
    def session(self) -> str:
        """The session's ID, for the log."""
        return self.lease.key.address.id

    @property
    def since(self) -> str | None:
        """From when on the model is to be shown what was said, in the asker's words; None for all."""
        return None if self.order is None else self.order.since

    def seen(self, words: str) -> str:
        """What the model has written, as people see it."""
        return words if self.order is None else citations.told(words, self.sight.sources, self.zone)

    def say(self, words: str) -> None:
        """Shows how far it has come."""
        self.speech.say(words, str if self.order is None else self._growing)

    def _growing(self, words: str) -> str:
        return self.seen(citations.settled(words))

    @property
    def zone(self) -> ZoneInfo:
        """In which times are told here."""
        return ZoneInfo(self.mind.policy.zone)


class NothingSaid(Exception):
    """There is nothing that the model could tell of, since then or at all."""

    def __init__(self, since: datetime | None) -> None:
        super().__init__(f"nothing since {since}")
        self.since = since


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the model has written, and what its question points at.

    It was shown the `window`, of what was said `since` then, if not of all.
    """

    words: str
    finish: Finish
    window: Window
    since: datetime | None
    quotes: tuple[Quote, ...]
