"""`backscroll audit`: what is recorded, as people and scripts read it, and whether that is whole."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

import migrations
from core.schema import audit as table
from core.store import Database, audit, connect, hearers, policies
from core.store.audit import Outcome
from core.store.bodies import Mine
from core.store.workspaces import workspace_of
from tests.bots.program.test_cli import backscroll
from tests.script import house
from tests.values import HERE, message


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database in which something is recorded."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/b.db"
    asyncio.run(_with(url, _record))
    return url


async def _with(url: str, work) -> None:  # type: ignore[no-untyped-def]  # a test's shorthand
    database = connect(url)
    await database.write(migrations.upgrade)
    await work(database)
    await database.close()


async def _record(database: Database) -> None:
    workspace = await database.write(workspace_of, HERE.platform, HERE.workspace)
    await database.write(audit.record, workspace, "reset", actor="U1", session=7)
    await database.write(audit.record, workspace, "set zone", Outcome.DENIED, actor="U2")


async def _tamper(database: Database) -> None:
    def change(connection: Connection) -> None:
        connection.execute(update(table).where(table.c.number == 1).values(actor="U9"))

    await database.write(change)


def test_it_is_told_who_did_what_and_who_was_refused(url: str) -> None:
    lines = backscroll("audit", DATABASE_URL=url).output.splitlines()

    assert [line.split()[2:] for line in lines[1:]] == [
        ["U1", "reset", "console:local", "console:local#1"],
        ["U2", "set", "zone", "(denied)", "console:local", "console:local#2"],
    ]


def test_scripts_read_it_as_json_lines_of_one_person_and_of_late(url: str) -> None:
    found = backscroll("audit", "--json", "--user", "U2", "--since", "12h", DATABASE_URL=url)

    (entry,) = map(json.loads, found.output.splitlines())
    assert entry.pop("at") > 1_700_000_000
    assert entry == {
        "workspace": "console:local",
        "number": 2,
        "actor": "U2",
        "deed": "set zone",
        "session": None,
        "outcome": "denied",
    }
    assert backscroll("audit", "--json", "--user", "console:local:U2", DATABASE_URL=url).output == found.output
    assert backscroll("audit", "--user", "slack:local:U2", DATABASE_URL=url).output == "Nothing is recorded.\n"
    assert backscroll("audit", "--user", "local:U2", DATABASE_URL=url).exit_code == 2
    assert backscroll("audit", "--since", "2999-01-01", DATABASE_URL=url).output == "Nothing is recorded.\n"


def test_a_moment_that_is_none_is_said_to_be_none(url: str) -> None:
    found = backscroll("audit", "--since", "someday", DATABASE_URL=url)

    assert (found.exit_code, found.stderr) == (
        2,
        "backscroll: --since: 'someday' is no moment: write 2026-11-20, or 12h or 7d\n",
    )


def test_a_record_that_is_whole_is_said_to_be_so_and_a_broken_one_ends_with_1(url: str) -> None:
    whole = backscroll("audit", "--verify", DATABASE_URL=url)
    assert whole.exit_code == 0
    assert whole.output.startswith("The record is whole: 2 rows of 1 workspace. Its hashes are")

    asyncio.run(_with(url, _tamper))

    broken = backscroll("audit", "--verify", DATABASE_URL=url)
    assert (broken.exit_code, broken.stderr.splitlines()) == (
        1,
        [
            "The record is broken: console:local, row 1: it was changed.",
            "Once you know why, --begin-anew PLATFORM:WORKSPACE begins a new record behind it.",
        ],
    )


def test_a_broken_record_is_begun_anew_by_the_operator_and_that_is_recorded(url: str) -> None:
    """Once, and nowhere else; and nothing that was recorded is lost."""

    def begin(place: str) -> tuple[int, str, str]:
        found = backscroll("audit", "--begin-anew", place, DATABASE_URL=url)
        return found.exit_code, found.stdout, found.stderr

    nothing = (2, "", "backscroll: --begin-anew: nothing is broken in the record of console:local\n")
    assert begin("console:local") == nothing
    asyncio.run(_with(url, _tamper))

    anew = "The record of console:local begins anew. It was broken from row 1 on: it was changed.\n"
    assert begin("console:local") == (0, anew, "")
    assert begin("console:local") == nothing
    assert begin("console:other")[0] == begin("console")[0] == 2

    assert backscroll("audit", "--verify", DATABASE_URL=url).output.startswith("The record is whole: 1 row of 1")
    entries = [json.loads(line) for line in backscroll("audit", "--json", DATABASE_URL=url).output.splitlines()]
    assert [(one["actor"], one["deed"]) for one in entries[2:]] == [(None, "audit begin-anew")]
    assert len(entries) == 3


def test_what_the_operator_takes_back_is_recorded_as_the_operators(url: str) -> None:
    async def set_(database: Database) -> None:
        workspace = await database.write(workspace_of, HERE.platform, HERE.workspace)
        await database.write(policies.keep, Mine(workspace), HERE.id, json.dumps({"zone": "UTC"}))

    asyncio.run(_with(url, set_))

    backscroll("settings", "--channel", HERE.id, "--unset", "zone", DATABASE_URL=url)
    backscroll("settings", "--channel", HERE.id, "--unset", "zone", DATABASE_URL=url)

    assert "the operator  unset zone" in backscroll("audit", DATABASE_URL=url).output.splitlines()[-1]
    assert len(backscroll("audit", "--json", DATABASE_URL=url).output.splitlines()) == 3


@pytest.mark.parametrize("command", ["export", "forget"])
@pytest.mark.parametrize(("named", "what"), [(["--user", "U1"], "person"), (["--session", HERE.id], "session")])
def test_what_the_operator_takes_out_or_erases_is_recorded(url: str, command: str, named: list[str], what: str) -> None:
    async def talk(database: Database) -> None:
        async with house(database) as running:
            await running.say(message("tuna"))
            await running.over()

    asyncio.run(_with(url, talk))

    assert backscroll(command, *named, DATABASE_URL=url).exit_code == 0

    entry = json.loads(backscroll("audit", "--json", DATABASE_URL=url).output.splitlines()[-1])
    assert (entry["actor"], entry["deed"]) == (None, f"{command} {what}")


@pytest.mark.parametrize("command", ["export", "forget"])
def test_what_is_about_a_person_is_recorded_where_people_are_alone(url: str, command: str) -> None:
    """Each platform has a workspace without a name, in which it is heard."""

    async def hear(database: Database) -> None:
        await database.write(hearers.hear, HERE.platform, owner="somebody")

    asyncio.run(_with(url, hear))

    backscroll(command, "--user", "U1", DATABASE_URL=url)

    recorded = map(json.loads, backscroll("audit", "--json", DATABASE_URL=url).output.splitlines())
    assert [one["workspace"] for one in recorded if one["actor"] is None] == ["console:local"]
