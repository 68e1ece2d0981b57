"""What is set for a workspace or a channel holds from the next answer on, and costs no statement of its own."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps

import pytest
from asyncpg.connection import LoggedQuery
from sqlalchemy import Connection

from core.errors import ModelStalled
from core.policy import edited, is_set
from core.schema import policies as table
from core.schema import turns
from core.seam.address import Address
from core.seam.messages import Audience, Closed
from core.session import Kind
from core.store import Database, places, policies
from core.store.engine.sql import alone, is_alone
from tests.script import House, Interrupted, ScriptedModel, TranscriptAdapter, brisk, house, rows
from tests.values import BEN, HERE, message

THREAD = replace(HERE, thread="side")
ELSEWHERE = replace(HERE, channel="other")
CHANNEL = HERE.id


async def put(database: Database, scope: str, **settings: object) -> None:
    """Writes a row by hand, beside the program."""
    found = await database.read(places.find, HERE)
    assert found is not None
    await database.write(policies.keep, found.key, scope, json.dumps(settings))


async def talked(running: House, address: Address = HERE, times: int = 8) -> None:
    """A conversation that is longer than the smallest window."""
    for number in range(times):
        before = len(running.adapter.texts)
        await running.say(message(f"{number} " + "many words " * 40, address=address))
        await running.adapter.until(lambda before=before: len(running.adapter.texts) > before)
    await running.over()


async def test_what_is_set_by_hand_holds_for_the_next_answer_in_that_channel_alone(database: Database) -> None:
    async with house(database) as running:
        await talked(running)
        await talked(running, ELSEWHERE)
        assert running.model.prompts[-1].tokens > 600
        await put(database, CHANNEL, context_tokens=600, answer_tokens=77)
        await talked(running, times=1)
        await talked(running, ELSEWHERE, times=1)

    here, elsewhere = running.model.prompts[-2:]
    assert here.tokens <= 600 < elsewhere.tokens
    assert (here.answer_tokens, elsewhere.answer_tokens) == (77, 4_000)


async def test_what_is_set_for_a_channel_goes_before_what_is_set_for_its_workspace(database: Database) -> None:
    async with house(database) as running:
        await running.say(message())
        await running.answered("You said: hello")
        await put(database, policies.WORKSPACE, answer_tokens=55)
        await put(database, CHANNEL, answer_tokens=66)
        await talked(running, THREAD, times=1)
        await talked(running, ELSEWHERE, times=1)

    assert [prompt.answer_tokens for prompt in running.model.prompts] == [4_000, 66, 55]


async def test_what_is_set_for_a_workspace_holds_in_no_other_one(database: Database) -> None:
    abroad = replace(HERE, workspace="abroad")
    async with house(database) as running:
        for address in (abroad, HERE):
            await talked(running, address, times=1)
        await put(database, policies.WORKSPACE, answer_tokens=55)
        for address in (abroad, HERE, abroad):
            await talked(running, address, times=1)

    assert [prompt.answer_tokens for prompt in running.model.prompts] == [4_000, 4_000, 4_000, 55, 4_000]


async def test_what_is_set_for_a_channel_goes_when_the_channel_is_gone(database: Database) -> None:
    """A persona is words that somebody wrote there."""
    async with house(database) as running:
        await talked(running, THREAD, times=1)
        await talked(running, times=1)
        for scope in (CHANNEL, ELSEWHERE.id, policies.WORKSPACE):
            await put(database, scope, persona="a secret of this channel's")
        await running.say(Closed(address=THREAD, gone=True), Closed(address=HERE, gone=False))
        assert [row.scope for row in await rows(database, table)] == [policies.WORKSPACE, CHANNEL, ELSEWHERE.id]
        await running.say(Closed(address=HERE, gone=True))

    assert [row.scope for row in await rows(database, table)] == [policies.WORKSPACE, ELSEWHERE.id]


async def test_a_turn_that_waited_while_it_was_set_obeys(database: Database) -> None:
    """The lease of the answer before goes on."""
    go = asyncio.Event()
    async with house(database, [go, "one"], "two") as running:
        await running.say(message("a"), message("b", author=BEN))
        await running.model.until(lambda: running.model.running == 1)
        await put(database, CHANNEL, answer_tokens=77)
        go.set()
        await running.answered("one", "two")

    assert [prompt.answer_tokens for prompt in running.model.prompts] == [4_000, 77]


async def test_a_turn_that_is_tried_again_obeys(database: Database) -> None:
    """It is claimed anew."""
    failed = asyncio.Event()
    async with house(database, [failed, ModelStalled("nothing came")], "at last") as running:
        await running.say(message())
        await running.model.until(lambda: running.model.running == 1)
        await put(database, CHANNEL, answer_tokens=77)
        failed.set()
        await running.answered("at last")

    assert [prompt.answer_tokens for prompt in running.model.prompts] == [4_000, 77]


async def test_another_process_obeys_what_was_set_beside_this_one(database: Database) -> None:
    async with house(database) as running:
        await running.say(message())
        await running.answered("You said: hello")
        await running.stop()  # else it may answer what the other one hears
        await put(database, CHANNEL, answer_tokens=77)
        async with House(database, ScriptedModel(), TranscriptAdapter(), owner="host:boot:2:b") as other:
            await other.say(message("again"))
            await other.answered("You said: again")

    assert other.model.prompts[0].answer_tokens == 77


@pytest.mark.parametrize(("hear", "kept"), [("channel", 1), ("off", 0)])
async def test_what_is_said_to_others_is_overheard_as_it_is_set(database: Database, hear: str, kept: int) -> None:
    async with house(database) as running:
        await running.say(message())
        await running.answered("You said: hello")
        await put(database, policies.WORKSPACE, hear=hear)
        await running.say(message("to somebody else", direct=False))

    assert sum(row.kind == Kind.OVERHEARD for row in await rows(database, turns)) == kept


async def test_who_may_stop_an_answer_is_asked_when_somebody_does(database: Database) -> None:
    go = asyncio.Event()
    async with house(database, ["It is", go, " said."]) as running:
        await running.say(message("go on", direct=False, audience=Audience.BOT))
        await running.adapter.until(lambda: running.adapter.texts == ["It is"])
        await put(database, CHANNEL, may_stop="asker")
        await running.say(message("!stop", author=BEN, direct=False))
        await running.adapter.until(lambda: len(running.adapter.texts) == 2)
        assert "only they" in running.adapter.texts[1]
        go.set()
        await running.adapter.until(lambda: running.adapter.texts[0] == "It is said.")
        await running.over()


async def test_of_two_who_set_something_at_once_both_do(database: Database) -> None:
    async with house(database) as running:
        await running.say(message())
        await running.answered("You said: hello")
    found = await database.read(places.find, HERE)
    assert found is not None
    names = ("answer_tokens", "context_tokens", "hear", "may_stop")

    def change(connection: Connection, name: str) -> None:
        before = policies.locked(connection, found.key, CHANNEL)
        policies.keep(connection, found.key, CHANNEL, edited(before, name, "off"))

    await asyncio.gather(*(database.write(change, name) for name in names))

    overrides = await database.read(policies.of, found.key)
    assert all(is_set(overrides.channel, name) for name in names)
    assert overrides.workspace is None


class Counted(Interrupted):
    """A real database that notes the statements of the core as its driver runs them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.statements: list[str] = []

    async def write(self, function, *args, **kwargs):
        return await super().write(self._noting(function), *args, **kwargs)

    async def read(self, function, *args, **kwargs):
        return await super().read(self._noting(function), *args, **kwargs)

    def _noting(self, function):
        if not function.__module__.startswith("core."):
            return function

        @wraps(function)
        def noting(connection: Connection, *args, **kwargs):
            with self._noted(connection):
                return function(connection, *args, **kwargs)

        return alone(noting) if is_alone(function) else noting

    @contextmanager
    def _noted(self, connection: Connection) -> Iterator[None]:
        driver = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            driver.set_trace_callback(self.statements.append)
            yield
            driver.set_trace_callback(None)
        else:
            driver.add_query_logger(self._note)
            yield
            driver.remove_query_logger(self._note)

    def _note(self, record: LoggedQuery) -> None:
        if "pg_catalog" not in record.query and "'jit'" not in record.query:  # the driver's own, on a new connection
            self.statements.append(record.query)


async def test_no_statement_is_run_for_it_alone(database: Database) -> None:
    """An answer takes as many as where nothing is set; and those that read it do something else as well."""
    counted = Counted(database)
    runs: list[list[str]] = []
    async with House(counted, ScriptedModel(), TranscriptAdapter(), timings=brisk(poll=60)) as running:
        for number in range(3):
            if number == 2:
                await put(database, CHANNEL, answer_tokens=77)
                await put(database, policies.WORKSPACE, hear="off")
            counted.statements.clear()
            go = asyncio.Event()
            running.model.script.extend([[go, "one"], "two"])
            await running.say(message())
            await running.model.until(lambda number=number: len(running.model.prompts) == 2 * number + 1)
            await running.say(message(author=BEN))
            go.set()
            await running.answered(*["one", "two"] * (number + 1))
            runs.append(list(counted.statements))
            await running.unserved()

    _, plain, under_a_policy = runs
    assert [prompt.answer_tokens for prompt in running.model.prompts[-2:]] == [77, 77]
    assert len(plain) == len(under_a_policy) > 10
    reading = [one for one in under_a_policy if "policies" in one]
    assert reading
    assert all("FROM turns" in one or "UPDATE sessions" in one for one in reading)
