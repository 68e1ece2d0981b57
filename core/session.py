"""What is remembered: sessions and their turns, as the rest of the core sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

from core.policy import NOTHING, Overrides
from core.seam.address import Address
from core.seam.messages import UNTOLD, Author, Quote, Standing

ATTEMPTS = 5
"""How often a turn is tried, at the least, before it is given up."""

DEATHS = 6
"""Over how many processes that ended a turn is given up. Over the last three of them it was the only one in hand."""

AGES: Mapping[int, float] = {4: 10.0, 5: 60.0}
"""Seconds for which a process has lived that tries what so many processes have ended over, or more."""

OVERHEARD_BEFORE_QUESTION = 20
"""How many messages that were not for the bot are shown before a question."""


Seqs = tuple[tuple[int, int], ...]
"""Turns by their numbers, in order: runs without a gap, each from its first to its last."""


class ShownPart(NamedTuple):
    """One part of a window: the name of its section, its tokens by our count, and of a checkpoint, what it tells of."""

    name: str
    tokens: int
    seqs: tuple[int, int] | None = None


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
    """Whether a turn's words hold.

    An edit puts its words in the place of the old ones, which are gone, so it supersedes no turn. Nothing does yet:
    the word is for what people will correct, and such a turn is not shown.
    """

    STANDS = 0
    SUPERSEDED = 1  # other words hold in place of these, which are kept
    STALE = 2  # a summary of turns that have changed since: to be made again before it is shown
    ERASED = 3  # gone from the screen, and its words from here
    UNRECORDED = 4  # said off the record: in no window, and erased with its answer


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
    their process, which are no attempts. `backscroll_read` says that what was said here before the session's birth has
    been read, or is not to be. An answer to a turn of before `stop` is to end. `overrides` are what was set for the
    session when it was claimed, or the turn before was over.
    """

    key: SessionKey
    fence: int
    attempts: int
    backscroll_read: bool
    stop: int | None = None
    deaths: int = 0
    overrides: Overrides = NOTHING
    tenure: Tenure = field(default_factory=Tenure, compare=False, repr=False)

    @property
    def fenced(self) -> tuple[int, int, int]:
        """Workspace, session and fence: this lease, and no other one of the same session."""
        return self.key.workspace, self.key.session, self.fence

    def stops(self, seq: int) -> bool:
        """Whether an answer to the turn with this seq is to end: somebody has said `stop` behind it."""
        return self.stop is not None and seq < self.stop


class Fate(Enum):
    """What has become of a lease with the end of the turn that it was for."""

    KEPT = "kept"  # for the next turn, which waits
    GIVEN_BACK = "given back"  # none waits, or there was no lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What is only known of a turn while it waits for its answer, and thrown away then.

    A command was `vague` about its thread; a message was `direct`, and its answer attaches to `reply_to`; it is
    `marked` as waiting on screen; it ends a burst that began at `since`, and `joins` the turn with that seq, whose own
    slip was `joined`; `missed` counts the messages that were found too late, this one included; `ticket` is the
    adapter's own note. It was `heard` at this instant, in seconds since 1970 by our own clock. Only the `hearer` can
    show the answer where it was asked for, if one is named. A notice that a conversation goes on says `since` when
    people had been silent. What was decided to be said to it may be `private`: for its author alone. `standing` is what
    its author was there, as far as the platform told.
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
    heard: float | None = None
    hearer: str | None = None
    private: bool = False
    standing: Standing = UNTOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How one person wishes to be answered, in that person's own words; None is no wish.

    `name` is what they wish to be called, `zone` an IANA name, `about` what they have told of themselves.
    """

    language: str | None = None
    tone: str | None = None
    length: str | None = None
    name: str | None = None
    zone: str | None = None
    about: str | None = None


class Turn(NamedTuple):
    """One contribution by one speaker. A tuple, as a window of them is made for every answer.

    `at` is in seconds since 1970, by the platform's clock; `tokens` counts the turn as the model sees it.
    An answer has its question's `seq`. `message` is the platform's ID, `verb` makes the turn a command, `notice` is the
    name of a notice of our own, which nobody has said and which waits to be delivered as it is. `edited_at`
    tells two versions of one message apart. A summary `covers` the turns from that seq up to its own. `quotes` is what
    the message points at.
    While the turn waits, it has its `slip`, something of an answer that has `begun` may be on screen, and `preferences`
    are its author's.
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
    slip: Slip = Slip()
    begun: bool = False
    preferences: Preferences = Preferences()

    @property
    def heard_at(self) -> float:
        """When a turn that waits reached us, by our own clock, by which alone it is measured how long it waits."""
        return self.at if self.slip.heard is None else self.slip.heard


class Fold(IntEnum):
    """What a checkpoint is."""

    CHECKPOINT = 0  # tells of a stretch of turns
    NODE = 1  # of eight checkpoints, or eight nodes of the level below; stored, and shown to nobody
    OLD = 2  # the old summary: of all but the newest checkpoints, in whose place it is shown
    STATE = 3  # the state block: what is decided, open and settled by now


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A text in place of the turns from the `first` seq to the `last`, as it is stored.

    `number` orders all that were ever made for a session. A node has a `level` from 1 on. What it tells of was said
    from `since` to `until` (seconds since 1970). `tokens` counts it as the window shows it. `changes` counts how often
    something that it tells of has changed. Without its words it still says what it tells of.
    """

    number: int
    kind: Fold
    level: int
    first: int
    last: int
    tokens: int
    since: float = 0.0
    until: float = 0.0
    text: str = field(default="", repr=False)
    changes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one call of the model has cost, in tokens as billed, or by our own count where its server did not tell.

    `hold` is the call's own number: what was held for it, if anything `was_held`, is settled by it. The day is counted
    from 1970, in the workspace's zone. What the model was shown were more tokens than `above`, a size from which on a
    request may be dearer.
    """

    hold: int
    was_held: bool
    day: int
    model: str
    above: int
    shown: int
    cached: int = 0
    cache_written: int = 0
    written: int = 0

    @property
    def is_something(self) -> bool:
        """Whether it has cost anything."""
        return bool(self.shown or self.written)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the assistant has decided to say: the parts to be posted, and what the session remembers of it.

    `memory` is None where nothing is to be remembered (a command's answer, an apology). `error` says why a question
    got no answer, `refused` that the model's provider will not read it. A summary `covers` the turns from that seq on.
    Where a model has written it, `bill` is what that has cost, `shown_seqs` are the turns before the question that it
    was shown, and `shown_parts` what its window was made of. In `look_in` seconds it is worth a look whether turns are
    to be folded.
    """

    parts: tuple[str, ...]
    memory: str | None = None
    tokens: int = 0
    stopped: bool = False
    model: str | None = None
    shown_seqs: Seqs | None = None
    shown_parts: tuple[ShownPart, ...] | None = None
    bill: Bill | None = None
    error: str | None = None
    covers: int | None = None
    refused: bool = False
    look_in: float | None = None
