"""Membership: who sees a place is asked of the platform, believed for a minute at most, and never made up."""

from time import time

import pytest

from core.access.membership import Membership
from core.assistant import apologies
from core.delivery.previews import LATE, UNSEEN
from core.errors import DeliveryDelayed, DeliveryRefused, ModelUnavailable
from core.schema import policies, sessions, turns, unrecorded
from core.seam.messages import Audience, Inbound
from core.session import Progress
from core.store import Database, notices, places
from tests.core.delivery.test_reconcile import reconciling
from tests.script import TranscriptAdapter, brisk, expire, house, rows
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


BUSY = DeliveryDelayed("busy", retry_after=0.0)
LATER = 1_800_000_000.0  # than everything that is said here


async def test_a_platform_that_does_not_say_is_asked_again_and_at_the_end_people_are_told(database: Database) -> None:
    adapter, now = Watched(*[BUSY] * 10_000), LATER
    timings = brisk(back_off=0.001, excuse_after=60.0, patience=600.0)
    async with house(database, adapter=adapter, timings=timings, clock=lambda: now) as running:
        await running.say(spoken("one"))
        await running.until(lambda found: found[0].attempts > 2)
        assert adapter.texts == []
        now += timings.excuse_after + 1
        await running.adapter.until(lambda: adapter.texts == [UNSEEN])
        now += timings.patience
        await running.answered(apologies.UNSEEN)

    assert not running.model.prompts


async def test_who_waits_for_that_is_asked_about_until_it_is_known_and_then_answered(database: Database) -> None:
    adapter = Watched(*[BUSY] * 9, True)
    async with house(database, adapter=adapter, timings=brisk(back_off=0.001, patience=1e12)) as running:
        await running.say(spoken("one"))
        await running.adapter.until(lambda: adapter.texts == [UNSEEN])
        await running.answered("You said: one")

    assert adapter.asked == [ADA.id] * 10, "that a sign stands in its place is no answer's beginning"


async def test_a_clock_that_is_set_ahead_turns_nobody_away(database: Database) -> None:
    now = LATER
    adapter = Watched(BUSY, True)
    async with house(database, adapter=adapter, timings=brisk(patience=600.0), clock=lambda: now) as running:
        await running.stop()
        await running.say(spoken("one"))
        now += 1_200
    async with house(database, adapter=adapter, timings=brisk(patience=600.0), clock=lambda: now) as running:
        await running.answered("You said: one")


async def test_how_long_a_platform_wants_to_be_left_alone_is_waited(database: Database) -> None:
    adapter = Watched(DeliveryDelayed("busy", retry_after=200.0))
    async with house(database, adapter=adapter, timings=brisk(patience=600.0)) as running:
        await running.say(spoken("one"))
        await running.until(lambda found: found[0].attempts == 1 and found[0].owner is None)
        (session,) = await rows(database, sessions)
        await running.say(spoken("two", author=BEN))
        await running.answered("You said: one", "You said: two")

    assert session.due_at / 1000 - time() > 100, "but what is said meanwhile tries at once"


async def test_a_sign_that_an_answer_waits_goes_where_its_asker_sees_nothing_of_it(database: Database) -> None:
    adapter = Watched(BUSY, BUSY, False)
    async with house(database, adapter=adapter, timings=brisk(patience=1e12)) as running:
        await running.say(spoken("mine?"))
        await running.adapter.until(lambda: adapter.texts == [UNSEEN])
        await running.over()
        async with reconciling(running):
            await adapter.until(lambda: adapter.texts == [])

    assert not running.model.prompts
    (question,) = await rows(database, turns)
    assert (question.progress, question.error) == (Progress.DONE, None)


async def test_who_waited_for_the_model_is_asked_about_as_well(database: Database) -> None:
    adapter, now = Watched(False), LATER
    away = [ModelUnavailable("away")] * 10_000
    timings = brisk(back_off=0.001, patience=1e12)
    async with house(database, *away, adapter=adapter, timings=timings, clock=lambda: now) as running:
        await running.say(spoken("mine?", at=LATER))
        now += 1
        await running.adapter.until(lambda: adapter.texts == [LATE])
        assert adapter.asked == []
        now += timings.waited + 1
        await running.over()

    assert adapter.asked == [ADA.id]


async def test_a_command_that_had_to_wait_is_done_once_it_is_known(database: Database) -> None:
    adapter = Watched(BUSY, BUSY, True)
    async with house(database, adapter=adapter, timings=brisk(patience=1e12)) as running:
        await running.say(spoken("!reset"))
        await running.adapter.until(lambda: adapter.texts == [UNSEEN])
        await running.over()

    assert len(adapter.texts) == 1
    assert "nothing to set aside" in adapter.texts[0]


@pytest.mark.parametrize("said", ["!settings", "!set persona You are a pirate", "!export", "!off the record"])
async def test_a_command_that_does_not_queue_and_came_late_is_asked_about_as_well(
    database: Database, said: str
) -> None:
    adapter = Watched(False, True)
    async with house(database, adapter=adapter) as running:
        await running.say(spoken(said))
        await running.over()
        assert adapter.texts == []
        assert await rows(database, policies) == await rows(database, unrecorded) == []
        await running.say(spoken(said, author=BEN))
        await running.over()

    assert adapter.asked == [ADA.id, BEN.id]
    assert adapter.texts
    assert [(row.progress, row.error) for row in await rows(database, turns) if row.role == 0] == [
        (Progress.DONE, None)
    ] * 2


async def test_a_command_that_does_not_queue_waits_for_a_platform_that_does_not_say(database: Database) -> None:
    adapter = Watched(BUSY)
    async with house(database, adapter=adapter) as running:
        await running.say(spoken("!help"))
        await running.unserved()
        assert adapter.texts == []
        await database.write(expire)
        running.worker.wake()
        await running.over()

    assert adapter.asked == [ADA.id, ADA.id]
    assert len(adapter.texts) == 1


async def test_what_is_told_to_one_person_alone_is_not_where_they_are_no_more(database: Database) -> None:
    """As the receipt of a forgetting, which takes its time: all who are there would be shown it in their place."""
    adapter = Watched(False, True)
    async with house(database, adapter=adapter) as running:
        await running.say(message("hello"))
        await running.answered("You said: hello")
        for person, text in ((ADA.id, "Ada is forgotten."), (BEN.id, "Ben is forgotten."), (None, "It is evening.")):
            key = (await database.read(places.find, HERE)).key
            await database.write(notices.tell, key, name=text, text=text, to=person)
            running.worker.wake()
            await running.over()

    assert adapter.texts[1:] == ["Ben is forgotten.", "It is evening."]
    assert adapter.asked == [ADA.id, BEN.id]


async def test_what_is_stopped_while_it_waits_for_that_is_over_and_holds_up_nobody(database: Database) -> None:
    adapter = Watched(*[BUSY] * 10_000)
    async with house(database, adapter=adapter, timings=brisk(back_off=0.001, patience=1e12)) as running:
        await running.say(spoken("mine?"))
        await adapter.until(lambda: adapter.texts == [UNSEEN])
        await running.say(spoken("!stop"))
        await running.over()
        asked = len(adapter.asked)
        adapter.answers.clear()
        await running.say(spoken("and mine?", author=BEN))
        await running.over()

    assert adapter.texts[1:] == ["Stopped.", "You said: and mine?"]
    assert [running.model.asked(nth)[-1] for nth in range(len(running.model.prompts))] == ["and mine?"]
    assert adapter.asked[asked:] == [BEN.id]


async def test_a_platform_that_can_never_say_keeps_nobody_from_an_answer(database: Database) -> None:
    adapter = Watched(DeliveryRefused("missing_scope"))
    async with house(database, adapter=adapter) as running:
        await running.say(spoken("one"))
        await running.answered("You said: one")
