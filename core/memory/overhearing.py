"""Overhearing: a session that is born in the middle of a conversation reads, once, what was said there before."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from core.access import is_heard
from core.memory.mind import Mind
from core.model import envelope
from core.seam.adapter import Adapter
from core.seam.messages import Audience, Inbound
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
    if _listens(mind, lease.key, question):
        before = await _said_before(adapters[lease.key.address.platform], lease.key, question, within)
        said = [one for one in before if is_heard(one, mind.policy)]
    said = [replace(one, quotes=mind.pointed(one.quotes)) for one in said]
    sizes = [_size(mind, one) for one in said]
    await database.write(backscroll.keep, lease, said, sizes)


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


async def _said_before(adapter: Adapter, key: SessionKey, question: Turn, within: float) -> Sequence[Inbound]:
    """What the platform tells us within so many seconds; an answer never waits for more, nor fails over it."""
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
        return ()
    if key.address.thread != question.message:
        return said
    # A message that opens a thread of its own is told of the channel, but not what belongs to other sessions there.
    return [one for one in said if one.audience is not Audience.BOT and not one.author.is_self]
