"""Attachments: files that people point at, fetched once, just before they are shown, and judged by their content."""

import asyncio
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Sequence
from dataclasses import replace
from re import compile as pattern

import structlog

from core.memory.mind import Mind
from core.model import envelope
from core.seam.adapter import Adapter
from core.seam.messages import Quote
from core.session import Lease, Turn
from core.store import Database, changes

log = structlog.get_logger()

BYTES = 256 * 1024
"""As much of a file is read: more than any window holds of it."""

FILES = 5
"""So many turns with files are fetched for one answer at most, the newest first."""

_ONLY = "\n[… only the first {:,} bytes of this file were read …]"
_KINDS = (
    (b"\x89PNG", "it is an image"),
    (b"\xff\xd8\xff", "it is an image"),
    (b"GIF8", "it is an image"),
    (b"RIFF", "it is an image or a recording"),
    (b"%PDF", "it is a PDF document"),
    (b"PK\x03\x04", "it is an archive or an office document"),
    (b"\x1f\x8b", "it is an archive"),
)
_CONTROL = pattern(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


async def fetched(
    database: Database, adapter: Adapter, mind: Mind, lease: Lease, newest_first: Sequence[Turn], *, within: float
) -> list[Turn]:
    """The turns with the words of what they have attached, or why there are none after so many seconds.

    Raises LeaseLost.
    """
    turns = list(newest_first)
    wanted = [place for place, turn in enumerate(turns) if any(quote.is_open for quote in turn.quotes)][:FILES]
    if not wanted:
        return turns
    limit = asyncio.get_running_loop().time() + within
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(_read(adapter, mind, lease, turns[place], limit)) for place in wanted]
    for place, read in zip(wanted, reading, strict=True):
        turn = turns[place] = _counted(mind, turns[place], read.result())
        await database.write(changes.fetched, lease, turn.seq, turn.quotes, tokens=turn.tokens)
    return turns


async def _read(adapter: Adapter, mind: Mind, lease: Lease, turn: Turn, limit: float) -> tuple[Quote, ...]:
    return tuple([await _one(adapter, mind, lease, quote, len(turn.quotes), limit) for quote in turn.quotes])


async def _one(adapter: Adapter, mind: Mind, lease: Lease, quote: Quote, number: int, limit: float) -> Quote:
    if not quote.is_open or quote.source is None:
        return quote
    try:
        async with asyncio.timeout_at(limit):
            words = text_of(await adapter.fetch(lease.key.address, quote.source, BYTES))
    except Unreadable as kind:
        return replace(quote, unread=str(kind))
    except TimeoutError:
        return replace(quote, unread="it could not be fetched in time")
    except Exception as error:  # noqa: BLE001 – whatever it is, the question can be answered without the file
        log.info("file not fetched", session=lease.key.address.id, error=type(error).__name__)
        return replace(quote, unread="it could not be fetched")
    if not words.strip():
        return replace(quote, unread="it is empty")
    return replace(quote, text=await asyncio.to_thread(mind.quoted, words, number))  # which may take half a second


def _counted(mind: Mind, turn: Turn, quotes: tuple[Quote, ...]) -> Turn:
    assert turn.author is not None  # noqa: S101 – only people point at things
    tokens = mind.count(envelope.spoken(turn.author, turn.at, turn.text, quotes))
    return turn._replace(quotes=quotes, tokens=tokens)


class Unreadable(ValueError):
    """A file is no text; the message says what it is instead."""


def text_of(data: bytes) -> str:
    """A file's text, whatever its name says. One that has BYTES bytes goes on, and may end within a character.

    Raises Unreadable.
    """
    for start, kind in _KINDS:
        if data.startswith(start):
            raise Unreadable(kind)
    rest = _ONLY.format(BYTES) if len(data) >= BYTES else ""
    for encoding in _encodings(data):
        try:
            words = getincrementaldecoder(encoding)().decode(data, final=not rest)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(words):
            return words + rest
    raise Unreadable("it is no text")


def _encodings(data: bytes) -> tuple[str, ...]:
    """What it may be written in: it says so itself, or is UTF-8, or comes from an older Windows."""
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return ("utf-16",)
    return ("utf-8-sig",) if data.startswith(BOM_UTF8) else ("utf-8", "cp1252")
