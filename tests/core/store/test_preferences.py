"""What people prefer is stored for themselves and their workspace, and comes with what they say next."""

import asyncio
from dataclasses import replace

from sqlalchemy import Connection, update

from core.schema import preferences as table
from core.seam.address import Address
from core.seam.messages import Author
from core.session import Kind, Preferences, SessionKey
from core.store import Database, bodies, inbound, preferences, turns
from tests.script import rows
from tests.values import ADA, BEN, HERE, message

SIDE = replace(HERE, thread="side")


async def accepted(database: Database, *, address: Address = HERE, author: Author = ADA) -> inbound.Stored:
    said = message(address=address, author=author)
    return await database.write(inbound.accept, said, kind=Kind.SAID, verb=None, tokens=1)


async def prefer(database: Database, key: SessionKey, name: str, value: str | None, author: str = "U1") -> str | None:
    return await database.write(preferences.change, key, author, name, value)


async def test_what_was_told_is_known_until_it_is_taken_back(database: Database) -> None:
    key = (await accepted(database)).key

    assert await prefer(database, key, "tone", "dry") is None
    assert await prefer(database, key, "tone", "wry") == "dry"
    assert await prefer(database, key, "name", "Ada \N{SNOWMAN}") is None
    assert await database.read(preferences.of, key, "U1") == Preferences(tone="wry", name="Ada \N{SNOWMAN}")
    assert await prefer(database, key, "tone", None) == "wry"
    assert await prefer(database, key, "tone", None) is None
    assert await database.read(preferences.of, key, "U1") == Preferences(name="Ada \N{SNOWMAN}")
    assert await database.read(preferences.of, key, "U2") == Preferences()


async def test_nothing_of_it_is_left_when_all_is_taken_back(database: Database) -> None:
    key = (await accepted(database)).key

    await prefer(database, key, "tone", None)
    assert await rows(database, table) == []
    await prefer(database, key, "tone", "dry")
    await prefer(database, key, "tone", None)

    assert [row.body for row in await rows(database, table)] == [b""]


async def test_what_waits_comes_with_its_authors_preferences_of_this_workspace(database: Database) -> None:
    """However it is read: as it is accepted, or again."""
    key = (await accepted(database)).key
    before = await accepted(database)
    await prefer(database, key, "tone", "dry")
    dry, nothing = Preferences(tone="dry"), Preferences()

    assert before.turn.preferences == nothing
    assert [one.preferences for one in await database.read(turns.first_waiting, key, 5)] == [dry, dry]
    for address, author, expected in (
        (HERE, ADA, dry),
        (SIDE, ADA, dry),
        (HERE, BEN, nothing),
        (replace(HERE, workspace="other"), ADA, nothing),
        (replace(HERE, platform="slack"), ADA, nothing),
    ):
        new = await accepted(database, address=address, author=author)
        assert new.turn.preferences == expected, (address, author)
        assert await database.read(turns.waiting, new.key, new.turn.seq) == new.turn


async def test_two_changes_at_once_are_both_made(database: Database) -> None:
    key = (await accepted(database)).key
    names = ("language", "tone", "length", "name", "about")

    await asyncio.gather(*(prefer(database, key, name, f"my {name}") for name in names))

    assert await database.read(preferences.of, key, "U1") == Preferences(**{name: f"my {name}" for name in names})


async def test_what_a_newer_release_has_stored_beside_it_is_no_matter(database: Database) -> None:
    key = (await accepted(database)).key
    await prefer(database, key, "tone", "dry")

    def newer(connection: Connection) -> None:
        body = bodies.PREFERENCES.seal(bodies.Mine(key.workspace), ("U1",), '{"tone": "dry", "mood": "good"}')
        connection.execute(update(table).values(body=body))

    await database.write(newer)

    assert await database.read(preferences.of, key, "U1") == Preferences(tone="dry")
