"""A copy of a database holds what was said in the clear, and nothing of it where it is sealed."""

import pytest

from core.store import Database, bodies
from core.store.sealing import Vault
from core.vault.ring import OwnKeys
from tests.dumps import dumped
from tests.script import house
from tests.values import message

SAID, ANSWERED = "the harbour opens at seven", "Noted: at seven, then."


@pytest.mark.parametrize("is_sealed", [False, True], ids=["in the clear", "sealed"])
@pytest.mark.in_the_clear
async def test_a_copy_holds_what_was_said_unless_it_is_sealed(url: str, database: Database, is_sealed: bool) -> None:
    bodies.use(Vault(OwnKeys(bytes(32))) if is_sealed else None)
    async with house(database, ANSWERED) as running:
        await running.say(message(SAID))
        await running.answered(ANSWERED)

    assert [one in dumped(url) for one in (SAID, ANSWERED)] == [not is_sealed] * 2
