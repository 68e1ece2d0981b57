"""The promises of an adapter (`core/seam/adapter.py`), each kept by every adapter."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from core.errors import DatabaseUnreachable, DeliveryDelayed
from core.seam.adapter import Adapter
from core.seam.messages import Audience, Choice, Draft, Event, Inbound, Receipt, Reply
from tests.stage import Stage
from tests.stages import STAGES


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


class Ear:
    """A `receive` that keeps what it is given, and may fail before."""

    def __init__(self, stage: Stage, *, failures: int = 0) -> None:
        self.heard: list[Inbound] = []
        self.calls = 0
        self._stage = stage
        self._failures = failures

    async def receive(self, event: Event) -> None:
        if isinstance(event, Receipt):
            return
        self.calls += 1
        if self.calls <= self._failures:
            raise DatabaseUnreachable("not now")
        assert isinstance(event, Inbound)
        self.heard.append(event)
        await self._stage.change()


@asynccontextmanager
async def listening(stage: Stage, ear: Ear) -> AsyncIterator[Adapter]:
    adapter = stage.adapter()
    task = asyncio.create_task(adapter.listen(ear.receive))
    try:
        yield adapter
    finally:
        task.cancel()
        await asyncio.wait([task])
        await adapter.close()
        assert task.cancelled() or task.exception() is None


def only(can: bool) -> None:
    """The rest of the test is for platforms that can."""
    if not can:
        pytest.skip("this platform can't")


def reply_to(inbound: Inbound, text: str, **hints: object) -> Reply:
    facts = {
        "key": "abcdefghijklmnopqrstuvwx",
        "address": inbound.address,
        "text": text,
        "asked_at": inbound.at,
        "asker": inbound.author,
        "reply_to": inbound.reply_to,
        "ticket": inbound.ticket,
    }
    return Reply(**(facts | hints))  # type: ignore[arg-type]  # a test's shorthand


def texts(stage: Stage) -> list[str]:
    return [shown.text for shown in stage.shown() if shown.done]


async def test_1_what_could_not_be_received_comes_again(stage: Stage) -> None:
    ear = Ear(stage, failures=1)
    async with listening(stage, ear):
        message = await stage.say("do not lose me")
        await stage.until(lambda: ear.heard)

    assert ear.heard[0].text == "do not lose me"
    assert ear.heard[0].id == message
    assert ear.calls >= 2


async def test_1_a_message_has_the_same_identity_however_often_it_comes(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear):
        message = await stage.say("again and again")
        await stage.until(lambda: ear.heard)
        await stage.again(message)
        await stage.until(lambda: len(ear.heard) >= 2)

    assert len({(one.id, one.address, one.text, one.audience, one.direct, one.author) for one in ear.heard}) == 1


async def test_2_facts_are_reported_and_the_core_decides(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear):
        await stage.say("to you", author="ada")
        await stage.until(lambda: any(one.text == "to you" for one in ear.heard))
        await stage.say("to nobody", author="ben", to_bot=False)
        await stage.until(lambda: any(one.text == "to nobody" for one in ear.heard) or not stage.overhears)

    said = next(one for one in ear.heard if one.text == "to you")
    assert said.direct or said.audience is Audience.BOT
    assert said.address.platform == stage.platform
    assert said.address.id == stage.session("main")
    assert not said.author.is_bot
    for other in ear.heard:
        if other.text == "to nobody" and stage.overhears:
            assert other.audience is Audience.ROOM
            assert not other.direct
            assert other.author.id != said.author.id


async def test_3_it_never_hears_itself(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("first")
        await stage.until(lambda: ear.heard)
        await adapter.deliver(reply_to(ear.heard[0], "my own words"))
        await stage.until(lambda: texts(stage) == ["my own words"])
        await stage.say("last")
        await stage.until(lambda: any(one.text == "last" for one in ear.heard))

    assert {one.text for one in ear.heard} == {"first", "last"}


async def test_4_a_delivery_that_is_repeated_is_seen_once(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        reply = reply_to(ear.heard[0], "said once")

        first = await adapter.deliver(reply)
        second = await adapter.deliver(replace(reply, attempt=2))

    assert first == second
    assert texts(stage) == ["said once"]


async def test_4_a_delivery_that_another_process_began_is_seen_once(stage: Stage) -> None:
    """What a process knows of its own calls dies with it; what is on screen does not."""
    only(stage.lasts)
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        reply = reply_to(ear.heard[0], "said once")
        first = await adapter.deliver(reply)

    async with listening(stage, Ear(stage)) as another:
        second = await another.deliver(replace(reply, attempt=2))

    assert first == second
    assert texts(stage) == ["said once"]


async def test_4_what_answers_nobody_is_seen_once_as_well(stage: Stage) -> None:
    only(stage.lasts)
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        answer = await adapter.deliver(reply_to(ear.heard[0], "an answer"))
        alone: dict[str, object] = {"key": "notice", "asker": None, "reply_to": None, "ticket": None}
        notice = reply_to(ear.heard[0], "a notice", **alone)
        first = await adapter.deliver(notice)

    async with listening(stage, Ear(stage)) as another:
        second = await another.deliver(
            replace(notice, attempt=2, others=frozenset({answer}), above=frozenset({answer}))
        )

    assert first == second
    assert texts(stage) == ["an answer", "a notice"]


async def test_4_a_delivery_needs_nobody_who_listens(stage: Stage) -> None:
    """When a process ends, hearing ends first, and what is being answered is still delivered."""
    ear = Ear(stage)
    adapter = stage.adapter()
    task = asyncio.create_task(adapter.listen(ear.receive))
    await stage.say("hello")
    await stage.until(lambda: ear.heard)
    task.cancel()
    await asyncio.wait([task])
    await adapter.deliver(reply_to(ear.heard[0], "said at the end"))
    await stage.until(lambda: texts(stage) == ["said at the end"])
    await adapter.close()


async def test_what_is_said_in_one_place_is_heard_in_its_order(stage: Stage) -> None:
    said = [f"number {number}" for number in range(12)]
    ear = Ear(stage)
    async with listening(stage, ear):
        for text in said:
            await stage.say(text)
        await stage.until(lambda: len(ear.heard) >= len(said))

    assert list(dict.fromkeys(one.text for one in ear.heard)) == said


async def missed(adapter: Adapter, after: Inbound) -> Sequence[Inbound]:
    """What was said after this message; asked again for as long as the platform wants that."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await adapter.since(after.address, after.at)
            except DeliveryDelayed as error:
                await asyncio.sleep(min(error.retry_after, 0.1))


async def test_6_what_was_missed_can_be_asked_for(stage: Stage) -> None:
    """With the same IDs and facts as whoever listens would have had, and nothing of our own among it."""
    only(stage.lasts)
    ear, first = Ear(stage), Ear(stage)
    async with listening(stage, first) as adapter:
        await stage.say("before")
        await stage.until(lambda: first.heard)
        await adapter.deliver(reply_to(first.heard[0], "our own words"))
        await stage.until(lambda: texts(stage) == ["our own words"])
    message = await stage.miss("while nobody heard")
    async with listening(stage, ear) as adapter:
        said = await missed(adapter, first.heard[0])

    (found,) = [one for one in said if one.text == "while nobody heard"]
    assert found.id == message
    assert found.address == first.heard[0].address
    assert found.author == first.heard[0].author
    assert not any(one.text == "our own words" for one in said)


async def test_what_is_withdrawn_leaves_the_screen_and_may_be_gone_already(stage: Stage) -> None:
    only(stage.lasts)
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        message = await adapter.deliver(reply_to(ear.heard[0], "not this"))
        for _ in range(2):
            await adapter.withdraw(ear.heard[0].address, message)
            await stage.until(lambda: texts(stage) == [])


async def test_what_an_uncertain_call_has_left_is_put_right(stage: Stage) -> None:
    only(stage.lasts)
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        reply = reply_to(ear.heard[0], "half")
        message = await adapter.deliver(reply)
        await adapter.reconcile(replace(reply, text="half and whole", attempt=2), message)
        await stage.until(lambda: texts(stage) == ["half and whole"])


async def test_what_nobody_remembers_stays_on_the_screen_as_it_is(stage: Stage) -> None:
    """As an answer off the record, of which nothing is left once it has arrived."""
    only(stage.lasts)
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        reply = reply_to(ear.heard[0], "between us")
        message = await adapter.deliver(reply)
        await adapter.reconcile(replace(reply, text="", attempt=2), message)
        await adapter.deliver(replace(reply_to(ear.heard[0], "the next"), key="next"))
        await stage.until(lambda: len(texts(stage)) == 2)

    assert texts(stage) == ["between us", "the next"]


async def test_a_link_leads_to_its_message_where_there_are_links(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        place = ear.heard[0].address
        message = await adapter.deliver(reply_to(ear.heard[0], "an answer"))
        link = await adapter.link(place, message)
        copied = (link, f" {link} ", f"<{link}>", f"<{link}|this>", f"{link}&more=1" if "?" in (link or "") else link)
        found = [await adapter.linked(words or "nothing") for words in copied]

    assert (link is not None) is stage.has_links
    for one in found:
        assert (one is not None) is stage.has_links
        assert one is None or (one.message == message and one.may_be_in(place))


FOREIGN: Sequence[Callable[[str], str]] = (
    lambda link: "hello",
    lambda link: "",
    lambda link: link.replace("https:", "http:"),
    lambda link: link.replace("https:", "slack:"),
    lambda link: f"see {link}",
    lambda link: f"{link} {link}",
    lambda link: link.replace(".com/", ".com.example.org/"),
    lambda link: link.replace("https://", "https://not"),
    lambda link: link.replace("https://", "https://evil.example.org/"),
    lambda link: link.replace(".com/", ".com@example.org/"),
    lambda link: link.replace(".com/", ".com:8443/"),
    lambda link: link.replace(".com/", ".com/x/"),
    lambda link: link.replace(".com/", "[.com/"),
    lambda link: link.partition("?")[0][:-8] + "nonsense",
    lambda link: "https://example.org/archives/C1/p1700000000000100",
)


async def test_words_that_are_no_link_lead_nowhere(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        message = await adapter.deliver(reply_to(ear.heard[0], "an answer"))
        link = await adapter.link(ear.heard[0].address, message) or "nothing"
        found = {words: await adapter.linked(words) for words in (spoilt(link) for spoilt in FOREIGN)}

    assert set(found.values()) == {None}


async def test_a_sign_that_a_message_waits_can_be_set_and_taken_back(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        for waits in (True, True, False, False):
            await adapter.mark(ear.heard[0].address, ear.heard[0].id, waits=waits)


async def test_that_a_conversation_was_timed_out_or_goes_on_is_never_posted(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        for is_present in (False, False, True, True):
            await adapter.presence(ear.heard[0].address, is_present=is_present)
        assert stage.shown() == []
        await adapter.deliver(reply_to(ear.heard[0], "hello again"))
        await stage.until(lambda: texts(stage) == ["hello again"])


async def test_it_knows_whether_it_is_heard(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        assert adapter.hears()


async def test_what_is_rendered_once_is_rendered_for_good(stage: Stage) -> None:
    adapter = stage.adapter()
    text = "**Bold**, `code` and\n\n```py\nprint()\n```\n"
    assert adapter.render(text) == adapter.render(text)
    await adapter.close()


LOST: dict[str, Callable[[Reply], Reply]] = {
    "a draft that is gone": lambda reply: replace(reply, draft=Draft(id="999999999999999999", text="…", note="edit")),
    "a ticket that makes no sense": lambda reply: replace(reply, ticket="{}"),
    "no message to reply to": lambda reply: replace(reply, reply_to=None),
    "privacy": lambda reply: replace(reply, private=True),
    "nobody who asked": lambda reply: replace(reply, asker=None, private=True),
    "a choice": lambda reply: replace(
        reply, private=True, choices=(Choice(label="this one", verb="reset", address=reply.address),)
    ),
}


@pytest.mark.parametrize("hint", [name for name in LOST if name != "a draft that is gone"])
async def test_5_everything_but_text_and_address_is_a_hint(stage: Stage, hint: str) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        await adapter.deliver(LOST[hint](reply_to(ear.heard[0], "delivered anyway")))

        await stage.until(lambda: any("delivered anyway" in text for text in texts(stage)))


async def test_a_growing_answer_becomes_one_message(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        draft: Draft | None = None
        for text in ("", "It", "It grows", "It grows up."):
            draft = await adapter.preview(reply_to(ear.heard[0], text, draft=draft)) or draft
        await adapter.deliver(reply_to(ear.heard[0], "It grows up. Done.", draft=draft))

        await stage.until(lambda: texts(stage) == ["It grows up. Done."])
    assert len(stage.shown()) == 1


async def test_an_answer_that_turned_out_otherwise_than_shown_is_put_right(stage: Stage) -> None:
    ear = Ear(stage)
    async with listening(stage, ear) as adapter:
        await stage.say("hello")
        await stage.until(lambda: ear.heard)
        draft = await adapter.preview(reply_to(ear.heard[0], "I think that"))
        await adapter.deliver(reply_to(ear.heard[0], "No.", draft=draft))

        await stage.until(lambda: bool(texts(stage)) and texts(stage)[-1].endswith("No."))
    assert len(stage.shown()) == 1
