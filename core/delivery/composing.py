"""Composing: a text becomes the messages that a platform takes, and each of them a reply of the seam."""

from core.delivery.guard import guard
from core.delivery.markdown import split
from core.seam.adapter import Adapter
from core.seam.messages import Reply
from core.session import SessionKey, Turn
from core.store import deliveries

_CLOCKS_DIFFER = 10.0
"""Seconds: a notice is dated by our own clock, and its message by the platform's, which may be behind."""


def pieces(adapter: Adapter, question: Turn, text: str) -> tuple[str, ...]:
    """The text as messages of this platform: rendered, split at its limit, and guarded against pings."""
    return messages(adapter, text, question.author.id if question.author else None)


def messages(adapter: Adapter, text: str, asker: str | None) -> tuple[str, ...]:
    """The same, by the ID of the person whom the text may mention.

    Each message is guarded as well, where that is needed: it may begin within what was code in the whole.
    """
    rendered = adapter.render(text)
    if not adapter.rings:
        return tuple(split(rendered, adapter.max_text))
    return tuple(guard(piece, asker) for piece in split(guard(rendered, asker), adapter.max_text))


def reply(key: SessionKey, cause: Turn, part: int, text: str) -> Reply:
    """One visible message in answer to this turn, or of this notice, with all that its cause says of it."""
    notice = cause.notice
    return Reply(
        key=deliveries.key_for(key.address, seq=cause.seq, message=cause.message, notice=notice, part=part),
        address=key.address,
        text=text,
        asked_at=cause.at if notice is None else cause.at - _CLOCKS_DIFFER,
        part=part,
        asker=cause.author,
        reply_to=cause.slip.reply_to,
        ticket=cause.slip.ticket,
    )
