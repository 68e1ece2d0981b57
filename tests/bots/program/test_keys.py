"""The key ring as operators use it: by the real program, on both databases."""

import asyncio
import shutil
from pathlib import Path

import pytest

from core.schema import checkpoints, data_keys, deliveries, policies, preferences, quotes, rejections, turns
from core.store import Connection, connect
from core.vault import ring
from tests.bots.program.test_cli import backscroll
from tests.process import process
from tests.script import rows

pytestmark = pytest.mark.in_the_clear

ONE, OTHER = ring.generate(), ring.generate()


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def talk(tmp_path: Path, *lines: str, **settings: str) -> tuple[int | None, str, str]:
    """The console with these lines: its exit status, and what it has said on standard output and error."""
    async with process(tmp_path, "run", "console", **settings) as running, asyncio.timeout(60):
        out, said = await running.communicate("".join(f"{line}\n" for line in lines).encode())
    return running.returncode, out.decode(), said.decode()


async def kept(url: str) -> bytes:
    """All that the database holds in columns which may hold words, as it is stored."""
    database, found = connect(url), list[object]()

    def read(connection: Connection) -> None:
        for table in (turns, quotes, checkpoints, deliveries, policies, preferences, rejections, data_keys):
            for row in connection.execute(table.select()).all():
                found.extend(row)

    await database.read(read)
    await database.close()
    return b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in found)


def files(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob("backscroll.db*")]


def test_a_key_is_one_line_which_the_setting_takes() -> None:
    made = backscroll("keys", "generate")

    (line,) = made.stdout.splitlines()
    assert (made.exit_code, made.stderr) == (0, "")
    assert ring.read(line).newest


async def test_with_a_ring_no_word_is_stored_in_the_clear(url: str, tmp_path: Path) -> None:
    said = ("a marker-zebra, please", "!prefer tone marker-dry", "!set persona marker-pirate", "!status")
    status, out, complaint = await talk(tmp_path, *said, DATABASE_URL=url, BACKSCROLL_KEYS=ONE)

    assert (status, complaint) == (0, "")
    assert "marker-zebra" in out
    assert b"marker" not in await kept(url)
    assert all(b"marker" not in file for file in files(tmp_path))
    _, out, _ = await talk(tmp_path, "and now?", "!preferences", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    assert "marker-zebra" in out
    assert "marker-dry" in out


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "BACKSCROLL_KEYS is not set: what is stored here is sealed by the key "),
        ({"BACKSCROLL_KEYS": OTHER}, "the key ring lacks the key "),
        ({"BACKSCROLL_KEYS": "c2hvcnQ="}, "BACKSCROLL_KEYS: key 1 is 5 bytes long and must have 32"),
        ({"BACKSCROLL_KEYS": "#"}, "BACKSCROLL_KEYS holds no key"),
        ({"BACKSCROLL_KEYS_FILE": "nowhere"}, "BACKSCROLL_KEYS_FILE: nowhere can't be read"),
        ({"BACKSCROLL_KEYS_FILE": "damaged"}, "BACKSCROLL_KEYS_FILE: key 1 is 5 bytes long and must have 32"),
    ],
    ids=["none", "wrong", "short", "empty", "missing", "damaged"],
)
async def test_without_the_right_key_a_start_is_refused_and_writes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], complaint: str
) -> None:
    await talk(tmp_path, "hello", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    before = await kept(url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged").write_text("c2hvcnQ=")

    status, out, said = await talk(tmp_path, "hello again", DATABASE_URL=url, **given)

    (line,) = said.splitlines()
    assert status == 2
    assert line.startswith(f"backscroll: {complaint}")
    assert "hello" not in out
    assert await kept(url) == before
    refused = await asyncio.to_thread(backscroll, "dead", "list", DATABASE_URL=url, **given)
    assert refused.exit_code == 2


@pytest.mark.parametrize("given", [{}, {"BACKSCROLL_KEYS": ONE}], ids=["none", "the right one"])
async def test_without_its_data_keys_a_sealed_database_is_refused_and_nothing_is_written(
    url: str, tmp_path: Path, given: dict[str, str]
) -> None:
    """As it is put back from a backup that was made without that table: new keys would take the numbers of the old."""
    await talk(tmp_path, "marker-zebra", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    database = connect(url)
    held = [dict(row._asdict()) for row in await rows(database, data_keys)]
    await database.write(lambda connection: connection.execute(data_keys.delete()))
    before = await kept(url)

    status, out, said = await talk(tmp_path, "hello again", DATABASE_URL=url, **given)

    assert (status, "hello" in out, await kept(url) == before) == (2, False, True)
    assert said.startswith("backscroll: the table data_keys is empty, without which nothing that is stored here")
    refused = await asyncio.to_thread(backscroll, "keys", "rotate", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    assert refused.exit_code == 2
    await database.write(lambda connection: connection.execute(data_keys.insert(), held))
    await database.close()
    _, out, _ = await talk(tmp_path, "and now?", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    assert "marker-zebra" in out


async def test_a_ring_in_a_file_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# the first\n{ONE}\n")
    await talk(tmp_path, "marker", BACKSCROLL_KEYS=ONE)

    _, out, said = await talk(tmp_path, "hello", BACKSCROLL_KEYS_FILE="keys")

    assert "marker" in out
    assert said == ""


async def test_who_stores_in_the_clear_ends_when_a_ring_comes_and_nothing_of_it_is_lost(
    url: str, tmp_path: Path
) -> None:
    async with process(tmp_path, "run", "console", DATABASE_URL=url) as other, asyncio.timeout(90):
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"marker-zebra\n")
        await other.stdout.readuntil(b"> marker-zebra")
        sealing = asyncio.create_task(
            asyncio.to_thread(backscroll, "keys", "rotate", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
        )
        database = connect(url)
        while not await rows(database, data_keys):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)
        other.stdin.write(b"marker-gnu\n")
        await other.stdout.readuntil(b"> marker-gnu")
        _, said = await other.communicate()
        done = await sealing
    assert (done.exit_code, other.returncode) == (0, 2), done.stderr
    assert b"BACKSCROLL_KEYS is not set: what is stored here is sealed by the key " in said
    await database.close()
    assert b"marker" not in await kept(url)
    _, out, said = await talk(tmp_path, "and now?", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    assert ("marker-gnu" in out, "can't be read" in out) == (True, False)


async def test_a_database_in_the_clear_is_sealed_when_a_ring_comes(url: str, tmp_path: Path) -> None:
    _, _, said = await talk(tmp_path, "marker-zebra", "!set persona marker-pirate", DATABASE_URL=url)
    assert "stored in the clear" in said
    assert "backscroll keys generate" in said
    assert b"marker-zebra" in await kept(url)

    done = await asyncio.to_thread(backscroll, "keys", "rotate", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)

    assert done.exit_code == 0, done.stderr
    assert "sealing what was in the clear: " in done.stderr
    assert b"marker" not in await kept(url)
    _, out, said = await talk(tmp_path, "and now?", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)
    assert "marker-zebra" in out
    assert said == ""


async def test_until_what_was_in_the_clear_is_sealed_nobody_is_told_that_it_is(url: str, tmp_path: Path) -> None:
    """Whoever may write in the database could have made new hashes as long as those in the clear are believed."""
    await talk(tmp_path, "hello", "!reset", DATABASE_URL=url)
    given = {"DATABASE_URL": url, "BACKSCROLL_KEYS": ONE}

    async def told() -> list[str]:
        doctor = await asyncio.to_thread(backscroll, "doctor", **given)
        audit = await asyncio.to_thread(backscroll, "audit", "--verify", **given)
        assert (doctor.exit_code, audit.exit_code) == (0, 0)
        (encryption,) = (line for line in doctor.stdout.splitlines() if "encryption: " in line)
        return [encryption.split("encryption: ")[1], audit.stdout.split("workspace. ")[1]]

    assert [one.startswith(("what was stored before is not all", "But what was")) for one in await told()] == [True] * 2

    await asyncio.to_thread(backscroll, "keys", "rotate", **given)

    assert [one.startswith(("all that people say is sealed", "Its hashes are sealed")) for one in await told()] == [
        True
    ] * 2


async def test_a_running_program_seals_what_was_in_the_clear(tmp_path: Path) -> None:
    await talk(tmp_path, "marker-zebra")
    url = f"sqlite:///{tmp_path}/backscroll.db"

    async with process(tmp_path, "run", "console", BACKSCROLL_KEYS=ONE) as running, asyncio.timeout(60):
        while b"marker" in await kept(url):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.05)
        _, said = await running.communicate(b"hello\n")

    assert "not all is sealed yet" in said.decode()


async def test_a_key_is_changed_and_the_old_one_may_go(url: str, tmp_path: Path) -> None:
    await talk(tmp_path, "marker-zebra", DATABASE_URL=url, BACKSCROLL_KEYS=ONE)

    both = {"DATABASE_URL": url, "BACKSCROLL_KEYS": f"{OTHER},{ONE}"}
    done = await asyncio.to_thread(backscroll, "keys", "rotate", **both)

    newest = ring.read(OTHER).newest
    assert done.exit_code == 0, done.stderr
    assert f"All data keys are wrapped by {newest}: the other keys of the ring may go." in done.stdout
    told = await asyncio.to_thread(backscroll, "keys", "status", DATABASE_URL=url, BACKSCROLL_KEYS=OTHER)
    assert f"{newest} (the newest)" in told.stdout
    assert "in the clear" not in told.stdout
    _, out, _ = await talk(tmp_path, "and now?", DATABASE_URL=url, BACKSCROLL_KEYS=OTHER)
    assert "marker-zebra" in out


async def test_status_says_what_is_in_the_clear_and_changes_nothing(tmp_path: Path) -> None:
    await talk(tmp_path, "hello")
    before = await kept(f"sqlite:///{tmp_path}/backscroll.db")

    told = await asyncio.to_thread(backscroll, "keys", "status")

    assert told.exit_code == 0
    assert "in the clear" in told.stdout
    assert "BACKSCROLL_KEYS is not set" in told.stdout
    assert await kept(f"sqlite:///{tmp_path}/backscroll.db") == before


def test_without_a_ring_there_is_nothing_to_rotate() -> None:
    backscroll("migrate")
    refused = backscroll("keys", "rotate")

    assert refused.exit_code == 2
    assert "BACKSCROLL_KEYS is not set: `backscroll keys generate`" in refused.stderr


async def test_a_rotation_of_data_keys_that_was_killed_goes_on_when_it_is_called_again(tmp_path: Path) -> None:
    url, settings = f"sqlite:///{tmp_path}/backscroll.db", {"BACKSCROLL_KEYS": ONE}
    await talk(tmp_path, "marker-zebra", "!prefer tone marker-dry", **settings)
    before = await stored(url)
    async with process(tmp_path, "keys", "rotate", "--data", **settings) as running, asyncio.timeout(60):
        assert running.stderr is not None
        while b"sealing by new data keys" not in await running.stderr.readline():
            pass
        running.kill()
    halfway = await stored(url)
    assert not before & halfway

    shutil.copy(tmp_path / "backscroll.db", tmp_path / "copy.db")
    made = {row.number for row in await rows_of(url)}
    async with process(tmp_path, "keys", "rotate", "--data", **settings) as running, asyncio.timeout(60):
        out, _ = await running.communicate()

    assert b"All is sealed by new data keys." in out
    assert await stored(url) == halfway, "they were new already"
    assert {row.number for row in await rows_of(url)} == made, "and nobody got a third key"
    _, out, _ = await talk(tmp_path, "and now?", "!preferences", **settings)
    assert "marker-zebra" in out
    assert "marker-dry" in out


async def stored(url: str) -> set[bytes]:
    database = connect(url)
    found = await database.read(lambda connection: [row.body for row in connection.execute(turns.select()).all()])
    await database.close()
    return {body for body in found if body}


async def rows_of(url: str):
    database = connect(url)
    found = [row for row in await rows(database, data_keys) if row.workspace]
    await database.close()
    return found
