"""Composing: a text becomes the messages that a platform takes, and each of them a reply of the seam.

A long one is composed beside the event loop, on which everybody's messages arrive.
"""

import asyncio

from core.delivery.guard import guard
from core.delivery.markdown import Growing
from core.seam.adapter import Adapter
from core.seam.messages import Reply
from core.session import SessionKey, Turn
from core.store import deliveries

_CLOCKS_DIFFER = 10.0
"""Seconds: a notice is dated by our own clock, and its message by the platform's, which may be behind."""


LONG = 4_000
"""Characters that are composed before anybody notices that the event loop stood still."""


class Composing:
    """One answer's words as messages, also while it grows: what has been cut of them is not cut again."""

    def __init__(self, adapter: Adapter, question: Turn) -> None:
        self._adapter = adapter
        self._asker = _asker(question)
        self._growing = Growing(adapter.max_text)

    async def pieces(self, text: str) -> tuple[str, ...]:
        """The text as messages of this platform."""
        if len(text) <= LONG:
            return self._pieces(text)
        return await asyncio.to_thread(self._pieces, text)

    def _pieces(self, text: str) -> tuple[str, ...]:
        return _messages(self._adapter, text, self._asker, self._growing)


def pieces(adapter: Adapter, question: Turn, text: str) -> tuple[str, ...]:
    """The text as messages of this platform: rendered, split at its limit, and guarded against pings."""
    return messages(adapter, text, _asker(question))


def messages(adapter: Adapter, text: str, asker: str | None) -> tuple[str, ...]:
    """The same, by the ID of the person whom the text may mention."""
    return _messages(adapter, text, asker, Growing(adapter.max_text))


def _messages(adapter: Adapter, text: str, asker: str | None, growing: Growing) -> tuple[str, ...]:
    """Each message is guarded as well, where that is needed: it may begin within what was code in the whole."""
    rendered = adapter.render(text)
    if not adapter.rings:
        return tuple(growing.split(rendered))
    return tuple(guard(piece, asker) for piece in growing.split(guard(rendered, asker)))


def _asker(question: Turn) -> str | None:
    return question.author.id if question.author else None


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
