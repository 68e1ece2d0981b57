"""What an answer was shown: the turns before its question, as runs of seqs, so that it can be shown again.

They are no body: a turn that was erased since is a number that leads to nothing.
"""

from sqlalchemy import Connection, select

from core.schema import turns
from core.session import Role, Seqs, SessionKey
from core.store.queue import turn


def written(seqs: Seqs | None) -> str | None:
    """As they are stored: `-3..20,25`, and nothing where the question was shown alone. None stays None."""
    if seqs is None:
        return None
    return ",".join(str(first) if first == last else f"{first}..{last}" for first, last in seqs)


def of(connection: Connection, key: SessionKey, seq: int) -> Seqs | None:
    """What the answer with this seq was shown beside its question; None where that is not known.

    That is so of answers of before this was stored, and of those that no model has written.
    """
    answer = select(turns.c.shown_seqs).where(turn(key, seq), turns.c.role == Role.ASSISTANT)
    stored: str | None = connection.execute(answer).scalar_one_or_none()
    return None if stored is None else _read(stored)


def _read(stored: str) -> Seqs:
    runs = (run.partition("..") for run in stored.split(",") if run)
    return tuple((int(first), int(last or first)) for first, _, last in runs)
