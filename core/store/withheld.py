"""Withheld: a question ends without an answer, because nobody who asked for it would see it."""

from sqlalchemy import Connection

from core.session import Answer, Lease, SessionKey, Turn, Validity
from core.store import answering, unrecorded
from core.store.withdrawals import withdraw


def withhold(connection: Connection, key: SessionKey, question: Turn, *, lease: Lease | None, seconds: float) -> bool:
    """Nothing is to be said to this question, and a sign that it waits leaves the screen.

    Returns whether there may be one: until that is over, what answering needs is kept with the turn.
    Raises what `answering.answer` does.
    """
    store = answering.answer if question.validity is Validity.STANDS else unrecorded.answer
    store(connection, key, question, Answer(parts=()), lease=lease)
    return withdraw(connection, key, question.seq, seconds=seconds)
