"""`backscroll backup`: a copy that is whole, taken while people talk; put back, it answers nothing twice."""

import asyncio
import resource
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.store import connect
from tests.bots.program.test_cli import backscroll
from tests.process import ROOT
from tests.script import House, ScriptedModel, TranscriptAdapter, memory
from tests.values import HERE, message


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_copy_taken_while_people_talk_is_whole_and_for_its_owner_alone(url: str, tmp_path: Path) -> None:
    """G10: what stands in `-wal` is in it."""
    database = connect(url)
    async with House(database, ScriptedModel(), TranscriptAdapter()) as running:
        await running.say(message("before"))
        await running.answered("You said: before")
        saying = asyncio.create_task(_chatter(running))
        result = await asyncio.to_thread(backscroll, "backup", "copy.db", DATABASE_URL=url)
        await saying
        await running.over()
    await database.close()

    assert result.exit_code == 0
    assert "copy.db holds everything up to now: " in result.stdout
    copy = tmp_path / "copy.db"
    assert stat.S_IMODE((await asyncio.to_thread(copy.stat)).st_mode) == 0o600
    put_back = connect(f"sqlite:///{copy}")
    assert (await memory(put_back))[:2] == [("person", "before"), ("assistant", "You said: before")]
    await put_back.close()
    with closing(sqlite3.connect(copy)) as whole:
        assert whole.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def _chatter(running: House) -> None:
    for number in range(20):
        await running.say(message(f"line {number}", address=HERE))


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_backup_overwrites_nothing_and_makes_no_database(url: str, tmp_path: Path) -> None:
    (tmp_path / "here.db").write_text("mine")

    refused = backscroll("backup", "here.db", DATABASE_URL=url)
    folders = [backscroll("backup", folder, DATABASE_URL=url) for folder in (".", "..", "/", str(tmp_path))]
    nowhere = backscroll("backup", "no/such/folder.db", DATABASE_URL=url)
    nothing = backscroll("backup", "copy.db", DATABASE_URL="sqlite:///new.db")

    assert [one.exit_code for one in (refused, nowhere, nothing)] == [2, 2, 2]
    assert "here.db is there already" in refused.stderr
    assert all(one.exit_code == 2 and "is there already" in one.stderr for one in folders)
    assert "can't be made: No such file or directory" in nowhere.stderr
    assert (tmp_path / "here.db").read_text() == "mine"
    assert not any((tmp_path / name).exists() for name in ("new.db", "copy.db"))


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_a_backup_gets_no_name_that_sqlite_takes_for_its_own(end: str, tmp_path: Path) -> None:
    """Nobody runs, so none of them is there; whoever starts next would have it deleted."""
    url = f"sqlite:///{tmp_path}/talk.db"
    assert backscroll("migrate", DATABASE_URL=url).exit_code == 0
    (tmp_path / "other.db").symlink_to("talk.db")

    for name in ("talk.db", "other.db"):
        refused = backscroll("backup", f"talk.db{end}", DATABASE_URL=f"sqlite:///{tmp_path}/{name}")

        assert refused.exit_code == 2
        assert "name another file" in refused.stderr
        assert not (tmp_path / f"talk.db{end}").exists()


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_backup_without_room_says_so_of_its_own_disk_and_leaves_nothing(url: str, tmp_path: Path) -> None:
    assert backscroll("migrate", DATABASE_URL=url).exit_code == 0
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, usual[1]))
    try:
        full = backscroll("backup", "copy.db", DATABASE_URL=url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    assert full.exit_code == 1
    assert full.stderr == "backscroll: copy.db can't be made: Input/output error\n"
    assert not list(tmp_path.glob("copy.db*"))


async def test_a_backup_that_is_interrupted_leaves_nothing_that_could_be_taken_for_one(tmp_path: Path) -> None:
    """An empty file is an empty database to SQLite: put back, it is a memory of nothing."""
    order = (
        "from pathlib import Path; from core.store import copy_sqlite; copy_sqlite(Path('from.db'), Path('copy.db'))"
    )
    with closing(sqlite3.connect("from.db", isolation_level=None)) as held:
        held.execute("CREATE TABLE words (word)")
        held.execute("BEGIN EXCLUSIVE")  # what copies waits
        copying = await asyncio.create_subprocess_exec(sys.executable, "-c", order, env={"PYTHONPATH": str(ROOT)})
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(lambda: list(tmp_path.glob("copy.db*"))):  # noqa: ASYNC110 – a folder tells nobody
                await asyncio.sleep(0.01)
        copying.kill()
        await copying.wait()

    assert not await asyncio.to_thread((tmp_path / "copy.db").exists)


def test_a_backup_leaves_the_files_beside_it_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/talk.db"
    assert backscroll("migrate", DATABASE_URL=url).exit_code == 0
    beside = tmp_path / "copy.db.part"
    beside.write_text("mine")

    assert backscroll("backup", "copy.db", DATABASE_URL=url).exit_code == 0
    assert beside.read_text() == "mine"


def test_postgresql_is_backed_up_by_its_own_command_which_shows_no_password() -> None:
    result = backscroll("backup", "nightly dump", DATABASE_URL="postgresql://me:sesame@db.example/talk?sslmode=require")

    assert result.exit_code == 0
    assert result.stdout.strip() == (
        "pg_dump --format=custom --no-owner '--file=nightly dump' 'postgresql://me@db.example/talk?sslmode=require'"
    )
    assert "sesame" not in result.output


@pytest.mark.parametrize("switch", ["on", "off"])
def test_where_workspaces_are_kept_apart_it_is_said_that_our_own_role_can_back_up_nothing(switch: str) -> None:
    told = backscroll("backup", "dump", DATABASE_URL="postgresql://me@server/talk", BACKSCROLL_ROW_SECURITY=switch)

    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) == 1
    assert ("a role in it that passes over row-level security" in told.stderr) == (switch == "on")


def test_postgresql_is_backed_up_past_the_proxy() -> None:
    addresses = {"DATABASE_URL": "postgresql://me@proxy/talk", "DATABASE_LISTEN_URL": "postgresql://me@server/talk"}

    assert backscroll("backup", "dump", **addresses).stdout.rstrip().endswith("postgresql://me@server/talk")
