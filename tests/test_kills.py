"""A process that is killed loses nothing and says nothing twice: the program as a process of its own."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import Row, Table, update

from core.schema import checkpoints, deliveries, folds, segments, turns
from core.session import Role, Validity
from core.store import Database, connect
from tests.process import process
from tests.script import house, rows
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import days_pass, tell
from tests.values import message
from tests.wire.discord import DiscordStage
from tests.wire.faults import Fault
from tests.wire.openai import OpenAIServer, Request, Silence
from tests.wire.slack import SlackStage


@pytest.fixture(params=[name for name, stage in STAGES.items() if stage.starts])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as stage:
        yield stage


@pytest.fixture(params=["sqlite"])
def dialect(request: pytest.FixtureRequest) -> str:
    """A process takes seconds to start: one test runs on both databases."""
    return str(request.param)


def echo(request: Request) -> str:
    return f"You said: {request.last.partition('] ')[2]}"


def texts(stage: Stage) -> list[str]:
    return [shown.text for shown in stage.shown() if shown.done]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_killed_after_the_ack_and_before_the_answer_it_answers_once_after_a_restart(
    tmp_path: Path, url: str, stage: Stage
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold()
        async with process(tmp_path, "run", stage.platform, **environment) as first:
            await stage.say("hello")
            await model.until(lambda: len(model.requests) == 1)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        model.release()

        async with process(tmp_path, "run", stage.platform, **environment) as second:
            await stage.until(lambda: texts(stage) == ["You said: hello"])
            await stage.say("and again")
            await stage.until(lambda: texts(stage)[-1] == "You said: and again")
            second.send_signal(signal.SIGTERM)
            assert await second.wait() == 0

    assert texts(stage) == ["You said: hello", "You said: and again"]
    assert [text.partition("] ")[2] for role, text in model.requests[-1].texts if role == "user"] == [
        "hello",
        "and again",
    ]


async def test_killed_while_people_watch_it_write_it_finishes_the_same_message(
    tmp_path: Path, url: str, stage: Stage
) -> None:
    answer = "one two three four five six seven eight nine ten eleven twelve"
    async with OpenAIServer(answer=lambda request: answer) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold(after=6)
        async with process(tmp_path, "run", stage.platform, **environment) as first:
            await stage.say("count")
            await stage.until(lambda: any("one" in shown.text for shown in stage.shown()))
            first.send_signal(signal.SIGKILL)
            await first.wait()
        model.release()

        async with process(tmp_path, "run", stage.platform, **environment):
            await stage.until(lambda: texts(stage) == [answer])

    assert [shown.text for shown in stage.shown()] == [answer]


async def test_a_notice_that_was_told_just_before_a_kill_is_seen_once(tmp_path: Path, url: str, stage: Stage) -> None:
    """Whether its call had been made or not; and what is asked after it is answered beneath it."""
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        async with process(tmp_path, "run", stage.platform, **environment) as first:
            await stage.say("hello")
            await stage.until(lambda: texts(stage) == ["You said: hello"])
            await tell(url, stage, "This conversation starts anew tomorrow.")
            first.send_signal(signal.SIGKILL)
            await first.wait()

        async with process(tmp_path, "run", stage.platform, **environment):
            await stage.until(lambda: len(texts(stage)) > 1)
            await stage.say("and again")
            await stage.until(lambda: texts(stage)[-1] == "You said: and again")

    assert texts(stage) == ["You said: hello", "This conversation starts anew tomorrow.", "You said: and again"]


OUTLIVES = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
"""Whether these tests were started to outlive their terminal, as is all that they start."""


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.skipif(OUTLIVES, reason="started by nohup"))],
)
async def test_a_signal_to_end_lets_a_running_answer_finish(
    tmp_path: Path, url: str, stage: Stage, number: signal.Signals
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold()
        async with process(tmp_path, "run", stage.platform, **environment) as running:
            await stage.say("hello")
            await model.until(lambda: len(model.requests) == 1)
            running.send_signal(number)
            model.release()
            assert await running.wait() == 0

    assert texts(stage) == ["You said: hello"]


async def test_work_that_the_drain_cut_off_is_done_by_the_next_start(tmp_path: Path, url: str, stage: Stage) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold()
        async with process(tmp_path, "run", stage.platform, **environment, BACKSCROLL_DRAIN_SECONDS="0.1") as running:
            await stage.say("hello")
            await model.until(lambda: len(model.requests) == 1)
            running.send_signal(signal.SIGTERM)
            assert await running.wait() == 0
        assert texts(stage) == []
        model.release()

        async with process(tmp_path, "run", stage.platform, **environment):
            await stage.until(lambda: texts(stage) == ["You said: hello"])


async def test_a_killed_console_answers_once_after_a_restart(tmp_path: Path, url: str) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **model.environment()}
        model.hold()
        async with process(tmp_path, "run", "console", **environment) as first:
            assert first.stdin is not None
            first.stdin.write(b"hello\n")
            await model.until(lambda: len(model.requests) == 1)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        model.release()

        async with process(tmp_path, "run", "console", **environment) as second:
            assert second.stdin is not None
            assert second.stdout is not None
            async with asyncio.timeout(20):
                line = await second.stdout.readline()
            rest, _ = await second.communicate(b"and again\n")

    assert line == b"You said: hello\n"
    assert rest.strip() == b"You said: and again"


async def test_what_a_killed_process_had_under_way_does_not_outlive_its_question(tmp_path: Path, url: str) -> None:
    """Discord fails over a post, which is repeated and shows; only when that was taken away does the first one land."""
    answer = "one two three four five six seven eight nine ten eleven twelve"
    async with DiscordStage() as stage, OpenAIServer(answer=lambda request: answer) as model:
        environment = {"DATABASE_URL": url, **stage.environment(), **model.environment()}
        model.hold(after=6)
        failing = iter([Fault("before")])
        stage.rest.faults = lambda route, body: next(failing, None) if route.startswith("POST") and body else None
        async with process(tmp_path, "run", "discord", **environment) as first:
            asked = await stage.say("count")
            await until_stored(url, deliveries, lambda found: any(row.draft for row in found))
            await kill(first)
        late, _ = stage.world.asked("POST /channels/.*/messages$")
        async with process(tmp_path, "run", "discord", **environment):
            await model.until(lambda: len(model.requests) == 2)
            await stage.connected()
            await stage.delete(asked)
            await stage.until(lambda: not stage.shown())
            await until_stored(url, deliveries, lambda found: not any(row.draft for row in found))
            await land(stage, late.path, late.body)
            assert len(stage.shown()) == 1
            await become_due(url)
            await stage.until(lambda: not stage.shown())


async def test_what_was_posted_twice_and_is_known_once_does_not_outlive_its_question(
    tmp_path: Path, url: str, slack: SlackStage
) -> None:
    """Slack fails over a post, and tells of the next one by itself; only the process that is killed knew of both."""
    async with OpenAIServer(answer=echo) as model:
        lease = {"BACKSCROLL_LEASE_SECONDS": "3"}
        environment = {"DATABASE_URL": url, **slack.environment(), **model.environment(), **lease}
        slack.server.route = lambda number: 0  # all is told to the process that was there first
        async with process(tmp_path, "run", "slack", **environment) as first:
            await slack.say("hello")
            await slack.until(lambda: texts(slack) == ["You said: hello"])
            async with process(tmp_path, "run", "slack", **environment):
                await slack.until(lambda: len(slack.server.sockets) == 2)
                slack.server.fail("chat.startStream", 429, times=9)
                slack.server.expect("chat.postMessage", Fault("before"), Fault("hang"))
                asked = await slack.say("count")
                await until_stored(url, deliveries, lambda found: [bool(row.draft) for row in found] == [False, True])
                await kill(first)
                await slack.delete(asked)
                await slack.until(lambda: texts(slack) == ["You said: hello"])
                await until_stored(url, deliveries, lambda found: not any(row.draft for row in found))
                late, _ = [given for method, given, _ in slack.server.calls if method == "chat.postMessage"][-2:]
                slack.server.workspace.call("chat.postMessage", late)
                assert texts(slack) == ["You said: hello", "You said: count"]
                await become_due(url)
                await slack.until(lambda: texts(slack) == ["You said: hello"])


async def land(stage: DiscordStage, path: str, body: object) -> None:
    """Discord does what it was asked for before, and has failed over."""
    known = stage.environment()
    token = {"Authorization": f"Bot {known['DISCORD_TOKEN']}"}
    async with (
        ClientSession(raise_for_status=True) as client,
        client.post(known["DISCORD_API_URL"] + path, json=body, headers=token),
    ):
        pass


# In the middle of what ages

both = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
TALK = "and so we talked about this and that for long. " * 30


@pytest.fixture
async def slack() -> AsyncIterator[SlackStage]:
    async with SlackStage() as stage:
        yield stage


def posts_of(slack: SlackStage, words: str) -> list[str]:
    """Has the next post that says this be done and never answered; who has met that is in the list."""
    met: list[str] = []

    def fault(method: str, arguments: object) -> Fault | None:
        if met or method != "chat.postMessage" or words not in str(arguments):
            return None
        met.append(method)
        return Fault("hang")

    slack.server.faults = fault
    return met


def said(request: Request) -> list[str]:
    """What people have said, as the model is shown it."""
    return [text.partition("] ")[2] for role, text in request.texts if role == "user"]


async def stored(url: str, table: Table) -> Sequence[Row[Any]]:
    database = connect(url)
    found = await rows(database, table)
    await database.close()
    return found


async def until_stored(url: str, table: Table, condition: Callable[[Sequence[Row[Any]]], bool]) -> None:
    """Waits until the rows of this table are like this."""
    async with asyncio.timeout(20):
        while not condition(await stored(url, table)):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)


async def become_due(url: str) -> None:
    """The same as waiting until what may not be on screen as it should be is looked at again."""
    database = connect(url)
    await database.write(
        lambda connection: connection.execute(
            update(deliveries).where(deliveries.c.due_at.is_not(None)).values(due_at=0)
        )
    )
    await database.close()


async def kill(running: asyncio.subprocess.Process) -> None:
    running.send_signal(signal.SIGKILL)
    await running.wait()


async def is_acknowledged(slack: SlackStage, message: str) -> None:
    """Waits until Slack has been told that this is kept."""
    for one in [one for one in slack.server.envelopes if one.payload.get("event", {}).get("ts") == message]:
        async with asyncio.timeout(20):
            await one.acked.wait()


async def talk_until_due(url: str, slack: SlackStage) -> int:
    """Says numbers until there is something to fold; how many."""
    told = 0
    while not await stored(url, folds):
        await slack.say(f"number {told} is in the blue box {TALK}")
        told += 1
        await slack.until(lambda expected=["Noted."] * told: texts(slack) == expected)
    return told


def record_of(request: Request) -> str | None:
    """The first of the turns of which it asks for a record; None where it asks for an answer."""
    asked = re.search(r"Write the record of (-?\d+)-", request.texts[-1][1])
    return None if asked is None else asked[1]


@both
async def test_killed_in_the_middle_of_a_fold_it_is_made_once_by_the_next_start(
    tmp_path: Path, url: str, slack: SlackStage
) -> None:
    def answer(request: Request) -> str:
        first = record_of(request)
        return "Noted." if first is None else f"# facts\n- Ada keeps the key in the blue box ({first})"

    async with OpenAIServer(answer=answer) as model:
        limits = {"BACKSCROLL_CONTEXT_TOKENS": "4000", "BACKSCROLL_LEASE_SECONDS": "3"}
        environment = {"DATABASE_URL": url, **slack.environment(), **model.environment(), **limits}
        model.weather = lambda request: None if record_of(request) is None else Silence()
        async with process(tmp_path, "run", "slack", **environment) as first:
            told = await talk_until_due(url, slack)
            await model.until(lambda: any(map(record_of, model.requests)))
            await kill(first)
        assert await stored(url, checkpoints) == [], "nothing of it is there"
        model.weather = lambda _: None

        async with process(tmp_path, "run", "slack", **environment):
            await model.until(lambda: sum(map(bool, map(record_of, model.requests))) > 1)
            await until_stored(url, checkpoints, lambda found: bool(found))
            await slack.say("Where is it?")
            await slack.until(lambda: texts(slack) == ["Noted."] * (told + 1))

    made = await stored(url, checkpoints)
    assert {one.validity for one in made} == {Validity.STANDS}
    assert [one.first for one in made] == [1, *(one.last + 1 for one in made[:-1])], "each begins where one ends"
    shown = "\n".join(text for _, text in model.requests[-1].texts)
    assert shown.count("[[record of turns") == shown.count("Ada keeps the key") == len(made)
    verbatim = [seq for seq in range(told) if f"number {seq} is" in shown]
    assert verbatim == list(range(told - len(verbatim), told)), "what is not told is there as it was said"
    assert 0 < len(verbatim) < told


@both
async def test_killed_while_it_says_that_a_conversation_goes_on_it_says_so_once(
    tmp_path: Path, url: str, slack: SlackStage
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **slack.environment(), **model.environment()}
        async with process(tmp_path, "run", "slack", **environment) as first:
            await slack.say("hello")
            await slack.until(lambda: texts(slack) == ["You said: hello"])
            first.send_signal(signal.SIGTERM)
            await first.wait()
        await days_pass(url, 9)
        met = posts_of(slack, "Picked up")
        async with process(tmp_path, "run", "slack", **environment) as second:
            await slack.say("and again")
            await slack.until(lambda: met)
            await kill(second)

        async with process(tmp_path, "run", "slack", **environment):
            await slack.say("and now?")
            await slack.until(lambda: texts(slack)[-1] == "You said: and now?")

    assert [text.partition(":")[0].strip("_*") for text in texts(slack)] == [
        "You said",
        "You said",
        "Picked up after 9 days",
        "You said",
    ]
    assert said(model.requests[-1]) == ["hello", "and again", "and now?"], "and nothing is forgotten"
    assert [(one.number, one.kind) for one in await stored(url, segments)] == [(1, "timed out")]


async def commanded(
    tmp_path: Path, environment: dict[str, str], slack: SlackStage, model: OpenAIServer, verb: str
) -> None:
    """Killed twice over this command: while it waits behind an answer, and when its reply has just been posted."""
    model.hold()
    async with process(tmp_path, "run", "slack", **environment) as first:
        asked = len(model.requests)
        await slack.say("before it")
        await model.until(lambda: len(model.requests) > asked)
        await is_acknowledged(slack, await slack.say(f"!{verb}"))
        await kill(first)
    model.release()
    met = posts_of(slack, " turns ")
    async with process(tmp_path, "run", "slack", **environment) as second:
        await slack.until(lambda: met)
        await kill(second)
    async with process(tmp_path, "run", "slack", **environment):
        await slack.say("behind it")
        await slack.until(lambda: texts(slack)[-1] == "You said: behind it")


@both
async def test_killed_in_the_middle_of_a_reset_it_sets_aside_once_and_says_so_once(
    tmp_path: Path, url: str, slack: SlackStage
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **slack.environment(), **model.environment()}
        async with process(tmp_path, "run", "slack", **environment):
            await slack.say("hello")
            await slack.until(lambda: texts(slack) == ["You said: hello"])
        await commanded(tmp_path, environment, slack, model, "reset")

    _, before, reset, after = texts(slack)
    assert (before, after) == ("You said: before it", "You said: behind it")
    assert "I set 4 turns aside" in reset
    assert said(model.requests[-1]) == ["behind it"]
    assert [(one.number, one.kind) for one in await stored(url, segments)] == [(1, "reset")]


@both
async def test_killed_in_the_middle_of_an_undo_it_takes_back_once_and_says_so_once(
    tmp_path: Path, url: str, slack: SlackStage
) -> None:
    async with OpenAIServer(answer=echo) as model:
        environment = {"DATABASE_URL": url, **slack.environment(), **model.environment()}
        async with process(tmp_path, "run", "slack", **environment):
            await slack.say("hello")
            await slack.until(lambda: texts(slack) == ["You said: hello"])
            await slack.say("!reset")
            await slack.until(lambda: len(texts(slack)) == 2)
        await commanded(tmp_path, environment, slack, model, "undo")

    _, _, before, undo, after = texts(slack)
    assert (before, after) == ("You said: before it", "You said: behind it")
    assert "I remember 4 turns again" in undo
    assert said(model.requests[-1]) == ["hello", "before it", "behind it"]
    assert [(one.number, one.kind) for one in await stored(url, segments)] == [(1, "reset"), (2, "undo")]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
async def test_killed_in_the_middle_of_what_was_kept_long_enough_nothing_is_half_gone(tmp_path: Path, url: str) -> None:
    """Each step takes out whole turns with what tells of them; whoever goes on takes out the rest."""
    asked = 120
    database = connect(url)
    async with house(database) as running:
        for number in range(asked):
            await running.say(message(f"fact {number}", id=f"m{number}", at=1_600_000_000.0 + 60 * number))
            await running.over()
    environment = {"DATABASE_URL": url, "BACKSCROLL_RETENTION": "30d"}
    async with process(tmp_path, "retention", **environment) as first:
        async with asyncio.timeout(60):
            while len(await left(database)) == asked:  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.001)
        with suppress(ProcessLookupError):  # it was quicker than we
            first.send_signal(signal.SIGKILL)
        await first.wait()
    for row in await rows(database, turns):
        assert (row.body == b"") == (row.validity == Validity.ERASED) == (row.tokens == 0)
    questions = [row.seq for row in await left(database)]
    answers = [row.seq for row in await rows(database, turns) if row.role == Role.ASSISTANT and row.body]

    async with process(tmp_path, "retention", **environment) as second:
        assert await second.wait() == 0

    assert questions == answers, "no question is parted from its answer"
    assert await left(database) == []
    await database.close()


async def left(database: Database) -> Sequence[Row[Any]]:
    """What people have said that has its words."""
    return [row for row in await rows(database, turns) if row.role == Role.PERSON and row.body]
