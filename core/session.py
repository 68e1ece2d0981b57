"""What is remembered: sessions and their turns, as the rest of the core sees them."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

from core.seam.address import Address
from core.seam.messages import Author, Quote

ATTEMPTS = 5
"""How often a turn is tried, at the least, before it is given up."""

HEARD_BEFORE_QUESTION = 20
"""How many messages that were not for the bot are shown before a question."""


class Role(IntEnum):
    """Whose turn it is; the number orders an answer behind its question."""

    PERSON = 0
    ASSISTANT = 1


class Kind(IntEnum):
    """What a turn is."""

    SAID = 0  # to the bot
    OVERHEARD = 1  # said in this place, not to the bot; never answered
    COMMAND = 2  # never shown to the model
    ANSWER = 3
    SUMMARY = 4  # an answer that tells of the turns before it
    NOTICE = 5  # of our own, which nobody has said; never shown to the model


class Progress(IntEnum):
    """How far a turn has come."""

    WAITING = 0  # accepted, to be answered
    ANSWERED = 1  # the answer is stored, but not certainly on screen
    DONE = 2  # over: the answer arrived, or will never; all else is over from the start
    STOPPED = 3  # an answer that was ended by a person: what was on screen then
    SKIPPED = 4  # it was missed, and found too late to be answered
    REFUSED = 5  # the model's provider will not read it: never shown to the model again


class Validity(IntEnum):
    """Whether a turn's words hold."""

    STANDS = 0
    SUPERSEDED = 1  # others stand in its place
    STALE = 2  # a summary of turns that have changed since: to be made again before it is shown
    ERASED = 3  # gone from the screen, and its words from here


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """A session's place in the database: the workspace leads every key. `address` says the same in our words."""

    workspace: int
    session: int
    address: Address


@dataclass(slots=True, eq=False)
class Tenure:
    """Until when this process may act on a lease, by the event loop's clock; None is for ever.

    It ends well before the lease does: what is called then has ended, or been given up, before another process can
    have claimed the session. So a process that stood still for too long does not act on a lease that it has lost.
    """

    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to answer one session until it runs out; `fence` makes a stale holder harmless.

    `attempts` counts the claims since the last turn that ended, this one included; `deaths` those that ended with
    their process, which are no attempts. `heard` says that what was said here before the session's birth has been
    read, or is not to be. An answer to a turn of before `stop` is to end.
    """

    key: SessionKey
    fence: int
    attempts: int
    heard: bool
    stop: int | None = None
    deaths: int = 0
    tenure: Tenure = field(default_factory=Tenure, compare=False, repr=False)

    @property
    def fenced(self) -> tuple[int, int, int]:
        """Workspace, session and fence: this lease, and no other one of the same session."""
        return self.key.workspace, self.key.session, self.fence


class Fate(Enum):
    """What has become of a lease with the end of the turn that it was for."""

    KEPT = "kept"  # for the next turn, which waits
    GIVEN_BACK = "given back"  # none waits

    @classmethod
    def of(cls, *, kept: bool) -> "Fate":
        """As the store tells it."""
        return cls.KEPT if kept else cls.GIVEN_BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is only known of a turn while it waits for its answer.

    A command was `vague` about its thread; a message was `direct`, and its answer attaches to `reply_to`; it is
    `marked` as waiting on screen; it ends a burst that began at `since`, and `joins` the turn with that seq, whose own
    envelope was `joined`; `missed` counts the messages that were found too late, this one included; `ticket` is the
    adapter's own note.
    """

    vague: bool = False
    direct: bool = False
    reply_to: str | None = None
    marked: bool = False
    since: float | None = None
    joins: int | None = None
    joined: str | None = field(default=None, repr=False)
    missed: int = 0
    ticket: str | None = field(default=None, repr=False)


class Turn(NamedTuple):
    """One contribution by one speaker. A tuple, as a window of them is made for every answer.

    `at` is in seconds since 1970, by the platform's clock; `tokens` counts the turn as the model sees it.
    An answer has its question's `seq`. `message` is the platform's ID, `verb` makes the turn a command, `notice` is the
    name of a notice of our own, which nobody has said and which waits to be delivered as it is. `edited_at`
    tells two versions of one message apart. A summary `covers` the turns from that seq up to its own. `quotes` is what
    the message points at.
    While the turn waits, it has its `envelope`, and something of an answer that has `begun` may be on screen.
    """

    seq: int
    role: Role
    kind: Kind
    progress: Progress
    validity: Validity
    text: str
    tokens: int
    at: float
    author: Author | None = None
    message: str | None = None
    verb: str | None = None
    notice: str | None = None
    edited_at: float | None = None
    covers: int | None = None
    quotes: tuple[Quote, ...] = ()
    envelope: Envelope = Envelope()
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the assistant has decided to say: the parts to be posted, and what the session remembers of it.

    `memory` is None where nothing is to be remembered (a command's answer, an apology). `error` says why a question
    got no answer, `refused` that the model's provider will not read it. A summary `covers` the turns from that seq on.
    """

    parts: tuple[str, ...]
    memory: str | None = None
    tokens: int = 0
    stopped: bool = False
    model: str | None = None
    shown: int = 0
    cached: int = 0
    cache_written: int = 0
    written: int = 0
    error: str | None = None
    covers: int | None = None
    refused: bool = False
