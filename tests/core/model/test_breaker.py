"""The circuit breaker: an endpoint that fails is left alone, and found again, and nobody waits for nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from core.errors import (
    ModelError,
    ModelInterrupted,
    ModelMisconfigured,
    ModelRefused,
    ModelStalled,
    ModelUnavailable,
    OutOfCredit,
    WindowTooLong,
)
from core.model.breaker import CALLS, OPEN, SPREAD, WINDOW, Breaker
from core.model.llm import Cause, Finish, Message, Model, Prompt
from tests.script import Cue, ScriptedModel

PROMPT = Prompt(instructions="", messages=(Message(role="user", text="hello"),), tokens=3, conversation="")
FOLD = replace(PROMPT, cause=Cause(workspace=1, session=1, seq=9, author=None, purpose="fold"))
AWAY = ModelUnavailable("503", retry_after=7)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
def breaker(model: ScriptedModel, clock: Clock) -> Breaker:
    return Breaker(model, clock=clock, jitter=lambda: 0.5)


async def ask(model: Model, prompt: Prompt = PROMPT) -> list[str | Finish]:
    async with aclosing(model.stream(prompt)) as stream:
        return [piece async for piece in stream]


async def fail(
    breaker: Breaker, model: ScriptedModel, times: int, error: ModelError = AWAY, prompt: Prompt = PROMPT
) -> None:
    """So many calls reach the endpoint, and fail."""
    for _ in range(times):
        model.script.append(error)
        with pytest.raises(type(error)) as raised:
            await ask(breaker, prompt)
        assert raised.value is error, "an error of the endpoint passes as it is"


async def turned_away(breaker: Breaker) -> float:
    """A call does not reach the endpoint; returns for how long its caller is to wait."""
    with pytest.raises(ModelUnavailable, match="left alone") as raised:
        await ask(breaker)
    assert raised.value.retry_after is not None
    return raised.value.retry_after


async def test_what_the_model_says_passes_unchanged(breaker: Breaker, model: ScriptedModel) -> None:
    model.script.append(["Hel", "lo.", Finish(model="m", cut="length")])
    assert await ask(breaker) == ["Hel", "lo.", Finish(model="m", cut="length")]
    assert breaker.name == model.name
    assert model.prompts == [PROMPT]


@pytest.mark.parametrize(
    "error", [AWAY, ModelStalled("silent"), ModelInterrupted("cut")], ids=lambda e: type(e).__name__
)
async def test_an_endpoint_that_fails_ten_times_is_left_alone(
    breaker: Breaker, model: ScriptedModel, error: ModelError
) -> None:
    await fail(breaker, model, CALLS, error)

    assert await turned_away(breaker) == OPEN + SPREAD / 2
    assert len(model.prompts) == CALLS


async def test_an_answer_that_breaks_off_after_its_beginning_is_a_failure(
    breaker: Breaker, model: ScriptedModel
) -> None:
    for _ in range(CALLS):
        model.script.append(["Well", ModelInterrupted("cut")])
        with pytest.raises(ModelInterrupted):
            await ask(breaker)

    await turned_away(breaker)


async def test_folds_that_fail_keep_no_answer_waiting(breaker: Breaker, model: ScriptedModel) -> None:
    await fail(breaker, model, 2 * CALLS, prompt=FOLD)
    assert await ask(breaker)


async def test_a_fold_waits_while_the_endpoint_is_left_alone_and_is_never_the_probe(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    await fail(breaker, model, CALLS)
    with pytest.raises(ModelUnavailable, match="left alone"):
        await ask(breaker, FOLD)
    assert len(model.prompts) == CALLS, "it did not reach the endpoint"

    clock.now += OPEN
    go = asyncio.Event()
    model.script.append([go, "a record"])
    folding = asyncio.create_task(ask(breaker, FOLD))
    await model.until(lambda: len(model.prompts) == CALLS + 1)
    assert await ask(breaker), "an answer is let through meanwhile"
    go.set()
    assert await folding


async def test_too_few_calls_say_nothing(breaker: Breaker, model: ScriptedModel) -> None:
    await fail(breaker, model, CALLS - 1)
    assert await ask(breaker)


async def test_fewer_failures_than_answers_leave_it_closed(breaker: Breaker, model: ScriptedModel) -> None:
    for _ in range(CALLS):
        await ask(breaker)
        await ask(breaker)
        await fail(breaker, model, 1)
    assert await ask(breaker)


async def test_as_many_failures_as_answers_open_it(breaker: Breaker, model: ScriptedModel) -> None:
    for _ in range(CALLS // 2):
        await ask(breaker)
        await fail(breaker, model, 1)
    await turned_away(breaker)


async def test_what_failed_long_ago_does_not_count(breaker: Breaker, model: ScriptedModel, clock: Clock) -> None:
    await fail(breaker, model, CALLS - 1)
    clock.now += WINDOW
    await fail(breaker, model, CALLS - 1)
    assert await ask(breaker)


@pytest.mark.parametrize(
    "error",
    [OutOfCredit("pay"), ModelMisconfigured("wrong key"), ModelRefused("no"), WindowTooLong("long")],
    ids=lambda error: type(error).__name__,
)
async def test_what_people_must_be_told_at_once_never_becomes_waiting(
    breaker: Breaker, model: ScriptedModel, error: ModelError
) -> None:
    await fail(breaker, model, 3 * CALLS, error)
    assert await ask(breaker)


async def test_answers_that_people_stop_count_neither_way(breaker: Breaker, model: ScriptedModel) -> None:
    await fail(breaker, model, CALLS - 1)
    for _ in range(3 * CALLS):
        stream = breaker.stream(PROMPT)
        assert await anext(stream)
        await stream.aclose()
    assert model.running == 0, "closing reaches the model"
    await fail(breaker, model, 1)
    await turned_away(breaker)


async def test_after_a_while_one_call_and_no_more_may_probe(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    await fail(breaker, model, CALLS)
    clock.now += OPEN
    speak = asyncio.Event()
    model.script.append([speak, "Here I am."])
    probing = asyncio.create_task(ask(breaker))
    await model.until(lambda: model.running)

    assert await turned_away(breaker) == OPEN + SPREAD / 2
    speak.set()
    assert (await probing)[0] == "Here I am."

    await asyncio.gather(*(ask(breaker) for _ in range(20)))
    assert len(model.prompts) == CALLS + 1 + 20


async def test_the_wait_is_what_is_left_of_it(breaker: Breaker, model: ScriptedModel, clock: Clock) -> None:
    await fail(breaker, model, CALLS)
    clock.now += OPEN - 1
    assert await turned_away(breaker) == 1 + SPREAD / 2


async def test_nobody_waits_for_the_probe_to_be_told_to_the_end(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    await fail(breaker, model, CALLS)
    clock.now += OPEN
    model.script.append(["A long story, ", asyncio.Event()])
    stream = breaker.stream(PROMPT)
    assert await anext(stream) == "A long story, "

    assert await ask(breaker)

    await stream.aclose()


async def test_a_probe_that_fails_opens_it_again_at_once(breaker: Breaker, model: ScriptedModel, clock: Clock) -> None:
    await fail(breaker, model, CALLS)
    for _ in range(3):
        clock.now += OPEN
        await fail(breaker, model, 1)
        assert await turned_away(breaker) == OPEN + SPREAD / 2
    assert len(model.prompts) == CALLS + 3


async def test_a_probe_that_is_given_up_leaves_the_next_one_to_probe(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    await fail(breaker, model, CALLS)
    clock.now += OPEN
    model.script.append([asyncio.Event()])
    probing = asyncio.create_task(ask(breaker))
    await model.until(lambda: model.running)
    probing.cancel()
    await asyncio.wait([probing])
    assert probing.cancelled()

    await fail(breaker, model, 1)
    await turned_away(breaker)


async def test_a_probe_that_is_told_no_finds_the_endpoint_at_work(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    await fail(breaker, model, CALLS)
    clock.now += OPEN
    await fail(breaker, model, 2, OutOfCredit("pay"))
    assert await ask(breaker)


async def test_calls_from_before_the_outage_say_nothing_about_the_time_after_it(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    stalled = asyncio.Event()
    line: Sequence[Cue] = [stalled, ModelStalled("silent")]
    model.script.extend([line] * CALLS)
    old = [asyncio.create_task(ask(breaker)) for _ in range(CALLS)]
    await model.until(lambda: model.running == CALLS)
    await fail(breaker, model, CALLS)
    clock.now += OPEN
    assert await ask(breaker)

    stalled.set()
    await asyncio.wait(old)

    assert all(isinstance(task.exception(), ModelStalled) for task in old)
    assert await ask(breaker)


async def test_an_outage_is_one_error_and_one_word_of_its_end(
    breaker: Breaker, model: ScriptedModel, clock: Clock
) -> None:
    with capture_logs() as logs:
        await fail(breaker, model, CALLS)
        for _ in range(3):
            await turned_away(breaker)
            clock.now += OPEN
            await fail(breaker, model, 1)
        clock.now += OPEN
        await ask(breaker)
        await ask(breaker)

    told = [(entry["log_level"], entry["event"]) for entry in logs if entry["log_level"] != "debug"]
    assert told == [("error", "model left alone"), ("info", "model back")]
