"""Overhearing: a session that is born in the middle of a conversation reads, once, what was said there before."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from core.access import is_heard, quotable
from core.memory import retention
from core.memory.mind import Mind
from core.model import envelope
from core.seam.adapter import Adapter
from core.seam.messages import Audience, Inbound, Quote
from core.session import OVERHEARD_BEFORE_QUESTION, Lease, SessionKey, Turn
from core.store import Database, backscroll

log = structlog.get_logger()


async def read_backscroll(
    database: Database, adapters: Mapping[str, Adapter], mind: Mind, lease: Lease, question: Turn, *, within: float
) -> None:
    """Stores what was said before the session's first question; nothing where that has been done.

    An answer waits no longer than so many seconds for it.
    """
    if lease.backscroll_read or await database.read(backscroll.is_read, lease.key):
        return
    said: Sequence[Inbound] = ()
    if _listens(mind, lease.key, question) and mind.policy.memory == "full":
        before = await _said_before(adapters[lease.key.address.platform], lease.key, question, within) or ()
        said = [one for one in _young(before, mind, question) if is_heard(one, mind.policy)]
    said = [replace(one, quotes=mind.pointed(quotable(one, mind.policy))) for one in said]
    sizes = [_size(mind, one) for one in said]
    await database.write(backscroll.keep, lease, said, sizes)


async def told(
    database: Database, adapters: Mapping[str, Adapter], mind: Mind, lease: Lease, question: Turn, *, within: float
) -> Turn:
    """The question with what was said before it to others, where words of that are not stored: read for it alone.

    It stands in the newest message, like all that is for one answer only; what can't be read is said to be so.
    """
    if mind.policy.memory == "full" or question.author is None or not _listens(mind, lease.key, question):
        return question
    found = await _said_before(adapters[lease.key.address.platform], lease.key, question, within)
    young = _young(found or (), mind, question)
    heard = [one for one in young if is_heard(one, mind.policy) and not one.author.is_self]
    around = await database.read(backscroll.around, lease.key, question.seq, heard)
    quotes = [*_unread(around.missing, is_told=found is not None), *_quoted(mind, around.messages)]
    if not quotes:
        return question
    quoting = question._replace(quotes=(*quotes, *question.quotes))
    return quoting._replace(tokens=mind.size(quoting))


def _young(messages: Sequence[Inbound], mind: Mind, question: Turn) -> list[Inbound]:
    """Those that may still be kept at the time of the question: what is older is as gone as what was overheard then."""
    end = retention.ends(mind.policy, question.at).overheard
    return [one for one in messages if end is None or one.at >= end]


_SMALL = 2
"""All of it together takes one part in so many of what a message may quote."""


def _quoted(mind: Mind, messages: Sequence[Inbound]) -> list[Quote]:
    number = _SMALL * max(1, len(messages))
    return [
        Quote(kind="overheard from", author=one.author, at=one.at, text=mind.quoted(one.text, number))
        for one in messages
        if one.text.strip()
    ]


def _unread(number: int, *, is_told: bool) -> list[Quote]:
    if number == 0:
        return []
    why = "there is no room for more" if is_told else "the platform does not tell now"
    return [Quote(kind="overheard from", title=f"{number:,} messages", unread=why)]


def _size(mind: Mind, one: Inbound) -> int:
    """What it costs as the window shows it."""
    return mind.count(one.text if one.author.is_self else envelope.spoken(one.author, one.at, one.text, one.quotes))


def _listens(mind: Mind, key: SessionKey, question: Turn) -> bool:
    """Whether anything can have been said here that the session is to be told."""
    thread = key.address.thread
    in_channel = thread is None or thread == question.message
    if question.slip.direct or mind.policy.hear == "off":
        return False
    return mind.policy.hear == "channel" or not in_channel


async def _said_before(adapter: Adapter, key: SessionKey, question: Turn, within: float) -> Sequence[Inbound] | None:
    """What the platform tells us within so many seconds; an answer never waits for more, nor fails over it: None."""
    assert question.author is not None  # noqa: S101 – every person's turn has one
    opening = Inbound(
        address=key.address,
        id=question.message or "",
        author=question.author,
        text=question.text,
        at=question.at,
        reply_to=question.slip.reply_to,
    )
    try:
        async with asyncio.timeout(within):
            said = list(await adapter.backscroll(opening, OVERHEARD_BEFORE_QUESTION))
    except Exception as error:  # noqa: BLE001 – whatever it is, the question is worth more than what came before
        log.info("backscroll not read", session=key.address.id, error=type(error).__name__)
        return None
    if key.address.thread != question.message:
        return said
    # A message that opens a thread of its own is told of the channel, but not what belongs to other sessions there.
    return [one for one in said if one.audience is not Audience.BOT and not one.author.is_self]
