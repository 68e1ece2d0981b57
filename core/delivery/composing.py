"""Composing: a text becomes the messages that a platform takes, and each of them a reply of the seam."""

from core.delivery.guard import guard
from core.delivery.markdown import split
from core.seam.adapter import Adapter
from core.seam.messages import Reply
from core.session import SessionKey, Turn
from core.store import deliveries


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


def reply(key: SessionKey, question: Turn, part: int, text: str) -> Reply:
    """One visible message in answer to this question, with all that the question says of it."""
    return Reply(
        key=deliveries.key_of(key.address, question.message or str(question.seq), part),
        address=key.address,
        text=text,
        asked_at=question.at,
        part=part,
        asker=question.author,
        reply_to=question.envelope.reply_to,
        ticket=question.envelope.ticket,
    )
