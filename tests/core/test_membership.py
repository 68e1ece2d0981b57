"""Membership: who sees a place is asked of the platform, believed for a minute at most, and never made up."""

import pytest

from core.access.membership import Membership
from core.errors import DeliveryDelayed, DeliveryRefused
from core.schema import turns
from core.seam.messages import Audience, Inbound
from core.session import Progress
from core.store import Database
from tests.script import TranscriptAdapter, brisk, house, rows
from tests.values import ADA, BEN, HERE, message


class Watched(TranscriptAdapter):
    """A platform that says who sees a place, if it does."""

    def __init__(self, *answers: bool | Exception) -> None:
        super().__init__()
        self.answers, self.asked = list(answers), list[str]()

    async def sees(self, address, person) -> bool:
        self.asked.append(person)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_an_answer_is_believed_for_a_minute_and_no_longer() -> None:
    now = 0.0
    adapter = Watched(True, False, True, False)
    membership = Membership({"console": adapter}, clock=lambda: now)

    assert await membership.sees(HERE, "U1")
    now = 60.0
    assert await membership.sees(HERE, "U1")
    assert not await membership.sees(HERE, "U2"), "nobody is taken for another"
    now = 61.0
    assert await membership.sees(HERE, "U1")
    assert not await membership.sees(HERE, "U1", within=-1.0)
    now = 1_000.0
    assert await membership.sees(HERE, "U2", within=9_999.0), "however long somebody would believe it"
    assert adapter.asked == ["U1", "U2", "U1", "U1", "U2"]


async def test_a_failure_is_no_answer() -> None:
    membership = Membership({"console": Watched(DeliveryDelayed("busy", retry_after=1.0))})

    with pytest.raises(DeliveryDelayed):
        await membership.sees(HERE, "U1")
    assert await membership.sees(HERE, "U1")


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def spoken(text: str, **facts: object) -> Inbound:
    """Said to the bot where others are, long ago."""
    return message(text, **({"direct": False, "audience": Audience.BOT} | facts))


async def test_who_does_not_see_the_place_any_more_gets_no_answer_and_no_letter_is_dead(database: Database) -> None:
    adapter = Watched(False, True)
    async with house(database, adapter=adapter) as running:
        await running.say(spoken("mine?"))
        await running.over()
        assert adapter.texts == []
        await running.say(spoken("and mine?", author=BEN))
        await running.answered("You said: and mine?")

    assert adapter.asked == [ADA.id, BEN.id]
    questions = [row for row in await rows(database, turns) if row.role == 0]
    assert [(row.progress, row.error) for row in questions] == [(Progress.DONE, None)] * 2


async def test_whoever_speaks_for_themselves_is_not_asked_about(database: Database) -> None:
    adapter = Watched()
    async with house(database, adapter=adapter) as running:
        await running.say(message("hello"))
        await running.answered("You said: hello")

    assert adapter.asked == [], "these are their own direct messages"


async def test_a_platform_that_does_not_say_is_asked_again_and_then_people_are_told(database: Database) -> None:
    busy = DeliveryDelayed("busy", retry_after=0.0)
    adapter = Watched(busy, True, busy)
    async with house(database, adapter=adapter, timings=brisk(patience=1e12)) as running:
        await running.say(spoken("one"))
        await running.answered("You said: one")
    async with house(database, adapter=adapter) as running:
        await running.say(spoken("two"))
        await running.adapter.until(lambda: len(adapter.texts) == 2)
        await running.over()

    assert adapter.texts[1].startswith("I can't find out just now whether you still see this")
    assert not running.model.prompts


async def test_a_platform_that_can_never_say_keeps_nobody_from_an_answer(database: Database) -> None:
    adapter = Watched(DeliveryRefused("missing_scope"))
    async with house(database, adapter=adapter) as running:
        await running.say(spoken("one"))
        await running.answered("You said: one")
