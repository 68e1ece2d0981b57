"""Settings in chat: shown with where they come from, changed by those who may, from the next answer on."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown
from core.memory.prompts import with_persona
from core.model.calibration import Calibration
from core.model.llm import Usage
from core.policy import MEMBERS, SETTINGS, Level
from core.schema import audit, policies
from core.seam.messages import Audience, Edited
from core.store import Database
from tests.script import Fault, House, Interrupted, ScriptedModel, TranscriptAdapter, brisk, house, rows
from tests.values import ADA, BEN, HERE, message


class Governed(TranscriptAdapter):
    """A platform on which Ada is an admin, if it tells: it does not as often as there are `faults`."""

    def __init__(self, *faults: Exception, max_text: int = 2000) -> None:
        super().__init__(max_text=max_text)
        self.unsaid = list(faults)

    async def is_admin(self, address, person, *, workspace) -> bool:
        if self.unsaid:
            raise self.unsaid.pop(0)
        return person == ADA.id


async def said(running: House, text: str, **facts) -> str:
    before = len(running.adapter.texts)
    usual = {"direct": False, "audience": Audience.BOT}  # in their own direct messages people may do everything
    await running.say(message(text, **(usual | facts)))
    await running.adapter.until(lambda: len(running.adapter.texts) > before)
    await running.over()
    return "\n".join(running.adapter.texts[before:])  # a long one is several messages


FORMS: list[dict[str, object]] = [
    {"text": "!set answer_tokens 1,234"},
    {"text": "set answer_tokens 1,234", "audience": Audience.BOT},
    {"text": "answer_tokens 1,234", "verb": "set"},
]


@pytest.mark.parametrize("form", FORMS, ids=["typed", "mentioned", "native"])
async def test_what_an_admin_sets_holds_from_the_next_answer_on(database: Database, form: dict) -> None:
    async with house(database, adapter=Governed()) as running:
        assert await said(running, **form) == "`answer_tokens` is 1,234 for this channel, from the next answer on."
        await said(running, "hello")
        assert await said(running, "!unset answer_tokens") == (
            "`answer_tokens` is no longer set for this channel, from the next answer on. Here it is 4,000, built in."
        )
        await said(running, "hello again")
        assert await said(running, "!unset answer_tokens") == "`answer_tokens` is not set for this channel."

    assert [prompt.answer_tokens for prompt in running.model.prompts] == [1_234, 4_000]


class Slow(Governed):
    """A platform that thinks about who is an admin when it is first asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def is_admin(self, address, person, *, workspace) -> bool:
        if not self.asked.is_set():
            self.asked.set()
            await self.answers.wait()
        return await super().is_admin(address, person, workspace=workspace)


async def test_of_two_values_that_are_set_one_after_another_the_last_one_holds(database: Database) -> None:
    """However long it takes to find out who may; what changes nothing waits for nothing."""
    async with house(database, adapter=Slow()) as running:
        usual = {"direct": False, "audience": Audience.BOT}
        await running.say(message("!set answer_tokens 1,000", **usual))
        await running.adapter.asked.wait()
        await running.say(message("!set answer_tokens 2,000", **usual))
        await running.say(message("!settings", **usual))
        await running.adapter.until(lambda: any("`may_set`" in text for text in running.adapter.texts))
        assert not any("from the next answer on" in text for text in running.adapter.texts)
        running.adapter.answers.set()
        await running.over()
        listed = await said(running, "!settings")

    assert "`answer_tokens`: 2,000 (set for this channel)" in listed


async def test_what_is_set_for_the_workspace_holds_where_a_channel_has_nothing_of_its_own(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set hear off")
        assert await said(running, "!set workspace hear thread") == (
            "`hear` is thread for all of the workspace, from the next answer on. Here it is off, set for this channel."
        )
        await said(running, "!set workspace may_stop asker, admins")
        listed = await said(running, "!settings")
        assert await said(running, "!unset hear") == (
            "`hear` is no longer set for this channel, from the next answer on. "
            "Here it is thread, set for the workspace."
        )

    lines = listed.splitlines()
    assert [line.split("`")[1] for line in lines] == list(SETTINGS), "every value is shown"
    assert lines[0].startswith("- `hear`: off (set for this channel). ")
    assert any(line.startswith("- `may_stop`: admins (set for the workspace). ") for line in lines)
    assert any(line.startswith("- `context_tokens`: 24,000 (built in). ") for line in lines)


async def test_a_command_is_done_at_once_also_where_something_is_edited_at_that_moment(database: Database) -> None:
    road, hello = Interrupted(database), message("hello", direct=False, audience=Audience.BOT)
    async with house(road, adapter=Governed()) as running:
        await said(running, "hi")
        await running.say(hello)
        await running.over()
        before = len(running.adapter.texts)
        with road.hold("waiting") as looked_at:
            await running.say(message("!set hear off", direct=False, audience=Audience.BOT))
            await looked_at.wait()
            await running.say(Edited(message=replace(hello, text="hello there"), at=hello.at + 9))
        await running.adapter.until(lambda: len(running.adapter.texts) > before)

    assert "`hear` is off for this channel" in running.adapter.texts[-1]


async def test_who_is_no_admin_is_told_so_and_nothing_changes(database: Database) -> None:
    adapter = Governed()
    async with house(database, adapter=adapter) as running:
        for text in ("!set hear off", "!unset hear", "!set workspace may_set everyone"):
            assert await said(running, text, author=BEN) == "Only admins may change my settings here."
        await said(running, f"!set may_set {BEN.id}")
        assert "Only those who are named" in await said(running, "!set hear off")
        assert "`hear` is off" in await said(running, "!set hear off", author=BEN)

    (row,) = await rows(database, policies)
    assert row.scope == HERE.id


BUSY = DeliveryDelayed("busy", retry_after=1)


async def test_a_platform_that_does_not_say_who_is_an_admin_is_asked_again(database: Database) -> None:
    adapter = Governed(*[BUSY] * 5)
    async with house(database, adapter=adapter) as running:
        assert "`hear` is off" in await said(running, "!set hear off")

    assert adapter.unsaid == []


async def test_where_it_does_not_say_so_in_time_a_command_is_answered_all_the_same(database: Database) -> None:
    adapter = Governed(*[BUSY] * 10_000)
    async with house(database, adapter=adapter, timings=brisk(rights=0.1)) as running:
        assert "I can't find out just now" in await said(running, "!set hear off")

    assert await rows(database, policies) == []


async def test_where_it_can_never_say_so_nobody_waits_for_it(database: Database) -> None:
    adapter = Governed(*[DeliveryRefused("missing_scope")] * 2)
    async with house(database, adapter=adapter) as running:
        assert "I can't find out just now" in await said(running, "!set hear off")

    assert len(adapter.unsaid) == 1


async def test_who_may_set_something_for_all_of_the_workspace_is_not_for_a_channel_to_say(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set may_set everyone")
        assert "`hear` is off" in await said(running, "!set hear off", author=BEN)
        for text in ("!set workspace hear off", "!unset workspace hear", "!set workspace may_set everyone"):
            assert await said(running, text, author=BEN) == "Only admins may change my settings here."
        await said(running, "!set workspace may_set everyone")
        assert "for all of the workspace" in await said(running, "!set workspace hear off", author=BEN)


async def test_not_everyone_may_set_something_for_all_direct_messages(database: Database) -> None:
    """On Discord they are all one workspace, of people who share nothing but the bot."""
    direct = replace(HERE, workspace="@me")
    async with house(database, adapter=Governed()) as running:
        running.mind.policy = replace(running.mind.policy, may_set=None)
        assert "for this channel" in await said(running, "!set hear off", address=direct, author=BEN)
        for text in ("!set workspace persona a spy", "!unset workspace hear"):
            assert await said(running, text, address=direct, author=BEN) == (
                "Only those who are named for it in my settings may change my settings here."
            )
        assert "for all of the workspace" in await said(running, "!set workspace hear off", author=BEN)
        running.mind.policy = replace(running.mind.policy, may_set=frozenset({BEN.id}))
        assert "for all of the workspace" in await said(running, "!set workspace hear off", address=direct, author=BEN)


async def test_a_platform_that_names_no_admins_has_none(database: Database) -> None:
    async with house(database) as running:
        assert await said(running, "!set hear off") == "Only admins may change my settings here."


async def test_a_wrong_id_locks_nobody_out_for_good(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set may_set U0")
        for text in ("!set hear off", "!unset answers"):
            assert "Only those who are named" in await said(running, text), "it holds for everything else"
        assert "Only those who are named" in await said(running, "!set may_set everyone", author=BEN)
        assert "`may_set` is no longer set for this channel" in await said(running, "!unset may_set")
        await said(running, "!set workspace may_set U0")
        assert "Only those who are named" in await said(running, "!unset workspace may_set", author=BEN)
        assert "`may_set` is admins for all" in await said(running, "!set workspace may_set admins")


async def test_members_are_those_who_have_said_something_in_the_session(database: Database) -> None:
    thread = replace(HERE, thread="side")
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set may_reset members, admins")
        await said(running, "!set may_set members")
        refusal = "Only those who have said something to me here may change my settings here."
        assert await said(running, "!set hear off", author=BEN) == refusal
        assert "Only those who are named" in await said(running, "!reset", author=BEN)
        await said(running, "hello", author=BEN)
        assert "`hear` is off" in await said(running, "!set hear off", author=BEN)
        assert "I set 2 turns aside" in await said(running, "!reset", author=BEN)
        assert "`hear` is thread" in await said(running, "!set hear thread", author=BEN), (
            "a reset changes nothing there"
        )
        assert await said(running, "!set hear off", author=BEN, address=thread) == refusal, "it is another session"

        running.mind.policy = replace(running.mind.policy, may_set=frozenset({MEMBERS}))
        assert await said(running, "!set workspace hear off", author=BEN) == (
            "`may_set` is members for all of the workspace, and they are members of one conversation each. "
            "An admin can say `set workspace may_set admins`, or name others."
        ), "who has said something here is not told that they have not"


async def test_who_may_not_reset_is_told_so(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        await said(running, "hello")
        await said(running, "!set may_reset admins")
        for verb in ("!reset", "!undo"):
            assert await said(running, verb, author=BEN) == (
                "Only admins may reset this session, or take a reset back."
            )
        assert "set 1 turn aside" not in running.adapter.texts[-1]
        assert "A fresh start" in await said(running, "!reset")


@pytest.mark.parametrize("adapters", [1, 2], ids=["by the same process", "by another one"])
async def test_who_may_not_is_told_so_alone_also_where_that_is_said_again(database: Database, adapters: int) -> None:
    """After a process that ended over it, or a platform that did not take it at once."""
    adapter = Governed()
    async with house(database, adapter=adapter) as running:
        await said(running, "hello")
        await said(running, "!set may_reset admins")
        adapter.faults.extend([Fault(error=DeliveryUnknown("no answer"))] * 5)
        await running.say(message("!reset", author=BEN, direct=False, audience=Audience.BOT))
        await adapter.until(lambda: not adapter.faults)
        if adapters == 1:
            await adapter.until(lambda: len(adapter.texts) == 3)
            await running.over()
    if adapters == 2:
        async with house(database, adapter=adapter, owner="host:boot:2:a") as running:
            await adapter.until(lambda: len(adapter.texts) == 3)
            await running.over()

    (*before, denial) = adapter.screen.values()
    assert denial.text.startswith("Only admins may reset")
    assert denial.private
    assert not any(reply.private for reply in before)
    assert [(row.deed, row.outcome) for row in await rows(database, audit)] == [
        ("set may_reset", "done"),
        ("reset", "denied"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!set colour red", "`colour` is none of hear, "),
        ("!set hear", "I miss VALUE. Say `set [workspace] NAME VALUE`."),
        ("!set hear loudly", "loudly is none of channel, thread, off."),
        ("!set workspace", "I miss NAME."),
        ("!set context_tokens 499", "499 is no number of tokens: write one from 500 to 2,000,000."),
        (f"!set hear {'x' * 2_000}", f"{'x' * 59}… is none of"),
    ],
)
async def test_what_can_not_be_set_is_told_with_what_would_be_right(database: Database, text: str, why: str) -> None:
    async with house(database, adapter=Governed(max_text=9_000)) as running:
        assert why in await said(running, text)

    assert all(row.settings == "{}" for row in await rows(database, policies))


async def test_a_window_that_the_instructions_would_fill_is_not_set(database: Database) -> None:
    async with House(database, ScriptedModel(), Governed()) as running:
        running.mind.instructions = "Be kind. " * 300
        answer = await said(running, "!set context_tokens 500")

    assert answer.startswith("My instructions take ")
    assert answer.endswith(f"`context_tokens` must be at least {2 * running.mind.fixed:,}.")


async def test_what_is_set_elsewhere_never_takes_the_room_of_a_question(database: Database) -> None:
    """A channel's window was large enough for the persona that it had."""
    question, other = "what is the first word of this?", replace(HERE, channel="other")
    async with house(database, adapter=Governed()) as running:
        await said(running, "!set context_tokens 500", address=other)
        await said(running, f"!set workspace persona {'You are kind. ' * 100}")
        assert await said(running, question, address=other) == f"You said: {question}"
        status = await said(running, "!status", address=other)
        assert "`hear` is off for this channel" in await said(running, "!set hear off", address=other)
        assert "`context_tokens` must be at least" in await said(running, "!set context_tokens 510", address=other)

    shown = running.model.prompts[-1]
    assert shown.tokens > 500, "the persona alone takes as much"
    assert "will see all of them" in status


async def test_a_persona_that_the_models_context_has_no_room_for_is_not_set(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        running.model.context = 800
        refusal = await said(running, f"!set persona {'You are kind. ' * 100}")
        assert "`persona` is `You are kind.` for this channel" in await said(running, "!set persona You are kind.")

    assert refusal.startswith("My instructions would take ")
    assert refusal.endswith(" tokens, and may take half of the 600 that my model has room for.")


async def test_what_is_said_to_the_bot_and_sets_nothing_is_talk(database: Database) -> None:
    async with house(database) as running:
        assert await said(running, "set the table", audience=Audience.BOT) == "You said: set the table"


async def test_a_persona_stands_behind_the_instructions_and_what_is_set_elsewhere_does_not(database: Database) -> None:
    persona = "a pirate\nwho rhymes"
    async with house(database, adapter=Governed()) as running:
        assert "`persona` is `a pirate who rhymes` for this channel" in await said(running, f"!set persona {persona}")
        await said(running, "hello")
        await said(running, "hello", address=replace(HERE, channel="other"))

    here, elsewhere = running.model.prompts
    assert here.instructions == with_persona("Be kind.", persona)
    assert here.instructions.startswith("Be kind.\n")
    assert here.instructions.endswith(persona)
    assert elsewhere.instructions == "Be kind."
    assert here.tokens > elsewhere.tokens, "it takes room"


async def test_in_a_thread_what_mentions_nobody_is_answered_or_overheard_as_it_is_set(database: Database) -> None:
    thread = replace(HERE, thread="side")
    async with house(database, adapter=Governed()) as running:
        await said(running, "hello", address=thread, direct=False, audience=Audience.BOT)
        await said(running, "and more", address=thread, direct=False)
        await said(running, "!set answers mention", address=thread, direct=False)
        await running.say(message("among us", address=thread, direct=False))
        await said(running, "what did we say?", address=thread, direct=False, audience=Audience.BOT)

    assert running.model.asked()[-2:] == ["among us", "what did we say?"]
    assert len(running.model.prompts) == 3


async def test_the_model_that_is_set_answers_and_its_tokens_are_counted_for_itself(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        better = ScriptedModel("from the better one", "and again")
        better.usage = Usage(shown=10_000, written=3)
        running.mind.others = {"better": (better, Calibration(openai=True))}
        running.mind.policy = replace(running.mind.policy, model="scripted", allowed=frozenset({"better"}))
        await said(running, "hello")
        assert await said(running, "!set model dear") == (
            "dear is not allowed: beside scripted, my operator allows better."
        )
        await said(running, "!set model better")
        assert await said(running, "a question " * 30) == "from the better one"
        assert running.mind.others["better"][1].ratio > running.mind.calibration.ratio == 1
        await said(running, "!unset model")
        assert await said(running, "hello") == "You said: hello"


async def test_a_channel_may_keep_words_for_less_time_than_its_workspace_and_never_for_more(database: Database) -> None:
    async with house(database, adapter=Governed()) as running:
        longest = {"retention": SETTINGS["retention"].read("60d")}
        running.mind.policy = running.mind.policy.with_values(Level.DEPLOYMENT, longest)
        assert await said(running, "!set workspace retention 90d") == (
            "90d is too long: `retention` may be 60d at most, set by my operator."
        )
        assert "is 50d for this channel" in await said(running, "!set retention 50d")
        assert "is 30d for all of the workspace" in await said(running, "!set workspace retention 30d")
        assert "`retention`: 30d (set for the workspace)" in await said(running, "!settings")
        assert await said(running, "!set retention forever") == (
            "forever is too long: `retention` may be 30d at most, set for the workspace."
        )
        assert "is 7d for this channel, from the next answer on." in await said(running, "!set retention 7d")
        told = await said(running, "!set workspace retention 60d")
        assert told.endswith("from the next answer on. Here it is 7d, set for this channel.")
