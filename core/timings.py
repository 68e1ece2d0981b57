"""How long things take: every wait of the core, in one value that is handed in, so that a test can hurry.

Limits that a person relies on stand here with their reason; how often something is looked at is a guarantee behind a
hint, and may be short or long without anybody noticing but the database.
"""

from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]
"""What time it is, in seconds since 1970; `time.time`, but where a test moves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """All in seconds."""

    lease: float = 30.0
    """How long a dead process can hold a session."""

    # Work
    poll: float = 1.0
    """Between two looks at what is due: the guarantee behind every hint."""
    longest_poll: float = 15.0
    """Between two looks at a database that does not answer: each pause is twice the one before, up to this."""
    back_off: float = 1.0
    """Before the second attempt at a turn; doubles up to the fifth."""
    longest_wait: float = 300.0
    """After these a model, or a platform, is asked again which wants to be left alone for longer; people wait."""
    burst: float = 2.0
    """What one person says within these of a message, while nothing of its answer is on screen, joins it."""
    excuse_after: float = 60.0
    """How long a message waits for a model or a platform that is away before that is said on screen."""
    patience: float = 600.0
    """How long a message waits for a model or a platform that is away, before it is given up."""

    waited: float = 5.0
    """After these a message counts as one that had to wait, of whose author it is asked whether they see its place."""

    rights: float = 5.0
    """How long a command waits for a platform to say whether its asker is an admin; then it is answered in any case."""
    sees: float = 2.0
    """How long a form waits for a platform to say whether who fills it in sees its place: it waits for that itself."""
    ask_again: float = 0.5
    """Before that is asked once more, where the platform did not say it."""

    # What is shown to the model
    backscroll: float = 2.0
    """The longest that reading what was said before a session's birth may delay an answer."""
    fetch: float = 5.0
    """How long an answer waits for all the files that are to be fetched."""

    # Delivery
    working: float = 8.0
    """Between two signs that the bot is at work; platforms let them fade after ten."""
    repeat: float = 2.0
    """Before a call of unknown outcome is repeated; doubles."""
    longest_delay: float = 300.0
    """A platform that asks for a longer pause is asked again after these."""
    reconcile: float = 1.0
    """Between two looks at which deliveries are to be looked at again."""
    put_off: float = 15.0
    """Before a delivery that could not be looked at is looked at again."""
    forget: float = 3_600.0
    """Between two looks through all that has arrived, for what may be forgotten."""
    prune: float = 3_600.0
    """Between two looks through the audit, for what has been kept long enough."""

    # Sealing
    keys: float = 10.0
    """Between two looks at which data keys others have made or destroyed."""
    seal: float = 3_600.0
    """Between two looks whether everything is sealed, once it is."""

    # Folding
    fold: float = 2.0
    """Between two looks at which sessions are due to be folded."""
    fold_text: float = 60.0
    """The longest that one text of a fold may take: a window has room for what is said meanwhile."""
    fold_again: float = 30.0
    """Before a fold is tried again that has failed once."""
    fold_rest: float = 600.0
    """Before it is tried again when it has failed twice; doubles up to a day."""
    # Off the record
    unrecorded: float = 2.0
    """Between two looks at what is on the record again."""

    # Ageing
    age: float = 600.0
    """Between two looks through all sessions that are present, for those that are to be timed out."""
    expire: float = 1_800.0
    """Between two looks through all sessions, for words that have been kept long enough."""
    between: float = 0.02
    """Between two steps of that, or of an erasure, at the least, so that what is being answered comes first."""

    # Erasing
    erase: float = 2.0
    """Between two looks at what is to be forgotten."""

    # The model
    model: float = 86_400.0
    """Between two looks at what its server tells of the model."""
    measure: float = 5.0
    """Between two looks at what other processes have learnt of how the models count."""

    # Intake
    too_late: float = 3_600.0
    """What is found to have been missed for longer is not answered any more."""
    race: float = 0.25
    """In which another process may still be storing what brings a session to life."""
    overtaken: float = 60.0
    """In which an edit may have overtaken its message."""
    heard: float = 5.0
    """Between two words that a platform is heard."""
    reread: float = 2.0
    """Before a place that did not tell its history is asked again; doubles."""
    unlooked: float = 60.0
    """Before all that could not be looked up is tried again."""
    untold: float = 30.0
    """For which what could not be stored may be said again, where the platform does not bridge more."""

    @property
    def silent(self) -> float:
        """A process that has said for so long of no platform that it is heard, is not there: five words are missing."""
        return self.heard * 6

    @property
    def renewed_every(self) -> float:
        """How often a lease is renewed, while what it is for goes on: two renewals may fail."""
        return self.lease / 4

    @property
    def acts_for(self) -> float:
        """How long its holder acts on it: what is called then has ended before another process may take it over."""
        return self.lease * 2 / 3
