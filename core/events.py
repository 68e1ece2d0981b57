"""What happened, told in one place to whoever wants to know: the log, and whatever counts or records.

An event has IDs, numbers and names of ours, and never what people wrote: its types have no room for that.
Each is told in one place, when it is certain, and at most once: a process that dies in that moment tells nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from core.seam.address import Address

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message was stored as the turn with this seq, to be answered or overheard."""

    address: Address
    seq: int
    to_be_answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is said to a turn is stored, `seconds` after it was said; of a `command`, its name in the table.

    A notice of our own counts as a command of that name.
    """

    address: Address
    seq: int
    command: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """All that is said to a turn is certain to be on screen, `seconds` after it was said."""

    address: Address
    seq: int
    command: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What is said to a turn, or the rest of it, will never be on screen: the platform does not take it."""

    address: Address
    seq: int
    command: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """A turn is over that had failed so often, or ended so many processes, that it was tried no more."""

    address: Address
    seq: int
    attempts: int
    deaths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionChanged:
    """The turn that was being answered is not the same any more: it is looked at again."""

    address: Address
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """So many messages of one place were found too late to be answered."""

    address: Address
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """A message was not stored, since its author is not talked with there; `reason` is one of ours.

    They are `told` so, if it was for us, and not within a day.
    """

    address: Address
    reason: str
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person has changed a message that is remembered."""

    address: Address
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A person has taken a message back that is remembered."""

    address: Address
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A place is closed for talk; in so many sessions something waited. `gone` says that no word of it is kept."""

    address: Address
    waiting: int
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """We were removed from a workspace: so many sessions are closed, and in so many of them something waited."""

    platform: str
    workspace: str
    closed: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """A session's present is over, `seconds` after people last talked with us there."""

    address: Address
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """People talk with us again in a session, after so many seconds. `late` says that its time-out comes with that:
    nobody had noticed before that its present was over.
    """

    address: Address
    seconds: float
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """So many tokens of turns have become checkpoints; so many texts were written for it, in so many seconds."""

    address: Address
    tokens: int
    texts: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldRefused:
    """A fold has failed for the so manieth time in a row: what was written is no use, or the model did not write.

    `reason` is the name of a check, or of an error.
    """

    address: Address
    reason: str
    failures: int


OfTurns = Accepted | Answered | Delivered | Refused | GaveUp | QuestionChanged
"""What may become of one turn."""

Event = OfTurns | Skipped | TurnedAway | Edited | Deleted | Closed | Left | TimedOut | Woken | Folded | FoldRefused

Subscriber = Callable[[Event], None]
"""Is told of every event in the order in which they happened; returns at once."""


class Events:
    """Tells what happened to those who subscribed."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers: Sequence[Subscriber] = subscribers

    def tell(self, event: Event) -> None:
        """What happened has happened, whatever a subscriber makes of it: its failure is logged, and no more."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 – whatever it was, it is no reason to do our work twice
                log.error("event not taken", event_type=type(event).__name__, error=type(error).__name__)
