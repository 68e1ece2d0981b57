"""What people want forgotten is gone from everything that is stored, and others keep what is theirs."""

from dataclasses import replace

from core.schema import erasures, metadata
from core.seam.address import Address
from core.store import Database
from tests.script import House, TranscriptAdapter, house, memory, rows
from tests.values import ADA, BEN, message

CHANNEL = Address(platform="console", workspace="local", channel="busy")
ONE, OTHER = replace(CHANNEL, thread="t1"), replace(CHANNEL, thread="t2")


class Governed(TranscriptAdapter):
    """A platform on which Ben is an admin."""

    async def is_admin(self, address, person, *, workspace) -> bool:
        return person == BEN.id


async def said(running: House, text: str, **facts) -> str:
    before = len(running.adapter.texts)
    await running.say(message(text, **facts))
    await running.adapter.until(lambda: len(running.adapter.texts) > before)
    await running.over()
    return running.adapter.texts[-1]


async def forgotten(running: House) -> str:
    """Works off what is to be forgotten; what is told of it."""
    before = len(running.adapter.texts)
    await running.erasing.look()
    await running.adapter.until(lambda: len(running.adapter.texts) > before)
    await running.over()
    receipt = running.adapter.texts[-1]
    await running.erasing.look()
    assert await rows(running.database, erasures) == []
    return receipt


async def stored(database: Database) -> str:
    """All that there is in the database."""
    found = [row for table in metadata.sorted_tables for row in await rows(database, table)]
    return " ".join(
        one.decode(errors="replace") if isinstance(one, bytes) else str(one) for row in found for one in row
    )


async def test_who_wants_to_be_forgotten_is_and_others_keep_what_is_theirs(database: Database) -> None:
    adapter = TranscriptAdapter()
    async with house(
        database, "Tuna it is.", "Noon. The code is tuna! Bring bread.", "Fine.", adapter=adapter
    ) as running:
        await said(running, "the code is tuna", author=ADA)
        await said(running, "when do we meet?", author=BEN)
        await said(running, "I bring bread", author=BEN)
        await said(running, "!prefer tone pirate", author=ADA)
        assert "It can't be undone" in await said(running, "!forget me", author=ADA)
        assert "I am forgetting it now" in await said(running, "!forget me yes", author=ADA)
        receipt = await forgotten(running)
        shown = running.adapter.screen[list(running.adapter.screen)[-1]]

    assert shown.private and shown.asker is not None and shown.asker.id == ADA.id
    assert "3 messages, 1 answer of mine, sentences of 1 answer to others, 1 person's preferences" in receipt
    left = await stored(database)
    assert "tuna" not in left.lower() and "pirate" not in left and "Ada" not in left and ADA.id not in left
    assert await memory(database) == [
        ("person", "when do we meet?"),
        ("assistant", "Noon. […] Bring bread."),
        ("person", "I bring bread"),
        ("assistant", "Fine."),
    ]
