"""The assistant: what it asks the model, what it says when the model fails, and what the session remembers."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import (
    EmptyAnswer,
    ModelError,
    ModelInterrupted,
    ModelMisconfigured,
    ModelRefused,
    ModelStalled,
    OutOfCredit,
    RequestNotTaken,
    WindowTooLong,
)
from core.memory.prompts import NUMBERS, SUMMARIZE
from core.model.llm import Finish, Usage
from core.policy import Policy
from core.schema import spent, turns
from core.session import Progress
from core.store import Database
from tests.script import Interrupted, TranscriptAdapter, expire, house, memory, remembered, rows
from tests.values import ADA, BEN, HERE, message

SIDE = replace(HERE, thread="side")

both = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)

APOLOGIES: list[tuple[ModelError, str]] = [
    (ModelRefused("content_filter"), "The provider of my model declined to answer this."),
    (OutOfCredit("insufficient_quota"), "run out of credit"),
    (ModelMisconfigured("no such model"), "`backscroll doctor`"),
    (ModelError("something new"), "please ask me again later"),
]


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """That both databases behave alike is the store's tests' matter, but for what is marked."""
    return str(request.param)


@both
async def test_a_follow_up_is_asked_with_the_earlier_turns_in_mind(database: Database) -> None:
    async with house(database) as running:
        await running.say(message("my cat is called Ada"))
        await running.answered("You said: my cat is called Ada")
        await running.say(message("what is she called?", author=BEN))
        await running.answered("You said: my cat is called Ada", "You said: what is she called?")

    prompt = running.model.prompts[-1]
    assert running.model.asked() == ["my cat is called Ada", "You said: my cat is called Ada", "what is she called?"]
    assert [one.role for one in prompt.messages] == ["user", "assistant", "user"]
    assert prompt.messages[0].text.startswith("[Ada (U1) ")
    assert prompt.messages[2].text.startswith("[Ben (U2) ")
    assert prompt.instructions == "Be kind."


async def test_a_session_is_named_to_the_provider_by_a_name_that_says_nothing(database: Database) -> None:
    async with house(database) as running:
        await running.say(message(), message(), message(address=SIDE))
        await running.adapter.until(lambda: len(running.adapter.texts) == 3)
        await running.over()

    names = [prompt.conversation for prompt in running.model.prompts]
    assert len(set(names)) == 2
    assert not any("main" in name or "console" in name for name in names)


async def test_a_window_that_is_too_long_for_the_model_is_halved_once(database: Database) -> None:
    async with house(database, budget=2000) as running:
        for number in range(8):
            await running.say(message(f"{number} " + "many words " * 40))
            await running.adapter.until(lambda n=number: len(running.adapter.texts) == n + 1)
        running.model.script.extend([WindowTooLong("over the context"), "smaller"])
        await running.say(message("and now?"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "smaller")
        await running.over()

    whole, smaller = running.model.prompts[-2:]
    assert smaller.tokens <= 1000 < whole.tokens <= 2000
    assert smaller.messages == whole.messages[-len(smaller.messages) :], "the oldest turns go"
    assert running.model.asked()[-1] == "and now?"


async def test_a_window_that_stays_too_long_ends_in_an_honest_sentence(database: Database) -> None:
    async with house(database, *[WindowTooLong("no")] * 20, budget=24_000) as running:
        await running.say(message("a novel"))
        await running.adapter.until(lambda: running.adapter.texts)
        await running.over()
        assert "more text than my model can take in" in running.adapter.texts[0]
        assert 2 < len(running.model.prompts) < 12, "it shrinks by halves"
        running.model.script.clear()
        await running.say(message("short"))
        await running.adapter.until(lambda: running.adapter.texts[1:] == ["You said: short"])
        await running.over()


@pytest.mark.parametrize(("error", "sentence"), APOLOGIES, ids=lambda value: type(value).__name__)
async def test_what_can_not_be_helped_is_said_in_one_honest_sentence(
    database: Database, error: ModelError, sentence: str
) -> None:
    """Once, without another try; it is not remembered as an answer; why is kept with the turn."""
    async with house(database, error) as running:
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts)
        await running.over()
        await running.unserved()

    assert sentence in running.adapter.texts[0]
    assert str(error) not in running.adapter.texts[0], "the provider's words are for the log"
    assert len(running.model.prompts) == 1
    left_out = isinstance(error, ModelRefused)
    assert await memory(database) == ([] if left_out else [("person", "hello")])
    (turn,) = await rows(database, turns)
    assert (turn.error, turn.progress) == (
        f"{type(error).__name__}: {error}",
        Progress.REFUSED if left_out else Progress.DONE,
    )


async def test_an_apology_stands_under_what_was_on_screen(database: Database) -> None:
    fail = asyncio.Event()
    async with house(database, ["Sure, here is how to", fail, ModelRefused("content_filter")]) as running:
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts)
        fail.set()
        await running.answered(f"Sure, here is how to\n\n{REFUSED}")


@both
async def test_what_the_api_billed_is_kept(database: Database) -> None:
    async with house(database, "a", ["b", Finish(model="other", usage=None)]) as running:
        running.model.usage = Usage(shown=120, written=30, cached=100, cache_written=15, reasoning=5)
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts == ["a"])
        await running.over()
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts == ["a", "b"])
        await running.over()

    bills = {row.model: row for row in await rows(database, spent)}
    assert (bills["scripted"].calls, bills["scripted"].shown) == (1, 120)
    assert (bills["scripted"].cached, bills["scripted"].cache_written, bills["scripted"].written) == (100, 15, 30)
    told = running.model.prompts[-1].tokens
    assert (bills["other"].calls, bills["other"].shown) == (1, told), "where a server reports nothing, we have counted"
    assert bills["other"].written > 0


async def test_a_model_that_counts_more_tokens_than_we_do_is_shown_less(database: Database) -> None:
    async with house(database, budget=1000) as running:
        for number in range(12):
            await running.say(message(f"{number} " + "many words " * 20))
            await running.adapter.until(lambda n=number: len(running.adapter.texts) == n + 1)
        full = running.model.prompts[-1].tokens
        running.model.usage = Usage(shown=3 * full, written=1)
        await running.say(message("one"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "You said: one")
        await running.say(message("two"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "You said: two")
        await running.over()

    assert running.mind.calibration.ratio > 1.5
    assert running.model.prompts[-1].tokens < full / 1.5
    assert len(running.model.prompts[-1].messages) > 1


@both
async def test_a_stop_keeps_what_is_on_screen_and_the_session_remembers_it(database: Database) -> None:
    never = asyncio.Event()
    async with house(database, ["one two ", "three", never]) as running:
        await running.say(message("count"))
        await running.adapter.until(lambda: running.adapter.texts == ["one two three"])
        await running.say(message("!stop", author=BEN))
        await running.answered("one two three", "Stopped.")
        await running.say(message("go on"))
        await running.answered("one two three", "Stopped.", "You said: go on")

    assert running.model.asked() == ["count", "one two three", "go on"]
    assert running.model.ended == 2, "the request to the model was ended"
    answer = (await remembered(database))[1]
    assert answer.progress is Progress.STOPPED
    assert await rows(database, spent), "what was finished is billed"


async def test_a_stop_before_the_first_word_leaves_nothing(database: Database) -> None:
    async with house(database, [asyncio.Event()]) as running:
        await running.say(message("count"))
        await running.model.until(lambda: running.model.running)
        await running.say(message("!stop"))
        await running.answered("Stopped.")
        await running.say(message("go on"))
        await running.answered("Stopped.", "You said: go on")

    assert running.model.asked() == ["count", "go on"]


async def test_what_the_model_wrote_after_the_last_preview_is_not_remembered_after_a_stop(database: Database) -> None:
    """Nobody has seen it."""
    adapter, more, never = TranscriptAdapter(preview_every=60), asyncio.Event(), asyncio.Event()
    async with house(database, ["seen", more, " and unseen", never], adapter=adapter) as running:
        await running.say(message("count"))
        await adapter.until(lambda: adapter.texts == ["seen"])
        more.set()
        await asyncio.sleep(0)
        await running.say(message("!stop"))
        await running.answered("seen", "Stopped.")

    assert (await memory(database))[-1] == ("assistant", "seen")


async def test_a_stop_ends_only_the_answer_of_its_own_session(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "not stopped"]) as running:
        await running.say(message("slow"))
        await running.model.until(lambda: running.model.running)
        await running.say(message("!stop", address=SIDE))
        await running.adapter.until(lambda: running.adapter.texts == ["There is no answer to stop."])
        go.set()
        await running.adapter.until(lambda: running.adapter.texts_in(None) == ["not stopped"])


async def test_a_stop_with_nothing_running_says_so(database: Database) -> None:
    async with house(database) as running:
        await running.say(message())
        await running.answered("You said: hello")
        await running.say(message("!stop"))
        await running.answered("You said: hello", "There is no answer to stop.")


async def test_after_a_stop_the_messages_that_wait_are_answered(database: Database) -> None:
    async with house(database, [asyncio.Event()]) as running:
        await running.say(message("stuck"))
        await running.model.until(lambda: running.model.running)
        await running.say(message("next"), message("!stop"))
        await running.adapter.until(lambda: sorted(running.adapter.texts) == ["Stopped.", "You said: next"])
        await running.over()


async def test_an_answer_that_the_model_had_to_cut_says_so(database: Database) -> None:
    async with house(database, ["as far as", Finish(model="scripted", cut="length")]) as running:
        await running.say(message())
        await running.answered("as far as\n\n_(Here I reached the longest answer that my model may give.)_")


@both
async def test_a_summary_is_the_models_and_remembered_and_its_command_is_not(database: Database) -> None:
    summary = "You talked about tea.\n\n_(This tells of what was said since 2023-11-14 22:13 UTC: 2 turns.)_"
    async with house(database, "yes", "You talked about tea.") as running:
        await running.say(message("do you like tea?", at=1_700_000_000.0))
        await running.answered("yes")
        await running.say(message("!summarize"))
        await running.answered("yes", summary)
        await running.say(message("thanks"))
        await running.answered("yes", summary, "You said: thanks")

    asked = f"{SUMMARIZE}{NUMBERS}1: [2023-11-14 22:13] do you like tea?"
    assert [one.text for one in running.model.prompts[1].messages[-1:]] == [asked], "it is nobody's words"
    assert running.model.asked(1)[:2] == ["do you like tea?", "yes"]
    assert running.model.asked(2) == ["do you like tea?", "yes", summary, "thanks"]
    assert running.adapter.delivered[1].private is False
    assert [one.stable for one in running.model.prompts] == [(1,), (1, 2), (1, 2, 3, 4)], (
        "what was asked for it is gone"
    )


async def test_commands_and_their_answers_are_not_remembered(database: Database) -> None:
    async with house(database) as running:
        for text in ("hello", "!status", "!help", "!undo", "and now?"):
            await running.say(message(text))
            await running.over()

    assert running.model.asked() == ["hello", "You said: hello", "and now?"]


@both
async def test_a_reset_waits_for_its_turn_and_undo_takes_it_back(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, [go, "old answer"]) as running:
        await running.say(message("old"))
        await running.model.until(lambda: running.model.running)
        await running.say(message("!reset"), message("new"))
        go.set()
        said = ["old answer", "A fresh start: I set 2 turns aside. `undo` brings them back.", "You said: new"]
        await running.answered(*said)
        assert running.model.asked() == ["new"]
        await running.say(message("!undo"), message("both?"))
        said += ["The last reset is undone: I remember 4 turns again.", "You said: both?"]
        await running.answered(*said)

        assert running.model.asked() == ["old", "old answer", "new", "You said: new", "both?"]
        await running.say(message("!undo"), message("and now?"))
        said += ["The last undo is undone: I set 2 turns aside again.", "You said: and now?"]
        await running.answered(*said)

    assert running.model.asked() == ["new", "You said: new", "both?", "You said: both?", "and now?"]


async def test_a_partial_answer_survives_a_retry_and_never_shrinks_meanwhile(database: Database) -> None:
    fail, more, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    first = ["one two three", fail, ModelInterrupted("the stream broke")]
    second = ["one", more, " two three four", go, " five"]
    async with house(database, first, second) as running:
        await running.say(message("count"))
        await running.adapter.until(lambda: running.adapter.texts == ["one two three"])
        fail.set()
        await running.model.until(lambda: len(running.model.prompts) == 2)
        await asyncio.sleep(0.05)
        assert running.adapter.texts == ["one two three"]
        more.set()
        await running.adapter.until(lambda: running.adapter.texts == ["one two three four"])
        go.set()
        await running.answered("one two three four five")

    shown = [text for _, text in running.adapter.history]
    assert shown == ["one two three", "one two three four", "one two three four five"]
    assert list(running.adapter.screen) == ["p1"]
    assert running.model.asked(0) == running.model.asked(1), "the partial text is nobody's turn"


@both
async def test_after_a_crash_between_answer_and_delivery_the_model_is_not_asked_again(database: Database) -> None:
    road, adapter = Interrupted(database), TranscriptAdapter()
    async with house(road, "thought of once", adapter=adapter) as dying:
        with road.hold("answer") as stored:
            await dying.say(message())
            async with asyncio.timeout(10):
                await stored.wait()
            await dying.stop()
            await dying.worker.drain(0)
    assert adapter.texts == []

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("thought of once")

    assert heir.model.prompts == []
    assert [reply.attempt for reply in adapter.delivered] == [2], "a call may have been made"
    (bill,) = await rows(database, spent)
    assert bill.calls == 1


async def test_after_a_crash_between_delivery_and_receipt_nothing_is_said_twice(database: Database) -> None:
    road, adapter = Interrupted(database), TranscriptAdapter()
    async with house(road, "said once", adapter=adapter) as dying:
        with road.hold("record_last") as recorded:
            await dying.say(message())
            async with asyncio.timeout(10):
                await recorded.wait()
            await dying.stop()
            await dying.worker.drain(0)
    await database.write(expire)

    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("said once")
        await heir.over()

    assert len(adapter.delivered) == 1


async def test_a_model_that_stalls_is_asked_again_with_the_same_question(database: Database) -> None:
    async with house(database, ModelStalled("nothing came"), "yes") as running:
        await running.say(message("are you there?", author=ADA))
        await running.answered("yes")

    assert running.model.prompts[0] == running.model.prompts[1]


async def test_when_all_attempts_have_failed_the_sentence_stands_under_what_is_on_screen(database: Database) -> None:
    """In as many messages as there are: none is left growing."""
    adapter, fail = TranscriptAdapter(max_text=120), asyncio.Event()
    parts = ["one " * 25, "two " * 25]
    first = ["\n\n".join(parts), fail, ModelStalled("nothing came")]
    async with house(database, first, *[ModelStalled("nothing came")] * 4, adapter=adapter) as running:
        await running.say(message())
        await adapter.until(lambda: len(adapter.texts) == 2)
        fail.set()
        await running.over()

    assert adapter.texts[:2] == [part.strip() for part in parts]
    assert adapter.texts[2].endswith("please ask me again later.")
    assert [reply.last for reply in adapter.delivered] == [False, False, True]


async def test_a_vague_summary_asks_which_session_is_meant(database: Database) -> None:
    async with house(database) as running:
        await running.say(message(address=SIDE))
        await running.over()
        await running.say(message("", verb="summarize", vague=True, direct=False))
        await running.over()

    assert len(running.model.prompts) == 1
    assert [choice.address for choice in running.adapter.delivered[-1].choices] == [SIDE]


async def test_a_reset_whose_commit_is_repeated_is_one_reset(database: Database) -> None:
    road = Interrupted(database)
    async with house(road) as running:
        await running.say(message("old"))
        await running.over()
        road.repeat("_effect")
        await running.say(message("!reset"))
        await running.over()
        await running.say(message("!undo"), message("well?"))
        await running.over()

    assert "2 turns aside" in running.adapter.texts[1]
    assert running.model.asked() == ["old", "You said: old", "well?"]


async def test_an_undo_whose_commit_is_repeated_is_one_undo(database: Database) -> None:
    road = Interrupted(database)
    async with house(road) as running:
        await running.say(message("one"), message("!reset"), message("two"), message("!reset"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 4)
        await running.over()
        road.repeat("_effect")
        await running.say(message("!undo"))
        await running.over()
        await running.say(message("well?"))
        await running.over()

    assert running.model.asked() == ["two", "You said: two", "well?"]


async def test_a_stop_during_a_preview_keeps_what_that_preview_shows(database: Database) -> None:
    adapter = TranscriptAdapter()
    adapter.hold_preview = asyncio.Event()
    async with house(database, ["one two", asyncio.Event()], adapter=adapter) as running:
        await running.say(message("count"))
        await adapter.until(lambda: adapter.previews)
        await running.say(message("!stop"))
        await adapter.until(lambda: "Stopped." in adapter.texts)
        adapter.hold_preview.set()
        await running.over()

    assert sorted(adapter.texts) == ["Stopped.", "one two"]
    assert await memory(database) == [("person", "count"), ("assistant", "one two")]


async def test_a_stop_between_two_parts_keeps_the_parts_on_screen(database: Database) -> None:
    adapter = TranscriptAdapter(max_text=18, preview_every=60)
    async with house(database, ["one two three\n\nfour five six", asyncio.Event()], adapter=adapter) as running:
        await running.say(message("count"))
        await adapter.until(lambda: adapter.texts == ["one two three"])
        await running.say(message("!stop"))
        await running.over()

    assert adapter.texts == ["one two three", "Stopped."]
    assert (await memory(database))[-1] == ("assistant", "one two three")


async def test_a_stop_during_another_try_keeps_what_the_first_left_on_screen(database: Database) -> None:
    fail = asyncio.Event()
    first = ["one two three", fail, ModelStalled("nothing came")]
    async with house(database, first, [asyncio.Event()]) as running:
        await running.say(message("count"))
        await running.adapter.until(lambda: running.adapter.texts == ["one two three"])
        fail.set()
        await running.model.until(lambda: len(running.model.prompts) == 2)
        await running.say(message("!stop"))
        await running.over()

    assert running.adapter.texts == ["one two three", "Stopped."]
    assert (await memory(database))[-1] == ("assistant", "one two three")


async def test_a_second_stop_is_answered_while_the_first_still_works(database: Database) -> None:
    async with house(database, ["one", asyncio.Event()]) as running:
        running.model.farewell = asyncio.Event()
        await running.say(message("count"))
        await running.adapter.until(lambda: running.adapter.texts == ["one"])
        await running.say(message("!stop"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.say(message("!stop"))
        try:
            await running.adapter.until(lambda: len(running.adapter.texts) == 3)
        finally:
            running.model.farewell.set()


EMPTY = EmptyAnswer("nothing")
REFUSED = "The provider of my model declined to answer this. I leave it out from now on, so that you can go on here."


async def test_an_empty_answer_is_asked_for_once_more_and_then_told(database: Database) -> None:
    """B3: it is complete, so waiting helps nobody."""
    async with house(database, EMPTY, "There.", EMPTY, EMPTY) as running:
        await running.say(message("first"))
        await running.answered("There.")
        await running.say(message("second"))
        await running.answered("There.", "My model finished without saying anything, twice. Please ask in another way.")

    assert len(running.model.prompts) == 4


async def test_an_answer_that_was_all_thought_is_told_as_that(database: Database) -> None:
    """B12."""
    thought = EmptyAnswer("nothing", thought=True)
    async with house(database, thought, thought) as running:
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts)
        await running.over()

    assert "spent the whole answer on thinking" in running.adapter.texts[0]


async def test_an_answer_that_a_filter_ended_says_so(database: Database) -> None:
    """B12: its limit had nothing to do with it."""
    async with house(database, ["as far as", Finish(model="scripted", cut="filter")]) as running:
        await running.say(message())
        await running.answered("as far as\n\n_(Here the content filter of my model's provider ended the answer.)_")


async def test_a_refused_question_is_left_out_of_what_the_model_is_shown(database: Database) -> None:
    """B8: one message never spoils a session. It costs no second call where there is nothing else to blame."""
    async with house(database, ModelRefused("content_filter"), "Fine.") as running:
        await running.say(message("something dreadful"))
        await running.answered(REFUSED)
        await running.say(message("something nice"))
        await running.answered(REFUSED, "Fine.")

    assert running.model.asked() == ["something nice"]
    assert len(running.model.prompts) == 2


async def test_a_session_that_was_spoiled_before_goes_on(database: Database) -> None:
    """B8: where the question alone is answered, what stood before it is left out from then on."""
    async with house(database, "Hm.", ModelRefused("content_filter"), "Fine.", "Still fine.") as running:
        await running.say(message("something dreadful that passed once"))
        await running.answered("Hm.")
        await running.say(message("a question"))
        await running.answered("Hm.", "Fine.")
        await running.say(message("another"))
        await running.answered("Hm.", "Fine.", "Still fine.")

    assert running.model.asked() == ["a question", "Fine.", "another"]
    assert len(running.model.prompts) == 4


async def test_a_question_that_is_refused_in_words_that_nobody_knows_does_not_spoil_the_session(
    database: Database,
) -> None:
    """B8: the next question is asked without what was never answered; what was answered before stays."""
    odd = RequestNotTaken("The server does not take the request (400).")
    async with house(database, "Hello.", odd, odd, "Fine.", "Still fine.") as running:
        await running.say(message("hi"))
        await running.answered("Hello.")
        await running.say(message("something dreadful"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        await running.say(message("something nice"))
        await running.adapter.until(lambda: running.adapter.texts[2:] == ["Fine."])
        await running.say(message("another"))
        await running.adapter.until(lambda: running.adapter.texts[3:] == ["Still fine."])
        await running.over()

    assert "`backscroll doctor`" in running.adapter.texts[1]
    assert running.model.asked() == ["hi", "Hello.", "something nice", "Fine.", "another"]
    assert len(running.model.prompts) == 5


async def test_a_server_that_takes_nothing_makes_the_session_forget_nothing(database: Database) -> None:
    odd = RequestNotTaken("The server does not take the request (400).")
    async with house(database, "Hello.", odd, odd, odd) as running:
        await running.say(message("hi"))
        await running.answered("Hello.")
        for number in (1, 2):
            await running.say(message(f"question {number}"))
            await running.adapter.until(lambda n=number: len(running.adapter.texts) == 1 + n)
        await running.over()

    assert await memory(database) == [
        ("person", "hi"),
        ("assistant", "Hello."),
        ("person", "question 1"),
        ("person", "question 2"),
    ]


async def test_the_window_shrinks_until_it_fits_a_model_of_known_size(database: Database) -> None:
    """B7: a quarter of its context is kept for the answer."""
    async with house(database, budget=24_000) as running:
        running.model.context = 1_000
        for number in range(12):
            await running.say(message(f"{number} " + "many words " * 40))
            await running.adapter.until(lambda n=number: len(running.adapter.texts) == n + 1)
        await running.over()
        await running.say(message("!status"))
        await running.adapter.until(lambda: "whose context of 1,000 tokens" in running.adapter.texts[-1])
        await running.over()

    assert max(prompt.tokens for prompt in running.model.prompts) <= 750
    assert len(running.model.prompts) == 12


async def test_a_model_that_has_no_room_for_a_question_is_not_asked_an_empty_one(database: Database) -> None:
    async with house(database) as running:
        running.mind.instructions = "Be kind. " * 300
        running.model.context = 1_000
        await running.say(message("hello"))
        await running.adapter.until(lambda: running.adapter.texts)

    assert running.model.prompts == []
    assert "my model is not set up rightly" in running.adapter.texts[-1]


async def test_a_model_that_never_stops_is_ended_at_the_limit(database: Database) -> None:
    """B13: whatever it was told."""
    async with house(database, ["and on " * 100] * 1_000) as running:
        running.mind.policy = Policy(answer_tokens=500)
        await running.say(message())
        await running.adapter.until(lambda: running.adapter.texts and "longest answer" in running.adapter.texts[-1])
        await running.over()

    assert len("".join(running.adapter.texts)) < 7_000


async def test_without_a_vocabulary_an_answer_may_be_as_long_as_with_one(database: Database) -> None:
    """B13: this is English of 3,600 tokens by OpenAI's vocabulary, and 7,600 by the estimate."""
    words = "The ferry leaves at six, every day but Sunday, and people bring their tickets on board with them. " * 170
    async with house(database, [words[place : place + 50] for place in range(0, len(words), 50)]) as running:
        await running.say(message())
        await running.over()

    assert await memory(database) == [("person", "hello"), ("assistant", words)]


async def test_an_answer_that_breaks_off_again_and_again_is_told_under_what_is_on_screen(database: Database) -> None:
    """E3: half an answer does not hang there without a word."""
    fails = [asyncio.Event() for _ in range(3)]
    broken = [["The first half", fail, ModelInterrupted("cut", retry_after=0.0)] for fail in fails]
    async with house(database, *broken, "Whole.") as running:
        await running.say(message("all of it"))
        for number, fail in enumerate(fails):
            await running.model.until(lambda n=number: len(running.model.prompts) > n)
            await running.adapter.until(lambda: running.adapter.texts)
            fail.set()
        await running.adapter.until(lambda: running.adapter.texts and "broke off" in running.adapter.texts[-1])
        await running.over()
        await running.say(message("again"))
        await running.adapter.until(lambda: running.adapter.texts[-1] == "Whole.")
        await running.over()

    assert running.adapter.texts[0].startswith("The first half\n\n_(My model broke off here")
    assert len(running.model.prompts) == 4


async def test_an_answer_that_breaks_off_unseen_is_told_as_well(database: Database) -> None:
    """E3, B2: also where nothing is previewed, as in a pipe, each of its beginnings is billed."""
    adapter = TranscriptAdapter()
    adapter.mute = True
    broken = [["The first half", ModelInterrupted("cut", retry_after=0.0)]] * 3
    async with house(database, *broken, adapter=adapter) as running:
        await running.say(message("all of it"))
        await running.adapter.until(lambda: running.adapter.texts)
        await running.over()

    assert adapter.texts[0].startswith("The first half\n\n_(My model broke off here")
    assert len(running.model.prompts) == 3
