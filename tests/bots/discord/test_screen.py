"""What stands on screen is found again, put right, marked, and taken away."""

from dataclasses import replace

import pytest

from bots.discord import DiscordAdapter
from bots.discord.reactions import WAITING
from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown
from core.seam.messages import Reply
from tests.bots.discord.conftest import KEY, Listener, asked, reply
from tests.wire.discord import DiscordStage

POSTS, REMOVALS, REACTIONS = "POST /channels/.*/messages$", "DELETE /channels/.*/messages/", "/reactions/"


def texts(stage: DiscordStage, place: str = "main") -> list[str]:
    return [shown.text for shown in stage.shown(place)]


async def doubled(stage: DiscordStage, mouth: DiscordAdapter, answer: Reply, times: int = 2) -> list[str]:
    """The same reply, posted so many times, each after Discord has forgotten the one before."""
    numbers = []
    for _ in range(times):
        stage.world.forget_nonces()
        numbers.append(await mouth.deliver(answer))
    return numbers


async def test_what_is_withdrawn_is_gone_and_may_be_gone_already(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    number = await mouth.deliver(answer)
    await mouth.withdraw(answer.address, number)
    assert texts(stage) == []
    await mouth.withdraw(answer.address, number)
    await stage.remove("main")
    await mouth.withdraw(answer.address, number)


async def test_what_we_may_not_withdraw_stays(stage: DiscordStage, ear: Listener) -> None:
    await stage.command("status")
    private = await ear.adapter.deliver(reply(await ear.number(1), private=True))
    await ear.adapter.withdraw(reply(await ear.number(1)).address, private)
    public = await ear.adapter.deliver(reply(await ear.number(1), "in public", ticket=None))
    stage.world.fault(REMOVALS, status=403, code=50013)
    await ear.adapter.withdraw(reply(await ear.number(1)).address, public)
    assert texts(stage) == ["an answer", "in public"]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"status": 503}, DeliveryUnknown),
        ({"status": 429, "headers": {"Retry-After": "600"}}, DeliveryDelayed),
        ({"status": 401}, DeliveryDelayed),
    ],
)
async def test_what_could_not_be_withdrawn_now_is_said(
    stage: DiscordStage, mouth: DiscordAdapter, how: dict[str, object], error: type[Exception]
) -> None:
    answer = reply(await asked(stage))
    number = await mouth.deliver(answer)
    stage.world.fault(REMOVALS, **how)
    with pytest.raises(error):
        await mouth.withdraw(answer.address, number)


async def test_the_oldest_of_several_wins_and_the_others_go(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    first, *_ = await doubled(stage, mouth, answer, times=3)
    stage.world.forget_nonces()
    assert await mouth.deliver(replace(answer, attempt=2)) == first
    assert [shown.id for shown in stage.shown()] == [first]


async def test_a_copy_that_can_not_be_taken_away_now_does_not_hold_up_the_answer(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    answer = reply(await asked(stage))
    first, _ = await doubled(stage, mouth, answer)
    stage.world.fault(REMOVALS, status=503)
    assert await mouth.deliver(replace(answer, attempt=2)) == first
    await mouth.reconcile(answer, first)
    assert texts(stage) == ["an answer"]


@pytest.mark.parametrize("stays", [0, 1])
async def test_reconciling_leaves_the_one_message_that_is_known(
    stage: DiscordStage, mouth: DiscordAdapter, stays: int
) -> None:
    answer = reply(await asked(stage))
    numbers = await doubled(stage, mouth, answer)
    await mouth.reconcile(answer, numbers[stays])
    assert [shown.id for shown in stage.shown()] == [numbers[stays]]


async def test_reconciling_goes_by_the_nonce_where_the_history_has_it(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    stage.world.shows_nonces = True
    question = await asked(stage)
    part = reply(question, "the same", part=1, last=False)
    number, _ = await doubled(stage, mouth, part)
    other = await mouth.deliver(reply(question, "the same", part=2, key="b" * 24))
    await mouth.reconcile(part, number)
    assert [shown.id for shown in stage.shown()] == [number, other]


async def test_reconciling_puts_another_text_right(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    number = await mouth.deliver(replace(answer, text="a stale answer"))
    await mouth.reconcile(answer, number)
    assert [(shown.text, shown.edits) for shown in stage.shown()] == [("an answer", 1)]
    await mouth.reconcile(answer, number)
    assert stage.shown()[0].edits == 1


async def test_reconciling_puts_right_what_stands_far_above(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    for count in range(100):
        await stage.say(str(count), to_bot=False)
    number = await mouth.deliver(replace(answer, text="a stale answer"))
    await mouth.reconcile(answer, number)
    assert texts(stage) == ["an answer"]


async def test_reconciling_does_not_bring_back_what_people_deleted(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    first, second = await doubled(stage, mouth, answer)
    await stage.delete(first)
    await mouth.reconcile(answer, first)
    assert texts(stage) == []
    assert second not in {shown.id for shown in stage.shown()}
    await mouth.reconcile(answer, first)
    assert len(stage.world.asked(POSTS)) == 2


async def test_reconciling_changes_no_text_that_nobody_remembers(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    answer = reply(await asked(stage))
    number = await mouth.deliver(answer)
    await mouth.reconcile(replace(answer, text=""), number)
    assert texts(stage) == ["an answer"]


async def test_reconciling_where_nothing_is_to_stay_takes_away_what_landed_late(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    answer = reply(await asked(stage), "half of it")
    await mouth.preview(answer)
    await stage.delete(answer.reply_to or "")
    await mouth.reconcile(replace(answer, text="", part=1), "")
    assert texts(stage) == ["half of it"]
    await mouth.reconcile(replace(answer, text=""), "")
    assert texts(stage) == []


async def test_reconciling_takes_away_what_was_posted_for_a_question_that_was_gone(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    question, another = await asked(stage), await asked(stage, "another question")
    await stage.delete(question.id)
    await mouth.preview(reply(question, "half of it"))
    await mouth.deliver(reply(another, "an answer", key="c" * 24))
    await mouth.deliver(reply(another, "its rest", part=1, key="d" * 24))
    await mouth.reconcile(reply(question, ""), "")
    assert texts(stage) == ["an answer", "its rest"]


async def test_reconciling_touches_no_other_answer(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    question, another = await asked(stage), await asked(stage, "another question")
    number = await mouth.deliver(reply(question))
    await mouth.deliver(reply(question, "a notice", key="b" * 24))
    await mouth.deliver(reply(another, "an answer", key="c" * 24))
    await mouth.reconcile(reply(question), number)
    assert texts(stage) == ["an answer", "a notice", "an answer"]


async def test_a_message_that_waits_is_marked_until_its_turn(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    question = await asked(stage)
    for waits in (True, True, False, False):
        await mouth.mark(question.address, question.id, waits=waits)
        assert stage.kept(question.id).reactions == ({WAITING} if waits else set())


async def test_a_mark_is_not_tried_again_where_reactions_are_forbidden(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    question = await asked(stage)
    stage.world.fault(REACTIONS, status=403, code=50013)
    for _ in range(2):
        await mouth.mark(question.address, question.id, waits=True)
    assert len(stage.world.asked(REACTIONS)) == 1


async def test_a_message_that_is_gone_needs_no_mark(stage: DiscordStage, mouth: DiscordAdapter) -> None:
    question = await asked(stage)
    await stage.delete(question.id)
    await mouth.mark(question.address, question.id, waits=True)
    assert len(stage.world.asked(REACTIONS)) == 1


async def test_a_thread_that_nobody_may_take_up_again_refuses_the_answer(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    await stage.thread("aside")
    answer = reply(await asked(stage, place="aside"), "half", key=KEY)
    draft = await mouth.preview(answer)
    await stage.archive("aside", locked=True)
    with pytest.raises(DeliveryRefused):
        await mouth.deliver(replace(answer, text="whole", draft=draft))
    with pytest.raises(DeliveryRefused):
        await mouth.deliver(replace(answer, text="whole"))


async def test_what_is_known_to_be_something_else_is_not_taken_for_the_reply(
    stage: DiscordStage, mouth: DiscordAdapter
) -> None:
    answer = reply(await asked(stage))
    first, second = await doubled(stage, mouth, answer)
    await mouth.reconcile(replace(answer, others=frozenset({second})), first)
    assert [shown.id for shown in stage.shown()] == [first, second]
    await mouth.reconcile(answer, first)
    assert [shown.id for shown in stage.shown()] == [first]
