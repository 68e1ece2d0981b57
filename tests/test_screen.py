"""Memory is what is on the screen: what people change there reaches all that is remembered, on every platform."""

import asyncio
from collections.abc import AsyncIterator
from time import time

import pytest
from sqlalchemy import select, update

from core.schema import deliveries, parts, presence, quotes, sessions, turns
from core.store import Database, connect
from core.timings import Timings
from tests.script import rows
from tests.talk import Running, days_pass
from tests.wire.discord import DiscordStage
from tests.wire.faults import Fault
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage

People = SlackStage | DiscordStage


@pytest.fixture(params=["slack", "discord"])
async def people(request: pytest.FixtureRequest) -> AsyncIterator[People]:
    """A stage whose people change their minds."""
    async with {"slack": SlackStage, "discord": DiscordStage}[request.param]() as stage:
        yield stage


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=echo) as server:
        yield server


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(people: People, place: str = "main") -> list[str]:
    return [shown.text for shown in people.shown(place) if shown.done]


def told(model: OpenAIServer, nth: int = -1) -> list[str]:
    """What the model was shown, without the brackets that name the speaker."""
    return [text.partition("] ")[2] if role == "user" else text for role, text in model.requests[nth].texts]


async def edit(people: People, message: str, text: str, *, to_bot: bool = False) -> None:
    """A person writes this in place of what they said, with a mention or without."""
    if isinstance(people, SlackStage):
        await people.edit(message, text, to_bot=to_bot)
    else:
        await people.edit(message, f"<@{people.world.bot['id']}> {text}" if to_bot else text)


async def stored(database: Database, *words: str) -> list[str]:
    """Which of these words stand in a row of the database."""
    found = [row for table in (turns, deliveries, quotes) for row in await rows(database, table)]
    values = [value for row in found for value in row]
    everything = b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
    return [word for word in words if word.encode() in everything]


async def until_stored(database: Database, *words: str, gone: str) -> None:
    """Waits until these words stand in the database, and that one does not."""
    async with asyncio.timeout(20):
        while await stored(database, gone, *words) != list(words):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.02)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = connect(url)
    yield database
    await database.close()


async def test_ten_exchanges_under_400_overheard_lines_are_all_in_the_next_request(
    url: str, people: People, model: OpenAIServer
) -> None:
    """D1."""
    async with Running(url, model, people):
        await people.say("number 0")
        await people.until(lambda: len(texts(people)) == 1)
        for number in range(1, 10):
            await people.say(f"number {number}")
            await people.until(lambda many=number + 1: len(texts(people)) == many)
        for number in range(400):
            await aside(people, f"line {number}")
        await people.say("and now?")
        await people.until(lambda: texts(people)[-1] == "You said: and now?", seconds=60)

    shown = [line for line in told(model) if "line" not in line]
    assert shown == [line for n in range(10) for line in (f"number {n}", f"You said: number {n}")] + ["and now?"]


async def aside(people: People, text: str) -> str:
    """Somebody says this to somebody else."""
    if isinstance(people, DiscordStage):
        return await people.say(text, author="ben", to_bot=False)
    people.user("cleo")
    message = people.server.workspace.add(
        "C0GENERAL", people.user("ben"), f"<@U0CLEO> {text}", thread_ts=people._roots["main"]
    )
    people.sent(message, to_bot=False)
    await people.change()
    return message.ts


@pytest.mark.parametrize("how", ["edit", "delete"])
async def test_what_a_session_has_heard_follows_its_message(
    url: str, database: Database, people: People, model: OpenAIServer, how: str
) -> None:
    """D2."""
    async with Running(url, model, people):
        said = await people.say("the code is tuna", author="ben", to_bot=False)
        await people.say("what is the code?")
        await people.until(lambda: texts(people) == ["You said: what is the code?"])
        assert "the code is tuna" in told(model)
        if how == "edit":
            await edit(people, said, "the code is salmon")
            await until_stored(database, "salmon", gone="tuna")
        else:
            await people.delete(said)
            await until_stored(database, gone="tuna")
        await people.say("and now?")
        await people.until(lambda: len(texts(people)) == 2)

    assert not any("tuna" in line for line in told(model))
    assert ("the code is salmon" in told(model)) is (how == "edit")


async def test_of_two_messages_in_a_moment_the_first_is_answered_when_the_second_is_deleted(
    url: str, people: People, model: OpenAIServer
) -> None:
    """D6."""
    model.hold()
    async with Running(url, model, people):
        await people.say("first")
        second = await people.say("second")
        await model.until(lambda: any("second" in request.last for request in model.requests))
        await people.delete(second)
        await model.until(lambda: model.requests[-1].last.endswith("first"))
        model.release()
        await people.until(lambda: texts(people) == ["You said: first"])

    assert told(model) == ["first"]


async def test_a_summary_out_of_view_loses_the_words_of_a_deleted_message(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D7."""
    model.answer = lambda request: "All about tuna." if "Summarize this" in request.last else "Yes."
    async with Running(url, model, people):
        said = await people.say("the code is tuna")
        await people.until(lambda: texts(people) == ["Yes."])
        await people.command("summarize")
        await people.until(lambda: any("All about tuna." in text for text in texts(people)))
        await people.command("reset")
        await people.until(lambda: any("aside" in text for text in texts(people)))
        await people.delete(said)
        await until_stored(database, gone="tuna")


async def test_an_answer_becomes_the_command_that_its_question_was_edited_into(
    url: str, people: People, model: OpenAIServer
) -> None:
    """D4."""
    model.hold(after=2)
    async with Running(url, model, people):
        asked = await people.say("rest")
        await people.until(lambda: any(shown.text.strip() for shown in people.shown()))
        await edit(people, asked, "!reset")
        await people.until(lambda: any("nothing to set aside" in text for text in texts(people)))
        await people.until(lambda: all(shown.done for shown in people.shown()))
        model.release()

    assert len(people.shown()) == 1


@pytest.mark.parametrize("heard", [True, False])
async def test_an_edit_that_adds_a_mention_is_answered_once(
    url: str, people: People, model: OpenAIServer, heard: bool
) -> None:
    """D8. Whether the message was overheard, or was nothing of ours."""
    async with Running(url, model, people):
        if heard:
            await people.say("hello")
            await people.until(lambda: texts(people) == ["You said: hello"])
            said = await aside(people, "is this right?")
        else:
            said = await people.say("is this right?", author="ben", to_bot=False)
        await edit(people, said, "is this right then?", to_bot=True)
        await people.until(lambda: "You said: is this right then?" in texts(people))
        await edit(people, said, "is this right then?", to_bot=True)
        await people.say("and now?")
        await people.until(lambda: texts(people)[-1] == "You said: and now?")

    assert sum(request.last.endswith("is this right then?") for request in model.requests) == 1


async def test_an_answer_that_people_delete_goes_from_memory(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D9."""
    model.answer = lambda request: "It is tuna." if "what" in request.last else "Yes."
    async with Running(url, model, people):
        await people.say("what is it?")
        await people.until(lambda: texts(people) == ["It is tuna."])
        await people.delete(people.shown()[0].id)
        await until_stored(database, "what is it?", gone="tuna")
        await people.say("and now?")
        await people.until(lambda: texts(people) == ["Yes."])

    assert told(model) == ["what is it?", "and now?"]


async def test_a_part_of_an_answer_that_people_delete_goes_from_memory(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D9."""
    size = 1_300 if isinstance(people, DiscordStage) else 8_000
    parts = [f"{name} " + "and so on " * (size // 10) for name in ("alpha", "beta", "gamma")]
    model.answer = lambda request: "\n\n".join(parts) if "all" in request.last else "Yes."
    async with Running(url, model, people, backscroll_answer_tokens=20_000):
        await people.say("tell me all")
        await people.until(lambda: len(texts(people)) == 3 and "gamma" in texts(people)[-1], seconds=40)
        await people.delete(people.shown()[1].id)
        await until_stored(database, "alpha", "gamma", gone="beta")
        await people.delete(people.shown()[0].id)
        await until_stored(database, "gamma", gone="alpha")
        await people.say("and now?")
        await people.until(lambda: texts(people)[-1] == "Yes.")

    assert [line.split()[0] for line in told(model)] == ["tell", "gamma", "and"]


async def test_a_part_that_people_delete_days_later_goes_from_memory(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D9. By then it is put away which messages the answer has become, and another process hears of it."""
    size = 1_300 if isinstance(people, DiscordStage) else 8_000
    parted = [f"{name} " + "and so on " * (size // 10) for name in ("alpha", "beta", "gamma")]
    model.answer = lambda request: "\n\n".join(parted) if "all" in request.last else "Yes."
    async with Running(url, model, people, backscroll_answer_tokens=20_000):
        await people.say("tell me all")
        await people.until(lambda: len(texts(people)) == 3 and "gamma" in texts(people)[-1], seconds=40)
    await days_pass(url, 3)
    timings = Timings(forget=0.1, reconcile=0.1)
    async with Running(url, model, people, backscroll_answer_tokens=20_000, timings=timings):
        async with asyncio.timeout(40):
            while len(await rows(database, parts)) < 3:  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.05)
        if isinstance(people, DiscordStage):
            await people.connected()
        await people.delete(people.shown()[1].id)
        await until_stored(database, "alpha", "gamma", gone="beta")
        await people.say("and now?")
        await people.until(lambda: texts(people)[-1] == "Yes.")
        await people.delete(people.shown()[0].id)
        await until_stored(database, "gamma", gone="alpha")

    assert [line.split()[0] for line in told(model)] == ["tell", "alpha", "and"]
    assert "beta" not in str(told(model))
    assert await rows(database, parts) == []


async def test_a_message_that_arrives_after_its_own_deletion_is_not_answered(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D10. Also where another process takes it in."""
    async with Running(url, model, people):
        await people.say("hello")
        await people.until(lambda: texts(people) == ["You said: hello"])
        said = await people.say("forget this", author="ben", to_bot=False, place="lobby")
        await people.delete(said)
        await until_stored(database, "hello", gone="forget this")
    async with Running(url, model, people):
        await late(people, said)
        await people.say("and now?")
        await people.until(lambda: texts(people)[-1] == "You said: and now?")

    assert not any("forget this" in request.last for request in model.requests)
    assert texts(people, "lobby") == []


async def late(people: People, message: str) -> None:
    """What was said to the bot arrives after its deletion."""
    if isinstance(people, SlackStage):
        event = {"type": "app_mention", "user": "U0BEN", "text": "<@U0BACKSCROLL> forget this", "team": "T0TEST"}
        people.server.event({**event, "ts": message, "channel": "C0GENERAL", "event_ts": message})
        await people.change()
        return
    content = f"<@{people.world.bot['id']}> forget this"
    payload = people.world.message(await people.place("lobby"), people.world.person("ben"), content, id=message)
    await people.connected()
    await people._heard(payload)


async def test_a_summary_of_the_newest_part_says_so(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D13."""
    model.answer = lambda request: "A summary." if "Summarize this" in request.last else "Yes."
    async with Running(url, model, people, backscroll_context_tokens=2_000):
        for number in range(8):
            await people.say(f"number {number} " + "and so on " * 150)
            await people.until(lambda many=number + 1: len(texts(people)) == many)
        await people.command("summarize")
        await people.until(lambda: any("A summary." in text for text in texts(people)))
        await people.command("status")
        await people.until(lambda: any("I remember" in text for text in texts(people)))

    (summary,) = [text for text in texts(people) if "A summary." in text]
    assert "this tells of what was said since" in summary
    assert any("the newest" in text for text in texts(people) if "I remember" in text)
    shown = next(request for request in model.requests if "Summarize this" in request.last)
    oldest = int(shown.texts[0][1].partition("number ")[2].split()[0])
    covers = await database.read(
        lambda connection: connection.execute(select(turns.c.covers).where(turns.c.covers.is_not(None))).scalar_one()
    )
    assert covers == oldest + 1


async def test_a_summary_since_somebodys_last_visit_is_of_what_they_missed(
    url: str, people: People, model: OpenAIServer
) -> None:
    model.answer = lambda request: "Ben asked for tea." if "Summarize this" in request.last else "Yes."
    async with Running(url, model, people):
        await people.say("is there coffee?")
        await people.until(lambda: texts(people) == ["Yes."])
        await people.say("is there tea?", author="ben")
        await people.until(lambda: texts(people) == ["Yes.", "Yes."])
        await people.say("!summarize since my last visit")
        await people.until(lambda: any("Ben asked for tea." in text for text in texts(people)))

    shown = [text for _, text in model.requests[-1].texts]
    assert not any("coffee" in text for text in shown)
    assert any("is there tea?" in text for text in shown)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_no_half_answer_stays_when_its_question_is_deleted_while_it_begins_elsewhere(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D5. Whichever of two processes takes the deletion in, and however far the other one's answer has come."""
    model.pause, model.chunks = 0.02, 12
    async with Running(url, model, people) as one, Running(url, model, people) as two:
        await asyncio.gather(one.started.wait(), two.started.wait())
        for number in range(12):
            begun = len(model.requests)
            asked = await people.say(f"number {number} " + "and so on " * 20, place=f"place {number}")
            await model.until(lambda many=begun: len(model.requests) > many)
            if number % 3:
                await people.until(lambda place=f"place {number}": people.shown(place))
            await people.delete(asked)
        await people.until(lambda: all(whole(people, number) for number in range(12)), seconds=60)
        model.pause = 0.0
        await people.say("still there?", place="last")
        await people.until(lambda: texts(people, "last") == ["You said: still there?"], seconds=30)
        due = update(deliveries).where(deliveries.c.due_at.is_not(None)).values(due_at=0)
        await database.write(lambda connection: connection.execute(due))
        async with asyncio.timeout(60):
            while any(row.due_at is not None for row in await rows(database, deliveries)):  # noqa: ASYNC110 – as above
                await asyncio.sleep(0.02)
        assert all(whole(people, number) for number in range(12))


async def test_no_half_answer_stays_whose_beginning_is_of_unknown_outcome(
    url: str, database: Database, model: OpenAIServer
) -> None:
    """D5. On Discord, where nothing but the question that it replies to tells what it is."""
    async with DiscordStage() as people:
        model.hold(after=3)
        faults = iter([Fault("drop")])
        people.rest.faults = lambda route, _: next(faults, None) if route.startswith("POST /channels/") else None
        async with Running(url, model, people):
            asked = await people.say("hello " + "and so on " * 20)
            await people.until(people.shown)
            await people.delete(asked)
            async with asyncio.timeout(20):
                while not [row for row in await rows(database, deliveries) if row.due_at]:  # noqa: ASYNC110 – as above
                    await asyncio.sleep(0.02)
            await database.write(lambda connection: connection.execute(update(deliveries).values(due_at=0)))
            await people.until(lambda: not people.shown())


def whole(people: People, number: int) -> bool:
    """Whether in this place nothing is on screen, or an answer that was there before its question was deleted."""
    said = f"You said: number {number} " + "and so on " * 20
    return all(shown.done and shown.text.strip() == said.strip() for shown in people.shown(f"place {number}"))


async def removed(people: People) -> None:
    """People remove the bot from their workspace."""
    if isinstance(people, SlackStage):
        people.server.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BACKSCROLL"]}})
        people.server.event({"type": "app_uninstalled"})
    else:
        await people.gateway.dispatch("GUILD_DELETE", {"id": "1", "unavailable": True})
        await people.gateway.dispatch("GUILD_DELETE", {"id": people.world.guild})


async def test_when_the_bot_is_removed_its_sessions_close_and_nothing_of_them_is_kept(
    url: str, database: Database, people: People, model: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """D14."""
    async with Running(url, model, people):
        await people.say("hello")
        await people.until(lambda: texts(people) == ["You said: hello"])
        model.hold()
        await people.say("this is not answered any more", author="ben")
        await model.until(lambda: len(model.requests) == 2)
        await removed(people)
        async with asyncio.timeout(20):
            while any(row.live_since for row in await rows(database, sessions)):  # noqa: ASYNC110 – as above
                await asyncio.sleep(0.02)
            await model.until(lambda: model.requests[1].gone)
            model.release()
            while await stored(database, "You said: hello"):  # noqa: ASYNC110 – as above
                await asyncio.sleep(0.02)
            while any(row.waiting or row.due_at for row in await rows(database, sessions)):  # noqa: ASYNC110 – as above
                await asyncio.sleep(0.02)

    told_of = [line for line in capsys.readouterr().out.splitlines() if "removed from a workspace" in line]
    assert "closed=1" in told_of[0]
    assert "kept='nothing" in told_of[0]


async def not_heard_since(database: Database, ago: float) -> None:
    """The same as having heard everything until so many seconds ago, and nothing since."""
    at = int((time() - ago) * 1000)
    await database.write(lambda connection: connection.execute(update(presence).values(heard_at=at)))


async def test_what_was_edited_and_deleted_while_nobody_heard_is_found_out(
    url: str, database: Database, people: People, model: OpenAIServer
) -> None:
    """D3. In what is read for catching up anyway: text and presence."""
    async with Running(url, model, people):
        first = await people.say("the code is tuna")
        await people.until(lambda: len(texts(people)) == 1)
        second = await people.say("the place is harbour", author="ben")
        await people.until(lambda: len(texts(people)) == 2)
        model.answer = lambda request: "Yes."
        async with asyncio.timeout(20):
            while not await rows(database, presence):  # noqa: ASYNC110 – as above
                await asyncio.sleep(0.02)
    if isinstance(people, SlackStage):
        people.server.keeps = False  # nothing is sent again: the schedule of retries has run out
    else:
        people.wait = False
        people.gateway.sessions.clear()  # nothing is replayed
    await edit(people, first if isinstance(people, DiscordStage) else second, "it is salmon now")
    await people.delete(second if isinstance(people, DiscordStage) else first)
    await people.say("meanwhile", author="cleo")
    await not_heard_since(database, 600)
    async with Running(url, model, people):
        await people.until(lambda: "Yes." in texts(people), seconds=30)
        people.wait = True
        await people.say("and now?", author="ben")
        await people.until(lambda: texts(people).count("Yes.") == 2, seconds=30)

    said = [text.partition("] ")[2] for role, text in model.requests[-1].texts if role == "user"]
    assert said == ["it is salmon now", "meanwhile", "and now?"]


async def test_a_place_that_is_gone_after_a_downtime_is_forgotten(
    url: str, database: Database, model: OpenAIServer
) -> None:
    """D3."""
    async with DiscordStage() as people:
        async with Running(url, model, people):
            await people.say("the code is tuna")
            await people.until(lambda: len(texts(people)) == 1)
            async with asyncio.timeout(20):
                while not await rows(database, presence):  # noqa: ASYNC110 – as above
                    await asyncio.sleep(0.02)
        people.wait = False
        people.gateway.sessions.clear()
        await people.remove("main")
        await not_heard_since(database, 600)
        async with Running(url, model, people):
            await until_stored(database, gone="tuna")
