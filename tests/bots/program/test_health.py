"""`backscroll health`: a probe learns whether the deployment can do its work, and nothing of what people say."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import time

import pytest
from sqlalchemy import Connection, text, update

import migrations
from core.errors import ModelStalled
from core.schema import hearers, sessions
from core.session import ATTEMPTS
from core.store import Database, connect
from core.store import hearers as hearing
from tests.bots.program.test_cli import backscroll
from tests.process import process
from tests.readonly import only_read
from tests.script import House, ScriptedModel, TranscriptAdapter
from tests.values import message

SAID = "an embarrassing question"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def on(url: str, work: Callable[[Database], Awaitable[object]]) -> None:
    """Does this to the database."""

    async def do() -> None:
        database = connect(url)
        await work(database)
        await database.close()

    asyncio.run(do())


def ask(url: str, *words: str, status: int) -> dict[str, object]:
    """What a probe is told, as people and as programs read it."""
    asked = [backscroll("health", *words, *form, DATABASE_URL=url) for form in ((), ("--json",))]
    assert [one.exit_code for one in asked] == [status, status], asked[0].output
    assert SAID not in asked[0].output + asked[1].output
    told: dict[str, object] = json.loads(asked[1].stdout)
    assert told["ok"] is (status == 0)
    return told


def wrong(told: dict[str, object]) -> list[str]:
    return [one["subject"] for one in told["findings"] if not one["ok"]]  # type: ignore[attr-defined, index]


async def heard(database: Database) -> None:
    await database.write(hearing.hear, "console", owner="host:boot/1:1@1:a.")


async def answered(database: Database) -> None:
    async with House(database, ScriptedModel(), TranscriptAdapter()) as running:
        await running.say(message(SAID, at=time()))
        await running.over()
    await heard(database)


def test_all_is_well_where_the_platform_is_heard_and_nothing_waits(url: str) -> None:
    on(url, answered)

    told = ask(url, "console", status=0)

    assert (told["waiting"], told["oldest_seconds"], told["dead_letters"]) == (0, None, 0)
    assert told["heard_seconds_ago"].keys() == {"console"}  # type: ignore[attr-defined]


def test_a_database_that_takes_no_write_is_unhealthy(url: str) -> None:
    on(url, answered)

    told = ask(asyncio.run(only_read(url)), "console", status=1)

    assert wrong(told) == ["database"]


def test_a_schema_that_is_behind_is_unhealthy(url: str) -> None:
    on(url, lambda database: database.write(migrations.downgrade, "0027"))

    assert wrong(ask(url, "console", status=1)) == ["schema"]


def test_a_schema_of_a_newer_release_is_unhealthy_and_this_release_is_what_to_mend(url: str) -> None:
    def ahead(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    on(url, lambda database: database.write(ahead))

    told = ask(url, "console", status=1)

    assert wrong(told) == ["schema"]
    assert "Install the newest Backscroll." in str(told["findings"])


def test_no_database_at_all_is_unhealthy_and_none_is_made(tmp_path: Path) -> None:
    assert wrong(ask("sqlite:///new.db", status=1)) == ["database"]
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(("ago", "status"), [(50, 0), (70, 1)])
def test_a_platform_unheard_for_a_minute_is_unhealthy(url: str, ago: int, status: int) -> None:
    def age(connection: Connection) -> None:
        connection.execute(update(hearers).values(heard_at=hearers.c.heard_at - ago * 1000))

    async def fall_silent(database: Database) -> None:
        await heard(database)
        await database.write(age)

    on(url, fall_silent)

    assert wrong(ask(url, "console", status=status)) == ["console"] * status


def test_a_platform_that_is_configured_and_that_nobody_hears_is_unhealthy(url: str) -> None:
    on(url, heard)

    result = backscroll("health", "--json", DATABASE_URL=url, DISCORD_TOKEN="sesame")

    assert result.exit_code == 1
    assert wrong(json.loads(result.stdout)) == ["discord"]
    assert "sesame" not in result.output


def test_where_nothing_runs_it_is_unhealthy(url: str) -> None:
    assert wrong(ask(url, status=1)) == ["platforms"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"owner": None}, 1),
        ({"owner": "host:boot/1:1@1:a.", "due_at": 9_999_999_999_999}, 0),
        ({"owner": "host:boot/1:1@1:a.", "due_at": 9_999_999_999_999, "attempts": 2}, 1),
    ],
    ids=["left", "being answered", "being tried again"],
)
def test_a_queue_older_than_a_minute_is_unhealthy_unless_it_is_being_answered(
    url: str, state: dict[str, object], status: int
) -> None:
    async def leave(database: Database) -> None:
        thinking = ScriptedModel([asyncio.Event()])
        async with House(database, thinking, TranscriptAdapter(), clock=lambda: time() - 90) as running:
            await running.say(message(SAID))
            await thinking.until(lambda: thinking.running)
        await database.write(lambda connection: connection.execute(update(sessions).values(state)) and None)
        await heard(database)

    on(url, leave)

    told = ask(url, "console", status=status)

    assert wrong(told) == ["queue"] * status
    assert told["waiting"] == 1


def test_how_long_a_message_has_waited_is_measured_from_when_it_reached_us(url: str) -> None:
    """F11, the kind: the platform's clock, or this machine's, is 20 minutes behind."""

    async def leave(database: Database) -> None:
        thinking = ScriptedModel([asyncio.Event()])
        async with House(database, thinking, TranscriptAdapter()) as running:
            await running.say(message(SAID, at=time() - 1_200))
            await thinking.until(lambda: thinking.running)
        await database.write(lambda connection: connection.execute(update(sessions).values(owner=None)) and None)
        await heard(database)

    on(url, leave)

    told = ask(url, "console", status=0)

    assert told["waiting"] == 1
    assert told["oldest_seconds"] < 60


def test_a_dead_letter_is_unhealthy_until_somebody_has_seen_to_it(url: str) -> None:
    async def give_up(database: Database) -> None:
        failures = [ModelStalled("nothing came")] * ATTEMPTS
        async with House(database, ScriptedModel(*failures), TranscriptAdapter()) as running:
            await running.say(message(SAID))
            await running.over()
        await heard(database)

    on(url, give_up)

    told = ask(url, "console", status=1)
    backscroll("dead", "drop", "console:local:main#1", DATABASE_URL=url)

    assert (wrong(told), told["dead_letters"]) == (["dead letters"], 1)
    assert ask(url, "console", status=0)["dead_letters"] == 0


async def test_a_running_process_is_well_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    """G9."""
    url = f"sqlite:///{tmp_path}/backscroll.db"
    async with asyncio.timeout(120), process(tmp_path, "run", "console", DATABASE_URL=url) as running:
        while (found := await asyncio.to_thread(backscroll, "health", DATABASE_URL=url)).exit_code:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await running.communicate(b"")

    assert "ok    console: last heard" in found.stdout
    assert (await asyncio.to_thread(ask, url, status=1))["heard_seconds_ago"] == {}


def test_the_program_says_which_release_it_is() -> None:
    """G9."""
    result = backscroll("--version")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("backscroll ")
