"""What people are told in an answer's place, or beneath one: one honest sentence for each way in which a turn ends."""

from collections.abc import Sequence
from datetime import datetime

from core.commands import moments
from core.errors import (
    EmptyAnswer,
    Flagged,
    ModelError,
    ModelFailed,
    ModelMisconfigured,
    ModelRefused,
    OutOfCredit,
    WindowTooLong,
)
from core.model.llm import Cut
from core.seam.mentions import plain
from core.seam.messages import Quote
from core.session import Turn, Validity

CUT_OFF: dict[Cut, str] = {
    "length": "\n\n_(Here I reached the longest answer that my model may give.)_",
    "filter": "\n\n_(Here the content filter of my model's provider ended the answer.)_",
}
"""What stands beneath an answer that was cut."""

BROKE_OFF = "_(My model broke off here, several times. Please ask me again for the rest.)_"
_FAILED = "I have tried several times to answer this, and failed."
_TOLD_FINALLY = "My model's server can't answer this, it says."
_KEPT = "Your message is kept; please ask me again later."
_NOT_KEPT = "As it was said off the record, I have not kept it; please ask me again later."
GAVE_UP = f"{_FAILED} {_KEPT}"
UNSEEN = "I can't find out just now whether you still see this conversation. Please ask me again in a few minutes."

_ONLY_THOUGHT = (
    "My model spent the whole answer on thinking, and had no room left to say anything. Please ask for less at once, "
    "or tell those who run me: `BACKSCROLL_ANSWER_TOKENS` sets the room."
)
_WHY_NONE: dict[type[ModelError], str] = {
    Flagged: "I don't answer this: the moderation that is set up for me has flagged the question, or my answer to it. "
    "I leave it out from now on, so that you can go on here.",
    ModelRefused: "The provider of my model declined to answer this. I leave it out from now on, so that you can go on "
    "here.",
    EmptyAnswer: "My model finished without saying anything, twice. Please ask in another way.",
    OutOfCredit: "I can't answer: the account behind my model has run out of credit. Please tell those who run me.",
    ModelMisconfigured: "I can't answer: my model is not set up rightly. Those who run me can see why in my log and "
    "with `backscroll doctor`.",
    WindowTooLong: "I can't answer: this is more text than my model can take in. `!reset` sets the conversation aside.",
}


def gave_up(question: Turn, why: str = _FAILED) -> str:
    """That there is no answer, and why, and whether the question is kept: off the record nothing is."""
    return f"{why} {_NOT_KEPT if question.validity is Validity.UNRECORDED else _KEPT}"


def why_none(error: ModelError, question: Turn) -> str:
    """Why there is no answer to this question."""
    if isinstance(error, EmptyAnswer) and error.thought:
        return _ONLY_THOUGHT
    if isinstance(error, ModelFailed):
        return gave_up(question, _TOLD_FINALLY)
    return next((why for kind, why in _WHY_NONE.items() if isinstance(error, kind)), gave_up(question))


def beneath(cut: Cut | None, quotes: Sequence[Quote]) -> str:
    """What an answer ends in that was cut, or given without something that its question points at; else nothing."""
    missing = [f"{plain(quote.title) or 'a file'} ({quote.unread})" for quote in quotes if quote.unread]
    unread = f"\n\n_(I have not read {', '.join(missing)}.)_" if missing else ""
    return ("" if cut is None else CUT_OFF[cut]) + unread


def nothing(since: datetime | None) -> str:
    """Why there is nothing to tell of, since then or at all."""
    if since is None:
        return "There is nothing to summarize: I remember nothing here yet."
    return f"Nothing was said here since {moments.told(since)}. `summarize` tells of the whole session."


def too_late(messages: int) -> str:
    """Why messages that were missed while nobody listened are not answered any more."""
    what = "a message" if messages == 1 else f"{messages:,} messages"
    return f"I was away and missed {what} here, more than an hour ago. Please say it again if you still want an answer."
