"""Hindsight in words: what the model was shown for an earlier answer, and what has become of that."""

from collections.abc import Iterator
from datetime import UTC, datetime

from core.commands import moments
from core.seam.links import Linked
from core.session import SessionKey
from core.store import Connection, ledger, shown
from core.store.ledger import Billed
from core.store.shown import Hindsight

_NO_LINK = "This link leads to no message here."
_ELSEWHERE = "This link leads to another conversation; what was shown there I only tell there."
_NOT_MINE = "The message at this link is none of my answers in this conversation."
_UNKNOWN = "I don't know what my model was shown for this answer: that was not kept when it was written."


def told(connection: Connection, key: SessionKey, linked: Linked | None) -> str:
    """What was shown for the answer at a link, in Markdown; in a sentence, why that can't be said."""
    if linked is None:
        return _NO_LINK
    if not linked.may_be_in(key.address):
        return _ELSEWHERE
    seq = shown.answer(connection, key, linked.message)
    if seq is None:
        return _NOT_MINE
    known = shown.hindsight(connection, key, seq)
    if known is None:
        return _UNKNOWN
    return "\n".join(_lines(known, ledger.billed(connection, key, seq)))


def _lines(known: Hindsight, billed: Billed | None) -> Iterator[str]:
    yield f"For this answer {known.model or 'my model'} was shown {_seen(known)}."
    changes = {"edited": known.edited, "erased": known.erased}
    said = [f"{number:,} {'was' if number == 1 else 'were'} {what}" for what, number in changes.items() if number]
    if said:
        yield f"Of these, {' and '.join(said)} since it was asked."
    if billed is not None:
        about = "about " if billed.estimated else ""
        yield (
            f"It read {about}{billed.shown:,} tokens for that, {billed.cached:,} of them from its provider's cache, "
            f"and wrote {about}{billed.written:,}."
        )


def _seen(known: Hindsight) -> str:
    if known.since is None:
        return "its question alone"
    overheard = f" and {known.overheard:,} of the messages around them that I overheard" if known.overheard else ""
    own = f"{known.own:,} {'turn' if known.own == 1 else 'turns'} word for word"
    return f"{own}{overheard}, since {moments.told(datetime.fromtimestamp(known.since, UTC))}, and its question"
