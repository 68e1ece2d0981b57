"""Settings that can't be opened any more: nobody is let in by that, and nothing spent; an admin sets them anew."""

import pytest
from sqlalchemy import Connection, select, update

from core.access import Denial
from core.policy import LOST, Overrides, Policy
from core.schema import policies
from core.seam.messages import Audience
from core.store import Database, bodies
from core.store.policies import take_back
from core.store.sealing import Vault
from core.vault.ring import OwnKeys
from tests.script import House, house, memory
from tests.test_forgetting import EVE, Governed, said, stored
from tests.values import ADA, BEN, HERE

IN_A_CHANNEL: dict[str, object] = {"direct": False, "audience": Audience.BOT}


@pytest.fixture(autouse=True)
def sealed() -> None:
    bodies.use(Vault(OwnKeys(bytes(32))))


def change_one_bit(connection: Connection) -> None:
    stored: str = connection.execute(select(policies.c.settings)).scalar_one()
    letter = "B" if stored[-6] == "A" else "A"
    connection.execute(update(policies).values(settings=f"{stored[:-6]}{letter}{stored[-5:]}"))


async def lose(running: House, *settings: str) -> None:
    """What an admin has set is changed in the database."""
    for one in settings:
        assert " is " in await said(running, f"!set {one}", author=BEN, **IN_A_CHANNEL)
    await running.database.write(change_one_bit)


async def test_nobody_who_was_denied_is_let_in(database: Database) -> None:
    """And of what people say to one another nothing is stored: nobody knows who of them is."""
    async with house(database, adapter=Governed()) as running:
        await lose(running, "deny person:U3")
        for author in (EVE, ADA):
            assert await said(running, "tuna", author=author, **IN_A_CHANNEL) == Denial.UNREADABLE.value
        assert running.model.prompts == []
        assert "tuna" not in await stored(database)


async def test_nothing_is_spent_where_a_budget_can_not_be_read(database: Database) -> None:
    """Not for what an admin asks for either, nor for a message that waited."""
    async with house(database, adapter=Governed()) as running:
        await said(running, "hello", author=ADA, **IN_A_CHANNEL)
        await lose(running, "budget 1m tokens/day")
        assert Denial.UNREADABLE.value in await said(running, "!summarize", author=BEN, **IN_A_CHANNEL)

    assert len(running.model.prompts) == 1


async def test_an_admin_alone_may_do_what_others_might_before_and_sets_it_anew(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "hello", author=ADA, **IN_A_CHANNEL)
        await lose(running, "may_set everyone", "persona a pirate")
        for refused in ("!set persona a parrot", "!reset", "!status", "!context"):
            assert await said(running, refused, author=ADA, **IN_A_CHANNEL) != ""
            assert running.adapter.texts[-1].startswith("Only admins may")
        await said(running, "!settings", author=ADA, **IN_A_CHANNEL)
        assert any(text.startswith(Denial.UNREADABLE.value) for text in running.adapter.texts)
        told = await said(running, "!set persona a parrot", author=BEN, **IN_A_CHANNEL)
        assert "What else was set there could not be read any more, and is gone." in told
        assert await said(running, "and now?", author=ADA, **IN_A_CHANNEL) == "You said: and now?"

    assert ("person", "hello") in await memory(database), "what was said before is remembered as ever"


async def test_the_operator_takes_it_back(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await lose(running, "deny person:U3")
        assert await database.write(take_back, HERE, HERE.channel_address.id, "deny")
        assert await said(running, "hello", author=ADA, **IN_A_CHANNEL) == "You said: hello"


def test_what_is_lost_is_no_value() -> None:
    deployed = Policy()
    assert deployed.under(Overrides(workspace=LOST)).is_lost
    assert deployed.under(Overrides(channel=LOST)).is_lost
    assert not deployed.under(Overrides(workspace='{"persona": "lost"}', channel="{}")).is_lost
