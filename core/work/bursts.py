"""Bursts: what one person says in quick succession is answered as one."""

from core.session import Progress, Turn, Validity
from core.store import turns

MOST = 8
"""So many messages are answered as one. Each keeps what the one before it would need to be answered by itself, within
what is kept of itself: of thirty, that would be gigabytes.
"""


def is_burst(question: Turn, following: Turn, *, within: float) -> bool:
    """Whether the same person has gone on talking within so many seconds, and nothing of an answer is on screen."""
    missed = question.slip.missed or following.slip.missed
    recorded = question.validity is following.validity is Validity.STANDS  # else what it joins would not be shown
    both_talk = _may_join(question) and following.verb is None and not missed and recorded
    same = question.author is not None and following.author is not None and question.author.id == following.author.id
    since = question.at if question.slip.since is None else question.slip.since
    same = same and question.slip.hearer == following.slip.hearer  # who is answered once, is so in one place
    has_room = len(turns.burst(question)) < MOST - 1
    return both_talk and same and has_room and 0 <= following.at - since <= within


def _may_join(question: Turn) -> bool:
    return question.progress is Progress.WAITING and question.verb is None and not question.begun
