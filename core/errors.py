"""Everything that can go wrong, as one tree. An error carries what its catcher needs to decide.

BackscrollError
├── ConfigurationError      a setting is wrong; the message names it and the remedy
├── PlatformError           a platform will not have us: wrong token, missing scope or intent; retrying is no use
├── DatabaseError           the database can't be used
│   ├── DatabaseUnreachable   it does not answer, or not now
│   ├── DatabaseGone          the file that is open has another in its place, or none: only a new start finds one
│   ├── DatabaseReadOnly      it can be read, and not written
│   ├── DatabaseBehind        its schema is older than the one that this program needs
│   └── DatabaseAhead         its schema is one that this program does not know
├── LeaseLost               another process owns this session, or chore, now
├── AccessUnknown           a platform does not say now what somebody sees; try again, later where somebody said so
├── NotFilled               what was filled into a form can't be done; it says why, field by field
├── DeliveryError           a reply did not certainly arrive
│   ├── DeliveryDelayed       certainly not sent; try again after `retry_after` seconds
│   ├── DeliveryUnknown       it may or may not be on screen: look before sending again
│   └── DeliveryRefused       certainly not sent, and never will be
│       ├── WordsRefused        for these words; others may be
│       └── PlaceGone           for there is no such place any more
└── ModelError              the model did not finish an answer
    ├── ModelUnavailable      try again, after `retry_after` seconds where the server said so
    │   ├── ModelInterrupted    the stream broke, ended early, or held something unreadable
    │   └── ModelStalled        nothing came for too long
    ├── WindowTooLong         the request is over the model's context; a smaller window may do
    ├── EmptyAnswer           the answer is complete, and holds no word
    ├── ModelRefused          the provider will not answer this
    │   └── Flagged             moderation will not have the question, or the answer to it
    ├── ModelFailed           the server fails, and says that it will again
    ├── OutOfCredit           the account has no money or quota left
    └── ModelMisconfigured    wrong key, unknown model, unknown parameter: a person must mend the settings
        └── RequestNotTaken     or it is what was said, and the server has no words for it that we know
"""

from collections.abc import Mapping
from pathlib import Path


class BackscrollError(Exception):
    """Something that Backscroll knows how to name."""


class ConfigurationError(BackscrollError):
    """A setting is wrong. The message names the variable and the remedy."""


class PlatformError(BackscrollError):
    """A platform will not have us, and trying again is no use. The message names the setting and the remedy."""


class DatabaseError(BackscrollError):
    """The database can't be used; `remedy` says what its operator can do about it, where that is known."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class DatabaseUnreachable(DatabaseError):
    """The database does not answer, or not now: the same may succeed later."""


class DatabaseGone(DatabaseError):
    """What is written to the file that is open is lost: another has its name now, or none. A new start mends it."""


class DatabaseReadOnly(DatabaseError):
    """The database can be read, and not written: the file is another user's, the server a replica, the role a guest."""


class DatabaseBehind(DatabaseError):
    """The database's schema is older than the one that this program needs."""


class DatabaseAhead(DatabaseError):
    """The database's schema is one that this program does not know: a newer release has been there."""


class LeaseLost(BackscrollError):
    """Another process owns this session, or this chore, now; what was being done for it must not be written."""


class AccessUnknown(BackscrollError):
    """A platform does not say now what somebody sees. Try again, after `retry_after` seconds where it was said."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFilled(BackscrollError):
    """What was filled into a form can't be done: `reasons` say why, in a sentence each, by the names of its fields."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(f"a form with {len(reasons)} wrong fields")
        self.reasons = reasons


class DeliveryError(BackscrollError):
    """A reply did not certainly arrive."""


class DeliveryDelayed(DeliveryError):
    """Certainly not sent. Try again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeliveryUnknown(DeliveryError):
    """The reply may or may not be on screen: look before sending again, after `retry_after` seconds where it was said.

    It is not the platform's own word: it said nothing, or that it is out of order, or somebody between us answered.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeliveryRefused(DeliveryError):
    """Certainly not sent, and never will be: the bot is not in the channel, the thread is locked, …"""


class WordsRefused(DeliveryRefused):
    """These words are not taken there, by a filter of the place or of the platform; others may be."""


class PlaceGone(DeliveryRefused):
    """There is no such place any more, and nothing of what was said there."""


class ModelError(BackscrollError):
    """The model did not finish an answer."""


class ModelUnavailable(ModelError):
    """Try again, after `retry_after` seconds where the server said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetNotHeld(ModelUnavailable):
    """What the call may cost can't be held now: the database does not take it, or the rest is held for others."""


class BudgetSpent(ModelError):
    """The call does not fit into a budget any more. The message is a sentence for the one who asked."""


class ModelInterrupted(ModelUnavailable):
    """The stream broke, ended before the API said that it was finished, or held something unreadable.

    `words` are those that had come by then.
    """

    words: str = ""


class ModelStalled(ModelUnavailable):
    """Nothing came for too long."""


class WindowTooLong(ModelError):
    """The request is over the model's context, which has so many tokens where the server said so.

    `answered` says that it was taken, and the answer had no room for a word: it may as well have been spent on thoughts
    that nobody is shown, and says nothing for certain of the context.
    """

    def __init__(self, message: str, *, context: int | None = None, answered: bool = False) -> None:
        super().__init__(message)
        self.context = context
        self.answered = answered


class EmptyAnswer(ModelError):
    """The answer is complete, and holds no word; `thought` says that all of it was spent on thinking."""

    def __init__(self, message: str, *, thought: bool = False) -> None:
        super().__init__(message)
        self.thought = thought


class ModelRefused(ModelError):
    """The provider will not answer this."""


class Flagged(ModelRefused):
    """Moderation will not have the question, or the answer: to show the model less of what was said is no use."""


class ModelFailed(ModelError):
    """The server can't answer this, and says that trying again is no use; nothing is wrong with what was said."""


class OutOfCredit(ModelError):
    """The account has no money or quota left."""


class ModelMisconfigured(ModelError):
    """Wrong key, unknown model, unknown parameter: a person must mend the settings."""


class RequestNotTaken(ModelMisconfigured):
    """The server does not take the request, for a reason that we don't understand: perhaps something that was said."""


def where(error: BaseException) -> str:
    """The line that raised it, for the log. Not its traceback: the frames hold tokens and what people said."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else ""
