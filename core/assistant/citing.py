"""Citing: the messages that the lines of a summary may come from, with the links by which people open them."""

from collections.abc import Collection, Mapping

import structlog

from core.errors import DeliveryError
from core.memory.citations import Source
from core.seam.adapter import Adapter
from core.session import SessionKey
from core.store import Database, summaries

log = structlog.get_logger()


async def sources(
    database: Database, adapters: Mapping[str, Adapter], key: SessionKey, seqs: Collection[int]
) -> dict[int, Source]:
    """Those with these seqs, in order; without links where the platform has none, or does not tell now."""
    said = await database.read(summaries.sources, key, seqs)
    adapter = adapters[key.address.platform]
    try:
        links = {
            seq: await adapter.link(key.address, one.message) for seq, one in said.items() if one.message is not None
        }
    except DeliveryError as error:
        log.warning("summary without links", session=key.address.id, error=type(error).__name__)
        links = {}
    return {seq: Source(at=one.at, link=links.get(seq)) for seq, one in said.items()}
