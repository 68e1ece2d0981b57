"""Each promise of an adapter has a test that fails for an adapter that breaks it: the faults here are planted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import count
from secrets import token_hex

import pytest

from core.seam.adapter import Receive, Whole
from core.seam.address import Address
from core.seam.links import Linked
from core.seam.messages import Event, Inbound, Reply
from tests import test_adapter_promises as promises
from tests.line import LineAdapter, address_of
from tests.wire.line import LineStage


class Deaf(LineAdapter):
    """Acknowledges first, and stores afterwards."""

    async def listen(self, receive: Receive) -> None:
        async def tried(event: Event) -> None:
            try:
                await receive(event)
            except Exception:  # noqa: BLE001 – that is the fault
                return

        await super().listen(tried)


class Renaming(LineAdapter):
    """Gives a message a new ID each time that it comes."""

    async def listen(self, receive: Receive) -> None:
        numbers = count()

        async def renamed(event: Event) -> None:
            await receive(replace(event, id=f"n{next(numbers)}") if isinstance(event, Inbound) else event)

        await super().listen(renamed)


class Hushed(LineAdapter):
    """Decides by itself what concerns the bot."""

    async def listen(self, receive: Receive) -> None:
        async def judged(event: Event) -> None:
            if not (isinstance(event, Inbound) and event.text == "to you"):
                await receive(event)

        await super().listen(judged)


class Echoing(LineAdapter):
    """Hears itself."""

    async def listen(self, receive: Receive) -> None:
        self._us = "nobody"
        await super().listen(receive)


class Doubling(LineAdapter):
    """Posts again without a look."""

    async def deliver(self, reply: Reply) -> str:
        return await super().deliver(replace(reply, key=token_hex(12)))


class Particular(LineAdapter):
    """Delivers nothing without all its hints."""

    async def deliver(self, reply: Reply) -> str:
        assert reply.asker is not None
        assert reply.reply_to is not None
        assert reply.ticket is None
        assert not reply.private
        return await super().deliver(reply)


class Forgetful(LineAdapter):
    """Has no history, and says that it has read all of it."""

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        return Whole()


class Draftless(LineAdapter):
    """Refuses to go on with what is on screen already."""

    async def deliver(self, reply: Reply) -> str:
        return await super().deliver(replace(reply, draft=None, key=token_hex(12)))


class Clinging(LineAdapter):
    """Leaves on screen what is to go, and as it is what is to be put right."""

    async def withdraw(self, address: Address, message: str) -> None:
        """Nothing."""

    async def reconcile(self, reply: Reply, message: str) -> None:
        """Nothing."""


class Blanking(LineAdapter):
    """Puts right what nobody remembers."""

    async def reconcile(self, reply: Reply, message: str) -> None:
        await super().reconcile(replace(reply, text=reply.text or "…"), message)


class Mortal(LineAdapter):
    """Dies with `listen`."""

    async def deliver(self, reply: Reply) -> str:
        assert self.hears()
        return await super().deliver(reply)


class Disorderly(LineAdapter):
    """Hands over in pairs, the later one first."""

    async def listen(self, receive: Receive) -> None:
        held: list[Event] = []

        async def paired(event: Event) -> None:
            held.append(event)
            if len(held) == 2:
                await receive(held.pop())
                await receive(held.pop())

        await super().listen(paired)


class Grudging(LineAdapter):
    """Shows an answer that has turned out otherwise beneath the one that was seen growing."""

    async def deliver(self, reply: Reply) -> str:
        if reply.draft is not None and not reply.text.startswith(reply.draft.text):
            reply = replace(reply, draft=None, key=token_hex(12))
        return await super().deliver(reply)


class Absent(LineAdapter):
    """Never says that it hears."""

    def hears(self) -> bool:
        return False


class Fickle(LineAdapter):
    """Renders differently each time."""

    def render(self, text: str) -> str:
        return text + token_hex(4)


class Stamping(LineAdapter):
    """Fails where a sign stands already."""

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        assert waits is not getattr(self, "_there", False)
        self._there = waits


class Linkless(LineAdapter):
    """Has no links, where its stage says that people open messages by them."""


class Misleading(LineAdapter):
    """Takes each link for one to the same message."""

    async def link(self, address: Address, message: str) -> str | None:
        return f"https://line.com/{message}"

    async def linked(self, words: str) -> Linked | None:
        return Linked(address=address_of("main"), message="m0") if "line.com" in words else None


class Farewelling(LineAdapter):
    """Says in the place that a conversation was timed out."""

    async def presence(self, address: Address, *, is_present: bool) -> None:
        said = "Welcome back!" if is_present else "Goodbye!"
        await self.deliver(Reply(key=token_hex(8), address=address, text=said, asked_at=0.0))


class Gullible(LineAdapter):
    """Takes all words for a link."""

    async def linked(self, words: str) -> Linked | None:
        return Linked(address=address_of("main"), message=words)


class Hasty(LineStage):
    """The same stage, but what does not happen at once does not happen, and there are said to be links."""

    has_links = True

    async def until(self, condition: Callable[[], object], seconds: float = 1.0) -> None:
        await super().until(condition, min(seconds, 1.0))


Promise = Callable[..., Awaitable[None]]

PLANTED: dict[type[LineAdapter], Sequence[tuple[Promise, dict[str, str]]]] = {
    Deaf: [(promises.test_1_what_could_not_be_received_comes_again, {})],
    Renaming: [(promises.test_1_a_message_has_the_same_identity_however_often_it_comes, {})],
    Hushed: [(promises.test_2_facts_are_reported_and_the_core_decides, {})],
    Echoing: [(promises.test_3_it_never_hears_itself, {})],
    Doubling: [
        (promises.test_4_a_delivery_that_is_repeated_is_seen_once, {}),
        (promises.test_4_a_delivery_that_another_process_began_is_seen_once, {}),
        (promises.test_4_what_answers_nobody_is_seen_once_as_well, {}),
    ],
    Mortal: [(promises.test_4_a_delivery_needs_nobody_who_listens, {})],
    Particular: [
        (promises.test_5_everything_but_text_and_address_is_a_hint, {"hint": hint})
        for hint in promises.LOST
        if hint not in ("a draft that is gone", "a choice")
    ],
    Forgetful: [(promises.test_6_what_was_missed_can_be_asked_for, {})],
    Disorderly: [(promises.test_what_is_said_in_one_place_is_heard_in_its_order, {})],
    Draftless: [(promises.test_a_growing_answer_becomes_one_message, {})],
    Grudging: [(promises.test_an_answer_that_turned_out_otherwise_than_shown_is_put_right, {})],
    Clinging: [
        (promises.test_what_is_withdrawn_leaves_the_screen_and_may_be_gone_already, {}),
        (promises.test_what_an_uncertain_call_has_left_is_put_right, {}),
    ],
    Linkless: [(promises.test_a_link_leads_to_its_message_where_there_are_links, {})],
    Misleading: [(promises.test_a_link_leads_to_its_message_where_there_are_links, {})],
    Gullible: [(promises.test_words_that_are_no_link_lead_nowhere, {})],
    Blanking: [(promises.test_what_nobody_remembers_stays_on_the_screen_as_it_is, {})],
    Farewelling: [(promises.test_that_a_conversation_was_timed_out_or_goes_on_is_never_posted, {})],
    Absent: [(promises.test_it_knows_whether_it_is_heard, {})],
    Fickle: [(promises.test_what_is_rendered_once_is_rendered_for_good, {})],
    Stamping: [(promises.test_a_sign_that_a_message_waits_can_be_set_and_taken_back, {})],
}


@pytest.mark.parametrize(
    ("planted", "promise", "hints"),
    [
        pytest.param(planted, promise, hints, id="-".join([planted.__name__, *hints.values()]))
        for planted, broken in PLANTED.items()
        for promise, hints in broken
    ],
)
async def test_a_broken_promise_is_noticed(planted: type[LineAdapter], promise: Promise, hints: dict[str, str]) -> None:
    async with Hasty(make=planted) as stage:
        with pytest.raises((AssertionError, TimeoutError, ValueError)):
            await promise(stage, **hints)


def test_every_promise_has_its_planted_fault() -> None:
    broken = {promise.__name__ for planted in PLANTED.values() for promise, _ in planted}
    assert broken == {name for name in vars(promises) if name.startswith("test_")}
